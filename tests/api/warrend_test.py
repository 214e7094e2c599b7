#!/usr/bin/env python3
"""warrend as a process: flags, exit codes, the state file, hostile input, and that nothing stays behind.

Usage: warrend_test.py PATH-OF-WARREND. Prints TAP. The parts with an interface need root and a namespace of their own."""
import base64
import json
import os
import random
import re
import socket
import stat
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WARREND = os.path.abspath(sys.argv[1])
os.environ["WARREN_BIN"] = os.path.dirname(os.path.dirname(WARREND))
sys.path.insert(0, os.path.join(TOP, "tests", "lab"))
from net import Net  # noqa: E402
from nodes import UnixHTTP, WarrenHub, WarrenNode, program, wait_for  # noqa: E402
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
from tap import check, results  # noqa: E402

FIXTURES = os.path.join(TOP, "tests", "fixtures", "daemon")


def fixture(name):
    with open(os.path.join(FIXTURES, name)) as f:
        return json.load(f)


def run(*args, env=None):
    return subprocess.run([WARREND, *args], capture_output=True, text=True, timeout=20, env={**os.environ, **(env or {})})


# ---- Command lines ----

# Of the recorded ones, what differs on purpose: there is no "debug" subcommand, and no daemon in user space to be started.
SKIPPED = {"debug --help", "--socket=/nope/dir/sock --state=mem: --tun=userspace-networking"}


def flags_and_exit_codes():
    usage = run("--help").stderr
    names = [f["name"] for f in fixture("flags.json")["flags"]]
    check("every flag of the original is known", all(re.search(rf"^  -{n}\b", usage, re.M) for n in names), usage)
    wrong = []
    for line, want in fixture("invocations.json").items():
        if line in SKIPPED:
            continue
        got = run(*line.split())
        if got.returncode != want["exit"] or bool(got.stdout) != bool(want["stdout"]):
            wrong.append((line, got.returncode, got.stdout, got.stderr[:200]))
    check("command lines end with the recorded codes, usage on stderr", not wrong, wrong)
    extra = run("--tun=x", "extra").stderr
    check("an argument is refused in the words of the original",
          re.fullmatch(r'\d{4}/\d\d/\d\d \d\d:\d\d:\d\d warrend does not take non-flag arguments: \["extra"\]\n', extra), extra)
    refused = [run("--statedir", "/nonexistent", flag) for flag in (
        "--socks5-server=127.0.0.1:1", "--config=/x", "--bird-socket=/x", "--encrypt-state", "--state=kube:x", "--socket=")]
    check("what is not there is refused, not ignored", all(r.returncode == 1 and r.stderr for r in refused),
          [(r.returncode, r.stderr) for r in refused])
    check("a bad value in the environment is fatal",
          run("--tun=x", env={"TS_NO_LOGS_NO_SUPPORT": "maybe"}).returncode == 1 and run(env={"PORT": "x"}).returncode == 2)


# ---- A daemon in a namespace ----

class Daemon(WarrenNode):
    def __init__(self, host, flags=(), statedir=True):
        super().__init__(host, "box")
        if not statedir:
            self.argv = [a for i, a in enumerate(self.argv) if a != "--statedir" and self.argv[i - 1] != "--statedir"]
        self.argv += flags

    def state(self):
        with open(os.path.join(self.dir, "warrend.state")) as f:
            return json.load(f)

    def metrics(self):
        code, text = self.local("GET", "metrics")
        assert code == 200, text
        return dict(line.rsplit(" ", 1) for line in text.decode().splitlines() if not line.startswith("#"))


def traces(host):
    """What a node makes in a system, as text; empty when there is nothing of it."""
    rules = [r for f in ("-4", "-6") for r in host.run("ip", f, "rule").splitlines() if re.match(r"52\d\d:", r)]
    routes = host.run("ip", "route", "show", "table", "52", check=False).split()
    links = [w for w in host.run("ip", "-br", "link").splitlines() if w.startswith("warren")]
    return rules + routes + links


def state_and_life(host):
    d = Daemon(host).start()
    try:
        check("it needs a login at first", d.status()["BackendState"] == "NeedsLogin")
        check("the socket is open to all: who may do what is decided by uid",
              stat.S_IMODE(os.stat(d.socket).st_mode) == 0o666)
        status = open(f"/proc/{d.child.pid}/status").read()
        caps = int(re.search(r"CapEff:\s+(\w+)", status).group(1), 16)
        check("of the capabilities only those for networks are left", caps & ~(1 << 12 | 1 << 13 | 1 << 10) == 0, hex(caps))
        check("a second daemon on the same socket gives up",
              subprocess.run(host.argv(WARREND, "--statedir", d.dir + "/x", "--socket", d.socket, "--tun", "warren1", "--port", "0"),
                             capture_output=True, timeout=10).returncode == 1)
        check("SIGTERM ends it with status 0", d.stop() is None and d.child.returncode == 0)
        check("nothing is left in the system", traces(host) == [] and not os.path.exists(d.socket), traces(host))
    finally:
        d.close()


