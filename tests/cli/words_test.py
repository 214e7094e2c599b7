#!/usr/bin/env python3
"""What the command says is so: what is not built is called that, a misspelt word is understood, and no setting without an
effect is taken in silence. With a real warrend, which needs root, /dev/net/tun and a namespace of its own.

Usage: words_test.py WARREN WARREND. Prints TAP."""
import json
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WARREN, WARREND = (os.path.abspath(p) for p in sys.argv[1:3])
os.environ["WARREN_BIN"] = os.path.dirname(os.path.dirname(WARREND))
sys.path.insert(0, os.path.join(TOP, "tests", "lab"))
from net import Net  # noqa: E402
from nodes import WarrenHub, WarrenNode, wait_for  # noqa: E402
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
from tap import check, results  # noqa: E402



def warren(*args):
    p = subprocess.run([WARREN, "--socket=/nowhere/s", *args], capture_output=True, text=True, timeout=30)
    return p.returncode, p.stdout, p.stderr


# ---- What is not built ----

def recorded():
    with open(os.path.join(TOP, "tests", "fixtures", "cli", "commands.jsonl")) as f:
        return {r["path"].removeprefix("tailscale").strip(): r for r in map(json.loads, f)}


def known_commands(words=()):
    text = warren(*words, "--help")[2]
    subs = re.search(r"SUBCOMMANDS\n((?:  .*\n)*)", text)
    return {line.split()[0] for line in subs.group(1).splitlines()} if subs else set()


def every_command_of_the_original():
    wrong, n = [], 0
    top = known_commands() | {"debug"}
    for path, r in recorded().items():
        words = path.split()
        if not words:
            continue
        built = words[0] in top and (len(words) == 1 or words[1] in known_commands(words[:1]) or r["hidden"])
        if built:
            continue
        n += 1
        code, out, err = warren(*words, "x")
        if code != 1 or out or not re.match(r"warren [a-z0-9_ -]+: not built yet\.", err):
            wrong.append((path, code, err))
    check(f"what is not built is called that, for each command of the original ({n})", not wrong and n > 40, wrong)
    check("also when it is asked for help", warren("serve", "--help")[0] == 1 and "not built yet" in warren("ssh", "--help")[2])


def every_flag_of_the_original():
    wrong, n = [], 0
    top = known_commands() | {"debug"}
    for path, r in recorded().items():
        words = path.split()
        if words and (words[0] not in top or (len(words) > 1 and words[1] not in known_commands(words[:1]))):
            continue
        text = warren(*words, "--help")[2]
        for name, f in r["flags"].items():
            if f.get("hidden") or re.search(rf"^  --{name}\b", text, re.M):
                continue
            n += 1
            code, _, err = warren(*words, f"--{name}=1")
            if code != 1 or "not built yet" not in err:
                wrong.append((path, name, code, err[:100]))
    check(f"so is each flag ({n})", not wrong and n > 20, wrong)


# ---- What was meant ----

MEANT = [(("stauts",), "status"), (("statsu",), "status"), (("stat",), "status"), (("netchek",), "netcheck"), (("exitnode",), "exit-node"),
         (("pnig",), "ping"), (("sever",), "serve"), (("dns", "staus"), "dns status"), (("exit-node", "lits"), "exit-node list"),
         (("up", "--hostnam=x"), "--hostname"), (("up", "--advertise-route=10.0.0.0/8"), "--advertise-routes"),
         (("set", "--exit-nod=x"), "--exit-node"), (("status", "--jsno"), "--json"), (("--soket=x", "status"), "--socket")]


def misspelt_words():
    wrong = []
    for words, meant in MEANT:
        code, _, err = warren(*words)
        flag = meant.startswith("--")
        want = f"Did you mean {meant}?" if flag else f'Did you mean "warren {meant}"?'
        if want not in err or code != (2 if flag else 1) or len(err.splitlines()) > 2:
            wrong.append((words, code, err))
    check(f"misspelt words are understood ({len(MEANT)})", not wrong, wrong)
    code, _, err = warren("xyzzy")
    check("and nothing is guessed from nothing", (code, err) == (1, "warren: unknown subcommand: xyzzy\n"), err)
    check("a flag that resembles none is answered with the help", "USAGE" in warren("status", "--xyzzy")[2])
    check("help of a command by \"help\", too", subprocess.run([WARREN, "help", "dns", "status"], capture_output=True, text=True).stderr
          .splitlines()[0] == "Show how names are looked up")


