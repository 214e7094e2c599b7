#!/usr/bin/env python3
"""Requests to the hub inside Noise and their answers as they are, of versions old and new: what no client of ours would ask.

Usage: hub_requests_test.py WARREN-HUB HUBASK. Prints TAP."""
import json, os, sys

from asker import Asker
from hub_process import Hub, check, children, own_port, run, wait_for

HUB, HUBASK = sys.argv[1:3]


def asker(hub, n):
    noise = json.loads(hub.http("GET", "/key?v=148")[1])["publicKey"].removeprefix("mkey:")
    a = Asker(HUBASK, "127.0.0.1", hub.port, noise, n)
    children.append(a.p)
    return a


def one_map(d):
    hub = Hub(HUB, d).start()
    key = hub.json("keys", "create", "--reusable")["key"]
    a, b = asker(hub, 17).register(key), asker(hub, 18).register(key)
    m, end = a.map()
    check("rule 5: without Stream and OmitPeers there is one whole map, plain as asked, and the end", end == "end" and
          len(m["Peers"]) == 1 and {"Node", "DNSConfig", "PacketFilters", "UserProfiles", "SSHPolicy", "ControlTime"} <= set(m), m)
    check("the tailnet's ID is on the device itself only", m["Node"]["StableTailnetID"].startswith("T") and
          "StableTailnetID" not in m["Peers"][0])
    check("rule 21: a peer without endpoints says so", m["Peers"][0]["Endpoints"] == [], m["Peers"][0])
    check("a peer that was never connected by a stream has LastSeen from its login on", m["Peers"][0]["LastSeen"] > "2020")
    status, _, end, body = a.ask("/machine/map", Compress="zstd")
    check("compressed it is one frame of zstd", status == 200 and end == "end" and body[4:8] == b"\x28\xb5\x2f\xfd" and
          int.from_bytes(body[:4], "little") == len(body) - 4)
    status, _, end, body = a.ask("/machine/map", OmitPeers=True, Endpoints=["192.0.2.1:7"])
    check("rule 6: a lite update is answered without a body", (status, end, body) == (200, "end", b""))
    check("and is told", b.map()[0]["Peers"][0]["Endpoints"] == ["192.0.2.1:7"])
    status, _, end, body = a.ask("/machine/map", Compress="", Stream=True)
    check("a stream stays open", (status, end) == (200, "open") and body[4:5] == b"{")
    wait_for("both are away", lambda: not [n for n in hub.json("nodes", "list") if n["online"]])
    check("a device that asks for one map is not online for that", a.map()[0]["Node"] and
          not [n for n in hub.json("nodes", "list") if n["online"]])
    check("another machine's node key is refused", b.ask("/machine/map", NodeKey=a.key)[0] == 404)
    hub.stop()


def versions(d):
    relay = own_port()
    hub = Hub(HUB, d, "--relay-listen", f"127.0.0.1:{relay}").start()
    a = asker(hub, 17).register(hub.json("keys", "create", "--reusable")["key"])

    def relay_of(version):
        m, _ = a.map(version=version)
        return [n for r in m["DERPMap"]["Regions"].values() for n in r["Nodes"]][0], m["Node"]

    for version in (87, 113, 115):
        node, me = relay_of(version)
        check(f"{version}: the relay without its pin, no cache", node.get("InsecureForTests") and
              not node.get("CertName", "").startswith("sha256") and "cache-network-maps" not in me["CapMap"], node)
    for version in (116, 134, 135, 148):
        node, me = relay_of(version)
        check(f"{version}: the relay's pin, and the cache from 135 on", node["CertName"].startswith("sha256-raw:") and
              not node.get("InsecureForTests") and ("cache-network-maps" in me["CapMap"]) == (version >= 135), node)
    check("86 is refused in words", a.ask("/machine/map", version=86)[0] == 400)
    hub.stop()


def relays_of_the_policy(d):
    """derpMap adds regions, replaces them, leaves them out; devices that listen are told."""
    hub = Hub(HUB, d, "--relay-listen", f"127.0.0.1:{own_port()}").start()
    a = asker(hub, 17).register(hub.json("keys", "create", "--reusable")["key"])
    file = os.path.join(d, "policy.hujson")
    every = '"acls": [{"action": "accept", "src": ["*"], "dst": ["*:*"]}]'
    node = '{"Name": "7a", "RegionID": 7, "HostName": "derp.corp.example", "DERPPort": 8443, "STUNPort": -1}'
    region = '"7": {"RegionID": 7, "RegionCode": "own", "RegionName": "Our own", "Nodes": [%s]}' % node

    def regions(text=None):
        if text is not None:
            with open(file, "w") as f:
                f.write("{%s, %s}" % (every, text))
            hub.admin("policy", "set", file)
        return a.map()[0]["DERPMap"]["Regions"]

    usual = regions()
    check("without derpMap there is the hub's region", list(usual) == ["900"], usual)
    both = regions('"derpMap": {"Regions": {%s}}' % region)
    check("a region is added", set(both) == {"7", "900"} and both["900"] == usual["900"] and both["7"]["RegionID"] == 7 and
          both["7"]["RegionCode"] == "own" and both["7"]["Nodes"][0]["HostName"] == "derp.corp.example" and
          both["7"]["Nodes"][0]["DERPPort"] == 8443 and both["7"]["Nodes"][0]["STUNPort"] == -1, both)
    alone = regions('"derpMap": {"OmitDefaultRegions": true, "Regions": {%s}}' % region)
    check("it can be the only one", list(alone) == ["7"], alone)
    check("null leaves one out", list(regions('"derpMap": {"regions": {"900": null, %s}}' % region)) == ["7"])
    other = regions('"derpMap": {"regions": {"900": {"nodes": [{"hostName": "derp.corp.example"}]}}}')
    check("the hub's can be replaced", other["900"]["RegionID"] == 900 and
          [n["HostName"] for n in other["900"]["Nodes"]] == ["derp.corp.example"], other)
    check("with none at all the hub's stays, as devices need one", regions('"derpMap": {"omitDefaultRegions": true}') == usual)
    with open(file, "w") as f:
        f.write('{%s, "derpMap": {"regions": {"7": {"nodes": []}}}}' % every)
    check("a region without relays is refused with its place", ":1:" in hub.refusal("policy", "set", file))
    hub.stop()


def storm(d):
    hub = Hub(HUB, d, "--accept-rate", "1").start()
    key = hub.json("keys", "create", "--reusable")["key"]
    a, b = asker(hub, 17).register(key), asker(hub, 18).register(key)
    c = asker(hub, 19)
    status = 200
    while status == 200:
        status, retry, _, body = c.ask("/machine/register", Auth={"AuthKey": key})
    check("one registration too many: 429, when to come again, and why", status == 429 and retry == "1" and b"come again" in body,
          (status, retry, body))
    while a.ask("/machine/map", Compress="")[0] == 200:
        pass
    told = [a.ask("/machine/map", Compress="")[:2] for _ in range(5)]
    times = [int(t) for _, t in told]
    check("one map too many, too; each later than the one before", all(s == 429 for s, _ in told) and times == sorted(set(times)), told)
    check("never a lite update", [b.ask("/machine/map", OmitPeers=True)[0] for _ in range(5)] == [200] * 5)
    metrics = hub.http("GET", "/metrics")[1]
    check("it is counted", any(l.startswith("warren_hub_shed_total ") and int(l.split()[1]) >= 7 for l in metrics.splitlines()))
    hub.stop()


sys.exit(run((one_map, versions, relays_of_the_policy, storm)))
