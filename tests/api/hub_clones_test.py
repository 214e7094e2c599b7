#!/usr/bin/env python3
"""A state directory is copied, and both daemons run: how much that costs, who is told, and that it heals.

Usage: hub_clones_test.py PATH-OF-WARREND. Prints TAP. Needs root: each device lives in a namespace of its own."""
import json
import os
import re
import shutil
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
os.environ["WARREN_BIN"] = os.path.dirname(os.path.dirname(os.path.abspath(sys.argv[1])))
sys.path.insert(0, os.path.join(TOP, "tests", "lab"))
from nodes import WarrenHub, WarrenNode, wait_for  # noqa: E402
import topologies  # noqa: E402

results = []
HEALTH = "Another device runs with the identity of this one"


def check(name, ok, why=""):
    results.append(bool(ok))
    print(f"{'ok' if ok else 'not ok'} {len(results)} - {name}", flush=True)
    if not ok and why != "":
        print("# " + str(why).replace("\n", "\n# "), flush=True)


def metric(hub, name):
    text = hub.host.run(sys.executable, "-c", "import sys, urllib.request as u; print(u.urlopen(sys.argv[1]).read().decode())",
                        hub.url + "/metrics")
    return int(re.search(rf"^warren_hub_{name} (\d+)$", text, re.M).group(1))


def says(node):
    return any(HEALTH in h for h in node.status()["Health"])


def log_lines(p, what):
    with open(p.log) as f:
        return sum(what in line for line in f)


def copies(t, started):
    hub = WarrenHub(t.hub, topologies.HUB4)
    started.append(hub)
    hub.start()
    key = hub.auth_key("--reusable")
    a, b, other = (WarrenNode(topologies.public_host(t, n, 21 + i), n) for i, n in enumerate(("a", "b", "other")))
    for n in (a, other):
        started.append(n)
        n.start()
        n.up(hub.url, key)
    wait_for("the device is known", lambda: len(hub.nodes()) == 2)
    a.stop()
    shutil.copy(os.path.join(a.dir, "warrend.state"), os.path.join(b.dir, "warrend.state"))
    a.start()
    wait_for("it is back", lambda: a.status()["BackendState"] == "Running" and a.status()["Self"]["Online"])

    before = metric(hub, "first_maps_total")
    check("one device alone is as always", metric(hub, "nodes_duplicate") == 0 and not says(a))
    started.append(b)
    b.start()
    t0, told = time.monotonic(), set()
    while time.monotonic() < t0 + 40:
        told |= {n.hostname for n in (a, b) if says(n)}
        time.sleep(0.2)
    n_maps = metric(hub, "first_maps_total") - before
    check("two of them get few maps in 40 s", 2 <= n_maps <= 14, n_maps)
    check("both are told what is wrong", told == {"a", "b"}, told)
    check("`warren status` says so", HEALTH in a.cli("status", check=False) + b.cli("status", check=False))
    listed = {n["name"]: n for n in hub.nodes()}
    check("the admin's list has it", listed["a"].get("duplicate") is True and "duplicate" not in listed["other"], listed["a"])
    check("in words, too", re.search(r"\ba\b.*\bruns twice\b", hub.admin("nodes", "list")))
    check("and the hub's status", "run twice" in hub.admin("status") and json.loads(hub.admin("status", "--json"))["duplicates"] == 1)
    check("and the metrics", metric(hub, "nodes_duplicate") == 1 and metric(hub, "polls_waited_total") > 0)
    check("and the log, once", log_lines(hub, "device runs twice") == 1)

    b.stop()
    t0 = time.monotonic()
    wait_for("the other one is served", lambda: a.status()["Self"]["Online"] and metric(hub, "map_streams") == 2, 50)
    wait_for("it is over", lambda: metric(hub, "nodes_duplicate") == 0, 90)
    check("it is over a minute after one of them went", time.monotonic() - t0 < 75, time.monotonic() - t0)
    check("the other one is told", wait_for("its health", lambda: not says(a), 50))
    check("and nothing of it is left in the list", not any("duplicate" in n for n in hub.nodes()) and
          "runs twice" not in hub.admin("nodes", "list") and log_lines(hub, "runs once again") == 1)
    maps = metric(hub, "first_maps_total")
    for _ in range(6):
        a.stop("KILL")
        a.start()
        wait_for("it is back", lambda: metric(hub, "first_maps_total") > maps)
        maps = metric(hub, "first_maps_total")
    check("a device that starts again and again is no copy", metric(hub, "nodes_duplicate") == 0 and not says(a))


def main():
    if os.geteuid() != 0:
        print("1..0 # SKIP network namespaces need root")
        return 0
    t, started = topologies.internet(), []
    try:
        copies(t, started)
    finally:
        for p in started:
            if not results or not all(results):
                print("# --- " + p.name + "\n# " + p.tail().replace("\n", "\n# "), flush=True)
        for p in reversed(started):
            p.close()
        t.net.close()
    print(f"1..{len(results)}")
    return 0 if all(results) else 1


sys.exit(main())
