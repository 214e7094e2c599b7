"""What is already bounded: bytes that no engine takes, in numbers."""
import random

from lib import attack
from raw import Closed, request


@attack("400 connections with a request's first line and then nothing")
def half_requests(p):
    for i in range(400):
        p.tcp(p.source(i)).say(b"GET /health HTTP/1.1\r\n")
    p.hold(2)


@attack("random bytes on 500 connections, half of them over TLS")
def random_bytes(p):
    rng = random.Random(1)
    for i in range(500):
        try:
            p.tcp(p.source(i), tls=i % 2 == 1).say(rng.randbytes(rng.randrange(1, 3000)) + b"\r\n\r\n")
        except (Closed, OSError):
            pass
        if i % 50 == 49:
            p.drop()
    p.hold(1)


@attack("a head of 1 MB, and a head of 100,000 fields", target="relay")
def long_heads(p):
    for _ in range(20):
        p.tcp().say(b"GET / HTTP/1.1\r\nX: " + b"a" * (1 << 20))
        p.tcp().say(request("GET /", "a: b\r\n" * 100_000))
    p.hold(1.5)


@attack("random bytes on 300 connections to the LocalAPI, by another user", target="node")
def random_local(p):
    rng = random.Random(1)
    for _ in range(300):
        p.local(uid=65534).say(rng.randbytes(rng.randrange(1, 3000)) + b"\r\n\r\n")
        p.drop()
    p.hold(1)
