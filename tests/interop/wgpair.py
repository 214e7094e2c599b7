"""Two hosts with one cable, and WireGuard daemons on them that the stock `wg` command configures.

    a 10.77.0.1/24, fd77::1/64 --- veth --- b 10.77.0.2/24, fd77::2/64

Names carry the process id: the control sockets below /var/run/wireguard are shared by all namespaces.
"""
import atexit
import itertools
import os
import signal
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# The newest version that the module proxy has; built once into the cache below.
WIREGUARD_GO = "golang.zx2c4.com/wireguard@v0.0.0-20260522210424-ecfc5a8d5446"
BIN = os.path.join(TOP, "tests", "interop", "bin")
WGTUN = os.path.join(TOP, os.environ.get("BUILD", "build"), "tests", "tools", "wgtun", "wgtun")


def run(*argv, stdin=None, check=True):
    r = subprocess.run(argv, input=stdin, text=True, capture_output=True)
    if check and r.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)}: exit {r.returncode}: {r.stderr.strip()}")
    return r.stdout


def wait_for(what, condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"waited {seconds} s for: {what}")
        time.sleep(0.02)


def wireguard_go():
    """Programs to test against: name -> path. Debian's if it is installed, the newest if Go is."""
    found = {}
    debian = "/usr/bin/wireguard-go"
    if os.access(debian, os.X_OK):
        found["wireguard-go (Debian)"] = debian
    newest = os.path.join(BIN, "wireguard-" + WIREGUARD_GO.rpartition("-")[2])
    if not os.path.exists(newest):
        os.makedirs(BIN, exist_ok=True)
        env = dict(os.environ, GOBIN=BIN + "/new", GOFLAGS="-buildvcs=false")
        try:
            subprocess.run(["go", "install", WIREGUARD_GO], env=env, check=True, capture_output=True, text=True)
            os.replace(BIN + "/new/wireguard", newest)
        except (OSError, subprocess.CalledProcessError) as e:
            print(f"# skipped: newest wireguard-go: {getattr(e, 'stderr', None) or e}", file=sys.stderr)
    if os.path.exists(newest):
        found["wireguard-go (newest)"] = newest
    return found


class Daemon:
    """One WireGuard interface: its program runs in the namespace until close()."""

    numbers = itertools.count()

    def __init__(self, host, program, *options, env=None):
        self.host = host
        self.name = f"w{os.getpid() % 100000}x{next(self.numbers)}"
        self.key = run("wg", "genkey").strip()
        self.public = run("wg", "pubkey", stdin=self.key).strip()
        ours = program == WGTUN
        argv = [program, *options, self.name] if ours else [program, "-f", self.name]
        self.child = subprocess.Popen(["ip", "netns", "exec", host.ns, *argv], stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL, env=dict(os.environ, **(env or {})))
        host.pair.daemons.append(self)
        self.socket = f"/var/run/wireguard/{self.name}.sock"
        wait_for(f"{self.socket}", lambda: os.path.exists(self.socket))

    def wg(self, *argv, stdin=None):
        return self.host.run("wg", *argv, stdin=stdin)

    def configure(self, other, address, endpoint=None, port=0, psk=None, keepalive=0, allowed="0.0.0.0/0, ::/0"):
        self.address = address
        text = f"[Interface]\nPrivateKey = {self.key}\nListenPort = {port}\n[Peer]\nPublicKey = {other.public}\n"
        text += f"AllowedIPs = {allowed}\n"
        text += f"Endpoint = {endpoint}\n" if endpoint else ""
        text += f"PresharedKey = {psk}\n" if psk else ""
        text += f"PersistentKeepalive = {keepalive}\n" if keepalive else ""
        self.wg("setconf", self.name, "/dev/stdin", stdin=text)
        for a in address:
            self.host.run("ip", "addr", "add", a, "dev", self.name, *(["nodad"] if ":" in a else []))
        self.host.run("ip", "link", "set", self.name, "mtu", "1420", "up")

    def show(self, what):
        """The value of the only peer."""
        return self.wg("show", self.name, what).split("\t", 1)[-1].strip()

    def end(self, sig=signal.SIGTERM):
        if self.child.poll() is None:
            self.child.send_signal(sig)
            self.child.wait(5)
        if os.path.exists(self.socket):
            os.unlink(self.socket)


class Host:
    def __init__(self, pair, name):
        self.pair, self.ns = pair, f"wgp{os.getpid()}-{name}"
        run("ip", "netns", "add", self.ns)
        self.run("ip", "link", "set", "lo", "up")

    def argv(self, *argv):
        return ["ip", "netns", "exec", self.ns, *argv]

    def run(self, *argv, stdin=None, check=True):
        return run(*self.argv(*argv), stdin=stdin, check=check)

    def ping(self, to, count=3, wait=1):
        out = self.run("ping", "-n", "-q", "-c", str(count), "-i", "0.05", "-W", str(wait), to, check=False)
        return f" {count} received" in out


class Pair:
    def __init__(self):
        self.daemons, self.children = [], []
        atexit.register(self.close)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        self.a, self.b = Host(self, "a"), Host(self, "b")
        run("ip", "link", "add", "eth0", "netns", self.a.ns, "type", "veth", "peer", "name", "eth0",
            "netns", self.b.ns)
        for h, n in ((self.a, 1), (self.b, 2)):
            h.run("ip", "addr", "add", f"10.77.0.{n}/24", "dev", "eth0")
            h.run("ip", "addr", "add", f"fd77::{n}/64", "dev", "eth0", "nodad")
            h.run("ip", "link", "set", "eth0", "up")

    def popen(self, host, *argv, **kw):
        c = subprocess.Popen(host.argv(*argv), **kw)
        self.children.append(c)
        return c

    def link(self, one, two, net, **both):
        """Configures a daemon on a and one on b for each other: inner addresses 10.88.<net>.1 and .2."""
        for me, other, n in ((one, two, 1), (two, one, 2)):
            me.configure(other, [f"10.88.{net}.{n}/24", f"fd88:{net}::{n}/64"], port=51000 + net,
                         endpoint=f"10.77.0.{3 - n}:{51000 + net}" if both.get("endpoints", True) or n == 1 else None,
                         psk=both.get("psk"), keepalive=both.get("keepalive", 0),
                         allowed=f"10.88.{net}.{3 - n}/32, fd88:{net}::{3 - n}/128")

    def close(self):
        for c in self.children:
            if c.poll() is None:
                c.kill()
                c.wait()
        for d in self.daemons:
            d.end()
        for h in ("a", "b"):
            subprocess.run(["ip", "netns", "del", f"wgp{os.getpid()}-{h}"], capture_output=True)
        self.daemons, self.children = [], []
