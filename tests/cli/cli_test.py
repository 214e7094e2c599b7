#!/usr/bin/env python3
"""The command line, against the made-up daemon: its flags, exit codes, texts and JSON beside what `tailscale` 1.102.5 was
recorded to have and to say; then what is ours: refusals of "up" by the vectors of the original, tables, terminals. Lists what
is not there yet, by name.

Usage: cli_test.py WARREN LAPI-FAKE [TAILSCALE]
With an official `tailscale` program (tests/interop/bin has one after make interop), both are run side by side, too. Prints TAP."""
import fcntl, json, os, pty, re, select, shlex, struct, subprocess, sys, tempfile, termios, time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "api"))
from lapi_client import ask
from shapes import differences, shape

FIXTURES = os.path.join(HERE, "..", "fixtures", "cli")
API = "/localapi/v0/"
WARREN, FAKE = sys.argv[1:3]
OFFICIAL = os.path.join(HERE, "..", "interop", "bin", "1.102.5", "tailscale")
results = []

# Said otherwise on purpose: the first words of the command line, and why.
OTHER_WORDS = {
    "dns": "the explanations are our own",
    "version": "the version is our own",
    "debug": "a debugging aid, not a stable interface",
    "bogus": "",
}


def check(name, ok, why=()):
    results.append(bool(ok))
    print(f"{'ok' if ok else 'not ok'} {len(results)} - {name}", flush=True)
    for line in [why] if isinstance(why, str) else why:
        if not ok:
            print("#   " + line.replace("\n", "\n#   "), flush=True)


def load(name):
    with open(os.path.join(FIXTURES, name)) as f:
        return [json.loads(line) for line in f]


class Daemon:
    """A fresh made-up daemon in one of the recorded states."""

    def __init__(self, state="running"):
        self.dir = tempfile.TemporaryDirectory()
        self.socket = os.path.join(self.dir.name, "s")
        self.p = subprocess.Popen([FAKE, self.socket])
        end = time.monotonic() + 10
        while not self.answers() and time.monotonic() < end:
            time.sleep(0.005)
        if state == "needslogin":
            ask(self.socket, f"POST {API}logout")
        if state == "stopped":
            self.prefs(WantRunning=False)

    def answers(self):
        try:
            return ask(self.socket, f"GET {API}prefs")[0] == 200
        except OSError:
            return False

    def prefs(self, **values):
        edit = dict(values, **{k + "Set": True for k in values if k != "AutoUpdate"})
        status, _, body = ask(self.socket, f"PATCH {API}prefs", json.dumps(edit))
        assert status == 200, body
        return json.loads(body)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.p.terminate()
        self.p.wait()
        self.dir.cleanup()


def run(socket, *args, program=None, env=None, stdin=b""):
    p = subprocess.run([program or WARREN, f"--socket={socket}", *args], input=stdin, capture_output=True, timeout=30,
                       env={**os.environ, "USER": "root", **(env or {})})
    return p.returncode, p.stdout.decode(), p.stderr.decode()


def as_ours(text):
    """What the original would have said had it our name."""
    return text.replace("tailscaled", "warrend").replace("tailscale ", "warren ").replace("'tailscale'", "'warren'") \
        .replace("tailscale:", "warren:").replace("Tailscale", "Warren")


# ---- flags ----

def help_of(words):
    text = run("/nowhere", *words, "--help")[2]
    flags = {}
    for m in re.finditer(r"^  --(\S+?)(?:, --\S+=false| value)\n    \t(.*)$", text, re.M):
        d = re.search(r"\(default (.*)\)$", m.group(2))
        flags[m.group(1)] = d.group(1) if d else ""
    subs = re.search(r"SUBCOMMANDS\n((?:  .*\n)*)", text)
    return flags, [line.split()[0] for line in subs.group(1).splitlines()] if subs else []


