#!/usr/bin/env python3
"""Expired means out: what a device is told whose key has expired, what is heard of it, and that nothing brings the key back.

Usage: hub_expired_test.py WARREN-HUB HUBDEVICE HUBASK. Prints TAP."""
import datetime, functools, json, sys, time

import asker
from hub_process import Device, Hub, check, run, wait_for

HUB, DEVICE, HUBASK = sys.argv[1:4]
Asker = functools.partial(asker.at_hub, HUBASK)
LOGOUT = "1970-01-01T00:02:03Z"


def when(text):
    """As a time: as texts "05.4Z" is behind "05.41Z"."""
    whole, _, part = text.rstrip("Z").partition(".")
    return datetime.datetime.fromisoformat(f"{whole}.{part:0<6.6}+00:00")


def out(m, of):
    """Its own node only?"""
    node = m["Node"]
    rules = [r for f in (m.get("PacketFilters") or {}).values() for r in f or []] + (m.get("PacketFilter") or [])
    return node["Key"] == of and node.get("Expired") and when(node["KeyExpiry"]) <= datetime.datetime.now(datetime.timezone.utc) and \
        not m.get("Peers") and not rules and not (m.get("DNSConfig") or {}) and not (m.get("SSHPolicy") or {}).get("rules")


def told(answer):
    return answer.get("NodeKeyExpired") is True and not answer.get("AuthURL") and not answer.get("MachineAuthorized")


def seen(viewer, of):
    """The peer as a viewer is told of it."""
    return next((p for p in viewer.map()[0]["Peers"] if p["ID"] == of), None)


def number(hub, name):
    return hub.nodes()[name]["id"]


def by_word(d):
    hub = Hub(HUB, d).start()
    key = hub.json("keys", "create", "--reusable")["key"]
    viewer, a = Asker(hub, 17).register(key), Asker(hub, 18).register(key)
    a.ask("/machine/map", OmitPeers=True, Endpoints=["192.0.2.1:7"], Hostinfo={"OS": "linux", "Hostname": "alpha", "NetInfo": {"PreferredDERP": 1}})
    ident = number(hub, "alpha")
    check("before, both are there", len(a.map(ReadOnly=True)[0]["Peers"]) == 1 and seen(viewer, ident)["Endpoints"] == ["192.0.2.1:7"])
    hub.admin("nodes", "expire", "alpha")
    for what, fields in (("one map", {}), ("a stream", {"Stream": True}), ("a map that is only looked at", {"ReadOnly": True}),
                         ("a stream that is only looked at", {"Stream": True, "ReadOnly": True}), ("an old client's", {"version": 87})):
        m, _ = a.map(**fields)
        check(f"{what}: its own device only", out(m, a.key), m)
    p = seen(viewer, ident)
    check("peers see that it has expired, and not where it is", p.get("Expired") and p["Endpoints"] == [] and not p.get("HomeDERP") and
          not p.get("DERP") and not p["Online"], p)
    a.ask("/machine/map", OmitPeers=True, Endpoints=["192.0.2.66:7"], Hostinfo={"OS": "linux", "Hostname": "mallory"})
    a.map(Stream=True, Endpoints=["192.0.2.66:7"], Hostinfo={"OS": "linux", "Hostname": "mallory"})
    listed = hub.nodes().get("alpha")
    check("what it says counts for nothing", listed and listed["endpoints"] == ["192.0.2.1:7"] and
          "192.0.2.66" not in json.dumps(viewer.map()[0]), listed)
    check("another machine does not get at it", Asker(hub, 19, 18).ask("/machine/map")[0] == 404)
    for what, fields in (("as it is", {}), ("with an auth key", {"Auth": {"AuthKey": key}}), ("with a time", {"Expiry": "2100-01-01T00:00:00Z"}),
                         ("with a Followup", {"Followup": hub.url + "/register/BCDF-GHJK"}), ("as a logout", {"Expiry": LOGOUT}),
                         ("naming itself as the old key", {"OldNodeKey": a.key, "Auth": {"AuthKey": key}})):
        answer = a.registered(**fields)
        check(f"the key does not come back {what}", told(answer), answer)
    hub.admin("nodes", "expire", "alpha", "--expiry", "never")
    check("an admin who gives it more time brings it back", len(a.map()[0]["Peers"]) == 1 and not a.map()[0]["Node"].get("Expired") and
          not seen(viewer, ident).get("Expired"))
    check("the asks are counted", "warren_hub_expired_asks_total 1" in hub.http("GET", "/metrics")[1])
    hub.stop()


