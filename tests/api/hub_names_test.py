#!/usr/bin/env python3
"""Names of devices follow what they call themselves, and a device that logs in anew stays the same one.

Usage: hub_names_test.py WARREN-HUB HUBDEVICE. Prints TAP."""
import json, os, sqlite3, sys

from hub_process import Device, Hub, check, run, wait_for

HUB, DEVICE = sys.argv[1:3]


def join(hub, hostname, *key_args, tags=""):
    return Device(DEVICE, hub, hostname, hub.json("keys", "create", *key_args)["key"], tags).running()


def listed(hub, device):
    return [n for n in hub.json("nodes", "list") if n["id"] == device.self["id"]][0]


def following(d):
    hub = Hub(HUB, d).start()
    box, peer = join(hub, "box"), join(hub, "peer")
    ip, number = box.self["ip"], box.self["id"]
    box.say("hostname Anas Laptop.local")
    box.wait("it is told", lambda x: x.self["name"] == "anas-laptop")
    peer.wait("its peer is told", lambda x: x.peers[number]["name"] == "anas-laptop")
    node = listed(hub, box)
    check("a new host name is a new name, for all that see it", node["name"] == "anas-laptop" and
          node["hostname"] == "Anas Laptop.local" and node["ipv4"] == ip and not node["namePinned"], node)
    third = join(hub, "third")
    check("who comes later sees it too", third.peers[number]["name"] == "anas-laptop")
    hub.admin("nodes", "rename", "anas-laptop", "printer")
    box.wait("it is told", lambda x: x.self["name"] == "printer")
    box.say("hostname other")
    wait_for("the hub knows", lambda: listed(hub, box)["hostname"] == "other")
    check("a name that an admin gave stays", listed(hub, box)["name"] == "printer" and listed(hub, box)["namePinned"])
    hub.stop()
    hub.start()
    box.running()
    check("also after a restart of the hub", listed(hub, box)["name"] == "printer")
    box.say("hostname another")
    wait_for("the hub knows", lambda: listed(hub, box)["hostname"] == "another")
    check("and still does not follow", listed(hub, box)["name"] == "printer")
    said = hub.admin("nodes", "rename", "printer")
    box.wait("it is told", lambda x: x.self["name"] == "another")
    check("rename without a name lets it follow again", "another" in said and listed(hub, box)["name"] == "another", said)
    box.say("hostname again")
    box.wait("it follows", lambda x: x.self["name"] == "again")
    hub.admin("nodes", "rename", "again", "fixed")
    hub.admin("nodes", "rename", "fixed", "--unpin")
    check("so does --unpin", listed(hub, box)["name"] == "again")
    check("both at once are refused", "--unpin" in hub.refusal("nodes", "rename", "again", "x", "--unpin"))
    box.say("hostname " + "\u00e4\u00f6\u00fc")
    box.wait("it is told", lambda x: x.self["name"] == "device")
    check("a name without a letter of DNS becomes one", True)
    box.say("hostname ")
    peer.say("hostname peer2")
    peer.wait("a later change", lambda x: x.self["name"] == "peer2")
    check("an empty one says nothing", listed(hub, box)["name"] == "device")
    hub.stop()


def collisions(d):
    hub = Hub(HUB, d).start()
    a, b, c = join(hub, "box"), join(hub, "box"), join(hub, "web-1")
    check("of two with one name the second has a number", (a.self["name"], b.self["name"]) == ("box", "box-1"))
    a.say("hostname desk")
    a.wait("it follows", lambda x: x.self["name"] == "desk")
    b.say("hostname BOX")
    wait_for("the hub knows", lambda: listed(hub, b)["hostname"] == "BOX")
    check("a number stays when the name without is free", listed(hub, b)["name"] == "box-1")
    a.say("hostname box")
    a.wait("it follows", lambda x: x.self["name"] == "box")
    check("who comes back has its name, if it is free", listed(hub, b)["name"] == "box-1")
    c.say("hostname web")
    c.wait("it follows", lambda x: x.self["name"] == "web")
    c.say("hostname box")
    c.wait("it follows", lambda x: x.self["name"] == "box-2")
    check("a change into a taken name gets the next number", True)
    hub.admin("nodes", "rename", "box-2", "desk")
    a.say("hostname desk")
    a.wait("it follows", lambda x: x.self["name"] == "desk-1")
    check("nobody takes a name that an admin gave", listed(hub, c)["name"] == "desk")
    hub.stop()


