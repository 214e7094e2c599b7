#!/usr/bin/env python3
"""A hub on loopback behind a proxy that ends TLS: what its devices are told of relay and STUN, and that both work.

    a 198.51.100.21 (warrend) ---+--- internet --- .10:443 TLS proxy --- 127.0.0.1:8080 hub
    b 198.51.100.22 (warrend) ---+                 .10:3478 STUN of the hub

Usage: hub_behind_tls_test.py WARREND. Needs root. Prints TAP."""
import json
import os
import shutil
import signal
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
os.environ["WARREN_BIN"] = os.path.dirname(os.path.dirname(os.path.abspath(sys.argv[1])))
sys.path.insert(0, os.path.join(HERE, "..", "lab"))
import topologies  # noqa: E402
from nodes import CA, Process, WarrenHub, WarrenNode, wait_for  # noqa: E402
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
from tap import check, results  # noqa: E402

URL = f"https://{topologies.HUB4}"
ASK_DERP = ('import http.client as h; c = h.HTTPConnection("127.0.0.1", 8080); c.request("GET", "/derp"); '
            "print(c.getresponse().status)")
NO_UDP = """
table inet block {
  chain out { type filter hook output priority 0; oifname "eth0" meta l4proto udp drop; }
}"""


class HubBehind(WarrenHub):
    def __init__(self, host, *extra):
        super().__init__(host, topologies.HUB4)
        at = self.argv.index("--listen")
        self.url = URL
        self.argv[at:] = ["--listen", "127.0.0.1:8080", "--url", URL, *extra]


def proxy(t, ca):
    cert, key = ca.issue(topologies.HUB4)
    p = Process(t.hub, "tlsproxy", [sys.executable, os.path.join(HERE, "..", "lab", "tlsproxy.py"),
                                    f"{topologies.HUB4}:443", "127.0.0.1:8080", cert, key])
    p.start()
    wait_for("the proxy listens", lambda: p.check_alive() or "ready" in p.tail())
    return p


def relay_map(node):
    return json.loads(node.local("GET", "derpmap")[1])["Regions"]


def ways(t):
    """What the hub says of itself for the options that concern a proxy, and which ports it has open."""
    for name, extra, relay, stun in (
            ("only --url", (), f"{topologies.HUB4}:443", f"{topologies.HUB4}:3478"),
            ("--relay-listen off", ("--relay-listen", "off"), f"{topologies.HUB4}:443", f"{topologies.HUB4}:3478"),
            ("--relay-url", ("--relay-url", "https://relay.lab:8443"), "relay.lab:8443", f"{topologies.HUB4}:3478"),
            ("--stun-url", ("--stun-url", "stun:stun.lab"), f"{topologies.HUB4}:443", "stun.lab:3478"),
            ("--relay-listen ADDR", ("--relay-listen", ":8443"), f"{topologies.HUB4}:8443", f"{topologies.HUB4}:3478"),
            ("--relay-url off", ("--relay-url", "off"), None, None)):
        hub = HubBehind(t.hub, *extra).start()
        try:
            s = json.loads(hub.admin("status", "--json"))
            tcp = t.hub.run("ss", "-Hltn")
            udp = t.hub.run("ss", "-Hlun")
            check(f"{name}: status names the places that devices are told", (s.get("relay"), s.get("stun")) == (relay, stun), s)
            check(f"{name}: a pin only where the certificate is the hub's own", bool(s.get("relayCertName")) == (":8443" in extra), s)
            check(f"{name}: only the ports that this takes are open", (":8443 " in tcp) == (":8443" in extra) and ":443 " not in tcp and
                  ("*:3478 " in udp) == (stun is not None), tcp + udp)
            status = t.hub.run(sys.executable, "-c", ASK_DERP).strip()
            check(f"{name}: /derp answers exactly when there is a relay", status == ("426" if relay else "404"), status)
        finally:
            hub.close()