def test_flags():
    rows = {r["path"]: r for r in load("commands.jsonl")}
    top = help_of([])[1] + ["debug"]
    missing, missing_flags, wrong, n = [], [], [], 0
    for path, r in rows.items():
        words = path.split()[1:]
        if not words:
            continue
        if words[0] not in top:
            missing.append(path.removeprefix("tailscale ")) if len(words) == 1 and not r["hidden"] else None
            continue
        if len(words) > 1 and words[1] not in help_of(words[:1])[1]:
            missing.append(" ".join(words)) if not r["hidden"] else None
            continue
        flags = help_of(words)[0]
        for name, f in r["flags"].items():
            if f.get("hidden"):
                continue
            n += 1
            default = "" if f["default"] in ("false", "[]") else f["default"]
            if name not in flags:
                missing_flags.append(f"{' '.join(words)} --{name}")
            elif flags[name] != default:
                wrong.append(f"{' '.join(words)} --{name}: default {flags[name]!r}, recorded {default!r}")
    check(f"flags have the recorded names and defaults ({n} flags)", not wrong and n - len(missing_flags) > 100, wrong)
    print(f"# vectors: cli/commands.jsonl flags: {n - len(missing_flags)} cases")
    print("# skipped: commands not there yet: " + ", ".join(missing))
    print("# skipped: flags not there yet: " + ", ".join(missing_flags))


# ---- recorded runs ----

def compare_run(socket, r, wrong):
    code, out, err = run(socket, *r["argv"])
    line = f"{r['state']}: {' '.join(r['argv'])}"
    if code != r["exit"]:
        wrong.append(f"{line}: exit {code}, recorded {r['exit']}: {err[:200]}")
        return
    if "shape" in r and code == 0:
        try:
            ours = shape(json.loads(out))
        except ValueError:
            wrong.append(f"{line}: not JSON: {out[:80]!r}")
            return
        wrong += [f"{line}{d}" for d in differences(ours, r["shape"], [r["shape"]], "", "netmap" in r["argv"])]
    elif r["exit"] != 0 and r["argv"] and r["argv"][0] not in OTHER_WORDS:
        for name, ours in ("stdout", out), ("stderr", err):
            if name in r and as_ours(r[name]) != ours:
                wrong.append(f"{line}: {name} {ours!r}, recorded {r[name]!r}")


# What the recording had and the made-up daemon has not, and the other way round.
NOT_COMPARED = ("h2", "h3", "h1", "nope.tail.test", "x2", "100.64.0.1", "exit-node", "--exit-node", "--hostname=foo",
                "peer-endpoint-changes", "--login-server", "watch-ipn", "netmap",
                "--assert", "wait", "100.64.0.5", "--relay-server-port")


def test_recorded_runs():
    rows = load("runs.jsonl")
    missing = set()
    wrong, n = [], 0
    known = set(help_of([])[1] + ["debug"])
    for state in "needslogin", "running", "stopped":
        for r in rows:
            words = r["argv"]
            if r["state"] != state or any(a.startswith(NOT_COMPARED) for a in words):
                continue
            group = words[0] if words and words[0] in ("debug", "dns", "exit-node") else None
            if group and len(words) > 1 and words[1] not in help_of([group])[1] and "nope" not in words[1]:
                missing.add(" ".join(words[:2]))
                continue
            with Daemon(state) as d:
                before = len(wrong)
                compare_run(d.socket, r, wrong)
                n += 1
                if len(wrong) > before and any("flag provided but not defined" in w for w in wrong[before:]):
                    del wrong[before:]
                    missing.add(" ".join(words))
    check(f"exit codes, errors and JSON are those that were recorded ({n} runs)", not wrong and n > 60, wrong)
    print(f"# vectors: cli/runs.jsonl runs: {n} cases")
    print("# skipped: runs of what is not there yet: " + ", ".join(sorted(missing)))


def test_without_daemon():
    wrong = []
    for r in load("runs.jsonl"):
        if r["state"] == "nodaemon" and r["argv"][0] in ("status", "up", "ip", "down", "set", "version", "ping", "dns", "wait"):
            args = ["set", "--shields-up"] if r["argv"][0] == "set" else r["argv"]
            code, out, err = run("/nowhere/s", *args)
            hint = r["argv"][0] == "wait" or "Start it with" in err
            if code != r["exit"] or out or not hint:
                wrong.append(f"{r['argv']}: {code} {out!r} {err!r}")
    check("without a daemon every command fails and says what to do", not wrong, wrong)


# ---- up ----

EVERYTHING = dict(ControlURL="https://controlplane.tailscale.com", CorpDNS=False, RouteAll=True, ShieldsUp=True, Hostname="myhostname",
                  AdvertiseRoutes=["0.0.0.0/0", "::/0", "10.0.0.0/16"], AdvertiseTags=["tag:foo", "tag:bar"],
                  ExitNodeIP="100.64.5.6", NetfilterMode=1, OperatorUser="alice")