def relay_metric(host, hub, name):
    text = host.run("python3", "-c", "import urllib.request as u; print(u.urlopen(%r).read().decode())" % f"{hub.url}/metrics")
    return int(re.search(rf"^warren_relay_{name}_total (\d+)$", text, re.M).group(1))


def login(host):
    hub = WarrenHub(host, "127.0.0.1")
    d = Daemon(host, ["--debug", "127.0.0.1:9411"])
    try:
        hub.start()
        key = hub.auth_key("--reusable")
        d.start()
        d.up(hub.url, key)
        path = os.path.join(d.dir, "warrend.state")
        check("the state file is for its owner only", stat.S_IMODE(os.stat(path).st_mode) == 0o600)
        text = open(path).read()
        check("and has the form of the original's", text == json.dumps(json.loads(text), indent=2, sort_keys=True), text[:300])
        names = {"_machinekey", "_profiles", "_current-profile"}
        check("it names keys as the original does", wait_for("a thread writes them", lambda: names <= set(d.state())))
        ip = d.ip()
        check("addresses, routes and rules are there", "100.64" in host.run("ip", "addr", "show", "warren0") and
              any("lookup 52" in r for r in traces(host)))
        wait_for("the relay is connected", lambda: relay_metric(host, hub, "accepted") > 0)
        check("the relay's key is read from its certificate, and no answer waited for", relay_metric(host, hub, "fast_starts") ==
              relay_metric(host, hub, "accepted") > 0)
        hostile(d, host)
        d.stop("KILL")
        check("a killed daemon leaves rules", traces(host) != [])
        check("--cleanup undoes them", subprocess.run(host.argv(WARREND, "--cleanup")).returncode == 0 and traces(host) == [],
              traces(host))
        before = d.state()
        d.start()
        wait_for("it runs again", lambda: d.status()["BackendState"] == "Running")
        check("a restart is the same device", d.ip() == ip and d.state()["_machinekey"] == before["_machinekey"] and
              len(hub.nodes()) == 1)
        hub.stop()
        os.unlink(os.path.join(hub.state, "noise.key"))
        hub.start()
        changed = lambda: [h for h in d.status()["Health"] or [] if "shows another key than before" in h and "--force-reauth" in h]  # noqa: E731
        wait_for("the other key is told of", changed)
        check("over plain HTTP a hub with another key is not taken", not d.status()["Self"]["Online"] and
              d.state().get("_warren-hubkey/" + d.state()["_current-profile"][8:]) == before.get("_warren-hubkey/" + before["_current-profile"][8:]))
        p = subprocess.run(host.argv(program("warren"), f"--socket={d.socket}", "up", f"--login-server={hub.url}", "--hostname=" + d.hostname),
                           capture_output=True, text=True, timeout=60)
        check("up says so", "shows another key than before" in p.stdout, p.stdout + p.stderr)
        d.stop()
        d.start()
        wait_for("the other key is told of after a restart", changed)
        check("nor after a restart, and the device goes on with what it knows", d.status()["BackendState"] == "Running" and d.ip() == ip)
        d.up(hub.url, key, "--force-reauth")
        wait_for("the hub with another key is found again", lambda: d.status()["Self"]["Online"])
        wait_for("and kept", lambda: d.state() != before)
        check("a login takes it: the same device", d.ip() == ip and len(hub.nodes()) == 1 and not changed(), d.status()["Health"])
        d.stop()
        with open(path, "w") as f:
            f.write("{broken")
        code = subprocess.run(host.argv(*d.argv), capture_output=True, timeout=10)
        check("a damaged state file is an error, and is left as it is",
              code.returncode == 1 and b"state" in code.stderr and open(path).read() == "{broken", code.stderr)
        ephemeral(host, hub, key)
    finally:
        d.close()
        hub.close()


def ephemeral(host, hub, key):
    before = hub.nodes()
    d = Daemon(host, ["--state=mem:"], statedir=False).start()
    try:
        d.up(hub.url, key)
        check("with --state=mem: there is no file", not os.path.exists(os.path.join(d.dir, "warrend.state")))
        d.stop()
        check("and it logs out when it ends", d.child.returncode == 0 and
              len(hub.nodes()) == len(before), (before, hub.nodes(), d.tail()))
    finally:
        d.close()


