#!/usr/bin/env python3
"""Hub and relay behind proxies: whose word on the client's address counts, and whose does not.

127.0.0.2 is a proxy that is trusted, 127.0.0.3 anybody else.

Usage: proxied_test.py WARREN-HUB HUBLOAD WARREN-RELAY. Prints TAP."""
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import procs  # noqa: E402
from hub_process import check, children, own_port, run, wait_for  # noqa: E402
from procs import Program  # noqa: E402

HUB, HUBLOAD, RELAY = sys.argv[1:4]
PROXY, STRANGER = "127.0.0.2", "127.0.0.3"
CLIENT, CLIENT6, LIE = "203.0.113.7", "2001:db8::7", "198.51.100.66"
PATIENCE = 5  # of the hub with a proxy's header


class Hub(Program):
    def __init__(self, directory, *extra):
        self.port, self.relay, self.socket = own_port(), own_port(), os.path.join(directory, "s")
        super().__init__(directory, [
            HUB, "serve", "--state-dir", os.path.join(directory, "state"), "--socket", self.socket, "--listen", f"127.0.0.1:{self.port}",
            "--url", f"http://127.0.0.1:{self.port}", "--relay-listen", f"127.0.0.1:{self.relay}", "--stun-listen", "off", *extra],
            "warren-hub: ready\n")

    def json(self, *args):
        return json.loads(subprocess.run([HUB, *args, "--json", "--socket", self.socket], capture_output=True, text=True, check=True).stdout)

    def metric(self, name):
        return int(re.search(rf"^warren_{name} (\d+)$", ask(self.port, STRANGER, b"", "GET /metrics")[1], re.M).group(1))


def ask(port, source, before, request, headers="", tls=False):
    return procs.ask(port, request, headers, source, before, tls)


def v1(ip, port=4711):
    return f"PROXY TCP{6 if ':' in ip else 4} {ip} {'::1' if ':' in ip else '127.0.0.1'} {port} 443\r\n".encode()


def v2(ip, command=1, more=b""):
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    to = "::1" if ":" in ip else "127.0.0.1"
    body = socket.inet_pton(family, ip) + socket.inet_pton(family, to) + (4711).to_bytes(2) + (443).to_bytes(2) + more
    return b"\r\n\r\n\0\r\nQUIT\n" + bytes([0x20 | command, 0x21 if ":" in ip else 0x11]) + len(body).to_bytes(2) + body


WRONG = ("GET /api/v2/tailnet/-/acl", "Authorization: Bearer tskey-api-wrong\r\n")


def wrong_token(hub, source, before=b"", headers=""):
    """The answer to a wrong API token: 401, or 429 once this client has shown too many."""
    return ask(hub.port, source, before, WRONG[0], WRONG[1] + headers)[0]


def named(hub):
    """Addresses in the log's lines on wrong tokens."""
    return re.findall(r"no valid token.* from=(\S+)", hub.said())


def adding_proxy(to, make):
    """Passes connections on from the proxy's address; make: the first bytes of the client in, those for the server out."""
    listener = socket.create_server(("127.0.0.1", 0))

    def pass_on(a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
            b.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def serve(client):
        server = socket.create_connection(("127.0.0.1", to), 10, (PROXY, 0))
        server.settimeout(None)
        server.sendall(make(client.recv(65536)))
        threading.Thread(target=pass_on, args=(server, client), daemon=True).start()
        pass_on(client, server)

    def loop():
        while True:
            threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=loop, daemon=True).start()
    return listener.getsockname()[1]


def forwarded_for(first):
    """As a proxy appends to what a client wrote itself."""
    head, rest = first.split(b"\r\n", 1)
    return head + f"\r\nX-Forwarded-For: {LIE}, {CLIENT}\r\n".encode() + rest


