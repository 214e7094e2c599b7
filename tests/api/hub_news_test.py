#!/usr/bin/env python3
"""Another program changes the database of a running hub: a person with sqlite3, a backup that is restored into it. The hub hears of it,
and so do the devices; what the hub writes itself is no news to it.

Usage: hub_news_test.py WARREN-HUB HUBDEVICE. Prints TAP."""
import json, os, sqlite3, sys

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
    hub, db, (one, two) = started(d, "one", "two")
    process, number = hub.p.pid, one.self["id"]
    check("what the hub wrote itself is no news", hub.metric("hub_store_foreign_total") == 0 and hub.metric("hub_reread_total") == 0)
    db.set(NODE, number, name="desk", namePinned=True)
    two.wait("its peer hears of the other name", lambda x: x.peers.get(number, {}).get("name") == "desk")
    one.wait("and so does the device", lambda x: x.self["name"] == "desk")
    check("the command shows it", "desk" in hub.nodes() and "one" not in hub.nodes(), hub.nodes().keys())
    check("one document was news", hub.metric("hub_store_foreign_total") == 1, hub.metric("hub_store_foreign_total"))
    admin = next(iter(db.docs(USER).values()))
    db.put(USER, 900, {**admin, "id": 900, "name": "eve"})
    wait_for("a user that was inserted is there", lambda: "eve" in hub.users())
    hub.admin("keys", "create", "--user", "eve")
    db.delete(NODE, number)
    wait_for("a device that was deleted is in no list", lambda: [n["id"] for n in hub.json("nodes", "list")] == [two.self["id"]])
    check("all in one process, and it is well", hub.p.poll() is None and hub.p.pid == process and hub.http("GET", "/health")[0] == 200)
    foreign = hub.metric("hub_store_foreign_total")
    hub.admin("nodes", "rename", "two", "table")
    hub.admin("users", "create", "ann")
    db.put(USER, 901, {**admin, "id": 901, "name": "zoe"})
    wait_for("the next one is there", lambda: "zoe" in hub.users())
    check("between two of others nothing of the hub's own was news", hub.metric("hub_store_foreign_total") == foreign + 1)
    hub.stop()
    hub.start()
    check("after a restart all is as it was", {"eve", "ann", "zoe"} <= set(hub.users()) and list(hub.nodes()) == ["table"])
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


def damaged(d):
    """What cannot be read changes nothing, and is told."""
    hub, db, (one, two) = started(d, "one", "two")
    number, good = one.self["id"], db.docs(NODE)[one.self["id"]]
    db.put(NODE, number, '{"id": "what')
    wait_for("the log says so", lambda: "cannot be read" in hub.said())
    check("devices stay", hub.p.poll() is None and set(hub.nodes()) == {"one", "two"} and one.state == two.state == "running")
    db.put(NODE, number, {**good, "name": "desk", "namePinned": True})
    two.wait("once it can be read it counts", lambda x: x.peers.get(number, {}).get("name") == "desk")
    wait_for("changes are made", lambda: hub.run("users", "create", "ann").returncode == 0)
    hub.stop()


sys.exit(run((edited, restored, damaged)))
