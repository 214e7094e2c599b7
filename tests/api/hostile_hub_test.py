#!/usr/bin/env python3
"""A device at a hub that says what must not be: nothing of it is used, the device goes on, and its owner hears of it.

    box: rawhub 127.0.0.1:8080, a relay that writes down what it is asked 127.0.0.1:8081, warrend

Usage: hostile_hub_test.py WARREND. Needs root. Prints TAP."""
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
os.environ["WARREN_BIN"] = os.path.dirname(os.path.dirname(os.path.abspath(sys.argv[1])))
sys.path[:0] = [os.path.join(HERE, "..", "lab"), HERE]
from net import Net  # noqa: E402
from nodes import Process, WarrenNode, program, wait_for  # noqa: E402
from raw_hub import RawHub, derp_map, node, own, relay  # noqa: E402
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
from tap import check, results  # noqa: E402

RELAY = 8081
LISTENER = r"""
import socketserver, sys
class H(socketserver.BaseRequestHandler):
    def handle(self):
        got = b""
        self.request.settimeout(2)
        try:
            while b"\r\n\r\n" not in got and (more := self.request.recv(4096)):
                got += more
        except OSError:
            pass
        sys.stdout.buffer.write(b"ASKED " + repr(got).encode() + b"\n"); sys.stdout.flush()
class S(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
S(("127.0.0.1", int(sys.argv[1])), H).serve_forever()
"""


class Box:
    def __init__(self):
        self.net = Net()
        self.host = self.net.host("box")
        self.relay = Process(self.host, "relay", [sys.executable, "-c", LISTENER, str(RELAY)]).start()
        self.hub = RawHub(self.host)
        self.hub.first(Node=own(), Peers=[node(2, "100.64.0.2")], DERPMap=derp_map(),
                       Domain="test", UserProfiles=[{"ID": 1, "LoginName": "anna@example", "DisplayName": "anna"}], PacketFilter=[])
        self.d = WarrenNode(self.host, "box").start()
        self.up = Process(self.host, "up", [program("warren"), f"--socket={self.d.socket}", "up", f"--login-server={self.hub.url}"]).start()
        wait_for("the map is there", lambda: self.peers() == ["n2"])

    def close(self):
        for p in self.up, self.d, self.relay, self.hub:
            p.close()
        self.net.close()

    def peers(self):
        return sorted(p["HostName"] or p["DNSName"].split(".")[0] for p in (self.d.status().get("Peer") or {}).values())

    def health(self):
        return " ".join(self.d.status().get("Health") or [])

    def routes(self):
        return self.host.run("ip", "route", "show", "table", "all") + self.host.run("ip", "-6", "route", "show", "table", "all")

    def takes(self, ip):
        """Does the tunnel take what goes there?"""
        return "dev warren0" in self.host.run("ip", "route", "get", ip, check=False)

    def counter(self, name):
        text = self.d.local("GET", "metrics")[1].decode()
        return int(re.search(rf"^warrend_agent_{name} (\d+)$", text, re.M).group(1))

    def say(self, **doc):
        """And the device has heard it: what comes behind it is there."""
        mark = f"mark {len(results)} {self.marks}"
        self.marks += 1
        if self.hub.say(**doc) != 1 or self.hub.say(DisplayMessages={"mark": {"Title": mark}}) != 1:
            raise RuntimeError("no device listens")
        wait_for("the device has heard it", lambda: mark in self.health())

    marks = 0


ELSEWHERE = ["8.8.8.8", "10.1.2.3", "192.0.2.1", "169.254.169.254", "2001:db8::1"]
# What may not be the own address of a peer; the last are networks of a tailnet.
BAD_ADDRESSES = ["0.0.0.0/0", "::/0", "0.0.0.0/1", "8.8.8.8/32", "10.1.2.3/32", "127.0.0.1/32", "169.254.169.254/32", "2001:db8::1/128", "100.64.0.0/10",
                 "100.64.3.0/24", "fd7a:115c:a1e0::/48", "100.100.100.100/32", "100.64.0.1/32"]


