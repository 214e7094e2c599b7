#!/usr/bin/env python3
"""What there is only one of: a second daemon or hub on the same state, socket or interface ends with words and leaves the first one
alone. And the addresses of listeners, as Go's programs take them.

    box: hub 127.0.0.1, warrend

Usage: second_test.py WARREND. Needs root. Prints TAP."""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
os.environ["WARREN_BIN"] = os.path.dirname(os.path.dirname(os.path.abspath(sys.argv[1])))
sys.path.insert(0, os.path.join(HERE, "..", "lab"))
from net import Net  # noqa: E402
from nodes import WarrenHub, WarrenNode, program, wait_for  # noqa: E402
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
from tap import check, results  # noqa: E402



def ends(host, *argv):
    """(exit code, what it said) of a program that is to end by itself; None: it stayed."""
    try:
        p = subprocess.run(host.argv(*argv), capture_output=True, text=True, timeout=5)
        return p.returncode, p.stdout + p.stderr
    except subprocess.TimeoutExpired as e:
        return None, str(e.stderr)


def traces(host):
    return host.run("ip", "rule"), host.run("ip", "route", "show", "table", "52", check=False), host.run("ip", "addr", "show", "warren0")


def second_daemon(host, d):
    before, state = traces(host), os.path.join(d.dir, "warrend.state")
    other = os.path.join(d.dir, "other")
    rows = [
        ("state directory", ["--statedir", d.dir, "--socket", other + ".sock", "--tun", "warren1"], f"another daemon uses this state.*pid={d.child.pid}"),
        ("state file", ["--state", state, "--statedir", other, "--socket", other + ".sock", "--tun", "warren1"], "another daemon uses this state"),
        ("state file, named alone", ["--state", state, "--socket", other + ".sock", "--tun", "warren1"], "another daemon uses this state"),
        ("directory, with another state file", ["--state", other + ".state", "--statedir", d.dir, "--socket", other + ".sock", "--tun", "warren1"],
         "another daemon uses this state"),
        ("socket", ["--statedir", other, "--socket", d.socket, "--tun", "warren1"], "somebody answers there already"),
        ("interface", ["--statedir", other, "--socket", other + ".sock", "--tun", "warren0"], "another daemon has it"),
    ]
    for what, flags, says in rows:
        code, text = ends(host, program("warrend"), *flags, "--port", "0")
        check(f"a second daemon on the same {what} ends with words", code == 1 and re.search(says, text), f"{code} {text}")
        check("and the first one does not notice", traces(host) == before and d.status()["BackendState"] == "Running", traces(host))
    d.stop("KILL")
    d.start()
    check("one that was killed keeps nobody off", wait_for("it runs", lambda: d.status()["BackendState"] == "Running"))


def second_hub(host, hub):
    code, text = ends(host, program("warren-hub"), "serve", "--state-dir", hub.state, "--socket", os.path.join(hub.dir, "x.sock"),
                      "--listen", "127.0.0.1:81", "--url", "http://127.0.0.1:81", "--relay-listen", "off", "--stun-listen", "off")
    check("a second hub on the same state directory ends with words", code == 1 and
          re.search(rf"another hub uses {re.escape(hub.state)} \(process {hub.child.pid}\)", text), f"{code} {text}")
    check("and the first one serves on", hub.ready())
    hub.stop("KILL")
    hub.start()
    check("one that was killed keeps nobody off", hub.ready())


def get(host, url):
    return host.run(sys.executable, "-c", "import sys, urllib.request; sys.stdout.write(urllib.request.urlopen(sys.argv[1]).read().decode())", url)


def addresses(host, scratch):
    for i, (flag, at) in enumerate((("localhost:0", r"127\.0\.0\.1:\d+"), ("127.0.0.1:0", r"127\.0\.0\.1:\d+"), (":0", r"127\.0\.0\.1:\d+"),
                                    ("[::1]:0", r"\[::1\]:\d+"), ("localhost:9412", r"127\.0\.0\.1:9412"))):
        d = WarrenNode(host, f"debug{i}", flags=["--debug=" + flag])
        d.argv[d.argv.index("warren0")], d.argv[d.argv.index("41641")] = "warren2", "0"
        try:
            d.start()
            url = re.search(r"url=(http://%s/debug/metrics)" % at, d.tail())
            check(f"--debug={flag} is taken, and the log says where", url and "warrend_" in get(host, url.group(1)), d.tail())
        finally:
            d.close()
    for flag in ("localhost", "x", "127.0.0.1:70000", "nobody.invalid:0"):
        code, text = ends(host, program("warrend"), "--state=mem:", "--tun", "warren2", "--port", "0",
                          "--socket", os.path.join(scratch, "x.sock"), "--debug=" + flag)
        check(f"--debug={flag} is not", code == 1 and "cannot listen" in text, f"{code} {text}")
    hub = WarrenHub(host, "127.0.0.1")
    hub.argv[hub.argv.index("127.0.0.1:80")] = "localhost:82"
    hub.argv[hub.argv.index("http://127.0.0.1")] = "http://127.0.0.1:82"
    hub.argv += ["--relay-listen", "off", "--stun-listen", "localhost:0"]
    try:
        hub.start()
        check("a hub listens on a name", "warren_hub_nodes 0" in get(host, "http://127.0.0.1:82/metrics"), hub.tail())
    finally:
        hub.close()


def main():
    if os.getuid() != 0:
        print("1..0 # SKIP network namespaces need root")
        return 0
    net = Net()
    host = net.host("box")
    hub, d = WarrenHub(host, "127.0.0.1"), WarrenNode(host, "box")
    try:
        hub.start()
        d.start()
        d.up(hub.url, hub.auth_key())
        second_daemon(host, d)
        second_hub(host, hub)
        addresses(host, d.dir)
    finally:
        d.close()
        hub.close()
        net.close()
    print(f"1..{len(results)}")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
