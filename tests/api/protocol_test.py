#!/usr/bin/env python3
"""What our own daemon is told by our own hub, and what it makes of it: the built programs in a small network.

    a 198.51.100.21 (warrend) ---+--- internet --- hub
    b 198.51.100.22 (warrend) ---+

Usage: protocol_test.py WARREND HUBLOAD. Needs root. Prints TAP."""
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
os.environ["WARREN_BIN"] = os.path.dirname(os.path.dirname(os.path.abspath(sys.argv[1])))
sys.path.insert(0, os.path.join(HERE, "..", "lab"))
import topologies  # noqa: E402
from nodes import CA, Process, WarrenHub, WarrenNode, wait_for  # noqa: E402
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
from tap import check, results  # noqa: E402

HUBLOAD = sys.argv[2]


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


# A relay with a certificate of its own making. Says what each connection sent after the handshake.
IMPOSTOR = r'''
import socket, ssl, sys, threading
ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); ctx.load_cert_chain(sys.argv[1], sys.argv[2])
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("0.0.0.0", int(sys.argv[3]))); s.listen(16)
def serve(c):
    try:
        c.settimeout(5)
        t = ctx.wrap_socket(c, server_side=True)
        print("got %r" % t.recv(100), flush=True)
    except OSError as e:
        print("broken %r" % e, flush=True)
print("ready", flush=True)
while True:
    threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
'''


def pins(hub, a):
    relay = json.loads(hub.admin("status", "--json"))["relay"]
    port = int(relay.rsplit(":", 1)[1])
    nodes = [n for r in get(a, "derpmap")["Regions"].values() for n in r["Nodes"]]
    check("our own daemon is given the relay's pin, and never told to skip the check",
          nodes and all(re.fullmatch("sha256-raw:[0-9a-f]{64}", n.get("CertName", "")) and not n.get("InsecureForTests")
                        for n in nodes), nodes)
    told = json.loads(a.cli("debug", "derp-map"))
    check("and shows it", all("InsecureForTests" not in n for r in told["Regions"].values() for n in r["Nodes"]), told)

    def clients():
        return json.loads(hub.admin("status", "--json"))["relayClients"]

    wait_for("the relay is used", lambda: clients() == 1)
    a.stop()
    wait_for("and left", lambda: clients() == 0)
    ca = CA()
    cert, key = ca.issue(topologies.HUB4)
    impostor = Process(hub.host, "impostor", [sys.executable, "-c", IMPOSTOR, cert, key, "9999"]).start()
    try:
        wait_for("the impostor listens", lambda: "ready" in impostor.tail())
        a.host.nft("table ip impostor { chain out { type nat hook output priority -100; "
                   f"ip daddr {topologies.HUB4} tcp dport {port} dnat to {topologies.HUB4}:9999\n}}\n}}\n")
        a.start()
        wait_for("the daemon met the impostor more than once", lambda: len(impostor.tail().splitlines()) > 2)
        check("a relay with another certificate is told nothing", all(
            line in ("ready", "got b''") or line.startswith("broken") for line in impostor.tail().splitlines()), impostor.tail())
        check("and is not used, while the hub is", clients() == 0 and a.status()["Self"]["Online"])
        a.host.nft("delete table ip impostor")
        wait_for("the true one is used again", lambda: clients() == 1)
        check("the true one is used again", True)
    finally:
        impostor.close()
        ca.close()


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


CONNECT = r'''
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=3)
except OSError as e:
    print(e)
'''


def turned_down(hub, a, b):
    """Who asks why A does not reach B, when the policy lets him ask."""
    off = get(a, "debug-rejects")
    check("refused connections are not recorded unasked", off == {"Enabled": False, "Outgoing": [], "Incoming": []}, off)
    check("debug-rejects is for GET", a.local("POST", "debug-rejects")[0] == 405)
    hub.host.run("sh", "-c", f"cat > {hub.dir}/policy.hujson", stdin=json.dumps({
        "acls": [{"action": "accept", "src": ["*"], "dst": ["*:22"]}],
        "nodeAttrs": [{"target": ["*"], "attr": ["debug-conn-reject"]}]}))
    hub.admin("policy", "set", f"{hub.dir}/policy.hujson")
    wait_for("the daemons know that they shall", lambda: all(get(n, "debug-rejects")["Enabled"] for n in (a, b)))
    ip = b.ip()
    a.host.run(sys.executable, "-c", CONNECT, ip, "80")
    out = wait_for("the one that was refused is told", lambda: get(a, "debug-rejects")["Outgoing"])
    check("the one that was refused knows why", [(e["Reason"], e["Dst"], e["Source"], e["Proto"]) for e in out] ==
          [("acl", f"{ip}:80", "tsmp_recv", 6)], out)
    back = get(b, "debug-rejects")["Incoming"]
    check("so does the one that refused", [(e["Reason"], e["Dst"], e["Source"]) for e in back] == [("acl", f"{ip}:80", "tsmp_sent")] and
          back[0]["Src"] == out[0]["Src"], back)
    hub.host.run("sh", "-c", f"echo '{{}}' > {hub.dir}/policy.hujson")
    hub.admin("policy", "set", f"{hub.dir}/policy.hujson")
    wait_for("and forgets it when it may not any more", lambda: get(a, "debug-rejects") == off)
    check("it is forgotten when it is not wanted any more", True)