def fresh_key(d):
    hub = Hub(HUB, d).start()
    key = hub.json("keys", "create", "--reusable")["key"]
    viewer, a = Asker(hub, 17).register(key), Asker(hub, 18).register(key)
    ident = seen(a, viewer.map()[0]["Node"]["ID"]) and a.map()[0]["Node"]["ID"]
    answer = a.registered(Expiry=LOGOUT)
    check("a logout is answered so, and so are those that follow", told(answer) and told(a.registered(Auth={"AuthKey": key})), answer)
    old, a.key = a.key, a.node_key(0x28)
    answer = a.registered(OldNodeKey=old, Auth={"AuthKey": key})
    check("a fresh key is let in, as the same device", answer["MachineAuthorized"] and a.map()[0]["Node"]["ID"] == ident and
          not seen(viewer, ident).get("Expired"), answer)
    a.key = old
    check("the one before is told that it has expired", told(a.registered()) and told(a.registered(Auth={"AuthKey": key})))
    check("and opens no map", a.ask("/machine/map", Stream=True)[0] == 404)
    a.key = a.node_key(0x29)
    a.registered(OldNodeKey=a.node_key(0x28), Auth={"AuthKey": key})
    for n in (0x12, 0x28):
        a.key = a.node_key(n)
        check(f"nor does any key of before come back, {n:#x}", told(a.registered(Auth={"AuthKey": key})))
    b = Asker(hub, 20)
    answer = b.registered()
    code = answer["AuthURL"].rsplit("/", 1)[1]
    b.register(key)
    hub.admin("nodes", "expire", str(b.map()[0]["Node"]["ID"]))
    said = hub.refusal("nodes", "approve", code)
    check("nor by the approval of a login that waited", "fresh" in said and told(b.registered()) and not hub.json("nodes", "pending"), said)
    hub.stop()


def at_its_time(d):
    """A stream that is open, at that moment; and a hub that was down then."""
    hub = Hub(HUB, d).start()
    key = hub.json("keys", "create", "--reusable")["key"]
    box, other = Device(DEVICE, hub, "box", key).running(), Device(DEVICE, hub, "other", key).running()
    wait_for("they know each other", lambda: box.peers and other.peers)
    hub.admin("nodes", "expire", "box", "--expiry", "3s")
    end = time.monotonic() + 3
    check("until then it takes part", len(box.peers) == 1)
    box.wait("it knows nobody", lambda x: not x.peers, 10)
    late = time.monotonic() - end
    check("an open stream is told at that moment", -0.2 < late < 1, late)
    check("its peer keeps it, as expired", len(other.peers) == 1)
    third = Device(DEVICE, hub, "third", key).running()
    third.wait("it is told of all", lambda x: len(x.peers) == 2)
    check("who has expired hears of no newcomer", not box.peers)
    viewer = Asker(hub, 17).register(key)
    ident = number(hub, "other")
    hub.admin("nodes", "expire", "other", "--expiry", "2s")
    hub.stop()
    expires = time.monotonic() + 2
    wait_for("its time is over", lambda: time.monotonic() > expires + 0.2)
    hub.start()
    check("a time that came while the hub was down has come", hub.nodes()["other"]["expired"] and hub.nodes()["box"]["expired"])
    viewer = Asker(hub, 17)
    check("and peers are told", seen(viewer, ident).get("Expired"))
    hub.stop()


def kinds(d):
    """Ephemeral devices, those with tags, and two devices of one machine."""
    hub = Hub(HUB, d, "--key-expiry", "1h").start()
    hub.admin("users", "create", "ana")
    keys = {k: hub.json("keys", "create", "--reusable", *f)["key"] for k, f in (
        ("mine", ()), ("ana", ("--user", "ana")), ("tagged", ("--tags", "tag:web")), ("ephemeral", ("--ephemeral",)))}
    viewer, mine, anas = Asker(hub, 17).register(keys["mine"]), Asker(hub, 18).register(keys["mine"]), Asker(hub, 18, 0x28).register(keys["ana"])
    tagged, passing = Asker(hub, 19).register(keys["tagged"]), Asker(hub, 20).register(keys["ephemeral"])
    check("a tagged device's key does not expire, a person's does", "KeyExpiry" not in tagged.map()[0]["Node"] and
          mine.map()[0]["Node"]["KeyExpiry"] > "2020")
    hub.admin("nodes", "expire", str(mine.map()[0]["Node"]["ID"]))
    check("two keys of one machine: one is out, the other is not", out(mine.map()[0], mine.key) and len(anas.map()[0]["Peers"]) == 4)
    hub.admin("nodes", "expire", str(tagged.map()[0]["Node"]["ID"]))
    check("a tagged device is out by an admin's word", out(tagged.map()[0], tagged.key) and told(tagged.registered(Auth={"AuthKey": keys["tagged"]})))
    gone = passing.map()[0]["Node"]["ID"]
    passing.registered(Expiry=LOGOUT)
    check("an ephemeral device that logs out is gone", seen(viewer, gone) is None and passing.ask("/machine/map")[0] == 404)
    hub.stop()


sys.exit(run((by_word, fresh_key, at_its_time, kinds)))
