#!/usr/bin/env python3
"""Every wait of the command line: what it waits for is there already, passes by, comes back, comes last, or never comes; or the
daemon hangs. Against a daemon made of a script, then live: our daemon and the official one with a hub.

Usage: waits_test.py WARREN WARREND. The live part needs root. Prints TAP."""
import json
import os
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "lab"))
WARREN = os.path.abspath(sys.argv[1])
os.environ["WARREN_BIN"] = os.path.dirname(os.path.dirname(os.path.abspath(sys.argv[2])))
from scripted import NEW, OLD, Scripted  # noqa: E402
import topologies  # noqa: E402
from nodes import TailscaleNode, WarrenHub, WarrenNode, wait_for  # noqa: E402
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
from tap import check, results  # noqa: E402

OFFICIAL = os.path.join(HERE, "..", "interop", "bin", "1.102.5")
PATIENCE = 20  # of the test; no command here may need so long


def run(socket, *args, argv=lambda *a: list(a)):
    """(exit code, output, seconds); None: it never returned."""
    begin = time.monotonic()
    try:
        p = subprocess.run(argv(WARREN, f"--socket={socket}", *args), capture_output=True, text=True, timeout=PATIENCE,
                           env={**os.environ, "USER": "root"})
    except subprocess.TimeoutExpired as e:
        return None, str(e.stdout) + str(e.stderr), PATIENCE
    text = "".join(line for line in (p.stdout + p.stderr).splitlines(True) if not line.startswith("Warning: client version"))
    return p.returncode, text, time.monotonic() - begin


def steps(d, *what):
    """What happens in the daemon once the login is asked for."""
    def go():
        for w in what:
            w(d)
    return go


def to(state=None, key=None, tell=True):
    return lambda d: d.become(state, key, tell)


def later(*what):
    """After the command has begun to wait: its bus is open, and it has asked for the status."""
    def go(d):
        seen = d.count("status")

        def act():
            end = time.monotonic() + PATIENCE
            while d.count("status") <= seen and time.monotonic() < end:
                time.sleep(0.01)
            for w in what:
                w(d)
        threading.Thread(target=act, daemon=True).start()
    return go


REAUTH = ("up", "--force-reauth", "--login-server=https://hub.test", "--timeout=10s")
# name, command, the daemon at first, what happens at the login (or the start, or the edit), exit code
CASES = [
    ("the new key is there before anybody asks, and the state does not change", REAUTH, {}, "login-interactive", (to(key=NEW, tell=False),), 0),
    ("the new key comes, and the state does not change", REAUTH, {}, "login-interactive", (later(to(key=NEW)),), 0),
    ("the new key comes unannounced", REAUTH, {}, "login-interactive", (later(to(key=NEW, tell=False)),), 0),
    ("the key comes after the state", REAUTH, {}, "login-interactive", (later(to("Starting"), to("Running"), to(key=NEW)),), 0),
    ("the key comes before the state", REAUTH, {}, "login-interactive", (later(to("Starting"), to(key=NEW), to("Running")),), 0),
    ("approval comes and goes before it is connected", REAUTH, {}, "login-interactive",
     (later(to("Starting", NEW), to("NeedsMachineAuth"), to("Starting"), to("Running")),), 0),
    ("it was connected for a moment only", ("up", "--auth-key=x", "--login-server=https://hub.test", "--timeout=10s"), {"state": "NeedsLogin", "key": None},
     "start", (to("Starting", NEW), to("Running"), to("Starting", tell=False)), 0),
    ("it is connected before the start is answered", ("up", "--auth-key=x", "--login-server=https://hub.test", "--timeout=10s"),
     {"state": "NeedsLogin", "key": None}, "start", (to("Running", NEW, tell=False),), 0),
    ("up without flags, connected at once", ("up",), {"state": "Stopped"}, "prefs", (to("Running", tell=False),), 0),
    ("up without flags, connected later and unannounced", ("up",), {"state": "Stopped"}, "prefs",
     (to("Starting"), later(to("Running", tell=False))), 0),
    ("up without flags, and it is connected already", ("up",), {}, "none", (), 0),
    ("login, connected at once", ("login", "--auth-key=x", "--login-server=https://hub.test", "--timeout=10s"), {"state": "NeedsLogin", "key": None}, "start",
     (to("Running", NEW, tell=False),), 0),
    ("the new key never comes", ("up", "--force-reauth", "--login-server=https://hub.test", "--timeout=500ms"), {}, "none", (), 1),
    ("it never connects", ("up", "--auth-key=x", "--login-server=https://hub.test", "--timeout=500ms"), {"state": "NeedsLogin", "key": None}, "start",
     (to("Starting", NEW),), 1),
    ("somebody stops it meanwhile", REAUTH, {}, "login-interactive", (later(to("Stopped")),), 1),
    ("the login fails", REAUTH, {}, "login-interactive", (later(lambda d: d.bus.put({"ErrMessage": "no"})),), 1),
    ("the daemon ends", REAUTH, {}, "login-interactive", (later(lambda d: d.bus.put(None)),), 1),
]


