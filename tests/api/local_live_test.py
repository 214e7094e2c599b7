#!/usr/bin/env python3
"""The real daemon in a small network: its local API beside the recordings, driven by our command line and by the official one.

    a 198.51.100.21 (warrend) ---+--- internet --- hub
    b 198.51.100.22 (warrend) ---+

Usage: local_live_test.py WARREND. Needs root; the official part needs tests/interop/bin (make interop). Prints TAP."""
import os
import re
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
os.environ["WARREN_BIN"] = os.path.dirname(os.path.dirname(os.path.abspath(sys.argv[1])))
sys.path.insert(0, os.path.join(HERE, "..", "lab"))
import topologies  # noqa: E402
from nodes import WarrenHub, WarrenNode, program, wait_for  # noqa: E402
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
from tap import check, results  # noqa: E402

OFFICIAL = {v: os.path.join(HERE, "..", "interop", "bin", v, "tailscale")
            for v in ("1.102.5", "1.80.3")}


def cli(node, command, prog):
    p = subprocess.run(node.host.argv(prog, f"--socket={node.socket}", *command), capture_output=True, text=True, timeout=60)
    err = "".join(line for line in p.stderr.splitlines(True) if not line.startswith("Warning: client version"))
    return p.returncode, p.stdout, err


# What a person does in a day: command and exit code, with {b} the other node's address.
DAY = [("status", 0), ("ip", 0), ("ip -4 beta", 0), ("ping beta", 0), ("ping --tsmp beta", 0), ("ping --icmp beta", 0),
       ("whois {b}", 0), ("set --shields-up", 0), ("get shields-up", 0), ("set --shields-up=false", 0), ("down", 0), ("status", 1),
       ("up", 0), ("status --json", 0), ("switch --list", 0), ("dns status", 0), ("metrics", 0), ("bugreport", 0), ("set --exit-node=beta", 1),
       ("logout", 0), ("status", 1), ("up --login-server={url} --auth-key={key} --hostname=alpha --timeout=30s", 0), ("status", 0)]


def a_day(node, other, hub, prog, name):
    values = {"b": other.ip(), "url": hub.url, "key": hub.auth_key("--reusable")}
    wrong = []
    for command, want in DAY:
        if command.startswith("get ") and name.endswith(" 1.80.3"):
            continue  # came later
        code, out, err = cli(node, command.format(**values).split(), prog)
        if code != want:
            wrong.append(f"{command}: {code} {out}{err}")
    check(f"a day with {name} ({len(DAY)} commands)", not wrong, "\n".join(wrong))


def session(t):
    hub, a, b = WarrenHub(t.hub, topologies.HUB4), WarrenNode(t.a, "alpha"), WarrenNode(t.b, "beta")
    try:
        for p in hub, a, b:
            p.start()
        calls(hub, a, b)
    finally:
        for p in b, a, hub:
            p.close()


def calls(hub, a, b):
    code, out, err = cli(a, ["up", f"--login-server={hub.url}", "--timeout=200ms"], program("warren"))
    check("up without a key shows the hub's page", code == 1 and re.search(rf"\n\t{re.escape(hub.url)}/\S+\n", err), err)
    key = hub.auth_key("--reusable")
    for n in a, b:
        n.up(hub.url, key)
    wait_for("the two see each other", lambda: a.peer(b.ip()) and b.peer(a.ip()))
    p = subprocess.run([sys.executable, os.path.join(HERE, "local_api_test.py"), f"--socket={a.socket}"], capture_output=True, text=True)
    check("the local API of the daemon is as recorded", p.returncode == 0, p.stdout + p.stderr)
    print("\n".join(line for line in p.stdout.splitlines() if line.startswith("# ")))
    a_day(a, b, hub, program("warren"), "warren")
    begin = time.monotonic()
    code = cli(b, ["logout"], program("warren"))[0]
    check("logging out takes no longer than the hub does", code == 0 and time.monotonic() - begin < 3 and
          b.status()["BackendState"] == "NeedsLogin")
    b.up(hub.url, key)
    wait_for("the two see each other again", lambda: a.peer(b.ip()))
    for version, prog in OFFICIAL.items():
        if os.path.exists(prog):
            a_day(a, b, hub, prog, f"tailscale {version}")
        else:
            results.append(True)
            print(f"ok {len(results)} - a day with tailscale {version} # SKIP it is not here")


def main():
    if os.getuid() != 0:
        print("1..0 # SKIP network namespaces need root")
        return 0
    t = topologies.no_nat()
    try:
        session(t)
    finally:
        t.net.close()
    print(f"1..{len(results)}")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