def waiting_login(hub, name, make, want):
    """A device that joins through a proxy without a key: whom the list of waiting logins and its page show."""
    port = adding_proxy(hub.port, make)
    load = subprocess.Popen([HUBLOAD, f"http://127.0.0.1:{port}", "-", "2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    children.append(load)
    try:
        waits = wait_for("a login waits", lambda: hub.json("nodes", "pending"))[0]
        page = ask(hub.port, STRANGER, b"", f"GET /register/{waits['code']}")[1]
        check(f"{name}: a waiting login shows the device's address", waits["from"] == want and want in page and LIE not in page, waits)
    finally:
        load.kill()
        load.wait()


def forwarded(d):
    hub = Hub(d, "--trusted-proxy", f"{PROXY},10.0.0.0/8", "--trusted-proxy", "::1")
    waiting_login(hub, "X-Forwarded-For", forwarded_for, CLIENT)
    xff = f"X-Forwarded-For: {LIE}, %s\r\n"
    first = [wrong_token(hub, PROXY, headers=xff % CLIENT) for _ in range(14)]
    other = wrong_token(hub, PROXY, headers=xff % CLIENT6)
    check("clients behind one proxy are limited each by itself", first[0] == 401 and first[-1] == 429 and other == 401, (first, other))
    own = [wrong_token(hub, STRANGER, headers=f"X-Forwarded-For: 192.0.2.{i}\r\n") for i in range(14)]
    check("who is no proxy can't be somebody else by a header", own[0] == 401 and own[-1] == 429, own)
    log = named(hub)
    check("the log names clients, and never what they claim", set(log) & {CLIENT, CLIENT6} and set(log) <= {CLIENT, CLIENT6, STRANGER}, log)
    chain = wrong_token(hub, PROXY, headers=f"X-Forwarded-For: 192.0.2.99, {CLIENT}\r\nX-Forwarded-For: 10.1.2.3\r\n")
    check("proxies in a row are passed over", chain == 429, chain)
    bad = hub.metric("hub_proxy_failed_total")
    for value in ("unknown", "", "a" * 4000, "," * 4000, "1.2.3.4.5, ::", ",".join(["10.1.1.1"] * 200), "\x7f\x01"):
        ask(hub.port, PROXY, b"", "GET /health", f"X-Forwarded-For: {value}\r\n")
    check("a proxy's malformed header is counted, and the hub lives", hub.metric("hub_proxy_failed_total") > bad and
          ask(hub.port, PROXY, b"", "GET /health")[0] == 200)
    v1_without = ask(hub.port, PROXY, v1(CLIENT), "GET /health")[0]
    check("without --proxy-protocol its header is no request, from a trusted proxy neither", v1_without == 400, v1_without)
    hub.stop()


def off(d):
    hub = Hub(d)
    codes = [wrong_token(hub, PROXY, headers=f"X-Forwarded-For: 192.0.2.{i}\r\n") for i in range(14)]
    check("by default nobody is trusted", codes[-1] == 429 and set(named(hub)) == {PROXY}, (codes, named(hub)))
    hub.stop()


def proxy_protocol(d):
    hub = Hub(d, "--trusted-proxy", PROXY, "--proxy-protocol")
    for version, header in (("v1", v1), ("v2", v2)):
        waiting_login(hub, f"PROXY {version}", lambda first: header(CLIENT) + first, CLIENT)
    check("both versions, both families", [ask(hub.port, PROXY, h(ip), "GET /health")[0] for h in (v1, v2) for ip in (CLIENT, CLIENT6)] +
          [ask(hub.port, PROXY, v2(CLIENT, more=b"\x04\0\x05hello"), "GET /health")[0]] == [200] * 5)
    check("the header stands before TLS, too", ask(hub.relay, PROXY, v2(CLIENT), "GET /derp/probe", tls=True)[0] == 200 and
          ask(hub.relay, STRANGER, b"", "GET /derp/probe", tls=True)[0] == 200)
    codes = [wrong_token(hub, PROXY, v2(CLIENT)) for _ in range(14)] + [wrong_token(hub, PROXY, v1(CLIENT6))]
    check("limits know the client", codes[0] == 401 and codes[13] == 429 and codes[14] == 401, codes)
    lies = [wrong_token(hub, PROXY, v1(STRANGER), f"X-Forwarded-For: 192.0.2.{i}\r\n") for i in range(14)]
    check("a client behind the proxy can't be somebody else by X-Forwarded-For", lies[-1] == 429, lies)
    lies = [wrong_token(hub, PROXY, b"PROXY UNKNOWN\r\n", f"X-Forwarded-For: 192.0.2.{i}\r\n") for i in range(14)]
    check("neither can one that the proxy does not name", lies[-1] == 429, lies)
    check("who is no proxy sends no header, and is served; with one it is refused", ask(hub.port, STRANGER, b"", "GET /health")[0] == 200 and
          [ask(hub.port, STRANGER, h(CLIENT), "GET /health")[0] for h in (v1, v2)] == [400, 400])
    malformed(hub)
    slow(hub)
    hub.stop()


def malformed(hub):
    bad = hub.metric("hub_proxy_failed_total")
    headers = [b"GET / HTTP/1.1\r\n\r\n", b"PROXY\r\n", b"PROXY TCP4 1.2.3.4\r\n", b"PROXY TCP4 " + b"1" * 200 + b"\r\n", v1(CLIENT)[:-2] + b"\n",
               v1("999.1.1.1"), b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0c" + bytes(12), b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff" + bytes(2000),
               b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x02ab", b"\x16\x03\x01\x02\x00" + bytes(512)]
    answers = [ask(hub.port, PROXY, h, "GET /health")[0] for h in headers]
    check(f"a trusted proxy without a good header is closed ({len(headers)} ways)", answers == [0] * len(headers) and
          wait_for("all are counted", lambda: hub.metric("hub_proxy_failed_total") == bad + len(headers)), answers)
    check("the log says what to look at", "a trusted proxy does not say who its client is" in hub.said() and f"from={PROXY}:" in hub.said())


def slow(hub):
    """Byte by byte is fine; never ending is not."""
    with socket.create_connection(("127.0.0.1", hub.port), 10, (PROXY, 0)) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for b in v2(CLIENT) + b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n":
            s.sendall(bytes([b]))
        check("a header in many segments is put together", s.recv(12) == b"HTTP/1.1 200")
    with socket.create_connection(("127.0.0.1", hub.port), 10, (PROXY, 0)) as s:
        t0 = time.monotonic()
        s.sendall(b"PROXY TCP4 ")
        s.settimeout(PATIENCE * 5)
        ended, took = s.recv(100) == b"", time.monotonic() - t0
        check("a header that does not come to its end is not waited for", ended and took > PATIENCE - 0.5, (ended, took))


def relay(d):
    port = own_port()
    p = Program(d, [RELAY, "--plain", "--listen", f"127.0.0.1:{port}", "--stun", "off", "--state-dir", os.path.join(d, "state"),
                    "--trusted-proxy", PROXY, "--proxy-protocol"], "warren-relay: ready\n")
    check("warren-relay takes the header from its proxy only", [
        ask(port, PROXY, v2(CLIENT), "GET /derp/probe")[0], ask(port, PROXY, b"", "GET /derp/probe")[0],
        ask(port, STRANGER, b"", "GET /derp/probe")[0], ask(port, STRANGER, v1(CLIENT), "GET /derp/probe")[0]] == [200, 0, 200, 400])
    check("and upgrades behind it", ask(port, PROXY, v1(CLIENT), "GET /derp")[0] == 426)
    p.stop()
    refused = [subprocess.run([RELAY, *a], capture_output=True, text=True) for a in (("--proxy-protocol",), ("--trusted-proxy", "localhost"))]
    refused += [subprocess.run([HUB, "serve", "--state-dir", os.path.join(d, "x"), "--socket", os.path.join(d, "y"), "--listen", "127.0.0.1:0", "--url",
                               "http://x", *a],
                               capture_output=True, text=True) for a in (("--proxy-protocol",), ("--trusted-proxy", "10.0.0.0/33"))]
    check("options that can't be meant are refused by name", all(r.returncode in (1, 2) and "--trusted-proxy" in r.stderr for r in refused), refused)


sys.exit(run((off, forwarded, proxy_protocol, relay)))