def scripted():
    for name, command, first, at, what, want in CASES:
        with Scripted(**first) as d:
            armed = []
            hook = steps(d, *what)
            d.hooks[at] = lambda: armed.append(1) or (hook() if len(armed) == (2 if at == "prefs" else 1) else None)
            code, text, took = run(d.socket, *command)
        check(f"{command[0]}: {name}: exit {want}", code == want and took < 9, f"{code} after {took:.1f} s: {text}")


def tags():
    argv = ("up", "--login-server=https://hub.test", "--advertise-tags=tag:a", "--timeout=10s")
    with Scripted() as d:
        d.hooks["login-interactive"] = lambda: later(lambda d: d.bus.put({"BrowseToURL": "https://hub.test/register/x"}), to(key=NEW))(d)
        code, text, _ = run(d.socket, *argv)
        check("up with other tags logs in, says so and waits for it", code == 0 and d.count("login-interactive") == 1 and
              "The tags of a device change with a login" in text and "https://hub.test/register/x" in text, text)
    with Scripted(prefs={"AdvertiseTags": ["tag:a"]}) as d:
        d.tags = ["tag:a"]
        code, text, _ = run(d.socket, *argv)
        check("with those that it has it changes nothing", (code, text) == (0, "") and not d.count("login-interactive"), text)
    with Scripted(prefs={"AdvertiseTags": ["tag:a"]}) as d:
        d.hooks["login-interactive"] = lambda: d.become(key=NEW)
        code, text, _ = run(d.socket, *argv)
        check("with those that were asked for and never given it asks again", code == 0 and d.count("login-interactive") == 1, text)
    with Scripted() as d:
        d.health = ["The hub refused a setting of this device: too many"]
        code, text, _ = run(d.socket, "up", "--login-server=https://hub.test", "--timeout=10s")
        check("a setting that the hub refused is said, and is a failure", code == 1 and "refused a setting" in text, text)


def expired():
    with Scripted("Stopped") as d:
        d.hooks["prefs"] = lambda: d.count("prefs") == 2 and d.become("NeedsLogin")
        d.hooks["login-interactive"] = lambda: d.become("Running", NEW)
        code, text, _ = run(d.socket, "up")
        check("up on a device whose key has expired asks for a login, once", code == 0 and d.count("login-interactive") == 1, text)


def hangs():
    for command in (("up", "--timeout=300ms"), ("wait", "--timeout=300ms"), ("up", "--auth-key=x", "--login-server=https://hub.test", "--timeout=300ms")):
        for where in ("*", "watch-ipn-bus") if command[0] == "up" else ("*", "status"):
            with Scripted("Stopped") as d:
                d.hang.add(where)
                code, text, took = run(d.socket, *command)
            check(f"{' '.join(command)}: a daemon that hangs at {where} does not hold it", code == 1 and took < 5 and text,
                  f"{code} after {took:.1f} s: {text}")