def addresses(b):
    before = b.routes()
    wrong = []
    for a in BAD_ADDRESSES:
        b.say(PeersChanged=[node(3, "100.64.0.3", Addresses=[a], AllowedIPs=[a])])
        if b.peers() != ["n2"] or b.routes() != before or any(b.takes(ip) for ip in ELSEWHERE):
            wrong.append(f"{a}: {b.peers()} {b.routes()}")
        b.say(Peers=[node(2, "100.64.0.2"), node(3, "100.64.0.3", Addresses=["100.64.0.3/32", a], AllowedIPs=["100.64.0.3/32", a])])
        if b.peers() != ["n2"] or any(b.takes(ip) for ip in ELSEWHERE):
            wrong.append(f"in a whole list, {a}: {b.peers()}")
    check("a peer whose own address is none of a tailnet is left out, the others stay", not wrong, "\n".join(wrong))
    check("the owner hears of it", '"n3.test."' in b.health() and "where it cannot be" in b.health(), b.health())
    check("it is counted", b.counter("map_peers_refused") >= 2 * len(BAD_ADDRESSES))
    b.say(PeersChanged=[node(3, "100.64.0.3")])
    check("a good one by the same number is taken, and nothing is said any more", b.peers() == ["n2", "n3"] and "n3.test." not in b.health(), b.health())


