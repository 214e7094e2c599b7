#!/usr/bin/env python3
"""A state directory is copied, and both daemons run: how much that costs, who is told, and that it heals.

Usage: hub_clones_test.py PATH-OF-WARREND. Prints TAP. Needs root: each device lives in a namespace of its own."""
import json
import os
import re
import shutil
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from place import Place, check, run, wait_for  # noqa: E402

HEALTH = "Another device runs with the identity of this one"


def says(node):
    return any(HEALTH in h for h in node.status()["Health"])


def copies():
    with Place() as p:
        key = p.hub.auth_key("--reusable")
        a, b, other = (p.node(n) for n in ("a", "b", "other"))
        b.stop()
        for n in (a, other):
            n.up(p.hub.url, key)
        wait_for("the device is known", lambda: len(p.hub.nodes()) == 2)
        a.stop()
        shutil.copy(os.path.join(a.dir, "warrend.state"), os.path.join(b.dir, "warrend.state"))
        a.start()
        wait_for("it is back", lambda: a.status()["BackendState"] == "Running" and a.status()["Self"]["Online"])

        before = p.metric("first_maps_total")
        check("one device alone is as always", p.metric("nodes_duplicate") == 0 and not says(a))
        b.start()
        t0, told = time.monotonic(), set()
        while time.monotonic() < t0 + 40:
            told |= {n.hostname for n in (a, b) if says(n)}
            time.sleep(0.2)
        n_maps = p.metric("first_maps_total") - before
        check("two of them get few maps in 40 s", 2 <= n_maps <= 14, n_maps)
        check("both are told what is wrong", told == {"a", "b"}, told)
        check("`warren status` says so", HEALTH in a.cli("status", check=False) + b.cli("status", check=False))
        listed = {n["name"]: n for n in p.hub.nodes()}
        check("the admin's list has it", listed["a"].get("duplicate") is True and "duplicate" not in listed["other"], listed["a"])
        check("in words, too", re.search(r"\ba\b.*\bruns twice\b", p.hub.admin("nodes", "list")))
        check("and the hub's status", "run twice" in p.hub.admin("status") and json.loads(p.hub.admin("status", "--json"))["duplicates"] == 1)
        check("and the metrics", p.metric("nodes_duplicate") == 1 and p.metric("polls_waited_total") > 0)
        check("and the log, once", p.logged(p.hub, "device runs twice") == 1)

        b.stop()
        t0 = time.monotonic()
        wait_for("the other one is served", lambda: a.status()["Self"]["Online"] and p.metric("map_streams") == 2, 50)
        wait_for("it is over", lambda: p.metric("nodes_duplicate") == 0, 90)
        check("it is over a minute after one of them went", time.monotonic() - t0 < 75, time.monotonic() - t0)
        check("the other one is told", wait_for("its health", lambda: not says(a), 50))
        check("and nothing of it is left in the list", not any("duplicate" in n for n in p.hub.nodes()) and
              "runs twice" not in p.hub.admin("nodes", "list") and p.logged(p.hub, "runs once again") == 1)
        maps = p.metric("first_maps_total")
        for _ in range(6):
            a.stop("KILL")
            a.start()
            wait_for("it is back", lambda: p.metric("first_maps_total") > maps)
            maps = p.metric("first_maps_total")
        check("a device that starts again and again is no copy", p.metric("nodes_duplicate") == 0 and not says(a))


sys.exit(run(copies))
