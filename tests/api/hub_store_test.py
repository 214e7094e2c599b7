#!/usr/bin/env python3
"""A hub whose database is held by another process, or whose disk is slow, stuck or broken: what goes on meanwhile, what waits,
and that nothing is lost that was answered.

Usage: hub_store_test.py WARREN-HUB HUBLOAD DERPPAIR SLOWDISK HUBDEVICE. Prints TAP."""
import json, os, signal, sqlite3, subprocess, sys, threading, time

from hub_process import Device, Hub, check, children, run, wait_for

HUB, HUBLOAD, DERPPAIR, SLOWDISK, HUBDEVICE = sys.argv[1:6]
AT_ONCE = 1.0  # seconds: far above what it takes, far below any wait for the disk


class SlowHub(Hub):
    """With a relay, and a disk that obeys."""

    def __init__(self, d):
        super().__init__(HUB, d, "--relay-listen", "127.0.0.1:0", "--relay-open")
        self.disk = os.path.join(d, "disk")
        os.mkdir(self.disk)

    def start(self):
        os.environ.update(LD_PRELOAD=SLOWDISK, SLOWDISK=self.disk, ASAN_OPTIONS="verify_asan_link_order=0")
        try:
            return super().start()
        finally:
            del os.environ["LD_PRELOAD"]

    def disk_is(self, how, yes=True):
        path = os.path.join(self.disk, how)
        if yes:
            open(path, "w").close()
        else:
            os.unlink(path)

    def metric(self, name):
        for line in self.http("GET", "/metrics")[1].splitlines():
            if line.startswith(f"warren_{name} "):
                return int(line.split()[1])
        raise KeyError(name)

    def lock(self):
        """As a person does who looks into the database with another program."""
        db = sqlite3.connect(os.path.join(self.dir, "state", "hub.db"), isolation_level=None, timeout=20)
        db.execute("BEGIN EXCLUSIVE")
        return db

    def later(self, *args):
        """A command that has to wait for its answer."""
        p = subprocess.Popen([HUB, *args, "--socket", self.socket], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        children.append(p)
        return p

    def load(self, n, answered=None):
        key = self.json("keys", "create", "--reusable")["key"]
        args = [HUBLOAD, self.url, key, str(n)] + (["0", answered] if answered else [])
        p = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        children.append(p)
        return p

    def relay(self):
        p = subprocess.Popen([DERPPAIR, f"127.0.0.1:{self.port}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        children.append(p)
        if p.stdout.readline() != "ready\n":
            raise RuntimeError("no packet came through the relay")
        return p


class Health(threading.Thread):
    """Asks without end; keeps the worst answer."""

    def __init__(self, hub):
        super().__init__(daemon=True)
        self.hub, self.worst, self.n, self.last, self.over = hub, 0.0, 0, (0, ""), False
        self.start()

    def run(self):
        while not self.over:
            begun = time.monotonic()
            try:
                self.last = self.hub.http("GET", "/health")[:2]
            except OSError as e:
                self.last = (0, str(e))
            self.worst = max(self.worst, time.monotonic() - begun)
            self.n += 1
            time.sleep(0.02)

    def end(self):
        self.over = True
        self.join()
        return self.worst


def ended_relay(p):
    p.terminate()
    return json.loads(p.communicate(timeout=20)[0])


def lines(path):
    with open(path) as f:
        return f.read().split()


def locked(d):
    """The database is held by another process until /health complains."""
    hub, answered = SlowHub(d).start(), os.path.join(d, "answered")
    open(answered, "w").close()
    relay, health = hub.relay(), Health(hub)
    key = hub.json("keys", "create", "--reusable")["key"]
    db = hub.lock()
    joining = subprocess.Popen([HUBLOAD, hub.url, key, "3", "0", answered], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    children.append(joining)
    change = hub.later("users", "create", "late")
    wait_for("the writer finds the lock", lambda: hub.metric("hub_store_busy") == 1)
    begun = time.monotonic()
    status = hub.json("status")
    preview = hub.http("GET", "/key?v=113")[0]
    hub.json("nodes", "list")
    check("questions are answered while the database is locked", status["url"] == hub.url and preview == 200 and
          time.monotonic() - begun < 5 * AT_ONCE)
    wait_for("health says so", lambda: health.last[0] == 503, 60)
    check("/health says what is wrong, in words", "another process holds it" in health.last[1], health.last)
    check("no join and no change was answered meanwhile", lines(answered) == [] and change.poll() is None and
          hub.metric("hub_replies_held") == 1, lines(answered))
    db.execute("ROLLBACK")
    db.close()
    check("the change is answered after the lock", change.wait(30) == 0 and "late" in hub.users())
    check("devices that joined meanwhile are in", json.loads(joining.communicate(timeout=90)[0])["complete"])
    wait_for("healthy again", lambda: health.last[0] == 200)
    worst, r = health.end(), ended_relay(relay)
    check("relayed packets flowed on", r["worst_gap_ms"] < 1000 * AT_ONCE and r["arrived"] > 500, r)
    check("/health answered at once all the time", worst < AT_ONCE and health.n > 50, (worst, health.n))
    said = hub.said()
    check("the log says once that it waits, and once that it is over", said.count("another process holds the database") == 1 and
          said.count("the database is free again") == 1, said)
    hub.stop()


def slow(d):
    """Each fsync takes two seconds."""
    hub = SlowHub(d).start()
    relay, health = hub.relay(), Health(hub)
    hub.disk_is("slow")
    joining = hub.load(3)
    for name in ("ann", "bob"):
        hub.admin("users", "create", name)
    check("devices join on a slow disk", json.loads(joining.communicate(timeout=90)[0])["complete"])
    worst, r = health.end(), ended_relay(relay)
    check("relayed packets don't wait for a slow disk", r["worst_gap_ms"] < 1000 * AT_ONCE and r["arrived"] > 300, r)
    check("neither does /health", worst < AT_ONCE and health.n > 30, (worst, health.n))
    check("changes that come together share a write", hub.metric("hub_commits_total") < 4 + 2 + 4 * 2, hub.metric("hub_commits_total"))
    hub.disk_is("slow", False)
    hub.stop()


def killed(d):
    """kill -9 while the disk is stuck in the middle of 200 registrations."""
    answered = os.path.join(d, "answered")
    hub = SlowHub(d).start()
    open(answered, "w").close()
    joining = hub.load(200, answered)
    wait_for("the first is answered", lambda: os.path.getsize(answered))
    hub.disk_is("stuck")
    wait_for("the writer is stuck", lambda: hub.metric("hub_store_writing_seconds") >= 1)
    known = lines(answered)
    time.sleep(0.3)
    check(f"a stuck disk answers nothing ({len(known)} of 200 were)", 0 < len(known) < 201 and lines(answered) == known)
    hub.p.kill()
    hub.p.wait()
    hub.disk_is("stuck", False)
    hub.start()
    listed = {n["nodeKey"] for n in hub.json("nodes", "list")}
    check("every answered registration survives kill -9 of a stalled writer", set(known) <= listed, set(known) - listed)
    out = joining.communicate(timeout=90)[0]
    check("the others join after the restart, nobody twice", json.loads(out)["complete"] and len(hub.json("nodes", "list")) == 201, out)
    addresses = [n["ipv6"] for n in hub.json("nodes", "list")]
    service = "fd7a:115c:a1e0::53"  # of the resolver: 0x53 = 83
    check("no device has the service address", len(set(addresses)) == 201 and service not in addresses)
    hub.stop()
    with sqlite3.connect(os.path.join(hub.dir, "state", "hub.db")) as db:  # as an older hub gave it
        db.execute("UPDATE doc SET doc = replace(doc, ?, ?)", (f'"{addresses[7]}"', f'"{service}"'))
    db.close()
    hub.start()
    check("one of an older hub that has it gets another", service not in (after := [n["ipv6"] for n in hub.json("nodes", "list")]) and
          len(set(after)) == 201)
    hub.stop()


def ends(d):
    """SIGTERM while changes wait: they are written first; within a bound."""
    hub = SlowHub(d).start()
    db = hub.lock()
    hub.later("users", "create", "last")
    wait_for("the writer finds the lock", lambda: hub.metric("hub_store_busy") == 1)
    hub.p.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    check("SIGTERM waits for what is to be written", hub.p.poll() is None)
    db.execute("ROLLBACK")
    check("then the hub ends well", hub.p.wait(20) == 0)
    hub.start()
    check("and the change is there", "last" in hub.users())
    db.execute("BEGIN EXCLUSIVE")
    lost = hub.later("users", "create", "never")
    wait_for("the writer finds the lock", lambda: hub.metric("hub_store_busy") == 1)
    hub.p.send_signal(signal.SIGTERM)
    check("a lock that stays ends the hub with an error", hub.p.wait(40) != 0 and "could not be written" in hub.said(), hub.said())
    check("whoever waited was not told that it is done", lost.wait(20) != 0)
    db.execute("ROLLBACK")
    db.close()
    hub.start()
    check("and it is not", "never" not in hub.users())
    hub.stop()


def refuses(d, how):
    """The disk takes nothing: whoever wants a change reads why, nothing of it stays, and all else goes on until the disk is well."""
    hub = SlowHub(d).start()
    key = hub.json("keys", "create", "--reusable")["key"]
    one, two = (Device(HUBDEVICE, hub, name, key).running() for name in ("one", "two"))
    one.wait("they know each other", lambda x: two.self["id"] in x.peers)
    before, process, token = hub.json("nodes", "list"), hub.p.pid, hub.json("tokens", "create", "ci")["token"]
    relay = hub.relay()
    hub.disk_is(how)
    r = hub.run("users", "create", "nobody")
    check(f"{how}: who wanted the change reads that it was not made", r.returncode == 1 and "cannot write its database" in r.stderr and
          "not made" in r.stderr, r)
    wait_for("the hub knows", lambda: hub.metric("hub_store_refuses") == 1)
    r = hub.run("keys", "create")
    check(f"{how}: the next is refused before it is begun", r.returncode == 1 and "no change is made until it can" in r.stderr, r)
    check(f"{how}: so it is by the pages and the API",
          hub.http("POST", "/api/v2/tailnet/-/acl", "{}", {"Authorization": f"Bearer {token}"})[0] == 503)
    status = hub.json("status")
    check(f"{how}: status and /health say so", "cannot write its database" in status["databaseFault"] and hub.http("GET", "/health")[0] == 503)
    check(f"{how}: nothing of it is there", "nobody" not in hub.users() and len(hub.json("nodes", "list")) == len(before))
    late = Device(HUBDEVICE, hub, "late", key)
    late.wait("a new device is told", lambda x: "503" in x.trouble)
    check(f"{how}: a new device does not get in", len(hub.json("nodes", "list")) == len(before))
    one.say("hostname first")
    two.wait("devices still hear of each other", lambda x: x.state == "running" and one.self["id"] in x.peers)
    wait_for("both are online", lambda: all(n["online"] for n in hub.json("nodes", "list")))
    check(f"{how}: devices stay, in the same process", hub.p.poll() is None and hub.p.pid == process and one.state == two.state == "running",
          (hub.p.poll(), one.state, one.trouble, two.state, two.trouble))
    hub.disk_is(how, False)
    wait_for("the disk is well again", lambda: hub.metric("hub_store_refuses") == 0)
    late.running()
    hub.admin("users", "create", "somebody")
    r = ended_relay(relay)
    check(f"{how}: relayed packets flowed all the time", r["worst_gap_ms"] < 1000 * AT_ONCE and r["arrived"] > 100, r)
    hub.stop()
    hub.start()
    check(f"{how}: afterwards all is as it was, and changes last", {"somebody"} <= set(hub.users()) and "nobody" not in hub.users() and
          len(hub.json("nodes", "list")) == len(before) + 1 and hub.http("GET", "/health")[0] == 200)
    for x in (one, two, late):
        x.stop()
    hub.stop()


def notes(d):
    """What needs no promise waits for the disk, and takes nobody's streams away."""
    hub = SlowHub(d).start()
    one = Device(HUBDEVICE, hub, "one", hub.json("keys", "create")["key"]).running()
    hub.disk_is("full")
    one.stop()
    wait_for("that it went is refused by the disk", lambda: hub.metric("hub_store_refuses") == 1)
    check("nothing was undone for it", hub.metric("hub_begun_anew_total") == 0 and hub.metric("hub_store_pending_bytes") > 0)
    hub.disk_is("full", False)
    wait_for("it is written when there is room", lambda: hub.metric("hub_store_refuses") == 0 and hub.metric("hub_store_pending_bytes") == 0)
    check("and the hub is well", hub.http("GET", "/health")[0] == 200)
    hub.stop()


def tmpfs(d):
    """A file system without room, and no tricks."""
    if os.geteuid() != 0:
        print("# not root: no file system to be filled")
        return
    hub, state = Hub(HUB, d), os.path.join(d, "state")
    os.mkdir(state, 0o700)
    hub.argv = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o size=1m,mode=0700 none "$0" && exec "$@"', state, *hub.argv]
    hub.start()
    one = Device(HUBDEVICE, hub, "one", hub.json("keys", "create")["key"]).running()
    filler = f"/proc/{hub.p.pid}/root{state}/filler"
    with open(filler, "wb", buffering=0) as f:
        try:
            while f.write(bytes(4096)):
                pass
        except OSError:
            pass
    answers = [hub.run("users", "create", f"user{n}") for n in range(40)]  # the first may find room in pages that are there
    made = [r for r in answers if r.returncode == 0]
    why = answers[-1].stderr
    check("a full file system refuses changes, and says why", len(made) < len(answers) and "cannot write its database" in why, answers[-1])
    check("what was answered is there, and nothing else", len(hub.users()) == 1 + len(made), hub.users())
    check("the device stays", hub.p.poll() is None and one.wait("it is back", lambda x: x.state == "running"))
    os.unlink(filler)
    wait_for("there is room", lambda: hub.run("users", "create", "later").returncode == 0)
    check("with room again changes are made", "later" in hub.users() and hub.http("GET", "/health")[0] == 200)
    one.stop()
    hub.stop()


def full(d):
    refuses(d, "full")


def readonly(d):
    refuses(d, "readonly")


def broken(d):
    refuses(d, "broken")


def unread(d):
    """Nobody reads the log, as when its reader is stuck at a full disk."""
    hub = SlowHub(d)
    r, w = os.pipe()
    os.set_blocking(w, False)
    try:
        while True:
            os.write(w, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(w, True)
    hub.p = subprocess.Popen(hub.argv, stdout=subprocess.PIPE, stderr=w, text=True)
    children.append(hub.p)
    os.close(w)
    wait_for("it answers", lambda: os.path.exists(hub.socket) and hub.run("status").returncode == 0)
    joined = json.loads(hub.load(5).communicate(timeout=60)[0])
    check("a log that nobody reads stops nothing", joined["complete"] and hub.http("GET", "/health")[0] == 200, joined)
    got = b""
    while len(got) < 65536:
        got += os.read(r, 65536)
    joined = json.loads(hub.load(2).communicate(timeout=60)[0])
    hub.p.terminate()
    while more := os.read(r, 65536):
        got += more
    check("once it is read again it says how many lines are missing", joined["complete"] and b"nobody took the lines before this one lines=" in got,
          got[-500:])
    hub.p.wait(20)


sys.exit(run((locked, slow, killed, ends, full, readonly, broken, notes, tmpfs, unread)))
