#!/usr/bin/env python3
"""What others do to the interface, addresses, routes and rules of a running warrend is undone within 3 seconds.

Usage: heal_test.py PATH-OF-WARREND. Prints TAP. Needs root: two devices in namespaces of their own."""
import os
import re
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WARREND = os.path.abspath(sys.argv[1])
os.environ["WARREN_BIN"] = os.path.dirname(os.path.dirname(WARREND))
sys.path.insert(0, os.path.join(TOP, "tests", "lab"))
from net import Net  # noqa: E402
from nodes import WarrenHub, WarrenNode, wait_for  # noqa: E402
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
from tap import check, results  # noqa: E402

HEALED = 3.0  # seconds
LOOKING = 20.0  # until our looking, which starts many programs, has seen it on a busy machine; told where it is above HEALED
DEV = "warren0"
IPV6_OFF, IPV6_ON = (f"echo {v} > /proc/sys/net/ipv6/conf/{DEV}/disable_ipv6" for v in (1, 0))
OWN6 = "fd7a:115c:a1e0::"

# What is done, as a line for the shell; {own4} and {own6} are the device's own addresses, {peer} another's.
HARM = {
    "IPv6 is switched off and on": f"{IPV6_OFF}; {IPV6_ON}",
    "IPv6 is off for a while": f"{IPV6_OFF}; sleep 1; {IPV6_ON}",
    "IPv6 goes and comes without a link-local address": f"ip link set {DEV} addrgenmode none; {IPV6_OFF}; sleep 1; {IPV6_ON}",
    "IPv6 is switched off and on everywhere": "for v in 1 0; do echo $v > /proc/sys/net/ipv6/conf/all/disable_ipv6; done;"
                                              " ip -6 addr add fd00:1::2/64 dev eth0 nodad || true",
    "all addresses are flushed": f"ip addr flush dev {DEV}",
    "the IPv4 address is deleted": f"ip -4 addr del {{own4}}/32 dev {DEV}",
    "the IPv6 address is deleted": f"ip -6 addr del {{own6}}/128 dev {DEV}",
    "the addresses are to end soon": f"ip addr change {{own4}}/32 dev {DEV} valid_lft 300 preferred_lft 200;"
                                     f" ip addr change {{own6}}/128 dev {DEV} valid_lft 300 preferred_lft 0",
    "an address is added": f"ip addr add 10.99.0.1/24 dev {DEV}",
    "the interface is down": f"ip link set {DEV} down",
    "the interface is down and up": f"ip link set {DEV} down; ip link set {DEV} up",
    "the MTU is larger": f"ip link set {DEV} mtu 1500",
    "the MTU is too small for IPv6": f"ip link set {DEV} mtu 1000",
    "the interface is renamed": f"ip link set {DEV} down; ip link set {DEV} name other0; ip link set other0 up",
    "the IPv4 routes are flushed": "ip -4 route flush table 52",
    "the IPv6 routes are flushed": "ip -6 route flush table 52",
    "a route is another one": "ip route replace blackhole {peer}/32 table 52",
    "the IPv4 rules are deleted": "for p in 5210 5230 5250 5270; do ip -4 rule del pref $p; done",
    "the IPv6 rules are deleted": "for p in 5210 5230 5250 5270; do ip -6 rule del pref $p; done",
    "a rule is another one": "ip rule del pref 5270; ip rule add pref 5270 lookup 53",
    "all at once": f"ip rule del pref 5270; ip -6 rule del pref 5210; ip route flush table 52; {IPV6_OFF}; ip addr flush dev {DEV};"
                   f" ip link set {DEV} down; ip link set {DEV} mtu 1000; sleep 0.4; {IPV6_ON}",
    "it is done again and again": "for i in 1 2 3 4 5 6; do ip addr flush dev " + DEV + "; ip -6 rule del pref 5270; sleep 0.2; done",
}


def picture(host):
    """The whole of what the daemon wants of the system."""
    link = host.run("ip", "-o", "link", "show", DEV, check=False)
    addrs = host.run("sh", "-c", f"ip -o addr show dev {DEV} scope global 2>&1 || true")
    out = [re.sub(r"^\d+: |qlen.*", "", f) for f in re.findall(r"^\d+: \S+ <\S+>|mtu \d+", link)]
    out += sorted(re.findall(r"inet6? .*", re.sub(r"\\.*valid_lft", " valid_lft", addrs)))
    for family in ("-4", "-6"):
        out += sorted(line.strip() for line in host.run("ip", family, "route", "show", "table", "52", check=False).splitlines())
        out += [line for line in host.run("ip", family, "rule").splitlines() if re.match(r"52\d\d:", line) and "lookup 53" not in line]
    return out


