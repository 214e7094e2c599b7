#!/usr/bin/env python3
"""A device that calls itself otherwise: by a setting, or because the machine has another name. The hub hears of it at once.

    box: hub 127.0.0.1, warrend in a UTS namespace of its own

Usage: hostname_test.py WARREND. Needs root. Prints TAP."""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
os.environ["WARREN_BIN"] = os.path.dirname(os.path.dirname(os.path.abspath(sys.argv[1])))
sys.path.insert(0, os.path.join(HERE, "..", "lab"))
from net import Net  # noqa: E402
from nodes import WarrenHub, WarrenNode, wait_for  # noqa: E402
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
from tap import check, results  # noqa: E402



def rename_machine(d, name):
    subprocess.run(["nsenter", "-t", str(d.child.pid), "-u", "hostname", name], check=True, capture_output=True)


def heard(hub, name):
    """The hub knows the device by this name within a few seconds."""
    try:
        return wait_for(f"the hub hears of {name}", lambda: [n["hostname"] for n in hub.nodes()] == [name], timeout=5)
    except TimeoutError:
        return False


def names(d, hub):
    rename_machine(d, "first")
    d.cli("up", f"--login-server={hub.url}", f"--auth-key={hub.auth_key()}", "--timeout=30s")
    check("a device is called as its machine is when it joins", heard(hub, "first"), hub.nodes())
    for name in ("second", "third.example", "third.example", "fourth"):
        rename_machine(d, name)
        check(f"the machine is called {name} now, and the hub hears of it", heard(hub, name), hub.nodes())
    wait_for("its own status has it", lambda: d.status()["Self"]["HostName"] == "fourth")
    d.cli("set", "--hostname=wished")
    check("a wish goes before the machine's name", heard(hub, "wished"), hub.nodes())
    rename_machine(d, "fifth")
    rename_machine(d, "sixth")
    check("whatever that becomes", wait_for("the daemon saw it", lambda: "hostname=sixth" in d.tail()) and heard(hub, "wished"), hub.nodes())
    d.cli("set", "--hostname=again")
    check("another wish is told, too", heard(hub, "again"), hub.nodes())
    d.cli("set", "--hostname=")
    check("without a wish it is the machine's name of today", heard(hub, "sixth"), hub.nodes())
    d.cli("down")
    rename_machine(d, "seventh")
    d.cli("up", f"--login-server={hub.url}")
    check("a change while it was down is told when it is up", heard(hub, "seventh"), hub.nodes())


def main():
    if os.getuid() != 0:
        print("1..0 # SKIP network namespaces need root")
        return 0
    net = Net()
    host = net.host("box")
    hub, d = WarrenHub(host, "127.0.0.1"), WarrenNode(host, "box")
    d.argv = ["unshare", "--uts", *d.argv]
    try:
        hub.start()
        d.start()
        names(d, hub)
    finally:
        d.close()
        hub.close()
        net.close()
    print(f"1..{len(results)}")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
