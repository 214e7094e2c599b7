"""HTTP/1 of hub and relay, plain and over TLS: pipelines, heads, bodies and connections in other shapes."""
import subprocess
import threading

from lib import HUB4, RELAY_PORT, attack, many
from raw import request


@attack("pipelined requests for /metrics over TLS, answers not read, on 100 connections", tls=True)
def pipelines_tls(p):
    data = request("GET /metrics") * 2000
    many(100, lambda i: p.tcp(p.source(i), tls=True).say(data, 0.02))
    p.hold(1.5)


@attack("heads of 16 KB less their end on 6000 connections, from 3000 networks")
def heads_unfinished(p):
    data = b"GET /health HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 16000
    many(6000, lambda i: p.tcp(p.source6(i // 2)).say(data, 0.02))
    p.hold(1)


@attack("bodies of 60 KB less a byte to every path that takes one, on 2000 connections of 200 networks")
def bodies_unfinished(p):
    paths = ("POST /api/v2/webhook/policy-git", "POST /login/approve", "POST /api/v2/tailnet/-/acl", "POST /login/x")
    many(2000, lambda i: p.tcp(p.source6(i % 200)).say(request(paths[i % 4], "Content-Length: 60001\r\n") + b"x" * 60000, 0.02))
    p.hold(1)


@attack("chunked bodies: extensions of 100 KB, chunks of one byte, lengths of 2^64, trailers without end")
def chunks(p):
    shapes = [b"1;" + b"a" * 100_000, b"1\r\nx\r\n" * 50_000, b"ffffffffffffffff\r\n" + b"x" * 1000, b"0\r\n" + b"a: b\r\n" * 50_000, b"-1\r\n", b"1\nx\n",
              b"0x1\r\nx\r\n", b"1 \r\nx\r\n", b"\r\n" * 1000]
    for path in ("POST /api/v2/tailnet/-/acl", "POST /login/approve", "GET /health"):
        for shape in shapes:
            many(10, lambda i: p.tcp(p.source(i)).say(request(path, "Transfer-Encoding: chunked\r\n") + shape, 0.02))
    p.hold(1)


@attack("10,000 requests for a new TLS key on one connection", tls=True)
def tls_key_updates(p):
    child = subprocess.Popen(["openssl", "s_client", "-connect", f"{HUB4}:{p.tls}", "-tls1_3", "-quiet", "-no_ign_eof"], stdin=subprocess.PIPE,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    threading.Thread(target=lambda: say_all(child, b"K\n" * 10_000), daemon=True).start()
    p.hold(2)
    child.kill()


def say_all(child, data):
    try:
        child.stdin.write(data)
        child.stdin.flush()
    except OSError:
        pass


@attack("heads that say two things: lengths, encodings, hosts, control characters; a thousand of them")
def heads_double(p):
    shapes = ["Content-Length: 5\r\nContent-Length: 6\r\n", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: gzip, chunked\r\n",
              "Content-Length: +5\r\n", "Content-Length: 99999999999999999999\r\n", "A : b\r\n", " folded\r\n", "X-Forwarded-For: " + "1.1.1.1, " * 1000 + "\r\n",
              "Upgrade: h2c\r\nConnection: Upgrade\r\n", "Expect: 100-continue\r\nContent-Length: 60000\r\n", "Connection: keep-alive, close, Upgrade\r\n",
              "X-Tailscale-Handshake: " + "A" * 8000 + "\r\nUpgrade: tailscale-control-protocol\r\n", "Cookie: " + "a=b; " * 3000 + "\r\n"]
    for k, shape in enumerate(shapes):
        many(80, lambda i: p.tcp(p.source(i)).say(request(("GET /", "POST /ts2021", "GET /derp", "POST /login/approve")[k % 4], shape) + b"x" * 100, 0.02))
    p.hold(1)


@attack("the relay's TLS port of the hub: 400 pipelines of requests, answers not read")
def relay_port_pipelines(p):
    data = request("GET /derp/probe") * 4000
    many(400, lambda i: p.tcp(p.source(i), tls=True, port=RELAY_PORT).say(data, 0.02))
    p.hold(1.5)


@attack("the page of one's own login, with its picture, 1000 times on each of 20 connections, nothing read")
def pages_of_a_login(p):
    url = p.machine().register()[1].get("AuthURL", "")
    path = "/" + url.partition("://")[2].partition("/")[2]
    p.expect("there is a page", len(path) > 2, url)
    many(20, lambda i: p.tcp(p.source(i)).say(request(f"GET {path}") * 1000, 0.02))
    p.hold(1)


@attack("packages of 8 MB asked for on 200 connections, nothing read", packages=True)
def packages_unread(p):
    many(200, lambda i: p.tcp(p.source(i)).say(request(f"GET /packages/{p.package}"), 0.02))
    p.expect("some are handed out", p.metric("warren_hub_downloads_throttled_total") > 0)
    p.hold(2)
