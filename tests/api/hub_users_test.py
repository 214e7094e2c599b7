#!/usr/bin/env python3
"""Users of a hub, and what is theirs: made, found in any spelling, renamed, moved and deleted.

Usage: hub_users_test.py WARREN-HUB HUBDEVICE. Prints TAP."""
import json, os, sqlite3, sys

from hub_process import Device, Hub, check, run

HUB, DEVICE = sys.argv[1:3]


def join(hub, hostname, *key_args):
    return Device(DEVICE, hub, hostname, hub.json("keys", "create", *key_args)["key"]).running()


def names(d):
    hub = Hub(HUB, d).start()
    made = hub.json("users", "create", "Bob")
    check("a name is kept in lower case", made["name"] == "bob" and made["role"] == "member", made)
    said = [hub.refusal("users", "create", n) for n in ("bob", "BOB", "bob@", "Bob@")]
    check("bob, BOB and bob@ are one", all('a user "bob" already' in s for s in said), said)
    said = [hub.refusal("users", "create", n) for n in ("", " ", " x", "x ", "a\nb", "x" * 256)]
    check("what is no name is told", all("1 to 255 bytes" in s for s in said), said)
    check("with a domain it is somebody else", hub.json("users", "create", "bob@corp.example")["name"] == "bob@corp.example")
    users = [hub.json("keys", "create", "--user", n)["user"] for n in ("BOB", "bob@", "Bob")]
    check("any spelling finds it", users == ["bob"] * 3, users)
    hub.admin("users", "rename", "BOB", "robert@")
    check("renamed, it has its keys", hub.users()["robert"]["keys"] == 3 and "bob" not in hub.users(), hub.users())
    check("a rename cannot take a name", 'a user "admin" already' in hub.refusal("users", "rename", "robert", "Admin"))
    check("a rename may change the spelling of its own", hub.json("users", "rename", "robert", "ROBERT@")["name"] == "robert")
    said = hub.refusal("users", "rename", "nobody", "x")
    check("nobody is not renamed", 'no user "nobody"' in said, said)
    hub.stop()


def old_database(d):
    """A database from before the rule: all its users load, and each can be named."""
    hub = Hub(HUB, d).start()
    hub.admin("users", "create", "eve")
    hub.stop()
    with sqlite3.connect(os.path.join(d, "state", "hub.db")) as db:
        eve = next(t for (t,) in db.execute("SELECT doc FROM doc WHERE tailnet = 1 AND kind = 0") if '"eve"' in t)
        for number, name in ((900, "Eve"), (901, "eve@"), (902, "Zoe")):
            doc = json.loads(eve)
            doc.update(id=number, name=name)
            db.execute("INSERT INTO doc (tailnet, kind, id, doc) VALUES (1, 0, ?, ?)", (number, json.dumps(doc)))
    hub.start()
    check("users of an older database load", {"eve", "Eve", "eve@", "Zoe"} <= set(hub.users()), hub.users())
    got = [hub.json("keys", "create", "--user", n)["user"] for n in ("eve", "Eve", "eve@", "zoe", "ZOE@")]
    check("each by its exact name, a single one in any spelling", got == ["eve", "Eve", "eve@", "Zoe", "Zoe"], got)
    said = hub.refusal("users", "delete", "EVE")
    check("of several none is guessed", "several users" in said, said)
    hub.admin("users", "delete", "901")
    hub.admin("users", "rename", "900", "ella")
    check("each can be renamed and deleted", {"eve", "ella", "Zoe"} <= set(hub.users()) and "eve@" not in hub.users())
    hub.stop()


