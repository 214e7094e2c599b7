"""What the scenarios share: the official programs, the foreign hub, and how results are counted and printed."""
import json
import os
import re
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lab"))
from nodes import Node, Process, TailscaleNode, WarrenNode, program, wait_for  # noqa: E402

BIN = os.path.join(HERE, "bin")
# The newest release that builds with Go 1.26, and an old one. What is built of each.
NEWEST, OLD = "1.102.5", "1.80.3"
OFFICIAL = {NEWEST: ("tailscale", "tailscaled", "derper", "derpprobe", "gitops-pusher"), OLD: ("tailscale", "tailscaled")}
FOREIGN_HUB = os.path.join(BIN, "foreignhub-" + NEWEST)
MAP_READER = os.path.join(BIN, "mapreader-" + NEWEST)


def official(version):
    """The directory with a release's programs, or None: tests/interop/run builds them and says why it could not."""
    d = os.path.join(BIN, version)
    return d if all(os.access(os.path.join(d, p), os.X_OK) for p in OFFICIAL[version]) else None


def our_node(host, hostname, **kw):
    """Ours. With INTEROP_STAND_IN=VERSION an official node in its place: to tell a fault of the suite from one of ours."""
    stand_in = os.environ.get("INTEROP_STAND_IN")
    if stand_in:
        return TailscaleNode(host, hostname, official(stand_in), **kw)
    return WarrenNode(host, hostname, **kw)


class Results:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.t0 = time.monotonic()

    def check(self, name, ok, note=""):
        self.passed += bool(ok)
        self.failed += not ok
        print(f"{'ok' if ok else 'not ok'} - {name}{': ' + str(note) if note else ''}", flush=True)
        return bool(ok)

    def skip(self, name, why):
        self.skipped += 1
        print(f"skipped: {name}: {why}", flush=True)

    def end(self):
        """Prints the counts, gives the exit status."""
        print(f"# {time.monotonic() - self.t0:.1f} s")
        print(f"{self.passed} passed, {self.failed} failed" + (f", {self.skipped} skipped" if self.skipped else ""))
        return 1 if self.failed or not self.passed + self.skipped else 0


class Stage:
    """Processes of one topology: started together, shown when something goes wrong, ended in any case."""

    def __init__(self, results, name, topology):
        self.results, self.name, self.t, self.started, self.others = results, name, topology, [], []

    def __enter__(self):
        return self

    def add(self, p):
        self.started.append(p)
        return p.start()

    def keep(self, x):
        """Something else to close at the end."""
        self.others.append(x)
        return x

    def __exit__(self, kind, e, tb):
        if e is not None and not isinstance(e, (SystemExit, KeyboardInterrupt)):
            self.results.check(f"{self.name}: goes through", False, e)
        if self.results.failed:
            self.show()
        for x in list(reversed(self.started)) + self.others:
            try:
                x.close()
            except RuntimeError as fault:
                self.results.check(f"{self.name}: ends when told", False, fault)
        self.t.net.close()
        return isinstance(e, Exception)

    def show(self):
        for p in self.started:
            print(f"--- {self.name}: {p.name}\n{p.tail(int(os.environ.get('INTEROP_TAIL', '25')))}", file=sys.stderr)


def pings(host, ip, count=5, timeout=10):
    """ICMP through the tunnel, until so many answers in a row came."""
    def series():
        out = host.run("ping", "-n", "-q", "-c", str(count), "-i", "0.1", "-W", "1", ip, check=False)
        return f" {count} received" in out
    try:
        return wait_for(f"{count} answers of {ip}", series, timeout)
    except TimeoutError:
        return False


def ping_path(node, ip, until_direct):
    """By which path the node's own `ping` command reaches the peer: "direct", "relay", or its output."""
    args = ["ping", "--timeout=2s", f"--until-direct={'true' if until_direct else 'false'}",
            f"--c={'15' if until_direct else '1'}", ip]
    out = node.cli(*args, check=False)
    lines = [line for line in out.splitlines() if line.startswith("pong from ")]
    if not lines:
        return out.strip() or "no answer"
    via = re.search(r" via (\S+)", lines[-1]).group(1)
    return "relay" if via.startswith("DERP(") else "direct" if re.match(r"[\[0-9]", via) else via


def reaches(node, ip, path, timeout=20):
    """Waits for the path; gives the last one seen."""
    end = time.monotonic() + timeout
    while True:
        seen = ping_path(node, ip, until_direct=path == "direct")
        if seen == path or time.monotonic() > end:
            return seen


def block_udp(host, keep=""):
    """No UDP in or out of the host's cable; keep: an nft match that goes on to pass."""
    keep = f"{keep} accept" if keep else ""
    host.nft(f"""
table inet block {{
  chain in {{ type filter hook input priority 0; {keep}; iifname "eth0" meta l4proto udp drop; }}
  chain out {{ type filter hook output priority 0; {keep}; oifname "eth0" meta l4proto udp drop; }}
}}""")


def unblock_udp(host):
    host.run("nft", "delete", "table", "inet", "block")


class ForeignHub(Process):
    """Tailscale's own test control server; obeys commands on its input."""

    def __init__(self, host, ip, derp_map):
        super().__init__(host, "foreignhub", [])
        self.map = os.path.join(self.dir, "derp.json")
        with open(self.map, "w") as f:
            json.dump(derp_map, f)
        self.url = f"http://{ip}"
        self.argv = [FOREIGN_HUB, "--listen", f"{ip}:80", "--derp-map", self.map]

    def start(self):
        self.out = open(self.log, "ab")
        self.child = self.host.popen(*self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.out, text=True)
        self.child.stdout.readline()
        self.check_alive()
        return self

    def tell(self, command):
        self.child.stdin.write(command + "\n")
        self.child.stdin.flush()
        answer = self.child.stdout.readline().strip()
        if answer != "ok":
            raise RuntimeError(f"{command}: {answer}")


class Derper(Process):
    """The official relay, with TLS by the lab's authority, and STUN."""

    def __init__(self, host, name, ip, ca):
        super().__init__(host, "derper", [])
        cert, key = ca.issue(name, ip)
        os.symlink(cert, os.path.join(self.dir, f"{name}.crt"))
        os.symlink(key, os.path.join(self.dir, f"{name}.key"))
        self.argv = [os.path.join(official(NEWEST), "derper"), "-a", f"{ip}:443", "-http-port", "-1", "-c",
                     os.path.join(self.dir, "config"), "-certmode", "manual", "-certdir", self.dir, "-hostname", name]

    def start(self):
        super().start()
        wait_for("the derper listens", lambda: self.check_alive() or self.host.run("ss", "-Hltn", "sport = :443"))
        return self


class WarrenRelay(Process):
    """Ours on its own, with TLS by the lab's authority, and STUN."""

    def __init__(self, host, name, ip, ca):
        super().__init__(host, "relay", [])
        cert, key = ca.issue(name, ip)
        self.argv = [program("warren-relay"), "--listen", f"{ip}:443", "--stun", f"{ip}:3478", "--cert", cert,
                     "--key", key, "--state-dir", os.path.join(self.dir, "state")]

    def start(self):
        super().start()
        wait_for("our relay listens", lambda: self.check_alive() or self.host.run("ss", "-Hltn", "sport = :443"))
        return self


def region(number, code, name, ip):
    """Of a DERP map. The name is only what the certificate must say: nobody resolves it."""
    return {"RegionID": number, "RegionCode": code, "RegionName": code, "Nodes": [
        {"Name": f"{number}a", "RegionID": number, "HostName": name, "IPv4": ip}]}
