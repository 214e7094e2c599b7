"""Requests of the control protocol that are well formed, in numbers: strangers who register, members who listen and speak too much."""
import json
import time

from lib import attack, many
from raw import Closed, post


def registration(m, **more):
    return json.dumps({"Version": 148, "NodeKey": m.node_key, "Hostinfo": {"OS": "linux", "Hostname": "h" * 60}, **more}).encode()


@attack("2000 registrations without a key, of as many machines from 500 networks")
def register_strangers(p):
    def one(i):
        m = p.machine(p.source6(i % 500))
        m.begin("/machine/register", registration(m))
        if i % 100 == 99:
            p.drop()
    many(2000, one)
    p.hold(1)


@attack("100 registrations that wait for their login, on each of 40 sessions, from 40 networks")
def register_waiting(p):
    def one(i):
        m = p.machine(p.source6(i))
        status, answer = m.register()
        for _ in range(99):
            m.begin("/machine/register", registration(m, Followup=answer.get("AuthURL", "") if isinstance(answer, dict) else ""))
    many(40, one)
    p.hold(1.5)


@attack("registrations whose texts are as long as they may be: names, keys, tags, URLs; on 10 sessions")
def register_long(p):
    long = {"Hostinfo": {"OS": "o" * 60_000, "Hostname": "h" * 60_000, "RequestTags": ["tag:" + "t" * 60] * 4000}, "Followup": "http://x/" + "f" * 60_000,
            "Auth": {"AuthKey": "a" * 60_000}, "Expiry": "9999-12-31T23:59:59Z", "Ephemeral": True}

    def one(i):
        m = p.machine(p.source(i))
        for _ in range(5):
            m.begin("/machine/register", registration(m, **long))
    many(10, one)
    p.hold(1)


@attack("a member's 100 map streams, on each of 20 sessions, nothing read, while devices come and go")
def streams_unread(p):
    key = p.auth_key()

    def one(i):
        m = p.machine(p.source(i))
        m.register(key)
        body = json.dumps({"Version": 148, "NodeKey": m.node_key, "Stream": True, "KeepAlive": True}).encode()
        m.say(b"".join(post("/machine/map", n, body) for n in range(m.stream + 2, m.stream + 202, 2)), 0.05)
    many(20, one)
    for i in range(30):
        m = p.machine(p.source(100 + i))
        m.register(key)
        m.close()
    p.hold(1)


@attack("one member's updates with 500 KB of hostinfo, as fast as they are taken")
def updates_large(p):
    m = p.machine()
    p.expect("a member joins", m.register(p.auth_key())[0] == 200)
    end = time.monotonic() + 2.5
    i = 0
    while time.monotonic() < end:
        i += 1
        services = [{"Proto": "tcp", "Port": (i + n) % 65536, "Description": "d" * 100} for n in range(3000)]
        try:
            m.update(1.0, Hostinfo={"OS": "linux", "Hostname": f"m{i}", "Services": services})
        except Closed:
            m = p.machine()
    p.hold(0.5)


@attack("30 members that change name, routes and endpoints with every request, as fast as they are taken")
def updates_many(p):
    key, members = p.auth_key(), []

    def join(i):
        m = p.machine(p.source(i))
        m.register(key)
        members.append(m)
    many(30, join)
    end, i = time.monotonic() + 2.5, 0
    while time.monotonic() < end:
        i += 1
        for n, m in enumerate(members):
            try:
                m.begin("/machine/map", {"Version": 148, "NodeKey": m.node_key, "OmitPeers": True, "Endpoints": [f"192.0.2.{i % 250}:{n + 1}"],
                                         "Hostinfo": {"OS": "linux", "Hostname": f"m{n}-{i}", "RoutableIPs": [f"10.{n}.{i % 256}.0/24"]}})
            except Closed:
                pass
    p.hold(0.5)


@attack("one member that logs out and in again with its key, as fast as it goes")
def register_again(p):
    key = p.auth_key()
    end = time.monotonic() + 2.5
    m = p.machine()
    while time.monotonic() < end:
        try:
            m.register(key, 1.0)
            m.register(key, 1.0, Expiry="1970-01-01T00:00:00Z")
        except Closed:
            m = p.machine()
    p.hold(0.5)


@attack("registrations of one stranger, 100 at a time on each of 10 sessions, answers read, as fast as they are taken")
def register_flood(p):
    machines = [p.machine(p.source(0)) for _ in range(10)]
    end = time.monotonic() + 3
    while time.monotonic() < end:
        for m in machines:
            body = registration(m)
            flight = []
            for _ in range(50):
                m.stream += 2
                flight.append(post("/machine/register", m.stream, body))
            m.say(b"".join(flight), 0.02)
            m.frames(1, 0)
            m.got = b""
    ended = p.metric("warren_hub_control_flooded_total")
    p.expect("it was more than the hub takes", ended + p.metric("warren_hub_shed_total") > 0, ended)