DAEMONS = [("warrend", "--stae=mem:", "did you mean -state?"), ("warrend", "--tnu=x", "did you mean -tun?"),
           ("warrend", "--xyzzy", "flag provided but not defined: -xyzzy\n"),
           ("warren-relay", "--lisen=:1", "unknown option --lisen=:1; did you mean --listen?\n"),
           ("warren-relay", "--statedir=/x", "did you mean --state-dir?"), ("warren-relay", "--xyzzy", "--help lists all"),
           ("warren-relay", "--cert", "--cert needs a value"), ("warren-relay", "here", '"here" is none')]


def misspelt_flags_of_daemons():
    wrong = []
    for name, word, want in DAEMONS:
        p = subprocess.run([os.path.join(os.environ["WARREN_BIN"], name, name), word], capture_output=True, text=True, timeout=30)
        if p.returncode != 2 or want not in p.stderr or p.stdout:
            wrong.append((name, word, p.returncode, p.stderr[:200]))
    check(f"daemons understand misspelt flags, too ({len(DAEMONS)})", not wrong, wrong)


# ---- Settings ----

REFUSED = ["--webclient", "--ssh", "--advertise-connector", "--relay-server-port=0", "--relay-server-static-endpoints=1.2.3.4:5",
           "--report-posture", "--auto-update", "--update-check"]
TAKEN = ["--webclient=false", "--ssh=false", "--stateful-filtering=false", "--netfilter-mode=off", "--snat-subnet-routes=false",
         "--advertise-connector=false", "--relay-server-port=", "--report-posture=false", "--auto-update=false", "--update-check=false",
         "--accept-dns=false", "--exit-node=", "--shields-up", "--accept-routes"]


def refused_flags(node):
    wrong = []
    before = node.local("GET", "prefs")[1]
    for flag in REFUSED:
        for command in ("set", "up"):
            if command == "up" and flag.split("=")[0] in ("--webclient", "--relay-server-port", "--relay-server-static-endpoints",
                                                         "--auto-update", "--update-check"):
                continue
            p = subprocess.run(node.host.argv(WARREN, f"--socket={node.socket}", command, flag,
                                              *([f"--login-server={node.hub_url}", "--hostname=anna"] if command == "up" else [])),
                               capture_output=True, text=True, timeout=30)
            if p.returncode != 1 or not re.search(r"not built yet: this build|this build has none|not supported on this", p.stderr) or p.stdout:
                wrong.append((command, flag, p.returncode, p.stdout, p.stderr))
    check(f"settings without an effect are refused in words ({len(REFUSED)} flags)", not wrong, wrong)
    check("and nothing has changed", node.local("GET", "prefs")[1] == before)
    wrong = [(flag, out) for flag in TAKEN for out in [node.cli("set", flag, check=False)] if "not built" in out]
    for flag in TAKEN:
        p = subprocess.run(node.host.argv(WARREN, f"--socket={node.socket}", "set", flag), capture_output=True, text=True, timeout=30)
        if p.returncode != 0 or p.stderr:
            wrong.append((flag, p.returncode, p.stderr))
    check(f"values that are true are taken ({len(TAKEN)} flags)", not wrong, wrong)
    check("the network's names are taken without a word", node.cli("set", "--accept-dns=true") == "")
    said = node.cli("dns", "status")
    check("dns status says so, too", "Tailscale DNS: enabled." in said and "uses the network's DNS settings" in said, said)


def set_by_programs(node):
    """The LocalAPI keeps what a program sets, as the original's does; health tells that nothing comes of it."""
    edit = {"RunWebClient": True, "RunWebClientSet": True, "PostureChecking": True, "PostureCheckingSet": True}
    code, body = node.local("PATCH", "prefs", json.dumps(edit))
    check("a program's setting is kept", code == 200 and json.loads(body)["RunWebClient"], body)
    health = node.status()["Health"]
    told = [h for h in health if h.startswith("These settings have no effect: --webclient (") and "--report-posture (" in h]
    check("health tells that it has no effect", told, health)
    check("so does status", "These settings have no effect" in node.cli("status", check=False))
    check("other settings can be changed all the same", node.cli("set", "--shields-up") == "" and node.cli("set", "--shields-up=false") == "")
    ask = {**json.loads(body), "Config": None, "AppConnector": {"Advertise": True}}
    code, body = node.local("POST", "check-prefs", json.dumps(ask))
    check("who asks before is told", code == 200 and "--advertise-connector is not built yet" in json.loads(body).get("Error", ""), body)
    node.local("PATCH", "prefs", json.dumps({**edit, "RunWebClient": False, "PostureChecking": False}))
    check("and it is over with the setting", not any("no effect" in h for h in node.status()["Health"]), node.status()["Health"])


