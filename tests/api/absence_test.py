#!/usr/bin/env python3
"""What is not there any more, and who is told: an exit node, an address in the policy's pool, the hub for a while.

Usage: absence_test.py PATH-OF-WARREND. Prints TAP. Needs root: each device lives in a namespace of its own."""
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from place import Place, check, run, wait_for, within  # noqa: E402

MANY = 15


def status(node):
    r = subprocess.run(node.host.argv(node.argv[0].replace("warrend", "warren"), f"--socket={node.socket}", "status"),
                       capture_output=True, text=True)
    return r.stdout


def chosen(node):
    return node.status().get("ExitNodeStatus")


def exit_node():
    with Place() as p:
        a, b = p.node("a"), p.node("exit")
        a.up(p.hub.url, p.hub.auth_key())
        b.up(p.hub.url, p.hub.auth_key(), "--advertise-exit-node")
        for route in ("0.0.0.0/0", "::/0"):
            p.hub.admin("routes", "approve", "exit", route)
        ip, ident = b.ip(), b.status()["Self"]["ID"]
        wait_for("it is offered", lambda: (a.peer(ip) or {}).get("ExitNodeOption"))
        a.cli("set", f"--exit-node={ip}")
        wait_for("it is used", lambda: (chosen(a) or {}).get("Online"))
        check("while the exit node is there nothing is said of it", "xit node" not in " ".join(a.status()["Health"]), a.status()["Health"])
        for route in ("0.0.0.0/0", "::/0"):
            p.hub.admin("routes", "unapprove", "exit", route)
        check("one that may not be an exit node any more is named", within("health says so", lambda: any(
            "exit, which this device uses as its exit node, does not offer" in h for h in a.status()["Health"]), 5) is not None,
            a.status()["Health"])
        for route in ("0.0.0.0/0", "::/0"):
            p.hub.admin("routes", "approve", "exit", route)
        check("and no more when it is one again", within("health is silent", lambda: not any(
            "xit node" in h for h in a.status()["Health"]), 5) is not None, a.status()["Health"])
        b.stop()
        check("one that is offline is named", within("health says so", lambda: any(
            "The exit node exit is offline" in h for h in a.status()["Health"]), 10) is not None, a.status()["Health"])
        p.hub.admin("nodes", "delete", "exit")
        check("one that was deleted is told of", within("health says so", lambda: any(
            "is not in the tailnet any more" in h for h in a.status()["Health"]), 5) is not None, a.status()["Health"])
        text = status(a)
        check("`status` says it, with what to do next", "is not in the tailnet any more" in text and "warren set --exit-node=" in text, text)
        check("and JSON has the exit node that is still wanted", chosen(a) == {"ID": ident, "Online": False, "TailscaleIPs": None} or
              (chosen(a) or {}).get("ID") == ident and not chosen(a)["Online"], chosen(a))
        a.cli("set", "--exit-node=")
        check("without an exit node all is well", not any("xit node" in h for h in a.status()["Health"]) and not chosen(a), status(a))


def pool():
    with Place() as p:
        path = os.path.join(p.hub.dir, "policy.hujson")
        with open(path, "w") as f:
            json.dump({"tagOwners": {"tag:lab": []}, "acls": [],
                       "nodeAttrs": [{"target": ["tag:lab"], "ipPool": ["100.81.7.0/30"]}]}, f)
        p.hub.admin("policy", "set", path)
        key = p.hub.auth_key("--reusable", "--tags", "tag:lab")
        for i in range(3):
            p.node(f"n{i}").up(p.hub.url, key)
        check("the pool is used", sorted(n["ipv4"] for n in p.hub.nodes()) == ["100.81.7.1", "100.81.7.2", "100.81.7.3"], p.hub.nodes())
        late = p.node("late")
        r = subprocess.run(late.host.argv(late.argv[0].replace("warrend", "warren"), f"--socket={late.socket}", "up", f"--login-server={p.hub.url}",
                           f"--auth-key={key}", "--hostname=late", "--timeout=10s"), capture_output=True, text=True)
        check("who finds the pool full is refused with words", r.returncode == 1 and "ipPool" in r.stderr, (r.returncode, r.stderr, r.stdout))
        check("and has no address of another range", [n["name"] for n in p.hub.nodes() if n["name"] == "late"] == [], p.hub.nodes())
        check("the log and the metrics say so", p.logged(p.hub, "ipPool") > 0 and p.metric("address_pools_full_total") > 0)
        p.hub.admin("nodes", "delete", "n1")
        late.up(p.hub.url, key)
        check("when there is room it joins", p.listed("late")["ipv4"].startswith("100.81.7."), p.hub.nodes())


def return_of_the_hub():
    """All are back soon, however long it was away: a bound beside what a thousand clients of the benchmark take."""
    with Place() as p:
        key = p.hub.auth_key("--reusable")
        for i in range(MANY):
            p.node(f"n{i}").up(p.hub.url, key)
        for away, bound in ((0, 2), (5, 2.5), (20, 3.5)):
            wait_for("all are online", lambda: sum(n["online"] for n in p.hub.nodes()) == MANY)
            p.hub.stop("KILL")
            time.sleep(away)
            p.hub.start()
            took = within("all are back", lambda: sum(n["online"] for n in p.hub.nodes()) == MANY, 30)
            check(f"{MANY} devices are back after the hub was away for {away} s", took is not None and took < bound, took)


sys.exit(run(exit_node, pool, return_of_the_hub))
