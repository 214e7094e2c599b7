#!/usr/bin/env python3
"""Who is online: what the hub lists and counts, and what peers are told, when a device may not take part any more.

Usage: hub_presence_test.py PATH-OF-WARREND. Prints TAP. Needs root: each device lives in a namespace of its own."""
import json
import os
import re
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from place import Place, check, run, wait_for, within as wait_within  # noqa: E402

AT_ONCE = 2.0  # seconds, on a busy machine
HUNG = 15.0
LIFE = 15  # of a person's key
SUBNET = "10.77.0.0/24"


def within(what, condition, bound=AT_ONCE):
    return wait_within(what, condition, bound)


def counted(p):
    """What `status` and the metrics say: the number of devices online."""
    return json.loads(p.hub.admin("status", "--json"))["online"], p.metric("nodes_online")


def primary(p):
    return next((r["name"] for r in json.loads(p.hub.admin("routes", "list", "--json")) if r["primary"]), None)


def peer(node, ip, key):
    p = node.peer(ip)
    return bool(p and p.get(key))


def by_time():
    """Keys that live for some seconds: the device's, and a router's for which another one stands by."""
    with Place("--key-expiry", f"{LIFE}s") as p:
        p.hub.admin("policy", "set", policy(p))
        watcher, r2 = p.node("watcher"), p.node("r2")
        watcher.up(p.hub.url, p.hub.auth_key("--tags", "tag:other"))
        r1 = p.node("r1")
        r1.up(p.hub.url, p.hub.auth_key(), f"--advertise-routes={SUBNET}")
        ip, born = r1.ip(), time.time()
        wait_for("r1 carries the subnet", lambda: primary(p) == "r1")
        r2.up(p.hub.url, p.hub.auth_key("--tags", "tag:router"), f"--advertise-routes={SUBNET}")
        wait_for("r2 stands by", lambda: sum(r["inUse"] for r in json.loads(p.hub.admin("routes", "list", "--json"))) == 2)
        wait_for("all see each other", lambda: peer(watcher, ip, "Online"))
        check("before its end it is online", p.listed("r1")["online"] and counted(p) == (3, 3), counted(p))
        wait_for("its key's end", lambda: p.listed("r1")["expired"], LIFE + 10)
        check("not before its time", time.time() - born >= LIFE - 3)
        took = [within("it is offline in the list", lambda: not p.listed("r1")["online"]),
                within("its peer knows", lambda: not peer(watcher, ip, "Online") and peer(watcher, ip, "Expired")),
                within("the standby carries", lambda: primary(p) == "r2")]
        check("at its key's end it is offline for all, and the standby takes over", None not in took, took)
        check("the counts follow", counted(p) == (2, 2), counted(p))
        check("the list says expired", re.search(r"\br1\b.*\bexpired\b", p.hub.admin("nodes", "list")))
        r1.up(p.hub.url, p.hub.auth_key("--reusable"), f"--advertise-routes={SUBNET}")
        check("a new login brings it back", within("three are online", lambda: counted(p) == (3, 3), 10) is not None, p.hub.nodes())
        check("and it stands by", primary(p) == "r2")


def policy(p):
    path = os.path.join(p.hub.dir, "policy.hujson")
    with open(path, "w") as f:
        json.dump({"tagOwners": {"tag:router": [], "tag:other": []},
                   "acls": [{"action": "accept", "src": ["*"], "dst": ["*:*"]}],
                   "autoApprovers": {"routes": {SUBNET: ["tag:router", "autogroup:member"]}}}, f)
    return path


def by_word():
    """An admin's `expire`, a logout; approval that is waited for."""
    with Place("--approve-devices") as p:
        watcher, a, b = p.node("watcher"), p.node("a"), p.node("b")
        for n in (watcher, a):
            n.up(p.hub.url, p.hub.auth_key("--preapproved"))
        ip = a.ip()
        wait_for("they see each other", lambda: peer(watcher, ip, "Online"))
        p.hub.admin("nodes", "expire", "a")
        took = [within("it is offline in the list", lambda: not p.listed("a")["online"]),
                within("its peer knows", lambda: not peer(watcher, ip, "Online"))]
        check("an admin's `expire` takes it offline at once", None not in took and counted(p) == (1, 1), (took, counted(p)))
        p.hub.admin("nodes", "expire", "a", "--expiry", "1h")
        check("a longer life brings it back without a login", within("it is online", lambda: p.listed("a")["online"] and
              peer(watcher, ip, "Online") and a.status()["BackendState"] == "Running", 10) is not None, p.hub.nodes())
        p.hub.admin("nodes", "expire", "a")
        wait_for("it is offline again", lambda: not p.listed("a")["online"])
        a.up(p.hub.url, p.hub.auth_key("--preapproved", "--reusable"))
        check("a login brings it back", within("it is online", lambda: peer(watcher, ip, "Online") and p.listed("a")["online"], 10)
              is not None, p.hub.nodes())
        a.cli("logout")
        took = [within("it is offline in the list", lambda: not p.listed("a")["online"]),
                within("its peer knows", lambda: not peer(watcher, ip, "Online"))]
        check("a logout takes it offline at once", None not in took and counted(p) == (1, 1), (took, counted(p)))
        b.cli("up", f"--login-server={p.hub.url}", f"--auth-key={p.hub.auth_key()}", "--hostname=b", "--timeout=2s", check=False)
        wait_for("it waits for approval", lambda: not p.listed("b")["approved"])
        check("who waits for approval is not online", not p.listed("b")["online"] and counted(p) == (1, 1), counted(p))
        p.hub.admin("nodes", "approve", "b")
        check("approval makes it so", within("it is online", lambda: p.listed("b")["online"] and counted(p) == (2, 2)) is not None,
              counted(p))


def hung():
    """The program of an exit node stops; its system acknowledges on."""
    with Place() as p:
        watcher, exit_node, plain = p.node("watcher"), p.node("exit"), p.node("plain")
        for n, flags in ((watcher, []), (exit_node, ["--advertise-exit-node"]), (plain, [])):
            n.up(p.hub.url, p.hub.auth_key(), *flags)
        ip = exit_node.ip()
        for route in ("0.0.0.0/0", "::/0"):
            p.hub.admin("routes", "approve", "exit", route)
        wait_for("it is offered", lambda: peer(watcher, ip, "ExitNodeOption"))
        exit_node.child.send_signal(signal.SIGSTOP)
        try:
            took = within("it is offline", lambda: not p.listed("exit")["online"] and not peer(watcher, ip, "Online"), HUNG)
            check("an exit node that hangs is offline in seconds", took is not None, p.hub.nodes())
            check("others are as before", p.listed("plain")["online"] and p.listed("watcher")["online"])
        finally:
            exit_node.child.send_signal(signal.SIGCONT)
        check("and online again when it goes on", within("it is online", lambda: peer(watcher, ip, "Online"), HUNG) is not None)
        p.hub.child.send_signal(signal.SIGSTOP)
        time.sleep(8)  # longer than an exit node has to answer; there is nothing to wait for while the hub is stopped
        p.hub.child.send_signal(signal.SIGCONT)
        wait_for("it is asked again, and answers", lambda: p.metric("control_unanswered_total") == 1 and p.listed("exit")["online"])
        time.sleep(1)  # nothing is to happen
        silent = p.metric("control_unanswered_total")
        check("a hub that slept itself does not take its devices for dead", silent == 1 and p.listed("exit")["online"], silent)


sys.exit(run(by_time, by_word, hung))