def kept_map(hub, a, t):
    """The map on disk: as the hub wants it."""
    def there(node):
        return [f for d, _, files in os.walk(os.path.join(node.dir, "profile-data")) for f in files if f.startswith("netmap")]

    def policy(text):
        hub.host.run("sh", "-c", f"cat > {hub.dir}/policy.hujson", stdin=text)
        hub.admin("policy", "set", f"{hub.dir}/policy.hujson")

    wait_for("the map is kept", lambda: there(a) == ["netmap.json"])
    check("the hub asks a device of ours to keep its map", "cache-network-maps" in a.status()["Self"]["CapMap"])
    policy(json.dumps({"nodeAttrs": [{"target": ["*"], "attr": ["disable-cache-network-maps"]}]}))
    wait_for("it is removed when the hub does not want it any more", lambda: there(a) == ["netmap.refused"])
    a.stop()
    check("and not written when the daemon ends", there(a) == ["netmap.refused"], there(a))
    a.start()
    wait_for("it runs again", lambda: a.status()["Self"]["Online"])
    a.cli("set", "--shields-up")
    a.cli("set", "--shields-up=false")
    a.stop()
    check("nor after a restart", there(a) == ["netmap.refused"], there(a))
    a.start()
    policy("{}")
    wait_for("it is kept again when the hub asks again", lambda: there(a) == ["netmap.json"])
    check("it is kept again when the hub asks again", True)
    # One without a state file is to leave nothing behind.
    c = WarrenNode(t.net.host("c"), "gamma", flags=["--state=mem:"])
    try:
        c.host.plug(t.inet, "eth0", "198.51.100.23/24")
        c.start()
        c.up(hub.url, hub.auth_key("--reusable"))
        wait_for("it has a map", lambda: c.status()["Peer"])
        check("an ephemeral device is not asked to", "cache-network-maps" not in c.status()["Self"]["CapMap"])
        c.stop()
        check("and keeps none", there(c) == [], there(c))
    finally:
        c.close()


def deleted(hub, b):
    hub.admin("nodes", "delete", "beta")
    wait_for("a deleted device asks for a login", lambda: b.status()["BackendState"] == "NeedsLogin")
    check("a deleted device asks for a login, and not for a map for ever", b.status()["BackendState"] == "NeedsLogin")


def storm(t):
    """More devices at once than the hub takes: they are sent away with their times, and all get in."""
    hub = WarrenHub(t.hub, topologies.HUB4, extra=["--accept-rate", "4"])
    try:
        hub.start()
        load = json.loads(t.hub.run(os.path.abspath(HUBLOAD), f"{hub.url}:80", hub.auth_key("--reusable"), "30"))
        metrics = t.hub.run("curl", "-s", f"{hub.url}/metrics")
        shed = int(re.search(r"^warren_hub_shed_total (\d+)$", metrics, re.M).group(1))
        check("a storm is shed, and everybody gets in", load["complete"] and shed >= 10, (load, shed))
        # 30 devices, 8 at once and then 4 a second. Each comes back when it was told: nobody waits on and on.
        check("within the time that the rate says", load["joined_ms"] < 15000 and load["reconnect_ms"] < 15000, load)
    finally:
        hub.close()


def session(t):
    hub, a, b = WarrenHub(t.hub, topologies.HUB4), WarrenNode(t.a, "alpha"), WarrenNode(t.b, "beta")
    try:
        for p in hub, a:
            p.start()
        key = hub.auth_key("--reusable")
        a.up(hub.url, key)
        pins(hub, a)
        b.start()
        b.up(hub.url, key)
        peers(hub, a, b)
        tailnet_id(hub, a)
        turned_down(hub, a, b)
        kept_map(hub, a, t)
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
        storm(t)
    finally:
        t.net.close()
    print(f"1..{len(results)}")
    return 0 if all(results) else 1


sys.exit(main())
