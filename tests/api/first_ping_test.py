#!/usr/bin/env python3
"""The first ping of a device that has just joined: its peer may not have heard of it yet.

Usage: first_ping_test.py PATH-OF-WARREND. Prints TAP. Needs root and a namespace of its own."""
import os
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WARREND = os.path.abspath(sys.argv[1])
os.environ["WARREN_BIN"] = os.path.dirname(os.path.dirname(WARREND))
sys.path.insert(0, os.path.join(TOP, "tests", "lab"))
from net import Net  # noqa: E402
from nodes import WarrenHub, WarrenNode, program, wait_for  # noqa: E402
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
from tap import check, results  # noqa: E402



def counter(node, what):
    """A number of the daemon's debug page."""
    text = node.host.run("python3", "-c", "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9411/debug/metrics')"
                         ".read().decode())")
    return next(int(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(what + " "))


class Street:
    """A hub and two devices on one network, the second not joined yet."""

    def __init__(self, net):
        street = net.switch("street")
        at = [net.host(n) for n in ("hub", "anna", "bert")]
        for i, h in enumerate(at):
            h.plug(street, "eth0", f"10.0.0.{i + 1}/24")
        self.hub = WarrenHub(at[0], "10.0.0.1").start()
        self.anna = WarrenNode(at[1], "anna", flags=["--debug", "127.0.0.1:9411"]).start()
        self.anna.up(self.hub.url, self.hub.auth_key())
        self.bert = WarrenNode(at[2], "bert").start()

    def close(self):
        for p in (self.bert, self.anna, self.hub):
            p.close()


def late_map(street):
    """Nothing of the hub reaches anna, from before bert joins until she has been asked by a stranger."""
    host = street.anna.host
    host.nft("table inet late { chain i { type filter hook input priority 0; ip saddr 10.0.0.1 tcp sport 80 drop\n}\n}")
    street.bert.up(street.hub.url, street.hub.auth_key())
    ping = street.bert.host.popen(program("warren"), f"--socket={street.bert.socket}", "ping", "--c=1", "--timeout=10s", "anna",
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wait_for("the ping has come to who does not know its sender",
             lambda: counter(street.anna, "warrend_mesh_disco_unknown") > 0)
    host.run("nft", "delete", "table", "inet", "late")
    said = ping.communicate(timeout=20)[0]
    check("a ping that comes before the peer's map is answered in the end", ping.returncode == 0 and "pong from anna" in said, said)


def at_once(street):
    street.bert.cli("logout")
    street.bert.up(street.hub.url, street.hub.auth_key())
    said = street.bert.cli("ping", "--c=1", "--timeout=10s", "anna", check=False)
    check("a ping right after \"up\" is answered", "pong from anna" in said, said)


def main():
    if os.geteuid() != 0 or not os.path.exists("/dev/net/tun"):
        print("1..0 # SKIP needs root and /dev/net/tun")
        return 0
    net = Net()
    try:
        street = Street(net)
        try:
            late_map(street)
            at_once(street)
        finally:
            street.close()
    finally:
        net.close()
    print(f"1..{len(results)}")
    return not all(results)


sys.exit(main())