def routes(b):
    wide = ["0.0.0.0/1", "128.0.0.0/1", "0.0.0.0/0", "::/0", "2000::/3", "::/1", "8000::/1"]
    here = ["127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "fe80::/10", "ff00::/8", "100.64.0.0/10", "100.100.100.100/32", "100.64.0.1/32", "::1/128"]
    b.say(PeersChanged=[node(3, "100.64.0.3", AllowedIPs=["100.64.0.3/32", *wide, *here, "10.0.0.0/8"])])
    check("without consent no route of a peer is used", not any(b.takes(ip) for ip in ELSEWHERE), b.routes())
    b.d.cli("set", "--accept-routes")
    wait_for("the subnet is routed", lambda: b.takes("10.1.2.3"))
    taken = [ip for ip in ELSEWHERE if b.takes(ip)]
    check("with --accept-routes subnets are; the internet in two halves is none", taken == ["10.1.2.3"], b.routes())
    own_table = b.host.run("ip", "route", "show", "table", "52")
    check("nor what is this device's own", not re.search(r"^(127|169\.254|224|100\.64\.0\.0/10|100\.64\.0\.1 )", own_table, re.M), own_table)
    of_peers = [r["Prefix"] for r in json.loads(b.d.cli("routes", "--json"))]
    check("nor the address of this device's services, which it routes by itself", "100.100.100.100/32" not in of_peers and "10.0.0.0/8" in of_peers, of_peers)
    b.d.cli("set", "--accept-routes=false")
    wait_for("it is routed no more", lambda: not b.takes("10.1.2.3"))


def patches(b):
    before = b.d.status()["Peer"]
    for patch in ({"Key": "nodekey:" + "0" * 64}, {"DERPRegion": 4294967297}, {"DERPRegion": -1}, {"Endpoints": ["0.0.0.0:0", "224.0.0.1:5"]}, {"Cap": -7}):
        b.say(PeersChangedPatch=[{"NodeID": 2, **patch}])
    after = b.d.status()["Peer"]
    check("patches cannot make a peer that cannot be", before.keys() == after.keys() and b.peers() == ["n2", "n3"], after)


def self_node(b):
    before = b.host.run("ip", "addr", "show", "warren0")
    for change in ({"Addresses": ["0.0.0.0/0"]}, {"Addresses": ["100.64.0.9/10"]}, {"Addresses": ["192.168.1.1/32"]}, {"Key": "nodekey:" + "7" * 64}):
        b.say(Node=own(**change))
    check("an own node that cannot be ours is refused, the last good one stays",
          b.host.run("ip", "addr", "show", "warren0") == before and b.d.ip() == "100.64.0.1" and b.counter("map_self_refused") == 4, b.d.status()["Self"])
    b.say(Node=own())


def asked(b):
    return [line for line in b.relay.tail(1000).splitlines() if line.startswith("ASKED")]


INJECT = "\r\nInjected: yes"
BAD_RELAYS = [relay(2, "127.0.0.1" + INJECT), relay(2, "127.0.0.1", Name="2a" + INJECT), relay(2, "127.0.0.1", CertName="x" + INJECT),
              relay(2, "127.0.0.1", DERPPort=RELAY + 65536), relay(2, "127.0.0.1", DERPPort=-1), relay(2, "127.0.0.1", STUNPort=70000),
              relay(2, "127.0.0.1", IPv4="127.0.0.1" + INJECT), relay(2, "127.0.0.1", IPv6="::1%lo"), relay(2, "a b"), relay(2, "127.0.0.1/x"),
              relay(2, "user@127.0.0.1"), relay(2, ""), relay(7, "127.0.0.1"), relay(2, "127.0.0.1", STUNTestIP="x")]


def relays(b):
    good = relay(1, "127.0.0.1", DERPPort=RELAY)
    b.say(DERPMap=derp_map((1, [good])))
    wait_for("the relay is asked", lambda: asked(b))
    for bad in BAD_RELAYS:
        bad.setdefault("DERPPort", RELAY)
        b.say(DERPMap=derp_map((1, [good]), (2, [bad, {**good, "RegionID": 2, "Name": "2b"}])))
    doc = json.loads(b.d.local("GET", "derpmap")[1])
    check("a relay that cannot be is left out, its region and the others stay", sorted(doc["Regions"]) == ["1", "2"] and
          [n["Name"] for n in doc["Regions"]["2"]["Nodes"]] == ["2b"], doc)
    check("and told of", "of a relay" in b.health(), b.health())
    n = len(asked(b))
    b.say(DERPMap=derp_map((2, [relay(2, "127.0.0.1", DERPPort=RELAY, Name="2x" + INJECT), relay(2, "127.0.0.1", DERPPort=RELAY, Name="2c")])))
    wait_for("the relay is asked again", lambda: len(asked(b)) > n)
    check("no request holds what was put into a name", not any("Injected" in a for a in asked(b)), asked(b)[-1])
    for number in ("0", "-1", "70000", "3"):
        b.say(DERPMap={"Regions": {number: {"RegionID": 70000, "RegionCode": "x", "Nodes": [good]}, "1": {"RegionID": 1, "RegionCode": "r1", "Nodes": [good]}}})
    doc = json.loads(b.d.local("GET", "derpmap")[1])
    check("nor a region whose number is none", sorted(doc["Regions"]) == ["1"], doc)


def texts(b):
    """Everything that a hub can say in words, on its way to a terminal."""
    evil = "\x1b]0;owned\x07\x1b[2J\u009b31m\u202e\x7fevil"
    b.say(Domain=evil, PopBrowserURL="https://x/\x1b[2J", UserProfiles=[{"ID": 1, "LoginName": evil, "DisplayName": evil, "ProfilePicURL": "javascript:1"}],
          PeersChanged=[node(3, "100.64.0.3", Name="n3.test.", Hostinfo={"OS": evil, "Hostname": evil, "Services": [{"Proto": "peerapi4", "Port": 70000}]})],
          DisplayMessages={"x": {"Title": evil, "Text": evil, "Severity": evil, "PrimaryAction": {"URL": "https://x/" + evil, "Label": evil}}},
          DNSConfig={"Resolvers": [{"Addr": "https://x/" + evil}, {"Addr": "1.1.1.1"}], "Domains": [evil, "test"], "Routes": {evil: []}})
    raw = b.d.local("GET", "status")[1] + b.d.local("GET", "prefs")[1]
    status = b.d.status()
    plain = all(c.isprintable() for s in re.findall(r'"((?:[^"\\]|\\.)*)"', raw.decode()) for c in json.loads(f'"{s}"'))
    check("no text of the map that the local API tells holds anything but what may be shown", plain and "evil" in raw.decode(), raw[:3000])
    ends = []
    for args in (["status"], ["whois", "100.64.0.3"], ["dns", "status"], ["exit-node", "list"], ["netcheck"], ["status", "--json"], ["switch", "--list"]):
        p = subprocess.run(b.host.argv(program("warren"), f"--socket={b.d.socket}", *args), capture_output=True, timeout=60)
        text = (p.stdout + p.stderr).decode()
        if any(not c.isprintable() and c not in "\n\t" for c in text):
            ends.append(f"{args}: {text!r}")
    check("nor does a command print it", not ends, "\n".join(ends))
    b.say(DisplayMessages={f"m{i}": {"Title": "x" * 60000, "Text": "x" * 60000} for i in range(40)}, Health=["x" * 60000] * 40)
    check("what a hub has to say is no more than people can read", len(b.d.local("GET", "status")[1]) < 300000)
    b.say(DisplayMessages={"*": None})
    return status


def questions(b):
    for url in (f"{b.hub.url}/live{INJECT}", f"{b.hub.url}/live\x1b[2J", f"{b.hub.url} HTTP/1.1{INJECT}", "http://127.0.0.1:8081/x", f"https://unused/x{INJECT}"):
        b.say(PingRequest={"URL": url}, Debug={"SleepSeconds": 1e300})
        b.say(PingRequest={"URL": url, "URLIsNoise": True})
    b.say(PingRequest={"URL": f"{b.hub.url}/lives"})
    wait_for("an honest question is answered", lambda: "<-- HEAD /lives HTTP/1.1" in b.hub.heard)
    check("questions are answered to the hub, and hold nothing else", not [h for h in b.hub.heard if "Injected" in h] and
          not [a for a in asked(b) if "/x" in a], b.hub.heard[-10:])


def cached(b):
    """The map of the last time, as somebody else left it."""
    path = next(os.path.join(d, "netmap.json") for d, _, files in os.walk(b.d.dir) if "netmap.json" in files)
    b.d.stop()
    with open(path) as f:
        doc = json.load(f)
    doc["Peers"] = [node(2, "100.64.0.2"), node(4, "100.64.0.4", Addresses=["0.0.0.0/0"], AllowedIPs=["0.0.0.0/0"])]
    doc["DERPMap"] = derp_map((1, [relay(1, "127.0.0.1" + INJECT, DERPPort=RELAY)]))
    with open(path, "w") as f:
        json.dump(doc, f)
    b.hub.close()
    n = len(asked(b))
    b.d.start()
    wait_for("it runs without its hub", lambda: b.d.status()["BackendState"] == "Running" or b.peers())
    check("a map from the disk is looked at as well", b.peers() == ["n2"] and not any(b.takes(ip) for ip in ELSEWHERE) and
          not [a for a in asked(b)[n:] if "Injected" in a], (b.peers(), b.routes()))


def logins(b):
    """The page to log in at, and why a login is refused."""
    d = WarrenNode(b.host, "other", flags=("--port", "0"))
    d.argv[d.argv.index("warren0")] = "warren1"
    b.hub.register({"AuthURL": "http://127.0.0.1:8080/a\x1b]0;owned\x07"})
    d.start()
    p = Process(b.host, "up2", [program("warren"), f"--socket={d.socket}", "up", f"--login-server={b.hub.url}", "--timeout=30s"]).start()
    try:
        wait_for("the page is refused", lambda: "cannot be one" in " ".join(d.status().get("Health") or []))
        check("a page to log in at that is no URL is not shown", not d.status()["AuthURL"] and "\x1b" not in p.tail(), p.tail())
        b.hub.register({"Error": "no\x1b[2J\u009b31m way"})
        wait_for("the reason is told", lambda: "way" in " ".join(d.status().get("Health") or []), timeout=60)
        check("and why a login is refused is plain", not re.search("[\x00-\x1f\x7f-\x9f]", " ".join(d.status()["Health"])), d.status()["Health"])
    finally:
        p.close()
        d.close()
        b.hub.register({"User": {"ID": 1}, "Login": {"ID": 1, "LoginName": "anna@example"}, "MachineAuthorized": True})


def main():
    b = Box()
    try:
        for part in addresses, routes, patches, self_node, relays, texts, questions, logins, cached:
            part(b)
    finally:
        b.close()
    print(f"1..{len(results)}")
    sys.exit(not all(results))


main()