def others():
    with Scripted("Starting") as d:
        timer = threading.Timer(0.3, lambda: d.become("Running", tell=False))
        timer.start()
        code, text, took = run(d.socket, "wait", "--timeout=10s")
        check("wait: until it is there", code == 0 and 0.2 < took < 5, text)
        check("wait: it is there", run(d.socket, "wait")[0] == 0)
    with Scripted("Starting") as d:
        code, text, took = run(d.socket, "wait", "--timeout=300ms")
        check("wait: it never comes", code == 1 and 0.3 <= took < 3 and "deadline" in text, f"{took} {text}")
    for state, says in (("Running", "Success."), ("Starting", "Success."), ("NeedsLogin", "Logged out."), ("Stopped", "Warren is stopped.")):
        with Scripted("NoState") as d:
            d.hooks["status"] = lambda: d.count("status") > 2 and d.become(state, tell=False)
            code, text, took = run(d.socket, "switch", "two")
            check(f"switch: {state} comes after a while", code == 0 and says in text and took < 5, text)
    with Scripted() as d:
        d.hang.add("ping")
        code, text, took = run(d.socket, "ping", "--c=2", "--timeout=100ms", "192.0.2.1")
        check("ping: answers never come", code == 1 and text.count("timed out") == 2 and took < 6, f"{took} {text}")


# ---- live ----

def live_cli(d, *args):
    return run(d.socket, *args, argv=d.host.argv)


def pending(hub):
    return json.loads(hub.admin("nodes", "pending", "--json"))


def key_of(d):
    return d.status()["Self"]["PublicKey"]


def live(d, hub, name):
    key, settings = hub.auth_key("--reusable"), ["--login-server=" + hub.url, "--hostname=box"]
    if name == "tailscaled":
        settings.append("--accept-dns=false")
    code, text, _ = live_cli(d, "up", *settings, "--auth-key=" + key, "--timeout=15s")
    check(f"{name}: up with a key returns", code == 0, text)
    for i in range(3):
        before = key_of(d)
        code, text, took = live_cli(d, "up", *settings, "--auth-key=" + key, "--force-reauth", "--timeout=15s")
        check(f"{name}: up --force-reauth returns with another key ({i + 1})", code == 0 and key_of(d) != before and took < 14,
              f"{code} after {took:.1f} s: {text}")
    before = key_of(d)
    known = {p["code"] for p in pending(hub)}
    child = subprocess.Popen(d.host.argv(WARREN, f"--socket={d.socket}", "up", *settings, "--force-reauth"), stderr=subprocess.PIPE, text=True)
    try:
        code = wait_for("the login waits", lambda: [p["code"] for p in pending(hub) if p["code"] not in known])[0]
        hub.admin("nodes", "approve", code)
        child.wait(PATIENCE)
        check(f"{name}: up --force-reauth by hand returns when it is approved", child.returncode == 0 and key_of(d) != before,
              child.stderr.read())
    except (subprocess.TimeoutExpired, TimeoutError) as e:
        check(f"{name}: up --force-reauth by hand returns when it is approved", False, f"{e} {d.status()['BackendState']}")
    finally:
        child.kill()
        child.communicate()
    for command in ("down", "up", "up", "down", "up", "wait --timeout=10s"):
        code, text, took = live_cli(d, *command.split())
        check(f"{name}: {command} returns", code == 0 and took < 14, f"{code} after {took:.1f} s: {text}")
    code, text, _ = live_cli(d, "logout")
    check(f"{name}: logout returns", code == 0 and d.status()["BackendState"] == "NeedsLogin", text)
    code, text, took = live_cli(d, "up", *settings, "--timeout=1s")
    check(f"{name}: without a key and an admin the time of up is kept", code == 1 and took < 5 and "/register/" in text, f"{took} {text}")


def official():
    return os.path.exists(os.path.join(OFFICIAL, "tailscaled"))


def box():
    t = topologies.no_nat()
    hub, ours = WarrenHub(t.hub, topologies.HUB4), WarrenNode(t.a, "box")
    theirs = TailscaleNode(t.b, "box", OFFICIAL) if official() else None
    try:
        hub.start()
        ours.start()
        live(ours, hub, "warrend")
        if theirs:
            theirs.start()
            live(theirs, hub, "tailscaled")
        else:
            results.append(True)
            print(f"ok {len(results)} - tailscaled # SKIP it is not here")
    finally:
        for p in filter(None, (theirs, ours, hub)):
            p.close()
        t.net.close()


def main():
    scripted()
    tags()
    expired()
    hangs()
    others()
    if os.getuid() == 0:
        box()
    print(f"1..{len(results)}")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
