"""Other users of a device at its LocalAPI."""
from lib import attack
from raw import Closed

USERS = range(20001, 20007)
HEAD = b"Host: local-tailscaled.sock\r\n"


def request(line, more=b""):
    return line.encode() + b" HTTP/1.1\r\n" + HEAD + more + b"\r\n"


def each(p, n, fn):
    """On n connections of each user; how many were not turned away."""
    kept = 0
    for uid in USERS:
        for _ in range(n):
            try:
                fn(p.local(uid=uid))
                kept += 1
            except (Closed, OSError):
                pass
    return kept


@attack("600 connections of six users, held", target="node")
def users_connections(p):
    each(p, 100, lambda c: None)
    p.hold(2)


@attack("240 watchers of six users that read nothing", target="node")
def users_watchers(p):
    each(p, 40, lambda c: c.say(request("GET /localapi/v0/watch-ipn-bus?mask=14")))
    p.hold(2)


@attack("requests for the status on 360 connections, answers not read", target="node")
def users_not_read(p):
    each(p, 60, lambda c: c.push(request("GET /localapi/v0/status") * 100))
    p.hold(2)


@attack("bodies of 1 MB that never end on 360 connections", target="node")
def users_bodies(p):
    each(p, 60, lambda c: c.push(request("POST /localapi/v0/check-prefs", b"Content-Length: 1048576\r\n") + b"x" * 1000000))
    p.hold(2)


@attack("pings, netchecks and reports as fast as they go, of six users", target="node")
def users_work(p):
    def work(c):
        for line in ("POST /localapi/v0/ping?ip=100.64.0.1&type=disco", "GET /localapi/v0/warren/netcheck", "POST /localapi/v0/bugreport"):
            c.push(request(line, b"Content-Length: 0\r\n") * 50)

    each(p, 10, work)
    p.hold(2)
