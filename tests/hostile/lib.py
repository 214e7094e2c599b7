"""What an attack needs: a program to attack with an honest device beside it, sources to come from, and its own memory's peak.

    @attack("12-byte requests on one session, answers not read")
    def requests(p):
        s = p.session()
        s.say(frame(HEADERS, 5, 1, REQUEST))

The function's name is the attack's. It passes when the honest device is served within SERVED_MS all the time, the attacked process
stays below BUDGET_MB and lives, and every p.expect holds. Each attack has a network of its own (tests/hostile/run): ports are free,
and any address of 198.18.0.0/15 and fd00::/16 is ours.
"""
import ctypes
import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, "tests", "api"))
sys.path.insert(0, os.path.join(TOP, "tests", "lab"))
from hub_process import Hub  # noqa: E402
from procs import Program  # noqa: E402
from raw import BUILD, Closed, Conn, Derp, Machine, Session, hub_key  # noqa: E402

BUDGET_MB = 128
SERVED_MS = 1000
LOG_KB = 512  # that an attack may make it log
KEPT_MB = 24  # of the memory that an attack took: more has to go back
SETTLE = 8.0  # seconds in which it does
QUIET = 5.0  # seconds until nothing is done any more, while all connections are still there
TOOLS = os.path.join(BUILD, "tests", "tools")
PLAIN, TLS, RELAY_PORT = 8080, 8443, 8444
HONEST = "127.0.0.1"
HUB4, HUB6 = "198.18.0.1", "fd00::1"

attacks = {}


def attack(sends, target="hub", flags=(), budget=BUDGET_MB, served=SERVED_MS, env=None, **more):
    """target: hub (with its relay), relay or node. flags: of its command line, further ones. budget: less, where a bound promises
    less. more: for the target's Place."""
    def register(fn):
        attacks[fn.__name__] = dict(fn=fn, sends=sends, target=target, flags=list(flags), budget=budget, served=served, env=env, more=more)
        return fn
    return register


def many(n, fn):
    """fn(0), fn(1), ...: however many of the connections are taken."""
    done = 0
    for i in range(n):
        try:
            fn(i)
            done += 1
        except (Closed, OSError):
            pass
    return done