def differs(host, want):
    got = picture(host)
    return [f"- {x}" for x in want if x not in got] + [f"+ {x}" for x in got if x not in want]


def reaches(host, ip):
    return "1 received" in host.run("ping", "-n", "-c1", "-W2", ip, check=False)


def heals(box, peer, want, name, line):
    line = line.format(own4=box.ip(), own6=box.ip(6), peer=peer.ip())
    repaired = box.tail(1000).count("another program had changed")
    box.host.run("sh", "-c", line, check=False)
    done = time.monotonic()
    try:
        wait_for("noticed", lambda: box.tail(1000).count("another program had changed") > repaired, timeout=HEALED)
        wait_for("healed", lambda: not differs(box.host, want), timeout=LOOKING)
        took = time.monotonic() - done
        again = [ip for ip in (peer.ip(), peer.ip(6)) if not reaches(box.host, ip)]
        check(name, not again, f"no answer from {again}")
        if took > HEALED:
            print(f"# seen {took:.1f} s after it was done", flush=True)
    except TimeoutError as e:
        check(name, False, f"{e}: {differs(box.host, want)}\n{box.tail(5)}")


def looks_rarely(box, want):
    """An idle device does not get busier: what others do elsewhere makes it neither change nor say anything."""
    before = box.tail(1000).count("another program had changed")
    box.host.run("sh", "-c", "ip link add x0 type veth peer name x1; ip link set x0 up; ip addr add 10.5.0.1/24 dev x0; ip rule add pref 99 lookup 99;"
                             " ip rule del pref 99; ip route add 10.8.0.0/16 dev x0 table 99; ip link del x0")
    time.sleep(1)
    check("what happens elsewhere on the machine is no business of ours",
          box.tail(1000).count("another program had changed") == before and not differs(box.host, want))


def gone(box, name, line):
    """An interface that is no more cannot be healed: the daemon says so, and ends for the service manager to start it anew."""
    box.host.run("sh", "-c", line)
    wait_for("it ends", lambda: not box.alive())
    left = [r for f in ("-4", "-6") for r in box.host.run("ip", f, "rule").splitlines() if re.match(r"52\d\d:", r)]
    check(name, box.child.returncode == 1 and "interface is gone" in box.tail() and not left, f"{box.child.returncode} {left} {box.tail()}")
    box.start()
    wait_for("it runs again", lambda: box.status()["BackendState"] == "Running")


def main():
    if os.geteuid() != 0:
        print("1..0 # SKIP network namespaces need root")
        return 0
    net = Net()
    started = []
    try:
        switch = net.switch("lan")
        hosts = [net.host(n) for n in ("box", "peer")]
        for i, h in enumerate(hosts):
            h.plug(switch, "eth0", f"198.51.100.{i + 2}/24", f"fd00:1::{i + 2}/64")
        hub = WarrenHub(hosts[1], "198.51.100.3")
        box, peer = (WarrenNode(h, n) for h, n in zip(hosts, ("box", "peer")))
        for p in (hub, box, peer):
            started.append(p.start())
        key = hub.auth_key("--reusable")
        for d in (box, peer):
            d.up(hub.url, key)
        wait_for("they reach each other", lambda: reaches(box.host, peer.ip()) and reaches(box.host, peer.ip(6)))
        want = picture(box.host)
        check("there is what is to be kept", sum(OWN6 in w for w in want) >= 2 and sum("lookup 52" in w for w in want) == 2 and
              "mtu 1280" in want, want)
        for name, line in HARM.items():
            heals(box, peer, want, name, line)
        looks_rarely(box, want)
        gone(box, "a deleted interface ends the daemon with an error", f"ip link del {DEV}")
        other = net.host("other")
        gone(box, "so does one that was moved elsewhere", f"ip link set {DEV} netns {other.ns}")
        wait_for("and all is as before", lambda: not differs(box.host, want))
        check("the next start is whole", reaches(box.host, peer.ip()))
    finally:
        for p in reversed(started):
            p.close()
        net.close()
    print(f"1..{len(results)}")
    return 0 if all(results) else 1


sys.exit(main())