def send_raw(path, data):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.settimeout(0.3)
        try:
            s.connect(path)
            s.sendall(data)
            return s.recv(4096)
        except OSError:
            return b""


def hostile(d, host):
    rng = random.Random(7)
    for data in (b"\0" * 5000, b"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                 b"POST /localapi/v0/prefs HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
                 *(b"GET /localapi/v0/status HTTP/1.1\r\n" + rng.randbytes(rng.randrange(2000)) + b"\r\n\r\n" for _ in range(20))):
        send_raw(d.socket, data)
    c = UnixHTTP(d.socket, "local-tailscaled.sock")
    for method, path, body in (("PATCH", "prefs", "{"), ("PATCH", "prefs", '{"AdvertiseRoutes":["x"],"AdvertiseRoutesSet":true}'),
                               ("POST", "start", "[1]"), ("GET", "whois?addr=%00", None), ("POST", "ping?ip=x&type=y", None)):
        c.request(method, "/localapi/v0/" + path, body)
        answer = c.getresponse()
        answer.read()
        check(f"{method} {path} with nonsense is an error of the caller's", 400 <= answer.status <= 500, answer.status)
    c.close()
    blast = (b"\x04\0\0\0" + rng.randbytes(60), b"\x01\0\0\0" + rng.randbytes(144), b"TS\xf0\x9f\x92\xac" + rng.randbytes(90),
             b"\x01\x01\0\0\x21\x12\xa4\x42" + rng.randbytes(40), b"", b"\7", rng.randbytes(1400))
    script = f"import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\nfor i in range(50):\n for b in {blast!r}:\n  s.sendto(b, ('127.0.0.1', 41641))\n"
    before = d.metrics()
    host.run(sys.executable, "-c", script)
    after = wait_for("hostile datagrams were read", lambda: (m := d.metrics()) and
                     int(m["warrend_mesh_udp_in"]) - int(before["warrend_mesh_udp_in"]) >= 300 and m)
    check("hostile datagrams are counted by what they are",
          all(int(after["warrend_" + k]) > int(before["warrend_" + k]) for k in ("mesh_disco_unknown", "mesh_stun_unknown", "wg_bad_mac")),
          {k: v for k, v in after.items() if v != before[k]})
    check("it lives and is still connected", d.alive() and d.status()["BackendState"] == "Running")
    get = "import sys, urllib.request; sys.stdout.write(urllib.request.urlopen(sys.argv[1]).read().decode())"
    debug = host.run(sys.executable, "-c", get, "http://127.0.0.1:9411/debug/metrics")
    check("--debug shows the counters", "warrend_mesh_udp_in " in debug and "# TYPE tailscaled_home_derp_region_id gauge" in debug)


def taken_over(host):
    """The state of the daemon that we replace."""
    d = Daemon(host)
    decoded = fixture("state_file_after_login.json")["decoded"]
    decoded["something-else"] = "kept"
    d.state_path = os.path.join(d.dir, "tailscaled.state")
    with open(d.state_path, "w") as f:
        json.dump({k: base64.b64encode((v if isinstance(v, str) else json.dumps(v)).encode()).decode() for k, v in decoded.items()}, f)
    profile = decoded["_current-profile"]
    try:
        d.start()
        code, body = d.local("GET", "prefs")
        prefs = json.loads(body)
        check("the state of tailscaled is taken over", code == 200 and d.status()["HaveNodeKey"] and
              prefs["ControlURL"] == decoded[profile]["ControlURL"] and prefs["Hostname"] == decoded[profile]["Hostname"], body)
        d.local("PATCH", "prefs", '{"ShieldsUp":true,"ShieldsUpSet":true}')
        d.stop()
        with open(d.state_path) as f:
            now = {k: base64.b64decode(v).decode() for k, v in json.load(f).items()}
        keys = json.loads(now[profile])["Config"]
        check("its keys stay, and what we do not know stays", now["_machinekey"] == decoded["_machinekey"] and
              now["something-else"] == "kept" and json.loads(now[profile])["ShieldsUp"] and
              all(keys[k] == v for k, v in decoded[profile]["Config"].items() if k != "UserProfile"), now)
    finally:
        d.close()


def main():
    flags_and_exit_codes()
    if os.geteuid() == 0:
        net = Net()
        try:
            host = net.host("box")
            state_and_life(host)
            login(host)
            taken_over(host)
        finally:
            net.close()
    print(f"1..{len(results)}")
    return 0 if all(results) else 1


sys.exit(main())
