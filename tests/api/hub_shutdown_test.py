#!/usr/bin/env python3
"""An orderly end of the hub: all that was answered is on the disk, and no device hears a thing that is not so.

Usage: hub_shutdown_test.py WARREN-HUB HUBDEVICE. Prints TAP."""
import os, sqlite3, sys, time

from hub_process import Device, Hub, check, run, wait_for

HUB, DEVICE = sys.argv[1:3]


class Listener(Device):
    """Remembers the states that it was in."""

    def __init__(self, *args):
        self.states = []
        super().__init__(*args)

    def __setattr__(self, name, value):
        if name == "state" and value:
            self.states.append(value)
        super().__setattr__(name, value)


def all_is_stored_and_nobody_hears_what_is_not_so(d):
    hub = Hub(HUB, d).start()
    key = hub.json("keys", "create", "--reusable")["key"]
    devices = [Listener(DEVICE, hub, name, key).running() for name in ("anna", "bert", "carl")]
    before = {name: (n["id"], n["ipv4"]) for name, n in hub.nodes().items()}
    for x in devices:
        x.wait("it knows the others", lambda x: len(x.peers) == 2)
        x.states.clear()
    hub.admin("users", "create", "zoe")  # the last word before the end
    hub.admin("nodes", "rename", "carl", "charles")
    began = time.monotonic()
    hub.stop()
    check("it ends by itself, and soon", time.monotonic() - began < 10, time.monotonic() - began)
    db = sqlite3.connect(os.path.join(d, "state", "hub.db"))
    check("its database is whole", db.execute("PRAGMA integrity_check").fetchone() == ("ok",))
    db.close()
    for x in devices:
        x.wait("it sees that its hub is gone", lambda x: x.state != "running")
    check("the devices miss their hub, and nothing else: no login is asked for, nobody is gone",
          all(set(x.states) == {"starting"} and len(x.peers) == 2 and x.self["authorized"] for x in devices),
          [(x.states, x.peers) for x in devices])
    hub.start()
    check("what was answered last is there", "zoe" in hub.users() and "charles" in hub.nodes(), (hub.users(), hub.nodes()))
    for x in devices:
        x.wait("it is back", lambda x: x.state == "running", 60)
    wait_for("all are online", lambda: all(n["online"] for n in hub.nodes().values()), 30)
    check("without a login", all("login" not in x.states and "out" not in x.states for x in devices), [x.states for x in devices])
    after = {name: (n["id"], n["ipv4"]) for name, n in hub.nodes().items()}
    check("and they are who they were", after == {("charles" if name == "carl" else name): v for name, v in before.items()}, (before, after))
    check("the log tells of no failure", "ending, so that" not in hub.said() and "could not be written" not in hub.said(), hub.said()[-2000:])
    for x in devices:
        x.stop()
    hub.stop()


sys.exit(run((all_is_stored_and_nobody_hears_what_is_not_so,)))
