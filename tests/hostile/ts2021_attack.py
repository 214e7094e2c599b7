"""Control connections, which any machine key may open: HTTP/2 that asks for work and takes nothing, bodies without an end."""
import json
import os
import random
import time

from lib import attack
from raw import (CONTINUATION, Closed, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PRIORITY, RST_STREAM, SETTINGS,
                 WINDOW_UPDATE, frame, hpack, post)

NO_TABLE = b"\x20"  # the hub keeps no table of headers: said once
GET = b"\x82\x87\x84"  # GET, https, /
MANY = 100_000


def get(i, end=True):
    return frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), 2 * i + 1, (b"" if i else NO_TABLE) + GET)


def each(of, times=MANY):
    return b"".join(of(i) for i in range(times))


# What leads to nothing: bytes before, and what is said then, without an end.
FLOODS = {
    "PING": (b"", frame(PING, 0, 0, b"12345678") * MANY),
    "answers to no PING": (b"", frame(PING, 1, 0, b"12345678") * MANY),
    "SETTINGS": (b"", frame(SETTINGS, 0, 0) * MANY),
    "SETTINGS of 2,700 settings": (each(lambda i: get(i, False), 16), frame(SETTINGS, 0, 0, b"\0\4\0\0\0\1\0\4\0\0\0\2" * 1350) * 100),
    "PRIORITY": (b"", each(lambda i: frame(PRIORITY, 0, 2 * i + 1, b"\0\0\0\0\x10"))),
    "WINDOW_UPDATE": (b"", frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\1") * MANY),
    "empty DATA": (get(0, False), frame(DATA, 0, 1) * MANY),
    "DATA of padding": (get(0, False), frame(DATA, 8, 1, b"\xff" + bytes(255)) * 4000),
    "DATA of a byte": (get(0, False), frame(DATA, 0, 1, b"x") * MANY),
    "requests and their resets": (b"", each(lambda i: get(i, False) + frame(RST_STREAM, 0, 2 * i + 1, b"\0\0\0\x08"))),
    "requests that the hub has to reset": (b"", each(lambda i: get(i, False) + frame(WINDOW_UPDATE, 0, 2 * i + 1, bytes(4)))),
    "empty CONTINUATION": (frame(HEADERS, 0, 1, NO_TABLE + GET), frame(CONTINUATION, 0, 1) * MANY),
    "CONTINUATION of 16 KiB": (frame(HEADERS, 0, 1, NO_TABLE + GET), frame(CONTINUATION, 0, 1, GET[:1] * 16384) * 100),
    "HEADERS of 16,000 fields": (b"", each(lambda i: frame(HEADERS, END_HEADERS, 2 * i + 1, NO_TABLE + GET[:1] * 16000), 100)),
    "padded HEADERS": (b"", each(lambda i: frame(HEADERS, END_HEADERS | 8, 2 * i + 1, b"\xff" + (b"" if i else NO_TABLE) + GET + bytes(255)), 9000)),
    "trailers": (get(0, False), frame(HEADERS, END_HEADERS, 1, GET) * MANY),
    "unknown frames": (b"", frame(0x55, 0, 0, b"x") * MANY),
    "unknown frames of 16 KiB": (b"", frame(0x55, 0, 0, bytes(16384)) * 100),
    "GOAWAY with a stream open": (get(0, False), frame(GOAWAY, 0, 0, bytes(8)) * MANY),
}


def pour(s, data):
    """As much as is taken, in pieces, so that what is not taken has not cost us either. False: the hub hung up."""
    try:
        for at in range(0, len(data), 65536):
            if s.push(data[at:at + 65536], stall=0.2) == 0:
                break
        return True
    except Closed:
        return False


def is_ended(s, timeout=2.0):
    """What the hub says before it hangs up is read and dropped."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        try:
            s.push(frame(PING, 0, 0, b"12345678") * 10, stall=0.05)
            s.read(1, 0.02)
            if s.is_closed():
                return True
        except Closed:
            return True
    return False


def flood_all(p, session):
    for what, (before, data) in FLOODS.items():
        for _ in range(2):
            s = session()
            if pour(s, before) and pour(s, data):
                p.expect(what, is_ended(s), "the session goes on")


@attack(f"{len(FLOODS)} kinds of frames that ask for nothing, 2 sessions each, nothing is read", budget=48)
def frame_floods(p):
    flood_all(p, p.session)
    p.expect("they are counted", p.metric("warren_hub_control_flooded_total") >= len(FLOODS), p.metric("warren_hub_control_flooded_total"))


@attack("requests of 12 bytes on 40 sessions, 1.2 MB each; of half of them answers are read", budget=48)
def small_requests(p):
    whole = each(get)
    for i in range(40):
        s = p.session(window=1 << 16 if i % 2 else 4096)
        try:
            for at in range(0, len(whole), 4000):
                s.push(whole[at:at + 4000])
                if i % 2:
                    s.read(1, 0)
        except Closed:
            pass
    for s in p.open[:]:
        p.expect("nobody asks so much", is_ended(s))


@attack("records of a byte, and of nothing, 20 sessions", budget=48)
def small_records(p):
    for i in range(20):
        s = p.session()
        try:
            s.push_sealed(b"".join(s.seal(b[j:j + 1]) for b in [frame(PING, 0, 0, b"12345678") * 300] for j in range(len(b))))
        except Closed:
            continue
        p.expect("the session is ended", is_ended(s))


@attack("100 streams each on 300 sessions, opened and never finished, paths of 4,000 bytes", budget=96)
def unfinished_streams(p):
    head = hpack([(":method", "POST"), (":scheme", "https"), (":path", "/" + "x" * 4000)])
    for n in range(300):
        s = p.session(p.source(n % 50))
        s.say(each(lambda i: frame(HEADERS, END_HEADERS, 2 * i + 1, (b"" if i else NO_TABLE) + head), 100 if n % 2 else 12))


@attack("300 sessions with bodies that never end, half of 1 MB, half of what a stranger may send")
def endless_bodies(p):
    for n in range(300):
        s = p.session(p.source(n % 50))
        s.say(post("/machine/register", 1, bytes(1 << 20 if n % 2 else 60_000), end=False, more=[]))
    p.hold(0.5)


@attack("bodies, headers and windows that come a byte at a time: all is over after half a minute", budget=48)
def trickle(p):
    head = hpack([(":method", "POST"), (":scheme", "https"), (":path", "/machine/register")])
    bodies, heads, windows = [p.session() for _ in range(5)], [p.session() for _ in range(5)], [p.session() for _ in range(5)]
    for s in bodies:
        s.push(frame(HEADERS, END_HEADERS, 1, NO_TABLE + head))
    for s in heads:
        s.push(frame(HEADERS, 0, 1, NO_TABLE + head))
    for s in windows:
        s.push(frame(SETTINGS, 0, 0, b"\0\4\0\0\0\0") + get(0))
    end, left = time.monotonic() + 32, {*bodies, *heads, *windows}
    while left and time.monotonic() < end:
        time.sleep(4)
        for s in list(left):
            try:
                s.push(frame(DATA, 0, 1, b" ") if s in bodies else frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\1") if s in windows else b"")
            except Closed:
                pass
            if s.is_closed():
                left.discard(s)
    p.expect("each is ended", not left, len(left))


@attack("2,000 registrations of 45 KB on 100 sessions, answers not let out of the window")
def held_answers(p):
    body = b'{"Version":148,"NodeKey":"nodekey:%064x","Hostinfo":{"Hostname":"x","Services":[%s]}}'
    services = b",".join(b'{"Proto":"tcp","Port":%d,"Description":"%s"}' % (i + 1, b"x" * 60) for i in range(370))
    for n in range(100):
        s = p.session(p.source(n % 50))
        s.say(frame(SETTINGS, 0, 0, b"\0\4\0\0\0\0"))
        s.say(b"".join(post("/machine/register", 2 * i + 1, body % (n * 100 + i + 1, services)) for i in range(20)))
    p.hold(0.5)


@attack("1,500 handshakes of one source, each left at once; then 1,000 sessions that say nothing")
def silent_sessions(p):
    for _ in range(1500):
        p.session(hello=False).close()
        p.open.pop()
    p.expect("none is kept", p.metric("warren_hub_control_sessions") < 200, p.metric("warren_hub_control_sessions"))
    for n in range(1000):
        p.session(p.source(n % 50))


@attack("frames of any kind, made at random from a seed, 60 sessions")
def random_frames(p):
    rng = random.Random(os.environ.get("SEED", "1"))
    for n in range(60):
        s = p.session()
        try:
            for _ in range(20):
                s.push(each(lambda i: frame(rng.randrange(11), rng.randrange(256), rng.choice((0, 1, 1, 3, 5, rng.randrange(1 << 31))),
                                            rng.randbytes(rng.choice((0, 4, 5, 8, 100, 3000)))), 20), stall=0.02)
                if n % 2:
                    s.read(1, 0)
        except Closed:
            pass


# What a member may do, who has joined with a key.

class Member:
    def __init__(self, p, name="evil"):
        self.p, self.machine, self.node = p, os.urandom(32), os.urandom(32).hex()
        s = self.session()
        doc = {"Version": 148, "NodeKey": "nodekey:" + self.node, "Auth": {"AuthKey": p.auth_key()}, "Hostinfo": {"Hostname": name}}
        s.push(frame(HEADERS, END_HEADERS, 1, NO_TABLE + hpack([(":method", "POST"), (":scheme", "https"), (":path", "/machine/register")])))
        s.push(frame(DATA, END_STREAM, 1, json.dumps(doc).encode()))
        if (got := s.answer(1)) is None or got[0] != HEADERS:
            raise RuntimeError(f"the member is not let in: {got}")

    def session(self, **kw):
        return self.p.session(machine=self.machine, **kw)

    def map_request(self, stream, **more):
        doc = {"Version": 148, "NodeKey": "nodekey:" + self.node, "Compress": "zstd", "KeepAlive": True, "Stream": True, **more}
        return post("/machine/map", stream, json.dumps(doc).encode())


@attack(f"the same {len(FLOODS)} kinds of frames, by a member", budget=64)
def member_floods(p):
    flood_all(p, Member(p).session)


@attack("a member with 60 sessions: 100 map streams and 100 maps on each, none read; then bodies that never end")
def member_sessions(p):
    m = Member(p)
    for n in range(60):
        s = m.session()
        s.say(frame(HEADERS, END_HEADERS | END_STREAM, 1, NO_TABLE + GET))
        s.say(b"".join(m.map_request(2 * i + 3, Stream=i % 2 == 0) for i in range(100)))
        s.say(post("/machine/map", 205, bytes(250_000), end=False))
    p.hold(0.5)
    p.expect("most are refused", p.metric("warren_hub_control_busy_total") + p.metric("warren_hub_control_unread_total") > 50,
             p.metric("warren_hub_control_busy_total"))
    p.expect("few are open", p.metric("warren_hub_map_streams") < 80, p.metric("warren_hub_map_streams"))
