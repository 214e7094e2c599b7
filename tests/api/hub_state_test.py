#!/usr/bin/env python3
"""A hub's state directory of which a part is missing or damaged: nothing is lost in silence, and the words say how to go on.

Usage: hub_state_test.py WARREN-HUB HUBDEVICE. Prints TAP."""
import os, shutil, sqlite3, sys

from hub_process import Device, Hub, check, run

HUB, DEVICE = sys.argv[1:3]


class Kept(Hub):
    def __init__(self, d):
        super().__init__(HUB, d)
        self.state = os.path.join(d, "state")
        self.db, self.key = os.path.join(self.state, "hub.db"), os.path.join(self.state, "noise.key")

    def refusal_to_start(self):
        """What it says, of a start that has to fail."""
        try:
            self.start()
        except RuntimeError:
            return self.said().splitlines()[-1] if self.p.wait(20) != 0 else "status 0"
        self.stop()
        return "it started"

    def without_wal(self):
        for end in ("-wal", "-shm"):
            if os.path.exists(self.db + end):
                os.unlink(self.db + end)


def filled(d):
    hub = Kept(d).start()
    hub.admin("users", "create", "ann")
    hub.stop()
    shutil.copyfile(hub.db, os.path.join(d, "backup.db"))
    return hub


def damage(hub):
    """How a database comes to be none, and what the hub has to say of it."""
    size = os.path.getsize(hub.db)
    os.truncate(hub.db, 0)
    yield "an empty file", "is empty (0 bytes)"
    os.unlink(hub.db)
    yield "no file", "is missing"
    sqlite3.connect(hub.db).execute("CREATE TABLE other (x)").connection.close()
    yield "the database of another program", "holds no tables of a hub"
    with open(hub.db, "wb") as f:
        f.write(b"this is no database" * 1000)
    yield "another file", "file is not a database"
    shutil.copyfile(os.path.join(hub.dir, "backup.db"), hub.db)
    os.truncate(hub.db, size - 4096)
    yield "half a file", "malformed"


def database_gone(d):
    hub = filled(d)
    for what, words in damage(hub):
        hub.without_wal()
        said = hub.refusal_to_start()
        check(f"{what} beside noise.key is refused, and named", words in said and "hub.db" in said and "backup" in said, said)
        if "noise.key" in said:
            check(f"{what}: both ways on are named", "Restore hub.db" in said and "remove noise.key" in said, said)
        left = os.path.getsize(hub.db) if os.path.exists(hub.db) else None
        check(f"{what}: the refused start made no new database", hub.refusal_to_start() == said and
              (left is None) == (not os.path.exists(hub.db)), (said, left))
    shutil.copyfile(os.path.join(d, "backup.db"), hub.db)
    hub.without_wal()
    hub.start()
    check("the backup brings everything back", "ann" in hub.users())
    hub.stop()
    os.truncate(hub.db, 0)
    hub.without_wal()
    os.unlink(hub.key)
    hub.start()
    check("without noise.key it begins anew", list(hub.users()) == ["admin"])
    hub.stop()


def first_start_cut_short(d):
    """As after a crash of the very first start: the database is there, the key not yet."""
    hub = Kept(d)
    os.mkdir(hub.state, 0o700)
    open(hub.db, "w").close()
    hub.start()
    check("an empty file alone is a new hub", list(hub.users()) == ["admin"] and "noise.key was missing" not in hub.said(), hub.said())
    hub.stop()


def key_gone(d):
    hub = Kept(d).start()
    box = Device(DEVICE, hub, "box", hub.json("keys", "create")["key"]).running()
    number = box.self["id"]
    hub.stop()
    box.wait("it sees that its hub is gone", lambda x: x.state != "running")
    os.unlink(hub.key)
    hub.start()
    check("a missing noise.key is told loudly, with the way back", "noise.key was missing" in hub.said() and
          "restore it" in hub.said(), hub.said())
    box.wait("it says why it does not come back", lambda x: "shows another key than before" in x.trouble, 60)
    check("over plain HTTP its devices don't take it for their hub", box.state != "running" and not hub.nodes()["box"]["online"])
    box.say("login " + hub.json("keys", "create")["key"])
    box.wait("it is back", lambda x: x.state == "running" and hub.nodes()["box"]["online"], 60)
    check("after a login they are back, the same ones", hub.nodes()["box"]["id"] == number and len(hub.nodes()) == 1)
    box.stop()
    hub.stop()


sys.exit(run((database_gone, first_start_cut_short, key_gone)))