DEFAULT = "https://controlplane.tailscale.com"

# The vectors of the original, on its default server: flags, preferences of now, what it asks to be run instead.
RESTATE = [
    (["--accept-dns"], dict(Hostname="foo"), " --accept-dns --hostname=foo", {}),
    (["--hostname=foo"], dict(OperatorUser="alice"), " --hostname=foo --operator=alice", {"USER": "eve"}),
    (["--hostname=foo"], dict(OperatorUser="alice"), None, {"USER": "alice"}),
    (["--advertise-routes=10.0.42.0/24"], dict(AdvertiseRoutes=["10.0.42.0/24", "0.0.0.0/0", "::/0"]),
     " --advertise-routes=10.0.42.0/24 --advertise-exit-node", {}),
    (["--hostname=foo"], dict(ExitNodeID="n3", ExitNodeAllowLANAccess=True),
     " --hostname=foo --exit-node-allow-lan-access --exit-node=100.64.0.3", {}),
    (["--force-reauth"], EVERYTHING, " --force-reauth --accept-dns=false --accept-routes --advertise-exit-node "
     "--advertise-routes=10.0.0.0/16 --advertise-tags=tag:foo,tag:bar --exit-node=100.64.5.6 --hostname=myhostname "
     "--netfilter-mode=nodivert --operator=alice --shields-up", {"USER": "eve"}),
    (["--hostname=it's"], dict(ShieldsUp=True), None, {}),
    (["--accept-routes"], dict(NoStatefulFiltering=False), None, {}),
    (["--accept-routes"], dict(ControlURL=""), None, {}),
    (["--accept-routes"], dict(ControlURL="https://login.tailscale.com", ProfileName="x"), None, {}),
    (["--accept-routes", "--reset"], dict(Hostname="foo"), None, {}),
]


def test_restate():
    wrong = []
    for flags, prefs, suffix, env in RESTATE:
        with Daemon() as d:
            d.prefs(**dict(dict(ControlURL=DEFAULT), **prefs))
            code, _, err = run(d.socket, "up", *flags, env=env)
            if suffix is None:
                fine = "requires mentioning all" not in err
            else:
                fine = code == 1 and err.startswith("Error: changing settings via 'warren up' requires mentioning all\n") and \
                    err.endswith(f"\n\n\twarren up{suffix}\n\n")
            if not fine:
                wrong.append(f"up {flags} on {prefs}: {code} {err}")
    check(f"up refuses to drop settings, by the original's vectors ({len(RESTATE)} cases)", not wrong, wrong)


def test_up():
    with Daemon("needslogin") as d:
        code, out, err = run(d.socket, "up", "--login-server=https://hub.test", "--timeout=300ms", "--qr", env={"LC_ALL": "C"})
        check("up shows the login page, with a QR code when asked, and gives up in time", code == 1 and
              err.startswith("\nTo authenticate, visit:\n\n\thttps://hub.test/login/abc\n\n##########") and
              err.endswith('timeout waiting for Warren service to enter a Running state; check health with "warren status"\n'), err)
        code, out, _ = run(d.socket, "up", "--login-server=https://hub.test", "--timeout=300ms", "--json")
        doc = json.loads(out)
        check("up --json tells the page and its picture", code == 1 and doc["AuthURL"] == "https://hub.test/login/abc" and
              doc["QR"].startswith("data:image/png;base64,iVBOR") and doc["BackendState"] == "NeedsLogin" and "\n\t" in out)
        key = os.path.join(d.dir.name, "key")
        with open(key, "w") as f:
            f.write("  tskey-auth-x\n")
        check("up with a key from a file connects without a word",
              run(d.socket, "up", "--login-server=https://hub.test", f"--auth-key=file:{key}") == (0, "", ""))
        check("and up again has nothing to do", run(d.socket, "up", "--login-server=https://hub.test") == (0, "", ""))
        # The original refuses every other address; ours follows a hub that moved, and leaves a hub only when that is said.
        code, _, err = run(d.socket, "up", "--login-server=https://other.test", "--auth-key=k")
        check("with a key for another hub, up does not leave the one there is", code == 1 and "without --force-reauth" in err, err)
        # The original refuses: "can't change --login-server", though nobody asked it to.
        check("nor has up without flags", run(d.socket, "up") == (0, "", ""))
    with Daemon("needslogin") as d:
        check("the old name of the flag and the environment are known, too",
              run(d.socket, "up", "--authkey=k", "--login-server=https://hub.test") == (0, "", "") and
              run(d.socket, "logout")[0] == 0 and
              run(d.socket, "up", "--login-server=https://hub.test", env={"WARREN_AUTH_KEY": "k"}) == (0, "", ""))
        check("a key file that is not there is an error", run(d.socket, "up", "--auth-key=file:/nowhere/k")[0] == 1)