def in_ns(name, fn):
    """Does something in a network namespace of that name; a socket that it makes stays there."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/self/ns/net") as home, open(f"/run/netns/{name}") as there:
        if libc.setns(there.fileno(), 0x40000000) != 0:
            raise OSError(ctypes.get_errno(), "setns")
        try:
            return fn()
        finally:
            libc.setns(home.fileno(), 0x40000000)


def program(name):
    return os.path.join(BUILD, "src", "bin", name, name)


class Memory:
    """Of a process, in MB."""

    def __init__(self, pid):
        self.pid = pid

    def _field(self, name):
        with open(f"/proc/{self.pid}/status") as f:
            return int(re.search(rf"^{name}:\s+(\d+)", f.read(), re.M).group(1)) / 1024

    def now(self):
        return self._field("VmRSS")

    def peak(self):
        return self._field("VmHWM")

    def reset(self):
        with open(f"/proc/{self.pid}/clear_refs", "w") as f:
            f.write("5")


    def processor(self):
        """Seconds of it used so far."""
        with open(f"/proc/{self.pid}/stat") as f:
            fields = f.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Place:
    """The attacked program (p.pid), and what an attack does to it. Connections that it opens are closed when it is over."""

    ready = "ready"

    def __init__(self, directory, flags=(), env=None):
        self.dir, self.flags = directory, list(flags)
        self.env = {**os.environ, **(env or {})}
        self.open, self.faults, self.honest, self.hub, self.relay, self.key = [], [], None, None, None, None
        self.start()
        self.memory = Memory(self.pid)

    @staticmethod
    def source(i):
        """One of many addresses, none of them the honest device's."""
        return f"198.{18 + (i + 2 >> 16)}.{i + 2 >> 8 & 255}.{i + 2 & 255}"

    @staticmethod
    def source6(i, host=1):
        """Each i is a /64 of its own."""
        return f"fd00:{i + 1 >> 16:x}:{i + 1 & 0xffff:x}::{host:x}"

    def to(self, port, source=None):
        return (HUB6 if source and ":" in source else HUB4), port

    def keep(self, c):
        self.open.append(c)
        return c

    def tcp(self, source=None, tls=False, port=None, **kw):
        """A connection, to be used for anything."""
        source = source or self.source(0)
        return self.keep(Conn(self.to(port or (self.tls if tls else self.plain), source), source, tls, **kw))

    def derp(self, source=None, tls=False, port=None, **kw):
        source = source or self.source(0)
        return self.keep(Derp(self.to(port or (self.tls if tls else self.plain), source), source=source, tls=tls, **kw))

    def session(self, source=None, tls=False, **kw):
        """ts2021 with any machine key."""
        source = source or self.source(0)
        return self.keep(Session(self.to(self.tls if tls else self.plain, source), self.key, source, tls, **kw))

    def machine(self, source=None, tls=False, **kw):
        """The same with requests as devices make them."""
        source = source or self.source(0)
        return self.keep(Machine(self.to(self.tls if tls else self.plain, source), self.key, source, tls=tls, **kw))

    def drop(self):
        """Closes all connections of the attack."""
        for c in self.open:
            c.close()
        self.open.clear()

    def expect(self, what, ok, why=""):
        if not ok:
            self.faults.append(f"{what}{': ' if why != '' else ''}{why}")

    def hold(self, seconds):
        """Goes on being there for so long, at most until the program has died."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.lives():
            time.sleep(0.02)

    def lives(self):
        return self.p.poll() is None

    def metric(self, name):
        """A line of /metrics, with its labels if it has any; 0 if it is not there."""
        text = self.get("/metrics")
        found = re.search(rf"^{re.escape(name)} ([0-9.e+]+)$", text, re.M)
        return float(found.group(1)) if found else 0

    def metrics(self, name):
        """Of all labels together."""
        return sum(float(n) for n in re.findall(rf"^{re.escape(name)}(?:{{[^}}]*}})? ([0-9.e+]+)$", self.get("/metrics"), re.M))

    def get(self, path):
        from procs import ask
        return ask(self.plain, f"GET {path}", source=HONEST)[1]

    # the honest device

    def start_honest(self):
        self.honest_log = os.path.join(self.dir, "honest.log")
        with open(self.honest_log, "w") as log:
            self.honest = subprocess.Popen([sys.executable, os.path.join(HERE, "honest.py"), json.dumps(self.honest_does())],
                                           stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
        if not select.select([self.honest.stdout], [], [], 20)[0] or self.honest.stdout.readline() != "ready\n":
            with open(self.honest_log) as f:
                raise RuntimeError("the honest device is not served, without any attack: " + f.read()[-2000:])

    def end_honest(self):
        """{what: (worst ms, times)}; its complaints go to the faults."""
        text = self.honest.communicate(timeout=30)[0]
        with open(self.honest_log) as f:
            complaints = f.read().strip()
        if complaints:
            self.faults.append("the honest device: " + complaints.splitlines()[0])
        return json.loads(text.strip().splitlines()[-1])

    def close(self):
        self.drop()
        if self.honest and self.honest.poll() is None:
            self.honest.kill()


class HubPlace(Place):
    """warren-hub with its relay: plain on PLAIN, the relay's TLS port on RELAY_PORT; tls=True: HTTPS on TLS besides. packages=True: one
    of 8 MB to hand out, p.package."""

    class Listening(Hub):
        def __init__(self, directory, flags, tls):
            super().__init__(program("warren-hub"), directory)
            self.port, self.url = PLAIN, f"http://{HONEST}:{PLAIN}"
            listen = ["--listen", f"[::]:{PLAIN}"]
            if tls:
                from certificates import CA
                cert, key = CA(os.path.join(directory, "ca")).issue(HUB4)
                listen = ["--listen", f"[::]:{TLS}", "--tls-cert", cert, "--tls-key", key, "--http-listen", f"[::]:{PLAIN}"]
            relay = [] if "--relay-listen" in flags else ["--relay-listen", f"[::]:{RELAY_PORT}"]
            self.argv = [self.program, "serve", "--state-dir", os.path.join(directory, "state"), "--socket", self.socket,
                         "--url", self.url, *listen, *relay, *([] if "--stun-listen" in flags else ["--stun-listen", "[::]:3478"]), *flags]

    def __init__(self, directory, flags=(), env=None, tls=False, packages=False):
        self.with_tls = tls
        if packages:
            version = subprocess.run([program("warren-hub"), "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]
            self.package = f"warren_{version}_amd64.deb"
            with open(os.path.join(directory, self.package), "wb") as f:
                f.write(bytes(8 << 20))
            flags = [*flags, "--packages-dir", directory]
        super().__init__(directory, flags, env)

    def start(self):
        self.hub = self.Listening(self.dir, self.flags, self.with_tls).start()
        self.p, self.pid = self.hub.p, self.hub.p.pid
        self.plain, self.tls = PLAIN, (TLS if self.with_tls else RELAY_PORT)
        self.key = hub_key((HONEST, PLAIN))

    def auth_key(self, *flags):
        return json.loads(self.hub.admin("keys", "create", "--reusable", "--json", *flags))["key"]

    def honest_does(self):
        here = f"{HONEST}:{PLAIN}"
        return {"hub": self.hub.url, "key": self.auth_key("--ephemeral"), "tools": TOOLS, "http": here, "path": "/health", "relay": here}

    def said(self, every=False):
        return self.hub.said()

    def stop(self):
        self.hub.stop()


class RelayPlace(Place):
    """warren-relay; plain on PLAIN, with tls=True TLS on TLS and plain pages on PLAIN."""

    def __init__(self, directory, flags=(), env=None, tls=False):
        self.with_tls = tls
        super().__init__(directory, flags, env)

    def start(self):
        listen = ["--listen", f"[::]:{TLS}", "--hostname", "relay.test", "--http", f"[::]:{PLAIN}"] if self.with_tls else \
            ["--plain", "--listen", f"[::]:{PLAIN}"]
        self.relay = Program(self.dir, [program("warren-relay"), "--state-dir", os.path.join(self.dir, "state"), "--stun", "[::]:3478", *listen,
                                        *self.flags], "warren-relay: ready\n", env=self.env)
        self.p, self.pid = self.relay.p, self.relay.p.pid
        self.plain, self.tls = PLAIN, TLS

    def honest_does(self):
        here = f"{HONEST}:{PLAIN}"
        return {"tools": TOOLS, "http": here, "path": "/generate_204", "relay": here}

    def said(self, every=False):
        return self.relay.said()

    def stop(self):
        if self.relay.stop() != 0:
            raise RuntimeError("the relay ended badly: " + self.said()[-2000:])


class NodePlace(Place):
    """warrend as p.node (p.pid), with a hub and a peer that pings it; each in a namespace of the lab. p.other: the peer."""

    def start(self):
        import topologies
        from nodes import WarrenHub, WarrenNode
        t = topologies.internet()
        self.lab, self.plain, self.tls = t, 80, 443
        self.lab_hub = WarrenHub(t.hub, topologies.HUB4).start()
        self.node, self.other = (WarrenNode(topologies.public_host(t, name, n), name, flags=flags).start()
                                 for name, n, flags in (("node", 21, self.flags), ("other", 22, ())))
        key = self.lab_hub.auth_key("--reusable")
        for n in self.node, self.other:
            n.up(self.lab_hub.url, key)
        os.chmod(self.node.dir, 0o755)  # other users of the device come to its socket, as in /run
        self.p, self.pid, self.socket = self.node.child, self.node.child.pid, self.node.socket

    def honest_does(self):
        return {"local": self.node.socket, "ns": self.other.host.ns, "ping": self.node.ip()}

    def local(self, uid=0, **kw):
        """A connection to the LocalAPI, of this user."""
        os.seteuid(uid)
        try:
            return self.keep(Conn(self.socket, **kw))
        finally:
            os.seteuid(0)

    def said(self, every=False):
        return self.node.tail(1 << 30 if every else 40)

    def stop(self):
        self.node.stop()

    def close(self):
        super().close()
        for n in self.node, self.other, self.lab_hub:
            n.close()
        self.lab.net.close()


PLACES = {"hub": HubPlace, "relay": RelayPlace, "node": NodePlace}


def settled(memory, before):
    """What is left when the attack has gone: the least within SETTLE."""
    end, least = time.monotonic() + SETTLE, memory.now()
    while least > before + KEPT_MB and time.monotonic() < end:
        time.sleep(0.05)
        least = min(least, memory.now())
    return least


def is_quiet(p):
    """Does the program come to rest, although the attack's connections are there? A queue that wakes it for ever does not let it."""
    end = time.monotonic() + QUIET
    while p.lives() and time.monotonic() < end:
        before, start = p.memory.processor(), time.monotonic()
        time.sleep(0.2)
        if p.lives() and p.memory.processor() - before < 0.5 * (time.monotonic() - start):
            return True
    return False


