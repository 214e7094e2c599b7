#!/usr/bin/env python3
"""A daemon whose disk is stuck: packets flow on, who changed something is answered when it is kept, and nothing is lost.

    a 198.51.100.21 (its disk obeys) --- internet --- b 198.51.100.22

Usage: warrend_disk_test.py WARREND SLOWDISK. Needs root. Prints TAP."""
import base64
import json
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
os.environ["WARREN_BIN"] = os.path.dirname(os.path.dirname(os.path.abspath(sys.argv[1])))
sys.path.insert(0, os.path.join(HERE, "..", "lab"))
import topologies  # noqa: E402
from nodes import Ping, WarrenHub, WarrenNode, program, wait_for  # noqa: E402
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
from tap import check, results  # noqa: E402

AT_ONCE = 1.0  # seconds, far above what packets take


class Obeying(WarrenNode):
    def __init__(self, host, hostname):
        super().__init__(host, hostname)
        self.disk = os.path.join(self.dir, "disk")
        os.mkdir(self.disk)
        self.env.update(LD_PRELOAD=sys.argv[2], SLOWDISK=self.disk, ASAN_OPTIONS="verify_asan_link_order=0")

    def disk_is(self, how, yes=True):
        path = os.path.join(self.disk, how)
        if yes:
            open(path, "w").close()
        else:
            os.unlink(path)

    def later(self, *args):
        return subprocess.Popen(self.host.argv(program("warren"), f"--socket={self.socket}", *args), stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def kept(self):
        """The preferences in the state file."""
        with open(os.path.join(self.dir, "warrend.state")) as f:
            state = json.load(f)
        name = base64.b64decode(state["_current-profile"]).decode()
        return json.loads(base64.b64decode(state[name]))


def worst_gap(ping):
    times = sorted(ping.answers.values())
    return max(b - a for a, b in zip(times, times[1:]))


def stuck(a, b):
    """Shorter than people are made to wait."""
    ping = Ping(b.host, a.ip())
    wait_for("a ping comes back", lambda: len(ping.poll()) > 20)
    a.disk_is("stuck")
    change = a.later("set", "--hostname=first")
    time.sleep(1.5)  # the time that packets have to do without the disk
    check("a change is not answered before it is kept", change.poll() is None)
    check("questions are answered meanwhile", a.status()["BackendState"] == "Running")
    a.disk_is("stuck", False)
    check("then it is answered, and kept", change.wait(10) == 0 and a.kept()["Hostname"] == "first", change.stderr.read())
    ping.stop()
    check("packets did not wait for the disk", worst_gap(ping) < AT_ONCE and len(ping.answers) > 50, worst_gap(ping))


def stuck_long(a):
    a.disk_is("stuck")
    began = time.monotonic()
    check("after five seconds a change is answered anyway", a.later("set", "--hostname=second").wait(20) == 0 and
          time.monotonic() - began > 4)
    wait_for("and status says that it is not kept", lambda: any("state" in h.lower() or "saved" in h.lower() or "kept" in h.lower()
                                                                for h in a.status().get("Health") or []))
    a.cli("set", "--hostname=third", check=False)
    a.disk_is("stuck", False)
    wait_for("the last of the changes is kept when the disk is back", lambda: a.kept()["Hostname"] == "third")
    wait_for("and all is well", lambda: not a.status().get("Health"))
    check("the disk comes back: the last change is kept, and health is well again", True)


def ends(a):
    a.disk_is("stuck")
    change = a.later("set", "--hostname=fourth")
    wait_for("the change is in", lambda: json.loads(a.local("GET", "prefs")[1])["Hostname"] == "fourth")
    a.child.terminate()
    time.sleep(0.5)
    check("SIGTERM waits for what is to be kept", a.alive())
    a.disk_is("stuck", False)
    check("and the daemon ends well", a.child.wait(10) == 0)
    change.wait(10)
    check("what was changed last is kept", a.kept()["Hostname"] == "fourth")


def main():
    t = topologies.internet()
    started = []
    try:
        hub = WarrenHub(t.hub, topologies.HUB4)
        started.append(hub)
        hub.start()
        a, b = Obeying(topologies.public_host(t, "a", 21), "a"), WarrenNode(topologies.public_host(t, "b", 22), "b")
        for n in (a, b):
            started.append(n)
            n.start()
            n.up(hub.url, hub.auth_key("--reusable"))
        stuck(a, b)
        stuck_long(a)
        ends(a)
    finally:
        for p in reversed(started):
            p.close()
        t.net.close()
    print(f"1..{len(results)}")
    return 0 if all(results) else 1


sys.exit(main())
