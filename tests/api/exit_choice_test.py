#!/usr/bin/env python3
"""Which exit node is suggested, and the one that auto:any takes: it stays while it can be used, and another one comes when it goes.

    a 198.51.100.21 ---+--- internet --- hub
    b 198.51.100.22 ---+
    c 198.51.100.23 ---+

Usage: exit_choice_test.py WARREND. Needs root. Prints TAP."""
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
os.environ["WARREN_BIN"] = os.path.dirname(os.path.dirname(os.path.abspath(sys.argv[1])))
sys.path.insert(0, os.path.join(HERE, "..", "lab"))
import topologies  # noqa: E402
from nodes import WarrenHub, WarrenNode, wait_for  # noqa: E402
sys.path.insert(0, os.path.join(HERE, "..", "helpers"))
from tap import check, results  # noqa: E402

EXIT = ("0.0.0.0/0", "::/0")


def suggestion(node):
    code, body = node.local("GET", "suggest-exit-node")
    return code, json.loads(body)


def offers(hub, node, name):
    node.cli("set", "--advertise-exit-node")
    for prefix in EXIT:
        hub.admin("routes", "approve", name, prefix)


def chosen(node):
    """The name of the exit node in use, or None; and what the preference says."""
    for p in (node.status().get("Peer") or {}).values():
        if p.get("ExitNode"):
            return p["HostName"]
    return None


def pref(node, name):
    return json.loads(node.local("GET", "prefs")[1]).get(name, "")


def story(hub, a, b, c):
    check("nothing is suggested where there is none", suggestion(a) == (200, {"ID": "", "Name": ""}), suggestion(a))
    check("and the command says so", a.cli("exit-node", "suggest") == "No exit node suggestion is available.\n")
    a.cli("set", "--exit-node=auto:any")
    check("auto:any waits for one", pref(a, "ExitNodeID") == "auto:any" and chosen(a) is None, pref(a, "ExitNodeID"))
    offers(hub, b, "b")
    wait_for("the only one is taken", lambda: chosen(a) == "b")
    check("the only one is taken", suggestion(a)[1]["Name"].startswith("b."), suggestion(a))
    text = a.cli("exit-node", "suggest")
    check("the command names it, and what to say", text.startswith("Suggested exit node: b") and "`warren set --exit-node=b" in text, text)
    offers(hub, c, "c")
    wait_for("a second one is there", lambda: "c" in a.cli("exit-node", "list"))
    check("it changes nothing", chosen(a) == "b" and pref(a, "AutoExitNode") == "any")
    check("what was suggested is suggested again", {suggestion(a)[1]["Name"] for _ in range(20)} == {suggestion(a)[1]["Name"]})
    b.stop()
    wait_for("when it goes the other one is taken", lambda: chosen(a) == "c", 30)
    check("when it goes the other one is taken", pref(a, "AutoExitNode") == "any")
    b.start()
    wait_for("the first one is back", lambda: next(n for n in hub.nodes() if n["name"] == "b")["online"], 30)
    wait_for("a has heard", lambda: a.peer(b.ip())["Online"], 30)
    check("and nobody is moved back", chosen(a) == "c")
    for prefix in EXIT:
        hub.admin("routes", "unapprove", "c", prefix)
    wait_for("one that may no more is left", lambda: chosen(a) == "b", 30)
    check("one that may no more is left", pref(a, "ExitNodeID") != "auto:any")
    a.cli("set", "--exit-node=")
    check("none ends it", chosen(a) is None and not pref(a, "AutoExitNode") and not pref(a, "ExitNodeID"))


def main():
    t = topologies.no_nat()
    host = topologies.public_host(t, "c", 23)
    started = []
    try:
        hub = WarrenHub(t.hub, topologies.HUB4)
        nodes = [WarrenNode(t.a, "a"), WarrenNode(t.b, "b"), WarrenNode(host, "c")]
        for p in [hub, *nodes]:
            started.append(p)
            p.start()
        code, doc = suggestion(nodes[0])
        check("before a login it is too early", code == 500 and doc == {"error": "no preferred DERP, try again later"}, (code, doc))
        key = hub.auth_key("--reusable")
        for n in nodes:
            n.up(hub.url, key)
        story(hub, *nodes)
    finally:
        for p in reversed(started):
            p.close()
        t.net.close()
    print(f"1..{len(results)}")
    return not all(results)


sys.exit(main())