def judge(p, a, r):
    if r["log"] > LOG_KB:
        p.faults.append(f"it logged {r['log']} KB: {p.said()[-200:]}")
    r["waits"] = [f"the honest device's {what} took {ms:.0f} ms" for what, (ms, _) in r["honest"].items() if ms > a["served"]]
    p.faults += r["waits"]
    if r["after"] > r["before"] + KEPT_MB:
        p.faults.append(f"{r['after']:.0f} MB afterwards, {r['before']:.0f} before")
    if r["peak"] > a["budget"]:
        p.faults.append(f"{r['peak']:.0f} MB, its budget is {a['budget']}")


def carry_out(name):
    """One attack, here and now: {before, peak, after: MB, honest: {what: (ms, times)}, faults: [text]}."""
    a = attacks[name]
    with tempfile.TemporaryDirectory(prefix="hostile-") as d:
        p = PLACES[a["target"]](d, a["flags"], a["env"], **a["more"])
        r = {"honest": {}}
        try:
            p.start_honest()
            r["before"], logged = p.memory.now(), len(p.said(every=True))
            p.memory.reset()
            os.nice(10)  # the attacker's machine is not the one that it attacks: what is measured is the program, not the share of a processor
            try:
                a["fn"](p)
            except (Closed, OSError, TimeoutError) as e:
                p.faults.append(f"{type(e).__name__}: {e}")
            if p.lives() and not is_quiet(p):
                p.faults.append(f"still busy {QUIET:.0f} s after the last byte")
            if p.lives():
                r["peak"] = p.memory.peak()
                p.drop()
                r["honest"] = p.end_honest()
                r["after"] = settled(p.memory, r["before"])
                r["peak"] = max(r["peak"], p.memory.peak())
                r["log"] = (len(p.said(every=True)) - logged) // 1024
                judge(p, a, r)
            if p.lives():
                p.stop()
            else:
                p.faults.append(f"it died with {p.p.poll()}: {p.said()[-800:]}")
        finally:
            p.close()
            if p.lives():
                p.p.send_signal(signal.SIGKILL)
        r["faults"] = p.faults
        return r
