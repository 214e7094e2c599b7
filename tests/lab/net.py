"""Hosts, switches and routers out of network namespaces, made and removed by one test.

Names carry the process id, so that runs side by side do not meet. Everything a Net made is removed by
close(), which also runs when the program ends by an exception or a signal.
"""
import atexit
import ipaddress
import itertools
import os
import shutil
import signal
import subprocess
import sys

# Hosts in here share the machine's /etc. Who tests the system's resolver gives it a root of its own (roots.py).
os.environ.setdefault("WARREN_DNS", "off")

SYSCTL = {
    "net.ipv4.ip_forward": "0",
    "net.ipv6.conf.all.forwarding": "0",
    "net.ipv6.conf.all.accept_dad": "0",  # addresses are usable at once
    "net.ipv6.conf.default.accept_dad": "0",
    "net.ipv4.conf.all.rp_filter": "0",
    "net.ipv4.conf.default.rp_filter": "0",
}


def run(*argv, stdin=None, check=True):
    r = subprocess.run(argv, input=stdin, text=True, capture_output=True)
    if check and r.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)}: exit {r.returncode}: {r.stderr.strip()} {r.stdout.strip()}")
    return r.stdout


class Host:
    """One network namespace."""

    port_prefix = "p"  # of its interfaces that others are plugged into

    def __init__(self, net, name):
        self.net, self.name = net, name
        self.ns = f"{net.prefix}-{name}"
        run("ip", "netns", "add", self.ns)
        for key, value in SYSCTL.items():
            path = "/proc/sys/" + key.replace(".", "/")
            self.run("sh", "-c", f"[ ! -e {path} ] || echo {value} > {path}")
        self.run("ip", "link", "set", "lo", "up")

    def argv(self, *argv):
        return ["ip", "netns", "exec", self.ns, *argv]

    def run(self, *argv, stdin=None, check=True):
        return run(*self.argv(*argv), stdin=stdin, check=check)

    def popen(self, *argv, **kw):
        """The namespace is entered by exec, so the child's pid is the program's own."""
        return subprocess.Popen(self.argv(*argv), **kw)

    def names(self, table):
        """What the resolver's hosts file says here, {name: address}: ip-netns(8) shows it to each program that is started in here."""
        os.makedirs(self.etc, exist_ok=True)
        with open(os.path.join(self.etc, "hosts"), "w") as f:
            f.write("127.0.0.1 localhost\n" + "".join(f"{ip} {name}\n" for name, ip in table.items()))

    def resolv_conf(self, text):
        """The resolver's file here, likewise."""
        os.makedirs(self.etc, exist_ok=True)
        with open(os.path.join(self.etc, "resolv.conf"), "w") as f:
            f.write(text)

    @property
    def etc(self):
        return os.path.join("/etc/netns", self.ns)

    def nft(self, text):
        self.run("nft", "-f", "-", stdin=text)

    def plug(self, switch, dev, *addrs, gw=()):
        """A cable to a switch, with addresses on our end and default routes through gw."""
        far = f"{switch.port_prefix}{next(self.net.ports)}"
        run("ip", "link", "add", dev, "netns", self.ns, "type", "veth", "peer", "name", far,
            "netns", switch.ns)
        switch.run("ip", "link", "set", far, "master", "br0", "up")
        for a in addrs:
            self.run("ip", "addr", "add", a, "dev", dev, *(["nodad"] if ":" in a else []))
        self.run("ip", "link", "set", dev, "up")
        for g in gw:
            self.run("ip", "-6" if ":" in g else "-4", "route", "add", "default", "via", g)

    def unplug(self, dev):
        self.run("ip", "link", "del", dev)


class Net:
    """keep=True leaves everything in place when the program ends; a later Net of that prefix can adopt and close it."""

    def __init__(self, prefix=None, keep=False):
        self.prefix = prefix or f"w{os.getpid()}"
        self.hosts, self.ports = [], itertools.count()
        self.closed = False
        if keep:
            return
        atexit.register(self.close)
        for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(s, lambda *_: sys.exit(130))

    def host(self, name):
        h = Host(self, name)
        self.hosts.append(h)
        return h

    def switch(self, name):
        h = self.host(name)
        h.run("ip", "link", "add", "br0", "type", "bridge", "forward_delay", "0")
        h.run("ip", "link", "set", "br0", "up")
        return h

    def close(self):
        if self.closed:
            return
        self.closed = True
        for h in reversed(self.hosts):
            run("ip", "netns", "del", h.ns, check=False)
            shutil.rmtree(h.etc, ignore_errors=True)


NAT = {"easy": "masquerade", "hard": "masquerade random,fully-random"}


def router(net, name, wan, wan_addrs, gw, lan, lan_addrs, nat=None, udp=True, only_tcp_port=None):
    """A home router: NAT of the kind given (None: it only routes), a stateful firewall, nothing let in.

    Unsolicited packets to the router's own address are dropped before they leave a trace in conntrack, as real
    routers do; without that an early ping of the other side would take the port and our mapping would move.
    udp=False drops all UDP; only_tcp_port=443 lets out TCP to that port and nothing else.
    """
    r = net.host(name)
    r.plug(wan, "wan", *wan_addrs, gw=gw)
    r.plug(lan, "lan", *lan_addrs)
    for k in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
        r.run("sh", "-c", f"echo 1 > /proc/sys/net/{k}")
    out = []
    if not udp:
        out.append('iifname "lan" meta l4proto udp drop')
    if only_tcp_port:
        out.append(f'iifname "lan" tcp dport != {only_tcp_port} drop')
        out.append('iifname "lan" meta l4proto != { tcp } drop')
    r.nft(f"""
table inet fw {{
  chain input {{
    type filter hook input priority 0; policy accept;
    iifname "wan" ct state new meta l4proto {{ tcp, udp }} drop
  }}
  chain forward {{
    type filter hook forward priority 0; policy drop;
    ct state established,related accept
    {chr(10).join("    " + line for line in out)}
    iifname "lan" accept
  }}
}}""")
    if nat:
        r.nft(f"""
table ip nat {{
  chain post {{
    type nat hook postrouting priority 100;
    oifname "wan" {NAT[nat]}
  }}
}}""")
    return r
