"""The places two nodes live in. Each function draws what it builds.

All share one internet: a switch, 198.51.100.0/24 and 2001:db8:1::/64, with the hub (relay inside) at .10.
A topology gives the two hosts that nodes run on, and the path that is expected between them.
"""
import subprocess
from dataclasses import dataclass, field

from net import Host, Net, router

HUB4, HUB6 = "198.51.100.10", "2001:db8:1::10"


@dataclass
class Topology:
    net: Net
    inet: Host
    hub: Host
    a: Host = None
    b: Host = None
    routers: list = field(default_factory=list)


def internet(v6=False, v6_only=False):
    net = Net()
    inet = net.switch("inet")
    hub = net.host("hub")
    addrs = ([] if v6_only else [f"{HUB4}/24"]) + ([f"{HUB6}/64"] if v6 or v6_only else [])
    hub.plug(inet, "eth0", *addrs)
    return Topology(net, inet, hub)


def public_host(t, name, n):
    h = t.net.host(name)
    h.plug(t.inet, "eth0", f"198.51.100.{n}/24")
    return h


def behind(t, name, n, nat, wan=None, wan_net="198.51.100", gw=(), **kw):
    """name --- 192.168.n.0/24 --- router (NAT) --- wan"""
    lan = t.net.switch(f"{name}-lan")
    t.routers.append(router(t.net, f"{name}-nat", wan or t.inet, [f"{wan_net}.{n}/24"], gw, lan,
                            [f"192.168.{n}.1/24"], nat=nat, **kw))
    h = t.net.host(name)
    h.plug(lan, "eth0", f"192.168.{n}.2/24", gw=[f"192.168.{n}.1"])
    return h


def no_nat():
    """
    a 198.51.100.21 ---+--- internet --- hub
    b 198.51.100.22 ---+
    """
    t = internet()
    t.a, t.b = public_host(t, "a", 21), public_host(t, "b", 22)
    return t


def easy_easy():
    """
    a --- 192.168.21/24 --- [easy NAT] ---+--- internet --- hub
    b --- 192.168.22/24 --- [easy NAT] ---+
    """
    t = internet()
    t.a, t.b = behind(t, "a", 21, "easy"), behind(t, "b", 22, "easy")
    return t


def none_hard():
    """
    a 198.51.100.21 -----------------------+--- internet --- hub
    b --- 192.168.22/24 --- [hard NAT] ----+
    """
    t = internet()
    t.a, t.b = public_host(t, "a", 21), behind(t, "b", 22, "hard")
    return t


def easy_hard():
    """
    a --- 192.168.21/24 --- [easy NAT] ---+--- internet --- hub
    b --- 192.168.22/24 --- [hard NAT] ---+
    """
    t = internet()
    t.a, t.b = behind(t, "a", 21, "easy"), behind(t, "b", 22, "hard")
    return t


def hard_hard():
    """
    a --- 192.168.21/24 --- [hard NAT] ---+--- internet --- hub
    b --- 192.168.22/24 --- [hard NAT] ---+
    """
    t = internet()
    t.a, t.b = behind(t, "a", 21, "hard"), behind(t, "b", 22, "hard")
    return t


def double_nat():
    """
    a --- 192.168.31/24 --- [easy NAT] --- 10.0.1/24 --- [easy NAT] ---+--- internet --- hub
    b --- 192.168.22/24 --- [easy NAT] --------------------------------+
    """
    t = internet()
    carrier = t.net.switch("carrier")
    t.routers.append(router(t.net, "carrier-nat", t.inet, ["198.51.100.21/24"], (), carrier,
                            ["10.0.1.1/24"], nat="easy"))
    t.a = behind(t, "a", 31, "easy", wan=carrier, wan_net="10.0.1", gw=["10.0.1.1"])
    t.b = behind(t, "b", 22, "easy")
    return t


def same_lan():
    """
    a 192.168.21.2 ---+--- [hard NAT] --- internet --- hub
    b 192.168.21.3 ---+
    """
    t = internet()
    t.a = behind(t, "a", 21, "hard")
    lan = next(h for h in t.net.hosts if h.name == "a-lan")
    t.b = t.net.host("b")
    t.b.plug(lan, "eth0", "192.168.21.3/24", gw=["192.168.21.1"])
    return t


