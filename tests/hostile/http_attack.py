"""HTTP/1, TLS and connections as such, by strangers: what one address, or one owner of many, may hold of the hub."""
import ssl
import time

from lib import attack
from raw import Closed, Conn, request

WEBHOOK = "POST /api/v2/webhook/policy-git"


def say_all(p, connections, data):
    """How many of them took it."""
    n = 0
    for c in connections:
        try:
            c.say(data)
            n += 1
        except (Closed, OSError):
            pass
    return n


def alive(connections):
    return sum(not c.is_closed() for c in connections)


def many(p, n, source=lambda p, i: p.source(0), data=b"", **kw):
    """n connections that have said data; those that the program turned away do not count."""
    got = []
    for i in range(n):
        if i % 250 == 249: # a second of connections at once would be a test of this machine's queue
            p.hold(0.04)
        try:
            c = p.tcp(source(p, i), **kw)
            if data:
                c.say(data)
            got.append(c)
        except (Closed, OSError):
            pass
    return got


@attack("8,600 idle connections from one address")
def idle_connections(p):
    """The oldest make room: the same address goes on getting in, too."""
    got = many(p, 8600)
    p.hold(1)
    p.expect("the oldest were pushed out", p.metric("warren_hub_strangers_evicted_total") >= len(got) - 8192 > 0, len(got))
    p.expect("the newest are served", got[-1].is_closed() is False)
    got[-1].say(request("GET /health"))
    p.expect("and answered", got[-1].until(b"pass"))


@attack("8,600 idle connections from as many /64 of one /48")
def idle_networks(p):
    got = many(p, 8600, lambda p, i: f"fd00:7:7:{i + 1:x}::1")
    p.hold(1)
    p.expect("some were pushed out", p.metric("warren_hub_strangers_evicted_total") >= len(got) - 8192 > 0, len(got))


@attack("heads that drip in, a byte a second, on 1,000 connections")
def slow_heads(p):
    got = many(p, 1000, lambda p, i: p.source(i % 10), b"GET /health HTTP/1.1\r\nX: ")
    for _ in range(4):
        say_all(p, got, b"a")
        p.hold(1)


@attack("bodies of 64 KB that stop before their end, on 1,500 connections of one address")
def slow_bodies(p):
    many(p, 1500, data=request("POST /login/x", "Content-Length: 65536\r\n") + b"a" * 65000)
    p.hold(2)


@attack("3 MB of requests on each of 40 connections whose answers nobody reads")
def pipelining(p):
    line = request("GET /")
    got = [p.tcp(p.source(i)) for i in range(40)]
    for c in got:
        c.push(line * (3_000_000 // len(line)), stall=0.05)
    p.hold(2)
    p.expect("it stopped reading", p.metric("warren_hub_http_paused_total") >= 40)


@attack("400 bodies of 256 KB to the webhook that this hub does not have")
def webhook_off(p):
    got = many(p, 400, data=request(WEBHOOK, "Content-Length: 262144\r\n") + b"a" * 200_000)
    p.hold(1)
    p.expect("answered by the head alone", got[0].until(b"404"))


@attack("400 chunked bodies of tiny chunks with long extensions and trailers to the webhook")
def webhook_chunks(p):
    chunk = b"1;" + b"x" * 200 + b"\r\na\r\n"
    many(p, 400, data=request(WEBHOOK, "Transfer-Encoding: chunked\r\nX-Hub-Signature-256: sha256=" + "0" * 64 + "\r\n") + chunk * 500)
    many(p, 100, data=request(WEBHOOK, "Transfer-Encoding: chunked\r\n") + b"0\r\n" + b"trailer: x\r\n" * 20_000)
    p.hold(1)


@attack("TLS begun on 2,500 connections and left there", tls=True)
def tls_half_open(p):
    context = ssl._create_unverified_context()
    coming, going = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        context.wrap_bio(coming, going).do_handshake()
    except ssl.SSLWantReadError:
        pass
    hello = going.read()
    many(p, 2500, lambda p, i: p.source(i % 3), hello, port=p.tls)
    p.hold(2)
    p.expect("they waited for each other", p.metric("warren_hub_strangers_waited_total") > 0)


def tls_begin(p, context):
    """[connection, session, what came, what goes] of a TLS client that has said its first words."""
    c, coming, going = p.tcp(port=p.tls), ssl.MemoryBIO(), ssl.MemoryBIO()
    session = context.wrap_bio(coming, going)
    try:
        session.do_handshake()
    except ssl.SSLWantReadError:
        c.say(going.read())
    return c, session, coming, going


@attack("TLS begun by 1,000 clients of one address at once, who all want an answer", tls=True)
def tls_crowd(p):
    """No attack, but a company that starts its machines in the morning: nobody is pushed out."""
    context = ssl._create_unverified_context()
    crowd = [tls_begin(p, context) for _ in range(1000)]
    answered = 0
    for c, session, coming, going in crowd:
        coming.write(c.read(1))
        session.do_handshake()
        session.write(request("GET /version"))
        c.say(going.read())
    for c, session, coming, going in crowd:
        coming.write(c.read(1))
        answered += session.read(12) == b"HTTP/1.1 200"
    p.expect("all were answered", answered == 1000, answered)
    p.expect("nobody had to go", p.metric("warren_hub_strangers_evicted_total") == 0)


@attack("40 whole TLS handshakes at a time for three seconds", tls=True)
def tls_handshakes(p):
    end = time.monotonic() + 3
    while time.monotonic() < end and p.lives():
        many(p, 40, tls=True)
        p.drop()


@attack("half a PROXY header on 2,000 connections from a trusted proxy", flags=["--trusted-proxy", "198.18.7.7", "--proxy-protocol"])
def half_proxy_headers(p):
    many(p, 2000, lambda p, i: "198.18.7.7", b"PROXY TCP4 192.0.2.1 ")
    p.hold(6)
    p.expect("they are gone", p.metric("warren_hub_proxy_failed_total") >= 1900)


@attack("8,600 idle connections from 8,600 addresses of many networks")
def idle_sources(p):
    many(p, 8600, lambda p, i: f"198.{18 + i % 2}.{i // 2 % 256}.{1 + i // 512}")
    p.hold(1)


@attack("8,600 idle connections from one address", target="relay")
def relay_idle(p):
    many(p, 8600)
    p.hold(1)
