#!/usr/bin/env python3
"""warren-relay --verify-url: who may log in is somebody else's word, a hub's or any program's that answers as derper's
--verify-client-url asks.

Usage: relay_verify_test.py WARREN-RELAY WARREN-HUB HUBDEVICE. Prints TAP."""
import http.server, json, os, ssl, subprocess, sys, threading, time, urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "hostile"))
from certificates import CA  # noqa: E402
from hub_process import check, own_port, run, wait_for  # noqa: E402
from procs import Program  # noqa: E402
from raw import CLIENT_INFO, RECV_PACKET, Closed, Derp, derp_frame, public  # noqa: E402

RELAY = sys.argv[1]
PATIENCE, KEEP_NO = 5, 5  # VERIFY_PATIENCE, VERIFY_KEEP_NO, seconds


class Controller:
    """Answers as `answer` says: (status, body), or None: nothing at all. tls: a context."""

    def __init__(self, tls=None):
        self.asked, self.answer, self.chunked = [], lambda key: (200, {"Allow": True}), False
        controller = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                q = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                controller.asked.append((self.path, q))
                said = controller.answer(q["NodePublic"])
                if said is None:
                    controller.over.wait(60)
                    return
                body = said[1] if isinstance(said[1], bytes) else json.dumps(said[1]).encode()
                self.send_response(said[0])
                if controller.chunked:
                    self.send_header("Transfer-Encoding", "chunked")
                    body = b"".join(b"1\r\n%c\r\n" % b for b in body) + b"0\r\n\r\n"
                else:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.over = threading.Event()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.over.set()
        self.server.shutdown()
        self.server.server_close()


class Relay(Program):
    def __init__(self, directory, url, *flags, **kw):
        self.to = "127.0.0.1", own_port()
        super().__init__(directory, [RELAY, "--plain", "--listen", f"127.0.0.1:{self.to[1]}", "--stun", "off", "--state-dir",
                                     os.path.join(directory, "relay"), "--verify-url", url, *flags], "warren-relay: ready\n", **kw)

    def lets_in(self, secret=None, timeout=10):
        c = Derp(self.to, secret, window=65536)
        try:
            return c.is_in(timeout)
        finally:
            c.close()


def answers(d):
    c = Controller()
    r = Relay(d, f"http://127.0.0.1:{c.port}/some/path?x=y")
    key = os.urandom(32)
    check("whom the controller lets in is in", r.lets_in(key))
    check("it is asked as derper asks", c.asked == [("/some/path?x=y", {"NodePublic": "nodekey:" + public(key).hex(), "Source": "127.0.0.1"})],
          c.asked)
    with urllib.request.urlopen(f"http://127.0.0.1:{r.to[1]}/metrics", timeout=10) as m:
        check("it is counted", b"\nwarren_relay_verify_asked_total 1\n" in m.read())
    check("what it said is kept for a moment", all(r.lets_in(key) for _ in range(5)) and len(c.asked) == 1)
    c.chunked = True
    check("in chunks, too", r.lets_in())
    c.chunked = False
    bad = {"no": (200, {"Allow": False}), "nothing": (200, {}), "not JSON": (200, b"yes"), "an error": (500, {"Allow": True}),
           "not found": (404, b""), "a redirect": (302, {"Allow": True}), "too much": (200, b" " * 100000 + b'{"Allow":true}'),
           "null": (200, b"null"), "a list": (200, b"[true]")}
    let_in = []
    for what, said in bad.items():
        c.answer = lambda key, said=said: said
        let_in += [what] * r.lets_in()
    check("anything else but a yes is a no", not let_in, let_in)
    check("the log says so", "a client is turned away" in r.said())
    n, refused = len(c.asked), os.urandom(32)
    c.answer = lambda key: (200, {"Allow": False})
    check("who is refused stays so for a moment", not any(r.lets_in(refused) for _ in range(5)) and len(c.asked) == n + 1)
    c.answer = lambda key: (200, {"Allow": True})
    wait_for("then it is asked again", lambda: r.lets_in(refused), KEEP_NO + 5)
    n = len(c.asked)
    s = Derp(r.to, login=False)
    s.push(derp_frame(CLIENT_INFO, public(os.urandom(32)) + os.urandom(80)))
    check("nobody is asked about a key that is not the client's own", s.is_closed(5) and len(c.asked) == n)
    c.answer = lambda key: time.sleep(0.3) or (200, {"Allow": True})
    a, b = Derp(r.to, window=65536), Derp(r.to, window=65536)
    a.push(b"".join(a.packet(b.key, bytes(1000)) for _ in range(300)))
    check("what a client says while it waits is not lost, nor kept without end", a.is_in() and b.is_in() and a.push(a.packet(b.key, b"x")) and
          b.next()[0] == RECV_PACKET)
    s = Derp(r.to)
    s.close()
    check("one that leaves while it waits harms nobody", r.lets_in())
    check("the relay ends", r.stop() == 0)
    c.close()