def test_ping_path():
    with Daemon() as d:
        check("ping ends with the first direct answer", run(d.socket, "ping", "near") ==
              (0, "pong from near (100.64.0.2) via 198.51.100.2:41641 in 0s\n", ""))
        code, out, err = run(d.socket, "ping", "--c=1", "far")
        check("and fails when there is none", (code, out, err) ==
              (1, "pong from far (100.64.0.3) via DERP(lab) in 31ms\n", "direct connection not established\n"))
        code, out, err = run(d.socket, "ping", "--c=2", "--timeout=100ms", "100.64.0.99")
        check("an answer that does not come is said so", (code, out, err) ==
              (1, 'ping "100.64.0.99" timed out\n' * 2, "no reply\n"))


STATUS = ("100.64.0.1  me    anna@           linux  -                                                    \n"
          "100.64.0.3  far   tagged-devices  linux  idle; offers exit node; offline, last seen AGO  \n"
          "100.64.0.2  near  anna@           linux  active; direct 198.51.100.2:41641, tx 2000 rx 1000   \n")


def on_terminal(columns, socket, *args):
    """The output on a terminal of that width."""
    main, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    p = subprocess.Popen([WARREN, f"--socket={socket}", *args], stdin=child, stdout=child, stderr=child)
    os.close(child)
    out = b""
    while True:
        try:
            more = os.read(main, 65536) if select.select([main], [], [], 10)[0] else b""
        except OSError:
            more = b""
        if not more:
            break
        out += more
    p.wait()
    os.close(main)
    return out.decode().replace("\r\n", "\n")


def test_tables():
    with Daemon() as d:
        out = re.sub(r"last seen \d+d ago", "last seen AGO", run(d.socket, "status")[1])
        same = [re.sub(r" +$", "", line) for line in out.splitlines()] == [re.sub(r" +$", "", line) for line in STATUS.splitlines()]
        widths = {len(line) for line in run(d.socket, "status")[1].splitlines()}
        check("status lists this device first, then the others by name, in columns", same and len(widths) == 1, out)
        narrow = on_terminal(70, d.socket, "status")
        check("on a terminal no line ends in blanks", not re.search(r" \n", narrow), narrow)
        check("and names give way before lines break", "tagged-…" in narrow or max(map(len, narrow.splitlines())) <= 70, narrow)


NETCHECK = """
Report:
	* Time: 2026-05-28 20:26:40Z
	* UDP: true
	* IPv4: yes, 203.0.113.5:41641
	* IPv6: no, but OS has support
	* MappingVariesByDestIP: false
	* PortMapping: not checked
	* Nearest DERP: Lab
	* DERP latency:
		- lab: 12.3ms  (Lab)
"""


def test_netcheck():
    with Daemon() as d:
        check("netcheck shows what the daemon found", run(d.socket, "netcheck") == (0, NETCHECK, ""), run(d.socket, "netcheck")[1])
        code, out, err = run(d.socket, "netcheck", "--format=json-line")
        recorded = next(r for r in load("runs.jsonl") if r["argv"] == ["netcheck", "--format=json-line"] and r["exit"] == 0)
        found = differences(shape(json.loads(out)), recorded["shape"], [recorded["shape"]])
        check("and as JSON with the recorded fields", code == 0 and not found and out.count("\n") == 1, found)