def firewall(node):
    def rules():
        said = node.host.run("nft", "list", "table", "inet", "warren-warren0", check=False)
        return said if said.startswith("table") else ""

    def told():
        return [h for h in node.status()["Health"] if "masquerading is off" in h]

    def shows(what, cond):
        wait_for(what, lambda: cond(rules()))
        check(what, True)

    for flags in (["--netfilter-mode=on"], ["--netfilter-mode=nodivert"], ["--stateful-filtering"], ["--snat-subnet-routes"]):
        said = node.cli("set", *flags)
        check(f"{flags[0]} is taken", "not built" not in said, said)
        node.cli("set", "--netfilter-mode=on", "--stateful-filtering=false", "--advertise-routes=")
    shows("a device has a table of its own", lambda r: "hook input" in r and "masquerade" not in r and "established" in r)
    node.cli("set", "--advertise-routes=10.1.0.0/16")
    shows("a router masquerades", lambda r: "masquerade" in r)
    node.cli("set", "--stateful-filtering")
    shows("and lets only answers into the tunnel when that is wanted", lambda r: "ct state ! established,related" in r)
    node.cli("set", "--snat-subnet-routes=false", "--stateful-filtering=false")
    shows("but not when it is not wanted", lambda r: "masquerade" not in r and "ct state !" not in r and r)
    check("which is no fault of a router", not told(), node.status()["Health"])
    node.cli("set", "--advertise-exit-node")
    wait_for("an exit node without it is told", told)
    node.cli("set", "--snat-subnet-routes")
    wait_for("until it masquerades", lambda: not told())
    node.cli("set", "--netfilter-mode=nodivert")
    shows("chains without hooks for who wants to hook them", lambda r: "masquerade" in r and "hook" not in r)
    node.cli("set", "--netfilter-mode=off")
    shows("nothing of ours when it is off", lambda r: r == "")
    node.cli("set", "--advertise-routes=", "--advertise-exit-node=false", "--netfilter-mode=on")
    shows("and all again", lambda r: "hook input" in r)
    node.host.run("nft", "flush", "ruleset")
    check("a flush of everything leaves it", "hook input" in rules())


def run(node, *args):
    p = subprocess.run(node.host.argv(WARREN, f"--socket={node.socket}", *args), capture_output=True, text=True, timeout=30)
    return p.returncode, p.stdout, p.stderr


def expired_keys(hub, anna, bert):
    ip = anna.ip()
    hub.admin("nodes", "expire", "anna")
    wait_for("anna knows that her key has expired", lambda: anna.status()["BackendState"] == "NeedsLogin")
    said = run(anna, "status")
    check("an expired key is not called a logout that somebody made", said ==
          (1, "Logged out: the key of this device has expired.\nRun 'warren up' to log in again.\n", ""), said)
    check("health says it, too", anna.status()["Health"] == ["The key of this device has expired. Log in again with \"warren up\"."],
          anna.status()["Health"])
    wait_for("bert knows, too", lambda: bert.peer(ip)["Expired"])
    said = [run(bert, "ping", "--c=1", to) for to in ("anna", ip)]
    check("a ping to it says so", said == [(1, "", "node key has expired\n")] * 2, said)
    said = run(anna, "up", "--reset", f"--login-server={hub.url}", "--hostname=anna", f"--auth-key={hub.auth_key()}")
    check("the way back that it names is one", said == (0, "", "") and anna.status()["BackendState"] == "Running", said)


def debug_commands(anna):
    """Each that is listed does something."""
    listed = re.search(r"SUBCOMMANDS\n((?:  .*\n)*)", warren("debug", "--help")[2]).group(1)
    wrong = []
    for name in (line.split()[0] for line in listed.splitlines()):
        if name in ("watch-ipn", "localapi", "via", "set-expire"):  # without end, or with arguments
            continue
        said = run(anna, "debug", name)
        if said[0] != 0 or said[2]:
            wrong.append((name, said))
    check(f"each debug command that is listed works ({listed.count(chr(10))})", not wrong, wrong)
    wait_for("the relay is connected again", lambda: not anna.status()["Health"])


def after_a_logout(bert):
    bert.cli("logout")
    said = run(bert, "status")
    check("after a logout there is no more to say than that", said == (1, "Logged out.\n", ""), said)


# ---- TAB ----

