#!/usr/bin/env python3
"""Another program changes the database of a running hub: a person with sqlite3, a backup that is restored into it. The hub hears of it,
and so do the devices; what the hub writes itself is not foreign to it.

Usage: hub_foreign_test.py WARREN-HUB HUBDEVICE. Prints TAP."""
import hashlib, json, os, sqlite3, sys

from hub_process import Device, Hub, check, run, wait_for

HUB, HUBDEVICE = sys.argv[1:3]
USER, NODE, KEY, POLICY = 0, 1, 2, 5  # kinds of documents


class Database:
    """Another process that has the hub's database open: this one."""

    def __init__(self, hub):
        self.path = os.path.join(hub.dir, "state", "hub.db")
        self.db = sqlite3.connect(self.path, isolation_level=None, timeout=20)

    def docs(self, kind):
        return {n: json.loads(d) for n, d in self.db.execute("SELECT id, doc FROM doc WHERE tailnet = 1 AND kind = ?", (kind,))}

    def set(self, kind, number, **fields):
        """In one transaction, as the hub writes beside it."""
        self.db.execute("BEGIN IMMEDIATE")
        doc = self.docs(kind)[number]
        doc.update(fields)
        self.db.execute("UPDATE doc SET doc = ? WHERE tailnet = 1 AND kind = ? AND id = ?", (json.dumps(doc), kind, number))
        self.db.execute("COMMIT")

    def put(self, kind, number, doc):
        self.db.execute("INSERT OR REPLACE INTO doc (tailnet, kind, id, doc) VALUES (1, ?, ?, ?)",
                        (kind, number, doc if isinstance(doc, str) else json.dumps(doc)))

    def delete(self, kind, number):
        self.db.execute("DELETE FROM doc WHERE tailnet = 1 AND kind = ? AND id = ?", (kind, number))


def started(d, *names):
    hub = Hub(HUB, d).start()
    key = hub.json("keys", "create", "--reusable")["key"]
    devices = [Device(HUBDEVICE, hub, n, key).running() for n in names]
    for x in devices:
        x.wait("they know each other", lambda x: len(x.peers) == len(names) - 1)
    return hub, Database(hub), devices


def edited(d):
    """Single documents: whoever is concerned is told over the streams that are there."""
    hub, db, (one, two) = started(d, "one", "two")
    process, number = hub.p.pid, one.self["id"]
    check("what the hub wrote itself is not foreign", hub.metric("hub_store_foreign_total") == 0)
    db.set(NODE, number, name="desk", namePinned=True)
    two.wait("its peer hears of the other name", lambda x: x.peers.get(number, {}).get("name") == "desk")
    one.wait("and so does the device", lambda x: x.self["name"] == "desk")
    check("the command shows it", "desk" in hub.nodes() and "one" not in hub.nodes(), hub.nodes().keys())
    check("one document was foreign", hub.metric("hub_store_foreign_total") == 1, hub.metric("hub_store_foreign_total"))
    admin = next(iter(db.docs(USER).values()))
    db.put(USER, 900, {**admin, "id": 900, "name": "eve"})
    wait_for("a user that was inserted is there", lambda: "eve" in hub.users())
    key = hub.json("keys", "create", "--user", "eve")
    db.set(NODE, number, user=900)
    two.wait("the device is hers", lambda x: x.peers[number]["user"] == 900 and x.logins.get(900, "").startswith("eve"))
    one.wait("and is told so", lambda x: x.owner().startswith("eve"))
    db.set(KEY, key["id"], revoked=True)
    wait_for("a key that was revoked is", lambda: [k for k in hub.json("keys", "list") if k["id"] == key["id"]][0]["state"] == "revoked")
    put_policy(db, '{"acls": [{"action": "accept", "src": ["eve@"], "dst": ["eve@:*"]}]}')
    two.wait("a policy that was inserted hides others' devices", lambda x: number not in x.peers)
    put_policy(db, '{"acls": [{"action": "accept", "src": ["*"], "dst": ["*:*"]}]}')
    two.wait("the next one shows them", lambda x: number in x.peers)
    copy = dict(db.docs(NODE)[number])
    db.delete(NODE, number)
    two.wait("the peer is gone", lambda x: number not in x.peers)
    wait_for("in no list is one that was deleted", lambda: [n["id"] for n in hub.json("nodes", "list")] == [two.self["id"]])
    db.put(NODE, number, {**copy, "name": "back"})
    two.wait("one that was inserted is a peer", lambda x: x.peers.get(number, {}).get("name") == "back")
    check("no stream ended for any of it, in one process", hub.metric("hub_reread_total") == 0 and hub.p.poll() is None and
          hub.p.pid == process and hub.http("GET", "/health")[0] == 200, hub.said())
    own_changes(hub, db, admin, two)
    hub.stop()
    hub.start()
    check("after a restart all is as it was", {"eve", "ann", "zoe"} <= set(hub.users()) and set(hub.nodes()) == {"table", "back"}, hub.nodes())
    hub.stop()