def test_help():
    code, out, err = run("/nowhere")
    check("without a command the help is shown and the exit code is 0", code == 0 and not out and "SUBCOMMANDS" in err)
    check("a flag that is not known is exit code 2, with the help", run("/nowhere", "status", "--nope")[0] == 2)
    codes = {a: run("/nowhere", a)[0] for a in ("version", "--version", "-V", "help", "--help", "nope")}
    check("version and help need no daemon", codes == {"version": 0, "--version": 2, "-V": 2, "help": 1, "--help": 0, "nope": 1}, str(codes))
    alone = {a: subprocess.run([WARREN, a], capture_output=True).returncode for a in ("--version", "-V", "help", "--help")}
    check("alone, the usual spellings work", set(alone.values()) == {0}, str(alone))
    with Daemon() as d:
        p = subprocess.run([WARREN, "ip", "-4"], capture_output=True, env=dict(os.environ, WARREN_SOCKET=d.socket))
        check("the environment names the socket", p.stdout == b"100.64.0.1\n")
        check("version --daemon tells of both", "Daemon: " in run(d.socket, "version", "--daemon")[1])


def test_rights():
    if os.getuid() != 0:
        return print(f"ok {len(results) + 1} - other users # SKIP only root can be another user") or results.append(True)
    with Daemon() as d:
        for path in (d.dir.name,):
            os.chmod(path, 0o755)
        if subprocess.run([WARREN, "version"], user=65534, group=65534, capture_output=True).returncode != 0:
            results.append(True)
            return print(f"ok {len(results)} - other users # SKIP another user cannot run the program where it is")
        p = subprocess.run([WARREN, f"--socket={d.socket}", "down"], user=65534, group=65534, capture_output=True)
        check("who may not is told how to", p.returncode == 1 and p.stderr.decode().startswith("Access denied: prefs write access denied\n\n"
              "Use 'sudo warren --socket=") and b"set --operator=$USER' once.\n" in p.stderr, p.stderr.decode())


# ---- side by side with the official program ----

SIDE_BY_SIDE = """status
status --header --peers=false
status --active --self=false
whois 100.64.0.3
whois 100.64.0.2
whoami
ip
ip far
ip --assert=1.2.3.4
get
get --json
get --set-flags
get bogus
ping --c=2 far
ping --tsmp near
ping 100.64.0.77
set --shields-up; get shields-up
set --advertise-routes=10.0.0.1/8
set --exit-node=far; get exit-node; set --exit-node=; get exit-node
set --exit-node=near
set --exit-node=100.64.0.50
set --exit-node=100.64.0.3; up --hostname=x
up --hostname=x --shields-up --accept-dns=false
up --login-server=https://hub.test --hostname='a b'
up --reset --login-server=https://hub.test
up --exit-node-allow-lan-access --login-server=https://hub.test
down; down; status; ping near; up; status
logout; status; up --login-server=https://hub.test --auth-key=abc; status
logout; up --login-server=https://hub.test --timeout=500ms
switch --list
switch --list --json
switch x
login --timeout=500ms; switch f4b1
bugreport
exit-node list
dns status --json
up --json --json
status --bogus"""


def test_side_by_side(official):
    wrong = []
    for line in SIDE_BY_SIDE.splitlines():
        said = []
        for program in official, WARREN:
            with Daemon() as d:
                steps = []
                for command in line.split("; "):
                    code, out, err = run(d.socket, *shlex.split(command), program=program)
                    err = "".join(e for e in err.splitlines(True) if not e.startswith("Warning: client version"))
                    if "--bogus" in command or "--json --json" in command:
                        err = err.splitlines()[0]
                    steps.append((command, code, out, err))
                said.append(steps)
        theirs = [(c, code, as_ours(out) if not out.startswith(("{", "[")) else out, as_ours(err)) for c, code, out, err in said[0]]
        theirs = [tuple(x.replace(" `tailscale ", " `warren ") if isinstance(x, str) else x for x in step) for step in theirs]
        if theirs != said[1]:
            wrong.append("\n".join(f"{a}\n{b}" for a, b in zip(theirs, said[1]) if a != b))
    check(f"side by side with {os.path.basename(official)} ({len(SIDE_BY_SIDE.splitlines())} scripts)", not wrong, wrong)


def main():
    for test in (test_help, test_flags, test_recorded_runs, test_without_daemon, test_restate, test_up, test_ping_path, test_netcheck, test_tables,
                 test_rights):
        test()
    official = sys.argv[3] if len(sys.argv) > 3 else OFFICIAL
    if os.path.exists(official):
        test_side_by_side(official)
    else:
        results.append(True)
        print(f"ok {len(results)} - side by side # SKIP no official tailscale here")
    print(f"1..{len(results)}")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
