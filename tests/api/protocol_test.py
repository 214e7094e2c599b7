#!/usr/bin/env python3
"""What our own daemon is told by our own hub, and what it makes of it: the built programs in a small network.

    a 198.51.100.21 (warrend) ---+--- internet --- hub
    b 198.51.100.22 (warrend) ---+

Usage: protocol_test.py WARREND. Needs root. Prints TAP."""
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
os.environ["WARREN_BIN"] = os.path.dirname(os.path.dirname(os.path.abspath(sys.argv[1])))
sys.path.insert(0, os.path.join(HERE, "..", "lab"))
import topologies  # noqa: E402
from nodes import WarrenHub, WarrenNode, program, wait_for  # noqa: E402

results = []


def check(name, ok, why=""):
    results.append(bool(ok))
    print(f"{'ok' if ok else 'not ok'} {len(results)} - {name}", flush=True)
    if not ok:
        print("#   " + str(why).replace("\n", "\n#   "), flush=True)


def get(node, path):
    code, body = node.local("GET", path)
    if code != 200:
        raise RuntimeError(f"{path}: {code} {body!r}")
    return json.loads(body)


def http_status(host, url, token):
    return host.run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-H", f"Authorization: Bearer {token}", url)


def peers(hub, a, b):
    """What the map says of peers, and of the tailnet."""
    seen = wait_for("a sees b online", lambda: (p := a.peer(b.ip())) and p["Online"] and p)
    check("an online peer has LastSeen", seen.get("LastSeen", "").startswith("20"), seen)
    b.cli("set", "--advertise-exit-node")
    node = wait_for("the hub knows of the exit node", lambda: next(
        (n for n in hub.nodes() if n["name"] == "beta" and "0.0.0.0/0" in hub.admin("routes", "list")), None))
    check("an exit node that nobody approved is not suggested", "suggest-exit-node" not in (a.peer(b.ip()).get("CapMap") or {}))
    for prefix in "0.0.0.0/0", "::/0":
        hub.admin("routes", "approve", "beta", prefix)
    wait_for("an approved exit node is suggested to peers", lambda: "suggest-exit-node" in (a.peer(b.ip()).get("CapMap") or {}))
    check("an approved exit node is suggested to peers", node)


def tailnet_id(hub, a):
    def seen():
        return (a.status()["CurrentTailnet"] or {}).get("StableID", "")

    ours = json.loads(hub.admin("status", "--json"))["tailnetID"]
    check("the tailnet has an ID", re.fullmatch(r"T[0-9A-Za-z]{10}CNTRL", ours), ours)
    check("the daemon knows it", seen() == ours, seen())
    check("so does status --json", json.loads(a.cli("status", "--json"))["CurrentTailnet"]["StableID"] == ours)
    hub.admin("nodes", "rename", "alpha", "other")
    wait_for("the new name is told", lambda: a.status()["Self"]["DNSName"].startswith("other."))
    check("it is told with each self node", seen() == ours, seen())
    token = json.loads(hub.admin("tokens", "create", "--scope", "policy_file:read", "--json"))["token"]
    paths = [f"{hub.url}/api/v2/tailnet/{t}/acl" for t in ("-", ours, ours.lower())]
    codes = [http_status(hub.host, p, token) for p in paths]
    check("the API takes it as a tailnet's name", codes == ["200", "200", "404"], codes)
    hub.stop()
    hub.start()
    wait_for("the daemon is back", lambda: a.status()["Self"]["Online"])
    check("a restarted hub has it still", json.loads(hub.admin("status", "--json"))["tailnetID"] == ours == seen())


def deleted(hub, b):
    hub.admin("nodes", "delete", "beta")
    wait_for("a deleted device asks for a login", lambda: b.status()["BackendState"] == "NeedsLogin")
    check("a deleted device asks for a login, and not for a map for ever", b.status()["BackendState"] == "NeedsLogin")


def session(t):
    hub, a, b = WarrenHub(t.hub, topologies.HUB4), WarrenNode(t.a, "alpha"), WarrenNode(t.b, "beta")
    try:
        for p in hub, a, b:
            p.start()
        key = hub.auth_key("--reusable")
        a.up(hub.url, key)
        b.up(hub.url, key)
        peers(hub, a, b)
        tailnet_id(hub, a)
        deleted(hub, b)
    finally:
        for p in a, b, hub:
            p.close()


def main():
    if os.geteuid() != 0:
        print("1..0 # SKIP needs root")
        return 0
    t = topologies.no_nat()
    try:
        session(t)
    finally:
        t.net.close()
    print(f"1..{len(results)}")
    return 0 if all(results) else 1


sys.exit(main())
