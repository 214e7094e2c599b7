"""Logins that wait for approval: strangers' registrations beside an honest one, and guesses of its code."""
import json
import os
import time

from hub_process import Device, wait_for
from lib import HONEST, TOOLS, attack
from procs import ask
from raw import DATA, HEADERS, RST_STREAM, WINDOW_UPDATE, frame, post


A_CONNECTION = 100


def registration(**hostinfo):
    return json.dumps({"Version": 148, "NodeKey": "nodekey:" + os.urandom(32).hex(), "Hostinfo": {"OS": "linux", "Hostname": "stranger", **hostinfo}}).encode()


def register(p, source, times, at_once=20, **hostinfo):
    """So many logins of one machine, each with a node key of its own; so few on one connection that it is no flood."""
    for at in range(0, times, A_CONNECTION):
        on_one(p, source, min(A_CONNECTION, times - at), at_once, hostinfo)
        p.drop()


def on_one(p, source, times, at_once, hostinfo):
    s, stream, left = p.session(source, window=1 << 16), 1, times
    s.push(frame(WINDOW_UPDATE, 0, 0, (1 << 30).to_bytes(4, "big")))
    while left > 0:
        n = min(at_once, left)
        s.push(b"".join(post("/machine/register", stream + 2 * i, registration(**hostinfo)) for i in range(n)))
        last, got = stream + 2 * n, set()
        while len(got) < n:
            frames = s.frames(1)
            if not frames:
                return
            got |= {of for kind, flags, of, _ in frames if of and (kind == RST_STREAM or flags & 1 and kind in (DATA, HEADERS))}
        stream, left = last, left - n


def honest_login(p):
    d = Device(os.path.join(TOOLS, "hubdevice", "hubdevice"), p.hub, "honest-by-hand")
    d.wait("it has a code", lambda x: "/register/" in x.text)
    return d, d.text.rsplit("/", 1)[1]


def until_full(p, more):
    """Some are told to come later, so it is asked again until one has to give way."""
    end, n = time.monotonic() + 15, 0
    while p.metric("warren_hub_pending_logins_evicted_total") == 0 and time.monotonic() < end:
        more(n)
        n += 1
    more(n)
    p.expect("there is room for no more", p.metric("warren_hub_pending_logins_evicted_total") > 0, p.metric("warren_hub_pending_logins"))


def is_let_in(p, d, code):
    try:
        p.hub.admin("nodes", "approve", code)
        d.running()
    except (RuntimeError, TimeoutError) as e:
        p.expect("the honest login is still there and is approved", False, str(e))
    d.p.kill()


@attack("more registrations that wait for approval than there is room for, from one address")
def logins_of_one(p):
    d, code = honest_login(p)
    until_full(p, lambda _: register(p, p.source(0), 500))
    is_let_in(p, d, code)


@attack("more registrations that wait for approval than there is room for, from 500 networks")
def logins_of_many(p):
    d, code = honest_login(p)
    until_full(p, lambda n: [register(p, p.source((100 * n + i) % 500 * 256), 5) for i in range(100)])
    is_let_in(p, d, code)


@attack("60 registrations of 40 KB that wait for approval, again and again, from one network of IPv6")
def large_logins(p):
    d, code = honest_login(p)
    for i in range(5):
        register(p, p.source6(0, i + 1), 60, at_once=2, RoutableIPs=[f"10.{k >> 8}.{k & 255}.0/24" for k in range(1000)], OSVersion="x" * 20000)
        p.drop()
    is_let_in(p, d, code)


@attack("600 guesses of login codes, each from an address of its own")
def codes_guessed(p):
    d, code = honest_login(p)
    answers = []
    for i in range(600):
        c = p.tcp(p.source(i))
        c.say(b"GET /register/BCDF-%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % ("".join("BCDFGHJKLMNPQRSTVWXZ"[i // 20 ** k % 20] for k in range(4))).encode())
        answers.append(c.read(12)[9:12])
        c.close()
    p.expect("the guesses of all together end", answers[-1] == b"429" and answers[0] == b"404", set(answers))
    p.expect("a right one is not answered either", ask(p.plain, f"GET /register/{code}", source=HONEST)[0] == 429)
    cookie, _ = p.hub.browser()
    p.expect("an admin goes on", p.hub.http("GET", f"/register/{code}", headers=cookie)[0] == 200)
    is_let_in(p, d, code)
