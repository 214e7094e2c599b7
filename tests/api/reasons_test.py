#!/usr/bin/env python3
"""Why a hub or a relay is not reached: for every cause a server that has it, and the sentence that a person reads of it from
`warren up`, `warren status`, the health of the LocalAPI and the daemon's log.

Usage: reasons_test.py PATH-OF-WARREND. Prints TAP. Needs root and a namespace of its own, and openssl.
       reasons_test.py --serve KIND PORT [CERT KEY]: one of the servers (also told by the test itself)."""
import concurrent.futures
import os
import re
import select
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DIR = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(TOP, "tests", "lab"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
from tap import check, results  # noqa: E402

# ---- The servers ----

KEY = '{"legacyPublicKey":"mkey:%s","publicKey":"mkey:%s"}' % ("0" * 64, "3b" * 32)
def http(status, body="", extra=""):
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{extra}\r\n{body}".encode()


AT_ONCE = {"alert": b"\x15\x03\x03\x00\x02\x02\x28", "old": b"\x15\x03\x03\x00\x02\x02\x46", "ssh": b"SSH-2.0-OpenSSH_9.2\r\n",
           "plain": http(400)}


ANSWERS = {
    "html": http(200, "<html>It works!</html>"), "json": http(200, '{"publicKey":""}'), "404": http(404, "no"),
    "400": http(400), "401": http(401), "403": http(403), "418": http(418), "429": http(429), "500": http(500),
    "502": http(502), "503": http(503), "301": http(301, extra="Location: https://hub.example.com/\r\n"),
    "302": http(302, extra=f"Location: https://x/{'x' * 4000}\r\n"), "307": http(307),
    "garbage": AT_ONCE["ssh"], "tls": AT_ONCE["alert"], "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: "
    b"chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
}
UPGRADES = {"up400": http(400), "up200": http(200), "up426": http(426), "up501": http(501), "up502": http(502), "up403": http(403),
            "upnoise": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: tailscale-control-protocol\r\nConnection: upgrade\r\n\r\n" +
            b"\2\0\x30" + b"x" * 48}


def answer(kind, s, raw):
    """One connection. s: behind TLS where there is any; raw: the socket."""
    if kind == "silent":
        s.recv(1)
        time.sleep(600)
    if kind == "eof":
        raw.recv(4096)
        return
    if kind in AT_ONCE:
        raw.recv(4096)
        raw.sendall(AT_ONCE[kind])
        return
    head = b""
    while b"\r\n\r\n" not in head:
        got = s.recv(4096)
        if not got:
            return
        head += got
    if kind == "reset":
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return
    if kind == "close":
        return
    if kind in UPGRADES:
        s.sendall(http(200, KEY) if head.startswith(b"GET /key") else UPGRADES[kind])
    else:
        s.sendall(ANSWERS[kind])
    s.recv(1)  # until the other side has read it


def serve_one(kind, c, ctx):
    try:
        with c:
            s = c
            if ctx:
                s = ctx.wrap_socket(c, server_side=True)
            answer(kind, s, c)
    except OSError:
        pass


def serve(kind, port, cert=None, key=None):
    ctx = None
    if cert:
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ctx.load_cert_chain(cert, key)
    listener = socket.create_server(("0.0.0.0", int(port)), backlog=64)
    print("ready", flush=True)
    while True:
        c, _ = listener.accept()
        threading.Thread(target=serve_one, args=(kind, c, ctx), daemon=True).start()


def serve_names():
    """A name server that knows no name."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", 53))
    print("ready", flush=True)
    while True:
        q, who = s.recvfrom(512)
        s.sendto(q[:2] + b"\x81\x83" + q[4:6] + bytes(6) + q[12:], who)


if sys.argv[1] == "--serve":
    serve_names() if sys.argv[2] == "names" else serve(*sys.argv[2:])

# ---- The test ----

WARREND = os.path.abspath(sys.argv[1])
os.environ["WARREN_BIN"] = os.path.dirname(os.path.dirname(WARREND))
from net import Net  # noqa: E402
from nodes import CA, WarrenHub, WarrenNode, program, wait_for  # noqa: E402



class Certificates:
    """One authority that the devices know, and certificates that they have reasons not to take."""

    def __init__(self):
        self.known, self.unknown = CA(), CA()
        self.dir = self.known.dir
        self.plain = self.known.issue("127.0.0.1")
        self.other_name = self.known.issue("other.example.com")
        self.foreign = self.unknown.issue("127.0.0.1")
        self.alone = self.self_signed()
        self.expired = self.dated("expired", "20200101000000Z", "20200201000000Z")
        self.future = self.dated("future", "20980101000000Z", "20990101000000Z")

    def self_signed(self):
        base = os.path.join(self.dir, "alone")
        self.known._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
                            "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2", "-keyout", base + ".key",
                            "-out", base + ".pem")
        return base + ".pem", base + ".key"

    def dated(self, name, begin, end):
        """Signed by the known authority, for a time of its own: only "openssl ca" can do that."""
        base = os.path.join(self.dir, name)
        ca = self.dir
        open(os.path.join(ca, "index.txt"), "w").close()
        with open(base + ".cnf", "w") as f:
            f.write(f"[ca]\ndefault_ca=d\n[d]\ndatabase={ca}/index.txt\nnew_certs_dir={ca}\nrand_serial=yes\ndefault_md=sha256\n"
                    f"policy=p\nx509_extensions=e\nunique_subject=no\n[p]\ncommonName=supplied\n[e]\nsubjectAltName=IP:127.0.0.1\n")
        self.known._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=hub",
                            "-keyout", base + ".key", "-out", base + ".csr")
        self.known._openssl("ca", "-batch", "-config", base + ".cnf", "-cert", self.known.cert, "-keyfile", f"{ca}/ca.key",
                            "-in", base + ".csr", "-out", base + ".pem", "-startdate", begin, "-enddate", end, "-notext")
        return base + ".pem", base + ".key"

    def close(self):
        self.known.close()
        self.unknown.close()


def start_server(host, kind, port, *files):
    p = host.popen(sys.executable, os.path.abspath(__file__), "--serve", kind, str(port), *files, stdout=subprocess.PIPE)
    assert p.stdout.readline() == b"ready\n", (kind, port)
    return p


class Case:
    """url: {p} is the port of the server; kind None: there is none. want: a pattern of what is read everywhere."""

    def __init__(self, name, url, kind, want, cert=None, up_waits=20):
        self.name, self.url, self.kind, self.want, self.cert, self.up_waits = name, url, kind, want, cert, up_waits


def cases(certs):
    plain, tls = "http://127.0.0.1:{p}", "https://127.0.0.1:{p}"
    not_hub = r"a web server answers at 127.0.0.1 port \d+, but it is not a hub"
    upgrade = r"a proxy in front of the hub does not pass on the upgrade of /ts2021 \(HTTP status %d\)"
    return [
        Case("the name does not exist", "http://nobody.example.com:{p}", None, r"the name nobody.example.com does not exist"),
        Case("nobody listens", plain, None, r"nothing listens at 127.0.0.1 port \d+ \(connection refused\)"),
        Case("no route", "http://192.0.2.1:{p}", None, r"this device has no route to 192.0.2.1"),
        Case("the machine is not there", "http://198.51.100.1:{p}", None, r"the machine of 198.51.100.1 cannot be reached"),
        Case("packets are dropped", "http://127.0.0.9:{p}", None, r"nothing answers at 127.0.0.9 port \d+: .*firewall", up_waits=30),
        Case("it takes the connection and is silent", plain, "silent", r"takes the connection, but does not answer", up_waits=30),
        Case("the connection is reset", plain, "reset", r"was cut \(connection reset\)"),
        Case("it ends the connection", plain, "close", r"without an answer.*begin the address with https://"),
        Case("another service has the port", plain, "garbage", r"does not speak HTTP: another service"),
        Case("TLS on a port that was given as plain", plain, "tls", r"speaks TLS. Begin the address of the hub with https://"),
        Case("another web server: a page", plain, "html", not_hub),
        Case("another web server: a document", plain, "json", not_hub),
        Case("another web server: in chunks", plain, "chunked", not_hub),
        Case("another web server: 404", plain, "404", not_hub + r" \(HTTP status 404\)"),
        Case("another web server: 418", plain, "418", not_hub + r" \(HTTP status 418\)"),
        Case("400 on a plain port", plain, "400", r"refuses plain HTTP \(HTTP status 400\).*https://"),
        Case("401", plain, "401", r"wants a login before it lets this device through \(HTTP status 401\)"),
        Case("403", plain, "403", r"wants a login before it lets this device through \(HTTP status 403\)"),
        Case("a redirect", plain, "301", r"sends on to https://hub.example.com/. If that is the hub, use that address"),
        Case("a redirect that is not fit to be shown", plain, "302", r"sends on to another address \(HTTP status 302\)"),
        Case("a redirect to nowhere", plain, "307", r"sends on to another address \(HTTP status 307\)"),
        Case("too many requests", plain, "429", r"asks to be left alone for a while \(HTTP status 429\)"),
        Case("500", plain, "500", r"answers that it failed \(HTTP status 500\)"),
        Case("502 of a proxy", plain, "502", r"what is behind it is not there \(HTTP status 502\)"),
        Case("503 of a proxy", plain, "503", r"what is behind it is not there \(HTTP status 503\)"),
        Case("no upgrade: 400", plain, "up400", upgrade % 400),
        Case("no upgrade: 200", plain, "up200", upgrade % 200),
        Case("no upgrade: 426", plain, "up426", upgrade % 426),
        Case("no upgrade: 501", plain, "up501", upgrade % 501),
        Case("no upgrade behind TLS", tls, "up400", upgrade % 400, certs.plain),
        Case("502 at the upgrade", plain, "up502", r"what is behind it is not there \(HTTP status 502\)"),
        Case("403 at the upgrade", plain, "up403", r"wants a login .*\(HTTP status 403\)"),
        Case("another key answers", plain, "upnoise", r"the answer does not fit the key of the hub"),
        Case("another web server behind TLS", tls, "404", not_hub + r" \(HTTP status 404\)", certs.plain),
        Case("an expired certificate", tls, "404", r"certificate has expired by the clock of this device, which says 20\d\d-",
             certs.expired),
        Case("a certificate of the future", tls, "404", r"not valid yet by the clock of this device.*Set the clock", certs.future),
        Case("an unknown authority", tls, "404", r"signed by an authority that this device does not know", certs.foreign),
        Case("a certificate signed by itself", tls, "404", r"signed by itself", certs.alone),
        Case("a certificate for another name", tls, "404", r"for another name than 127.0.0.1", certs.other_name),
        Case("plain HTTP where TLS was expected", tls, "plain", r"does not speak TLS.*begin its address with http://"),
        Case("another service where TLS was expected", tls, "ssh", r"does not speak TLS"),
        Case("TLS is refused", tls, "alert", r"refuses TLS with this device"),
        Case("no common version of TLS", tls, "old", r"no version of TLS that is still safe"),
        Case("the connection ends instead of TLS", tls, "eof", r"ends the connection as soon as TLS begins"),
    ]


def read_until(p, want, patience):
    """What a program writes to stderr until it matches, or until patience ends."""
    got, end = "", time.monotonic() + patience
    os.set_blocking(p.stderr.fileno(), False)
    while time.monotonic() < end and not re.search(want, got):
        if select.select([p.stderr], [], [], 0.1)[0]:
            more = os.read(p.stderr.fileno(), 65536)
            if not more:
                break
            got += more.decode()
    return got


class Device(WarrenNode):
    def __init__(self, host, number, ca):
        super().__init__(host, f"box{number}", ca)
        self.argv = [program("warrend"), "--statedir", self.dir, "--socket", self.socket, "--tun", f"warren{number}", "--port", "0"]
        self.env["SSL_CERT_FILE"] = ca.cert


def one_case(host, number, case, ca):
    """The list of what was not as it should be."""
    port, wrong, server = 10000 + number, [], None
    device = Device(host, number, ca)
    url = case.url.format(p=port)
    try:
        if case.kind:
            server = start_server(host, case.kind, port, *(case.cert or ()))
        device.start()
        begin = time.monotonic()
        up = host.popen(program("warren"), f"--socket={device.socket}", "up", f"--login-server={url}", stderr=subprocess.PIPE,
                        stdout=subprocess.PIPE)
        said = read_until(up, case.want + r".*\n", case.up_waits)
        took = time.monotonic() - begin
        if not re.search(case.want, said):
            wrong.append(f"up said in {took:.1f} s: {said!r}")
        if up.poll() is not None:
            wrong.append(f"up did not go on waiting: {up.returncode}")
        up.kill()
        up.wait()
        health = device.status()["Health"]
        if not any(re.search(case.want, h) and url in h for h in health):
            wrong.append(f"health says {health}")
        status = device.cli("status", check=False)
        if not re.search(case.want, status):
            wrong.append(f"status says {status!r}")
        log = open(device.log, errors="replace").read()
        if not re.search(r"^.*control.*" + case.want, log, re.M):
            wrong.append(f"the log says {log[-500:]}")
    finally:
        device.close()
        if server:
            server.kill()
            server.wait()
    return wrong


def hub_cases(net, certs):
    host = net.host("hubs")
    etc = f"/etc/netns/{host.ns}"
    os.makedirs(etc, exist_ok=True)
    try:
        with open(f"{etc}/resolv.conf", "w") as f:
            f.write("nameserver 127.0.0.1\n")
        names = host.popen(sys.executable, os.path.abspath(__file__), "--serve", "names", stdout=subprocess.PIPE)
        assert names.stdout.readline() == b"ready\n"
        host.plug(net.switch("street"), "far", "203.0.113.1/24")
        host.run("ip", "route", "add", "unreachable", "198.51.100.0/24")
        host.nft("table inet t { chain i { type filter hook input priority 0; ip daddr 127.0.0.9 tcp dport 1-65535 drop\n}\n}")
        table = cases(certs)
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            for case, wrong in zip(table, pool.map(lambda x: one_case(host, x[0], x[1], certs.known), enumerate(table))):
                check(f"hub: {case.name}", not wrong, "\n".join(wrong))
        names.kill()
        names.wait()
        no_resolver(host, certs)
    finally:
        shutil.rmtree(etc, ignore_errors=True)


def no_resolver(host, certs):
    """The same host when its name server is gone."""
    wrong = one_case(host, 80, Case("", "http://nobody.example.com:{p}", None, r"could not be looked up: no name server answers"),
                     certs.known)
    check("hub: no name server answers", not wrong, "\n".join(wrong))


# ---- Relays ----

def relay_case(net, number, name, kind, want, certs_of):
    """A hub that is well, and something else where its relay should be."""
    host = net.host(f"relay{number}")
    host.plug(net.switch(f"lane{number}"), "far", "203.0.113.1/24")
    hub = WarrenHub(host, "127.0.0.1", extra=["--relay-listen", "127.0.0.1:8443"])
    device, server, wrong = Device(host, 1, NOTHING), None, []
    try:
        hub.start()
        if kind:
            server = start_server(host, kind, 9000, *certs_of(hub))
        host.nft("table ip t { chain o { type nat hook output priority -100; tcp dport 8443 redirect to :9000\n}\n}")
        key = hub.auth_key()
        device.start()
        up = host.popen(program("warren"), f"--socket={device.socket}", "up", f"--login-server={hub.url}", f"--auth-key={key}",
                        stderr=subprocess.PIPE)
        said = read_until(up, want, 40)
        up.kill()
        up.wait()
        if not re.search(want, said):
            wrong.append(f"up said {said!r}")
        wait_for("health says it", lambda: any(re.search(want, h) for h in device.status()["Health"]))
        for words, text in (("status", device.cli("status", check=False)), ("netcheck", device.cli("netcheck", check=False)),
                            ("the log", open(device.log, errors="replace").read())):
            if not re.search(want, text):
                wrong.append(f"{words} says {text[-600:]}")
    except TimeoutError as e:
        wrong.append(f"{e}: {device.status()['Health']}")
    finally:
        device.close()
        hub.close()
        if server:
            server.kill()
            server.wait()
    return name, wrong


def relay_cases(net, certs):
    def own(hub):
        pem = os.path.join(hub.state, "relay.pem")
        return pem, pem

    table = [
        ("nobody listens", None, r"nothing listens at 127.0.0.1 port 8443", lambda hub: ()),
        ("it does not speak TLS", "plain", r"127.0.0.1 port 8443 does not speak TLS", lambda hub: ()),
        ("another certificate", "404", r"its certificate is not the one that the hub told of", lambda hub: certs.alone),
        ("no upgrade", "404", r"there is no relay at 127.0.0.1 port 8443, or a proxy .*\(HTTP status 404\)", own),
    ]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for name, wrong in pool.map(lambda x: relay_case(net, x[0], *x[1]), enumerate(table)):
            check(f"relay: {name}", not wrong, "\n".join(wrong))


# ---- A hub that answers, and then does not ----

def going_hub(net):
    """A login that waits for a person, then for a hub that is gone; a key that the hub refuses; a running device."""
    host = net.host("going")
    host.plug(net.switch("road"), "far", "203.0.113.1/24")
    hub, waits, runs = WarrenHub(host, "127.0.0.1"), Device(host, 1, NOTHING), Device(host, 2, NOTHING)
    gone = r"The hub http://127.0.0.1 is not reached: nothing listens at 127.0.0.1 port 80 \(connection refused\)"
    try:
        hub.start()
        waits.start()
        runs.start()
        p = host.popen(program("warren"), f"--socket={runs.socket}", "up", f"--login-server={hub.url}", "--auth-key=wkey-auth-0000",
                       stderr=subprocess.PIPE, stdout=subprocess.PIPE)
        said = p.communicate(timeout=30)[1].decode()
        check("a key that the hub refuses is told with the hub's words, and the wait is over", p.returncode == 1 and "key" in said, said)
        runs.cli("up", f"--login-server={hub.url}", f"--auth-key={hub.auth_key()}", "--timeout=30s")
        up = host.popen(program("warren"), f"--socket={waits.socket}", "up", f"--login-server={hub.url}", stderr=subprocess.PIPE)
        said = read_until(up, r"/register/\w+", 20)
        hub.stop()
        said += read_until(up, gone, 30)
        check("who waits for a login hears that the hub has gone", re.search("/register/", said) and re.search(gone, said), said)
        check("and the wait goes on", up.poll() is None)
        up.kill()
        up.wait()
        wait_for("the running device's health says it", lambda: any(re.search(gone, h) for h in runs.status()["Health"]), 30)
        said = runs.cli("status", check=False)
        check("so does its status", re.search(gone, said) and "out of date" in said, said)
    except TimeoutError as e:
        check("a hub that goes away is noticed", False, e)
    finally:
        for p in (waits, runs, hub):
            p.close()


class NOTHING:
    cert = "/etc/ssl/certs/ca-certificates.crt"


def main():
    if os.geteuid() != 0 or not os.path.exists("/dev/net/tun"):
        print("1..0 # SKIP needs root and /dev/net/tun")
        return 0
    certs, net = Certificates(), Net()
    try:
        hub_cases(net, certs)
        relay_cases(net, certs)
        going_hub(net)
    finally:
        net.close()
        certs.close()
    print(f"1..{len(results)}")
    return not all(results)


sys.exit(main())