def silence(d):
    """Nobody answers: closed to all, or open where that is asked for."""
    c = Controller()
    c.answer = lambda key: None
    closed = Relay(os.path.join(d, "closed"), f"http://127.0.0.1:{c.port}/")
    opened = Relay(os.path.join(d, "open"), f"http://127.0.0.1:{c.port}/", "--verify-fail-open")
    start = time.monotonic()
    check("no answer in time is a no", not closed.lets_in() and PATIENCE - 1 < time.monotonic() - start < PATIENCE + 3)
    check("or a yes with --verify-fail-open", opened.lets_in())
    check("the log says that nobody answers", "nobody says whether" in closed.said() and "nobody says whether" in opened.said())
    c.close()
    check("nobody there is the same", not closed.lets_in() and opened.lets_in())
    check("both end", closed.stop() == 0 and opened.stop() == 0)


def crowd(d):
    """Questions are bounded: so many at a time, and those of one source do not hold up another's."""
    c = Controller()
    gate, most, now, lock = threading.Event(), 0, 0, threading.Lock()

    def slowly(key):
        nonlocal most, now
        with lock:
            now += 1
            most = max(most, now)
        gate.wait(0.05)
        with lock:
            now -= 1
        return 200, {"Allow": True}

    c.answer = slowly
    r = Relay(d, f"http://127.0.0.1:{c.port}/")
    many = [Derp(r.to, source="127.0.0.2") for _ in range(150)]
    start = time.monotonic()
    other = Derp(r.to, source="127.0.0.3")
    check("another source's client does not wait for them", other.is_in() and time.monotonic() - start < 5, time.monotonic() - start)
    check("all are let in", all(m.is_in(10) for m in many))
    check("32 are asked about at a time", most <= 32, most)
    for m in many:
        m.close()
    check("the relay ends", r.stop() == 0)
    c.close()


def over_tls(d):
    ca, other = CA(os.path.join(d, "ca")), CA(os.path.join(d, "other"))

    def context(authority):
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ctx.load_cert_chain(*authority.issue("localhost"))
        return ctx

    good, bad = Controller(context(ca)), Controller(context(other))
    env = {**os.environ, "SSL_CERT_FILE": ca.cert}
    r = Relay(os.path.join(d, "good"), f"https://localhost:{good.port}/verify", env=env)
    check("over https, with a name and a certificate that is trusted", r.lets_in())
    check("it ends", r.stop() == 0)
    r = Relay(os.path.join(d, "bad"), f"https://localhost:{bad.port}/verify", env=env)
    check("a certificate of somebody else is no answer", not r.lets_in() and not bad.asked, r.said())
    check("it ends, too", r.stop() == 0)
    good.close()
    bad.close()


def with_a_hub(d):
    from hub_relay_test import RelayHub
    hub = RelayHub(d).start()
    one = hub.device("one")
    r = Relay(os.path.join(d, "r"), hub.url + "/verify")
    check("a hub's devices are let in, and nobody else", r.lets_in(one.secret) and not r.lets_in())
    one.stop()
    check("the relay ends", r.stop() == 0)
    hub.stop()


def usage(d):
    def said(*args):
        p = subprocess.run([RELAY, "--plain", "--listen", f"127.0.0.1:{own_port()}", "--stun", "off", "--state-dir", d, *args],
                           capture_output=True, text=True, timeout=20)
        return p.returncode, p.stderr
    check("a URL that is none is refused", said("--verify-url", "hub/verify")[0] == 1)
    check("--verify-fail-open alone is refused", said("--verify-fail-open")[0] == 2 and "--verify-url" in said("--verify-fail-open")[1])


if __name__ == "__main__":
    sys.argv = [sys.argv[0], *sys.argv[2:]]  # what hub_relay_test reads
    sys.exit(run([usage, answers, silence, crowd, over_tls, with_a_hub]))
