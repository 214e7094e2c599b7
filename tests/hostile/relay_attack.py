"""The relay: clients that say too much, read nothing, or are too many. On warren-relay anybody logs in; the hub's own is for devices
of the hub, so that what comes from inside is said with their keys."""
import os
import threading
import time

from lib import attack
from raw import CLIENT_INFO, DERP_PING, RECV_PACKET, SEND_PACKET, WATCH_CONNS, Closed, derp_frame, request

LARGEST = 65536


def clients(p, n, **kw):
    """So many, logged in, each from an address of its own."""
    return [p.derp(p.source(i), **kw) for i in range(n)]


def members(p, n, conns=1):
    """The same of a hub: devices that an attacker has."""
    key, keys = p.auth_key("--ephemeral"), []
    for i in range(n):
        m = p.machine(p.source(i))
        m.register(key)
        keys.append(m.node)
    return [p.derp(p.source(i), private=k) for _ in range(conns) for i, k in enumerate(keys)]


def flood(who, data, seconds):
    """All at full rate, from several threads; how many bytes were taken."""
    end, sent = time.monotonic() + seconds, [0] * len(who)

    def run(i):
        while time.monotonic() < end:
            try:
                sent[i] += who[i].push(data, stall=0.05)
            except Closed:
                return
    threads = [threading.Thread(target=run, args=(i,), daemon=True) for i in range(len(who))]
    for t in threads:
        t.start()
    for t in threads:
        t.join(seconds + 5)
    return sum(sent)


def to_each_other(who, size):
    """For each of them, packets to all others, the largest first."""
    return [b"".join(c.packet(other.key, bytes(size)) for other in who if other is not c) for c in who]


@attack("60 clients send 64 KB packets to each other and read nothing", target="relay")
def relay_queues(p):
    who = clients(p, 60)
    packets = to_each_other(who, LARGEST)
    for c, data in zip(who, packets):
        try:
            c.push(data * 2, stall=0.05)
        except Closed:
            pass
    p.hold(1)


@attack("200 clients fill 150 queues with 1,200-byte packets, come and go", target="relay")
def relay_queues_and_leave(p):
    readers = clients(p, 150)
    for i in range(50):
        c = p.derp(p.source(1000 + i))
        c.push(b"".join(c.packet(r.key, bytes(1200)) for r in readers) * 8, stall=0.05)
        c.close()
    p.hold(1)


@attack("50 clients send 38-byte packets as fast as they can, to one that reads nothing", target="relay")
def relay_flood(p):
    to = p.derp(p.source(99))
    who = clients(p, 50)
    flood(who, who[0].packet(to.key, bytes(38)) * 3000, 4)


@attack("50 clients send pings of 1,000 bytes as fast as they can and read nothing", target="relay")
def relay_pings(p):
    flood(clients(p, 50), derp_frame(DERP_PING, bytes(1000)) * 200, 3)


@attack("one key opens 2,000 connections", target="relay")
def relay_one_key(p):
    key = os.urandom(32)
    for i in range(2000):
        p.derp(p.source(i % 20), private=key)
    p.expect("most of them were closed", sum(c.is_closed() for c in p.open) > 1900)
    p.hold(0.5)


@attack("4,000 upgrades without a login, from 40 addresses", target="relay")
def relay_idle_logins(p):
    for i in range(4000):
        try:
            p.derp(p.source(i % 40), login=False)
        except (Closed, OSError):
            pass
    p.hold(1)


@attack("300 logins announce 256 KB and send all but the last byte", target="relay")
def relay_long_logins(p):
    body = os.urandom(32) + bytes(262144 - 33)
    for i in range(300):
        try:
            p.derp(p.source(i % 30), login=False).push(derp_frame(CLIENT_INFO, body, 262144), stall=0.05)
        except (Closed, OSError):
            pass
    p.hold(1)


@attack("1,500 clients hear from one, which floods them all, leaves, and comes again", target="relay")
def relay_hearers(p):
    who = [p.derp(p.source(i)) for i in range(1500)]
    for _ in range(3):
        c = p.derp(p.source(3000))
        c.push(b"".join(c.packet(w.key, bytes(38)) for w in who) * 20, stall=0.2)
        c.close()
    p.hold(1)


@attack("frames of all kinds, of lengths that they do not have, on 100 connections", target="relay")
def relay_frames(p):
    for i in range(100):
        c = p.derp(p.source(i))
        kind = (SEND_PACKET, RECV_PACKET, WATCH_CONNS, DERP_PING, 0xff)[i % 5]
        try:
            c.push(derp_frame(kind, bytes(200), length=0xffffffff) + bytes(1 << 20), stall=0.05)
        except Closed:
            pass
    p.hold(0.5)


@attack("20 devices with 3 connections each send 64 KB packets to each other and read nothing")
def hub_relay_queues(p):
    who = members(p, 20, 3)
    for c, data in zip(who, to_each_other(who, LARGEST)):
        try:
            c.push(data, stall=0.05)
        except Closed:
            pass
    p.hold(1)


@attack("20 devices send 38-byte packets as fast as they can, to one that reads nothing")
def hub_relay_flood(p):
    who = members(p, 21)
    flood(who[1:], who[1].packet(who[0].key, bytes(38)) * 3000, 3)


@attack("1,500 strangers log in to the hub's relay, and 1,000 more only say that they want to")
def hub_relay_strangers(p):
    for i in range(2500):
        try:
            p.derp(p.source(i % 50), login=i % 5 < 3)
        except (Closed, OSError):
            pass
    p.expect("no stranger is in", p.metric("warren_relay_clients") <= 2, p.metric("warren_relay_clients"))
    p.expect("they are counted", p.metric("warren_relay_refused_total") == 1500, p.metric("warren_relay_refused_total"))
    p.hold(0.5)


@attack("30,000 questions to /verify, their answers unread")
def hub_verify(p):
    key = b'{"NodePublic":"nodekey:' + os.urandom(32).hex().encode() + b'","Source":"192.0.2.1"}'
    for i in range(30):
        try:
            p.tcp(p.source(i % 3)).push(request("POST /verify", body=key) * 1000, stall=0.05)
        except Closed:
            pass
    p.hold(1)