def udp_blocked():
    """
    a --- 192.168.21/24 --- [easy NAT, drops UDP] ---+--- internet --- hub
    b --- 192.168.22/24 --- [easy NAT] --------------+
    """
    t = internet()
    t.a, t.b = behind(t, "a", 21, "easy", udp=False), behind(t, "b", 22, "easy")
    return t


def only_tcp_443():
    """
    a --- 192.168.21/24 --- [easy NAT, only TCP 443 out] ---+--- internet --- hub (TLS on 443)
    b --- 192.168.22/24 --- [easy NAT] ---------------------+
    """
    t = internet()
    t.a, t.b = behind(t, "a", 21, "easy", only_tcp_port=443), behind(t, "b", 22, "easy")
    return t


def behind6(t, name, n, nat4=None):
    """name --- 2001:db8:n::/64 --- router with a stateful firewall --- internet; with nat4 also IPv4 NAT"""
    lan = t.net.switch(f"{name}-lan")
    v4 = [f"198.51.100.{n}/24"] if nat4 else []
    lan4 = [f"192.168.{n}.1/24"] if nat4 else []
    t.routers.append(router(t.net, f"{name}-rt", t.inet, [f"2001:db8:1::{n}/64", *v4], (), lan,
                            [f"2001:db8:{n}::1/64", *lan4], nat=nat4))
    h = t.net.host(name)
    h.plug(lan, "eth0", f"2001:db8:{n}::2/64", *([f"192.168.{n}.2/24"] if nat4 else []),
           gw=[f"2001:db8:{n}::1", *([f"192.168.{n}.1"] if nat4 else [])])
    return h


def route6(t, ns=(21, 22)):
    """The internet knows where the two /64 are: the hub and both routers get each other's route."""
    others = {n: f"2001:db8:1::{n}" for n in ns}
    for n, via in others.items():
        t.hub.run("ip", "-6", "route", "add", f"2001:db8:{n}::/64", "via", via)
        for r, own in zip(t.routers, ns):
            if own != n:
                r.run("ip", "-6", "route", "add", f"2001:db8:{n}::/64", "via", via)
    # Neighbours know each other, as anywhere that has been up for a second: the first solicitation may be lost while the port
    # of a fresh bridge comes up, and the kernel asks again only a second later.
    a, b = t.routers
    pairs = [(t.a, f"2001:db8:{ns[0]}::1"), (t.b, f"2001:db8:{ns[1]}::1"), (a, others[ns[1]]), (a, f"2001:db8:{ns[0]}::2"),
             (b, f"2001:db8:{ns[1]}::2")]
    for child in [h.popen("ping", "-6", "-c", "1", "-W", "3", ip, stdout=subprocess.DEVNULL) for h, ip in pairs]:
        child.wait()


def ipv6_only():
    """
    a --- 2001:db8:21::/64 --- [firewall] ---+--- internet (IPv6 only) --- hub
    b --- 2001:db8:22::/64 --- [firewall] ---+
    """
    t = internet(v6_only=True)
    t.a, t.b = behind6(t, "a", 21), behind6(t, "b", 22)
    route6(t)
    return t


def dual_stack():
    """
    a --- 2001:db8:21::/64 + 192.168.21/24 --- [firewall, hard NAT for IPv4] ---+--- internet --- hub
    b --- 2001:db8:22::/64 + 192.168.22/24 --- [firewall, hard NAT for IPv4] ---+
    """
    t = internet(v6=True)
    t.a, t.b = behind6(t, "a", 21, "hard"), behind6(t, "b", 22, "hard")
    route6(t)
    return t


# name: (builder, expected path)
MATRIX = {
    "no-nat": (no_nat, "direct"),
    "easy-easy": (easy_easy, "direct"),
    "none-hard": (none_hard, "direct"),
    "easy-hard": (easy_hard, "relay"),
    "hard-hard": (hard_hard, "relay"),
    "double-nat": (double_nat, "direct"),
    "same-lan": (same_lan, "direct"),
    "udp-blocked": (udp_blocked, "relay"),
    "only-tcp-443": (only_tcp_443, "relay"),
    "ipv6-only": (ipv6_only, "direct"),
    "dual-stack": (dual_stack, "direct"),
}