COMPLETED = [(("ping", ""), {"bert", "cara"}), (("ping", "be"), {"bert"}), (("ip", "c"), {"cara"}), (("nc", ""), {"bert", "cara"}),
             (("ping", "bert", ""), set()), (("set", "--exit-node="), {"cara"}), (("set", "--exit-node", "ca"), {"cara"}),
             (("netcheck", "--format="), {"json", "json-line"}), (("get", "adv"), {"advertise-connector", "advertise-exit-node",
                                                                                "advertise-routes"}),
             (("up", "--qr-format", "l"), {"large"}), (("status", ""), set()), (("--verbose",), set()), (("ping", "x\x1b[2J"), set())]


def completion(hub, anna, bert, cara):
    """cara offers an exit node."""
    wait_for("anna knows both", lambda: {p["HostName"] for p in anna.status()["Peer"].values()} == {"bert", "cara"})
    wait_for("and the exit node", lambda: any(p["ExitNodeOption"] for p in anna.status()["Peer"].values()))
    wrong = []
    for words, want in COMPLETED:
        code, out, err = run(anna, "__complete", *words)
        if {line.split("\t")[0] for line in out.splitlines()} != want or err:
            wrong.append((words, code, out, err))
    check(f"TAB completes devices, exit nodes, settings and values ({len(COMPLETED)})", not wrong, wrong)
    check("a file where one is wanted", [run(anna, "__complete", *w)[0] for w in (("--socket", ""), ("metrics", "write", ""))] == [3, 3])
    p = subprocess.run([WARREN, "__complete", "--socket=/nowhere/s", "ping", ""], capture_output=True, text=True)
    check("without a daemon it says nothing at all", (p.returncode, p.stdout, p.stderr) == (1, "", ""), p)
    for shell, check_with in (("bash", ["bash", "-n"]), ("zsh", ["zsh", "-n"]), ("fish", ["fish", "-n"])):
        text = warren("completion", shell)[1]
        try:
            fine = subprocess.run([*check_with, "/dev/stdin"], input=text, text=True, capture_output=True).returncode == 0
        except FileNotFoundError:
            fine = True  # no such shell here: the text below is looked at all the same
        check(f"completion {shell} is a script, that of the packages", fine and text.startswith(("# bash", "#compdef", "# fish")) and
              "_warren" in text)


BAD_URLS = ["host:8080", "192.0.2.1:8080", "host", "ftp://host", "http://"]


def bad_login_servers(node):
    before = node.local("GET", "prefs")[1]
    wrong = []
    for url in BAD_URLS:
        for command in ("up", "login"):
            said = run(node, command, f"--login-server={url}", "--timeout=5s")
            if said[0] != 1 or "http://" not in said[2]:
                wrong.append((command, url, said))
        code, body = node.local("PATCH", "prefs", json.dumps({"ControlURL": url, "ControlURLSet": True}))
        if code == 200:
            wrong.append(("PATCH", url, body))
    check("a login server that is no URL is refused, and it is said how one begins", not wrong, wrong)
    check("and nothing of it is kept", node.local("GET", "prefs")[1] == before and len(json.loads(node.local("GET", "profiles/")[1])) <= 1)


def with_a_daemon(net):
    host = net.host("anna")
    street = net.switch("street")
    host.plug(street, "eth0", "203.0.113.1/24")
    other = net.host("bert")
    other.plug(street, "eth0", "203.0.113.2/24")
    third = net.host("cara")
    third.plug(street, "eth0", "203.0.113.3/24")
    hub = WarrenHub(host, "203.0.113.1")
    node, bert, cara = WarrenNode(host, "anna"), WarrenNode(other, "bert"), WarrenNode(third, "cara")
    try:
        hub.start()
        node.start()
        node.up(hub.url, hub.auth_key())
        node.hub_url = hub.url
        wait_for("it runs without complaints", lambda: not node.status()["Health"])
        refused_flags(node)
        set_by_programs(node)
        firewall(node)
        bad_login_servers(bert.start())
        bert.up(hub.url, hub.auth_key())
        cara.start().up(hub.url, hub.auth_key(), "--advertise-exit-node", "--netfilter-mode=off")
        for prefix in ("0.0.0.0/0", "::/0"):
            hub.admin("routes", "approve", "cara", prefix)
        completion(hub, node, bert, cara)
        debug_commands(node)
        expired_keys(hub, node, bert)
        after_a_logout(bert)
    finally:
        cara.close()
        bert.close()
        node.close()
        hub.close()


def main():
    every_command_of_the_original()
    every_flag_of_the_original()
    misspelt_words()
    misspelt_flags_of_daemons()
    if os.geteuid() == 0 and os.path.exists("/dev/net/tun"):
        net = Net()
        try:
            with_a_daemon(net)
        finally:
            net.close()
    else:
        print("# skipped: what needs root and /dev/net/tun")
    print(f"1..{len(results)}")
    return not all(results)


sys.exit(main())