def deleting(d):
    hub = Hub(HUB, d).start()
    for name in ("ana", "ben", "cem"):
        hub.admin("users", "create", name)
    key = hub.json("keys", "create", "--user", "ana", "--reusable")
    hub.admin("keys", "revoke", str(key["id"]))
    hub.json("keys", "create", "--user", "ana")
    said = hub.admin("users", "delete", "ANA@")
    check("a user who ever had a key can be deleted", "Deleted, with 2 auth keys." in said and "ana" not in hub.users() and
          hub.json("keys", "list") == [], said)
    watcher = join(hub, "watcher")
    one, two = join(hub, "one", "--user", "ben"), join(hub, "two", "--user", "ben")
    spare = hub.json("keys", "create", "--user", "ben")
    said = hub.refusal("users", "delete", "ben")
    check("devices are not lost by mistake", "2 devices" in said and "--move-to" in said and "--with-devices" in said, said)
    said = hub.refusal("users", "delete", "ben", "--move-to", "nobody")
    check("an heir has to be there", 'no user "nobody"' in said, said)
    said = hub.refusal("users", "delete", "ben", "--move-to", "Ben")
    check("and is another one", "another" in said, said)
    check("nothing was changed by that", hub.users()["ben"]["nodes"] == 2)
    hub.admin("nodes", "move", "one", "cem")
    check("a device is moved", hub.nodes()["one"]["user"] == "cem")
    one.wait("its owner is told", lambda x: x.owner() == "cem")
    watcher.wait("others are told", lambda w: w.logins.get(w.peers[one.self["id"]]["user"]) == "cem")
    check("device and peers are told of the new owner", one.self["ip"] == hub.nodes()["one"]["ipv4"])
    left = hub.json("users", "delete", "ben", "--move-to", "cem")
    check("what is ben's moves to cem", left == {"nodes": 1, "keys": 3, "movedTo": "cem"} and hub.nodes()["two"]["user"] == "cem"
          and {k["user"] for k in hub.json("keys", "list") if k["id"] == spare["id"]} == {"cem"}, left)
    two.wait("it stays and is told", lambda x: x.owner() == "cem" and x.state == "running")
    late = Device(DEVICE, hub, "late", spare["key"]).running()
    check("who joins with a moved key is the heir's", late.owner() == "cem", late.logins)
    said = hub.admin("users", "delete", "cem", "--with-devices")
    check("devices go with their owner", "with 3 devices and 3 auth keys" in said and set(hub.nodes()) == {"watcher"}, said)
    watcher.wait("peers are told", lambda w: not w.peers)
    for device in (one, two, late):
        device.wait("it has to log in", lambda x: x.state == "login")
    check("they have to log in anew", True)
    hub.stop()


def renaming(d):
    hub = Hub(HUB, d).start()
    hub.admin("users", "create", "ana")
    own, other = join(hub, "own", "--user", "ana"), join(hub, "other")
    hub.admin("users", "rename", "ana", "anna")
    own.wait("itself", lambda x: x.owner() == "anna")
    other.wait("the other", lambda x: x.logins.get(own.self["user"]) == "anna")
    check("a new name is told to its devices and to those that see them", True)
    hub.stop()
    hub.start()
    check("and is there after a restart", "anna" in hub.users() and hub.nodes()["own"]["user"] == "anna")
    hub.stop()