def own_changes(hub, db, admin, two):
    foreign = hub.metric("hub_store_foreign_total")
    hub.admin("nodes", "rename", "two", "table")
    two.wait("a change of the hub's own is told", lambda x: x.self["name"] == "table")
    hub.admin("users", "create", "ann")
    db.put(USER, 901, {**admin, "id": 901, "name": "zoe"})
    wait_for("the next one is there", lambda: "zoe" in hub.users())
    check("between two of others nothing of the hub's own was foreign", hub.metric("hub_store_foreign_total") == foreign + 1)


def put_policy(db, text):
    number = max(db.docs(POLICY), default=0) + 1
    db.put(POLICY, number, {"id": number, "author": "hand", "hash": hashlib.sha256(text.encode()).hexdigest(),
                            "created": "2026-01-01T00:00:00Z", "text": text})


def not_simple(d):
    """What cannot be taken over by itself is loaded with all the rest."""
    hub, db, (one, two) = started(d, "one", "two")
    number = one.self["id"]
    db.set(NODE, number, ipv4="100.64.9.9", ipv6="fd7a:115c:a1e0::4:909")
    one.wait("it has its other address", lambda x: x.self["ip"] == "100.64.9.9")
    check("it was read anew, in the same process", hub.metric("hub_reread_total") == 1 and "was read anew" in hub.said())
    one.wait("devices are back", lambda x: x.state == "running" and two.self["id"] in x.peers)
    hub.stop()


def restored(d):
    """A backup that is restored into the database of a running hub."""
    hub, db, (one, two) = started(d, "one", "two")
    copy = sqlite3.connect(os.path.join(d, "copy.db"))
    db.db.backup(copy)
    hub.admin("users", "create", "late")
    hub.admin("nodes", "rename", "one", "desk")
    two.wait("it is told", lambda x: x.peers[one.self["id"]]["name"] == "desk")
    copy.backup(db.db)
    two.wait("what was before is told", lambda x: x.peers.get(one.self["id"], {}).get("name") == "one")
    check("what came after the backup is not there", "late" not in hub.users())
    check("it was read anew, in the same process", hub.metric("hub_reread_total") == 1 and "was read anew" in hub.said())
    hub.admin("users", "create", "later")
    hub.stop()
    hub.start()
    check("and what comes then lasts", "later" in hub.users() and "late" not in hub.users() and set(hub.nodes()) == {"one", "two"})
    hub.stop()


BAD = {"no JSON": lambda good: '{"id": "what', "no name": lambda good: {k: v for k, v in good.items() if k != "name"},
       "an address of others": lambda good: {**good, "ipv4": "8.8.8.8"}}


def damaged(d):
    """What cannot be read changes nothing, is told, and is not to be forgotten: no change is made until it can be read."""
    hub, db, (one, two) = started(d, "one", "two")
    number, good = one.self["id"], db.docs(NODE)[one.self["id"]]
    for what, bad in BAD.items():
        db.put(NODE, number, bad(good))
        wait_for(f"{what}: health says so", lambda: hub.http("GET", "/health")[0] == 503)
        refusal = hub.refusal("users", "create", "ann")
        check(f"{what}: who wants a change reads why", "cannot be read" in refusal and f"number {number}" in refusal, refusal)
        check(f"{what}: devices stay", hub.p.poll() is None and set(hub.nodes()) == {"one", "two"} and one.state == two.state == "running")
        db.put(NODE, number, good)
        wait_for(f"{what}: it is well once it can be read", lambda: hub.http("GET", "/health")[0] == 200)
    db.put(NODE, number, {**good, "name": "desk", "namePinned": True})
    two.wait("and it counts", lambda x: x.peers.get(number, {}).get("name") == "desk")
    hub.admin("users", "create", "ann")
    hub.stop()
    db.put(NODE, number, "{}")
    again = hub.run("serve", "--state-dir", os.path.join(d, "state"), "--listen", f"127.0.0.1:{hub.port}")
    check("a hub that starts refuses it as well", again.returncode != 0 and f"number {number}" in again.stderr, again.stderr)


sys.exit(run((edited, not_simple, restored, damaged)))