def on_loopback(t):
    """Placed by hand where no device comes: said so, once for each."""
    hub = HubBehind(t.hub, "--relay-listen", "127.0.0.1:8443", "--stun-listen", "127.0.0.1:3478").start()
    try:
        lines = [line for line in hub.tail().splitlines() if "loopback only" in line]
        check("listeners on loopback that devices are told of elsewhere are warned of", len(lines) == 2 and "what=relay" in lines[0] and
              "what=STUN" in lines[1] and f"told={topologies.HUB4}:3478" in lines[1], hub.tail())
    finally:
        hub.close()


def session(t, ca):
    hub, p = HubBehind(t.hub).start(), proxy(t, ca)
    a, b = WarrenNode(t.a, "alpha", ca=ca), WarrenNode(t.b, "beta", ca=ca)
    try:
        key = hub.auth_key("--reusable")
        for n in a, b:
            n.start()
            n.up(hub.url, key)
        node = relay_map(a)["900"]["Nodes"][0]
        check("the map has the URL's host and port, without a pin or less", node["HostName"] == topologies.HUB4 and
              not node.get("DERPPort") and not node.get("CertName") and not node.get("InsecureForTests"), node)
        check("STUN is found through the public address", wait_for("an endpoint", lambda: any(
            e.startswith("198.51.100.21:") for e in a.status()["Self"]["Addrs"] or [])), a.status()["Self"])
        check("a path comes up directly", wait_for("direct", lambda: a.cli("ping", "--c=3", b.ip(), check=False) and a.direct(b.ip())))
        for h in t.a, t.b:
            h.nft(NO_UDP)
        a.stop()  # without UDP from the start, so that nothing but the relay was ever there
        a.start()
        check("without UDP the relay behind the proxy carries it", wait_for("an answer by relay", lambda: "via DERP(hub)" in a.cli(
            "ping", "--c=1", "--timeout=2s", "--until-direct=false", b.ip(), check=False), 40), a.tail())
    finally:
        for x in b, a, p, hub:
            x.close()


class Roots:
    """Whom a device trusts, in a file that changes."""

    def __init__(self, d):
        self.cert = os.path.join(d, "roots.pem")

    def hold(self, ca):
        shutil.copy(ca.cert, self.cert + ".tmp")
        os.replace(self.cert + ".tmp", self.cert)


def joins(node, hub, key):
    try:
        node.up(hub.url, key, timeout=3)
        return True
    except RuntimeError:
        return False


def new_roots(t, ca):
    """SIGHUP: a device believes an authority that was added to the system's, without a restart."""
    other = CA()
    hub, p, roots = HubBehind(t.hub).start(), proxy(t, ca), Roots(other.dir)
    roots.hold(other)
    a = WarrenNode(t.a, "alpha", ca=roots)
    try:
        a.start()
        key = hub.auth_key("--reusable")
        before = joins(a, hub, key)
        roots.hold(ca)
        a.child.send_signal(signal.SIGHUP)
        wait_for("it was heard", lambda: "SIGHUP" in a.tail())
        check("an unknown authority is refused, and after SIGHUP, with its root, believed", not before and joins(a, hub, key), a.tail())
        a.child.send_signal(signal.SIGHUP)
        wait_for("it was heard twice", lambda: a.tail(200).count("SIGHUP") == 2)
        check("a connected device stays so", a.alive() and a.status()["BackendState"] == "Running" and a.status()["Self"]["Online"], a.tail())
    finally:
        for x in a, p, hub, other:
            x.close()


def main():
    if os.getuid() != 0:
        print("1..0 # SKIP network namespaces need root")
        return 0
    t, ca = topologies.no_nat(), CA()
    try:
        ways(t)
        on_loopback(t)
        new_roots(t, ca)
        session(t, ca)
    finally:
        ca.close()
        t.net.close()
    print(f"1..{len(results)}")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