def again(d):
    hub = Hub(HUB, d).start()
    key = hub.json("keys", "create", "--reusable")["key"]
    box = Device(DEVICE, hub, "first", key).running()
    ip = box.self["ip"]
    box.say("logout")
    box.wait("it is out", lambda x: x.state == "out")
    box.say("hostname second")
    box.self = None
    box.say("login " + key)
    box.running()
    nodes = hub.json("nodes", "list")
    check("logged out and in with another host name, it is the same device with that name",
          [(n["name"], n["ipv4"]) for n in nodes] == [("second", ip)], nodes)
    hub.stop()


def old_database(d):
    """Documents that do not say whether somebody gave the name: one that was not made of the host name stays."""
    hub = Hub(HUB, d).start()
    devices = [join(hub, "box"), join(hub, "box"), join(hub, "given")]
    hub.admin("nodes", "rename", "given", "printer")
    hub.stop()
    with sqlite3.connect(os.path.join(d, "state", "hub.db")) as db:
        for number, doc in db.execute("SELECT id, doc FROM doc WHERE tailnet = 1 AND kind = 1").fetchall():
            fields = json.loads(doc)
            fields.pop("namePinned")
            db.execute("UPDATE doc SET doc = ? WHERE tailnet = 1 AND kind = 1 AND id = ?", (json.dumps(fields), number))
    hub.start()
    check("of an older database given names are known as such", {n: x["namePinned"] for n, x in hub.nodes().items()} ==
          {"box": False, "box-1": False, "printer": True}, hub.nodes())
    for x in devices:
        x.running()
        x.say("hostname new")
    wait_for("they follow", lambda: set(hub.nodes()) == {"new", "new-1", "printer"})
    check("the others follow from now on", True)
    hub.stop()


def tags(d):
    hub = Hub(HUB, d, "--key-expiry", "90d").start()
    hub.admin("users", "create", "ana")
    tagged = hub.json("keys", "create", "--reusable", "--tags", "tag:web")["key"]
    person = hub.json("keys", "create", "--reusable", "--user", "ana")["key"]
    peer, box = join(hub, "peer"), Device(DEVICE, hub, "box", person).running()
    number, ip = box.self["id"], box.self["ip"]

    def is_same(what, user, want):
        node = listed(hub, box)
        check(what, len(hub.nodes()) == 2 and box.self["ip"] == ip and box.self["id"] == number and box.self["name"] == "box" and
              node.get("user") == user and node["tags"] == want and ("keyExpiry" in node) == (not want), hub.nodes())

    box.say("tags tag:web")
    box.say("login " + tagged)
    box.wait("it has tags", lambda x: x.self["tags"] == ["tag:web"])
    is_same("a person's device that logs in with tags stays the same one", None, ["tag:web"])
    peer.wait("peers are told", lambda x: x.logins.get(x.peers[number]["user"]) == "tagged-devices")
    box.say("tags")
    box.say("login " + person)
    box.wait("it has none", lambda x: x.self["tags"] == [] and x.owner() == "ana")
    is_same("and back", "ana", [])
    box.say("tags tag:web,tag:db")
    box.say("login -")
    box.wait("it waits", lambda x: x.state == "login" and "/register/" in x.text)
    hub.admin("nodes", "approve", hub.json("nodes", "pending")[0]["code"])
    box.wait("it has tags", lambda x: x.self["tags"] == ["tag:web", "tag:db"])
    is_same("by an approved login, whoever approves it", None, ["tag:web", "tag:db"])
    box.say("logout")
    box.wait("it is out", lambda x: x.state == "out")
    box.say("tags")
    box.self = None
    box.say("login " + person)
    box.running()
    is_same("after a logout", "ana", [])
    box.say("logout")
    box.wait("it is out", lambda x: x.state == "out")
    box.say("tags tag:web")
    box.self = None
    box.say("login " + tagged)
    box.running()
    is_same("after a logout into tags", None, ["tag:web"])
    box.say("tags")
    box.say("login " + hub.json("keys", "create", "--user", "admin")["key"])
    box.wait("it is admin's", lambda x: x.owner() == "admin")
    is_same("tagged, it may become anybody's", "admin", [])
    box.say("login " + person)
    box.wait("another device", lambda x: x.self["id"] != number and x.owner() == "ana")
    check("from one person to another it is a new one", len(hub.nodes()) == 3 and box.self["ip"] != ip and
          box.self["name"] == "box-1", hub.nodes())
    hub.stop()


sys.exit(run((following, collisions, again, old_database, tags)))