def keys(d):
    hub = Hub(HUB, d).start()
    hub.admin("users", "create", "ana")
    first, tagged = hub.json("keys", "create", "--reusable"), hub.json("keys", "create", "--tags", "tag:ci")
    hub.admin("keys", "move", str(first["id"]), "Ana")
    check("a key is moved", [k["user"] for k in hub.json("keys", "list") if k["id"] == first["id"]] == ["ana"])
    said = hub.refusal("keys", "move", str(tagged["id"]), "ana")
    check("not one that gives tags", "no person" in said, said)
    device = Device(DEVICE, hub, "box", first["key"]).running()
    hub.admin("keys", "delete", str(first["id"]))
    check("a deleted key is not listed", [k["id"] for k in hub.json("keys", "list")] == [tagged["id"]])
    check("its device stays", device.state == "running" and "box" in hub.nodes())
    late = Device(DEVICE, hub, "late", first["key"])
    late.wait("it is refused", lambda x: x.state == "login" and "auth key" in x.text)
    check("nobody joins with a deleted key", set(hub.nodes()) == {"box"})
    said = [hub.refusal("keys", verb, "4711", *rest) for verb, rest in (("delete", ()), ("move", ("ana",)), ("revoke", ()))]
    check("a key that is not there is told", all("no key 4711" in s for s in said), said)
    spare, other = hub.json("keys", "create"), hub.json("keys", "create")
    hub.admin("keys", "delete", spare["key"])
    hub.admin("keys", "revoke", other["hint"])
    left = {k["id"]: k["state"] for k in hub.json("keys", "list")}
    check("a key is also named by its text or its beginning", spare["id"] not in left and left[other["id"]] == "revoked", left)
    check("one that is not there is told without its text", "no key" in hub.refusal("keys", "delete", spare["key"]) and
          spare["key"] not in hub.refusal("keys", "delete", spare["key"]))
    one, two = hub.json("tokens", "create", "a"), hub.json("tokens", "create", "b")
    hub.admin("tokens", "delete", str(two["id"]))
    check("an API token is deleted", [t["id"] for t in hub.json("tokens", "list")] == [one["id"]])
    auth = {"Authorization": "Bearer " + two["token"]}
    check("and opens nothing", hub.http("GET", "/api/v2/tailnet/-/acl", headers=auth)[0] == 401)
    hub.stop()
    hub.start()
    check("its number is not used again, also after a restart", hub.json("tokens", "create", "c")["id"] > two["id"] and
          len(hub.json("tokens", "list")) == 2)
    hub.stop()


def tags(d):
    hub = Hub(HUB, d, "--key-expiry", "30d").start()
    hub.admin("users", "create", "ana")
    box = join(hub, "box", "--user", "ana")
    said = hub.run("nodes", "tag", "box")
    check("tag without tags changes nothing and says what to do", said.returncode != 0 and "untag" in said.stderr and
          hub.nodes()["box"]["user"] == "ana", said.stderr)
    hub.admin("nodes", "tag", "box", "tag:web", "tag:db")
    box.wait("it is told", lambda x: x.self["tags"] == ["tag:web", "tag:db"])
    check("a tagged device is nobody's and does not expire", "user" not in hub.nodes()["box"] and "keyExpiry" not in hub.nodes()["box"])
    hub.admin("nodes", "untag", "box", "ana")
    node = hub.nodes()["box"]
    box.wait("it is told", lambda x: x.self["tags"] == [] and x.owner() == "ana")
    check("untag gives it back to a person, whose key expires", node["user"] == "ana" and node["tags"] == [] and "keyExpiry" in node, node)
    said = hub.refusal("nodes", "untag", "box")
    check("untag names somebody", "name the user" in said, said)
    said = hub.refusal("nodes", "move", "box", "nobody")
    check("nobody gets no device", 'no user "nobody"' in said, said)
    hub.stop()


def roles(d):
    hub = Hub(HUB, d).start()
    hub.admin("users", "create", "ana")
    policy = os.path.join(d, "policy.hujson")
    with open(policy, "w") as f:
        f.write('{"acls": [{"action": "accept", "src": ["autogroup:admin"], "dst": ["*:22"]}]}')
    hub.admin("policy", "set", policy)
    boss, box = join(hub, "boss", "--user", "ana"), join(hub, "box")
    can = lambda: hub.json("policy", "can", "boss", "box:22")["allowed"]
    before = can()
    said = hub.admin("users", "role", "ana", "admin")
    check("a role is what policies speak of", not before and can() and hub.users()["ana"]["role"] == "admin", said)
    boss.wait("it sees the other now", lambda x: box.self["id"] in x.peers)
    hub.admin("users", "role", "ana", "member")
    boss.wait("and does not any more", lambda x: box.self["id"] not in x.peers)
    check("and can be taken back", not can())
    said = hub.refusal("users", "role", "ana", "king")
    check("which roles there are is told", "it-admin" in said and "king" in said, said)
    hub.stop()


sys.exit(run((names, old_database, deleting, renaming, keys, tags, roles)))
