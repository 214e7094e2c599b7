#!/usr/bin/env python3
"""What warren-hub says: commands and their help, tables for many devices, words about policies, log lines, and completion.

Usage: hub_words_test.py WARREN-HUB HUBDEVICE. Prints TAP."""
import fcntl, http.client, json, os, re, socket, struct, subprocess, sys, termios

from hub_process import Device, Hub, check, run, wait_for

HUB, DEVICE = sys.argv[1:3]


def join(hub, hostname, *key_args):
    return Device(DEVICE, hub, hostname, hub.json("keys", "create", *key_args)["key"]).running()


def policy(hub, text):
    path = os.path.join(hub.dir, "policy.hujson")
    with open(path, "w") as f:
        f.write(text)
    return path


def policies(d):
    hub = Hub(HUB, d).start()
    hub.admin("users", "create", "ana")
    for section in ('"acls": [{"action": "accept", "src": ["ana"], "dst": ["*:22"]}]',
                    '"grants": [{"src": ["ana"], "dst": ["*"], "ip": ["*"]}]', '"groups": {"group:a": ["ana"]}'):
        said = hub.refusal("policy", "check", policy(hub, "{" + section + "}"))
        check(f"{section.split(':')[0]}: users are written with an @", '"ana@"' in said, said)
    laptop, phone = join(hub, "laptop", "--user", "ana"), join(hub, "phone", "--user", "ana")
    db, db2, box = join(hub, "db", "--tags", "tag:db"), join(hub, "db2", "--tags", "tag:db"), join(hub, "box")
    hub.admin("policy", "set", policy(hub, """{"tagOwners": {"tag:db": [], "tag:none": []}, "acls": [
        {"action": "accept", "src": ["ana@"], "dst": ["tag:db:5432"]},
        {"action": "accept", "src": ["%s"], "dst": ["box:22"]}], "hosts": {"box": "%s"}}""" % (laptop.self["ip"], box.self["ip"])))
    can = lambda *a: hub.json("policy", "can", *a)
    want = {"allowed": True, "pairs": 4, "pairsAllowed": 4, "rule": "acls[0]"}
    for src in ("ana@", "ana", "ANA@"):
        got = can(src, "tag:db:5432")
        check(f"can takes users and tags: {src}", {k: got.get(k) for k in want} == want, got)
    some = can("ana@", "box:22")
    check("some of them may", some["allowed"] is False and some["pairsAllowed"] == 1 and some["deniedSrc"] == "phone", some)
    said = hub.admin("policy", "can", "ana@", "box:22")
    check("and that is told", "of 2 pairs of devices 1 may" in said and "phone may not reach box" in said, said)
    check("none may", "No" in hub.admin("policy", "can", "tag:db", "ana@:22"))
    said = [hub.refusal("policy", "can", *a) for a in (("tag:none", "db:1"), ("nobody@", "db:1"), ("db", "nothing:1"))]
    check("who has no device is told", "no device has the tag" in said[0] and "no user" in said[1] and "no user" in said[2], said)
    hub.stop()


def ask_socket(hub, path, doc):
    """The status of a request to the administration that no command makes."""
    c = http.client.HTTPConnection("hub", timeout=10)
    c.sock = socket.socket(socket.AF_UNIX)
    c.sock.connect(hub.socket)
    c.request("POST", path, json.dumps(doc))
    status = c.getresponse().status
    c.close()
    return status


def times(d):
    hub = Hub(HUB, d).start()
    for args in (("keys", "create"), ("tokens", "create", "x")):
        said = [hub.refusal(*args, "--expiry", e) for e in ("0", "0d", "0h0m", "-1", "")]
        check(f"{args[0]} that have expired already are not made", all("--expiry" in s for s in said), said)
    for path in ("/keys", "/tokens"):
        got = [ask_socket(hub, path, {"expiryMs": ms}) for ms in (-5, 2 ** 63 - 1)]
        check(f"the socket takes no time that is none: {path}", got == [400, 400], got)
    check("never is said in words", "expires" not in hub.json("keys", "create", "--expiry", "never"))
    said = hub.admin("status")
    check("status counts as people do", re.search(r"up for \d+ s\n", said) and "0 clients" in said, said)
    hub.stop()


def lists(d):
    hub = Hub(HUB, d, "--approve-devices").start()
    hub.admin("users", "create", "ana")
    long_name = "a-name-that-is-as-long-as-people-really-make-them-sometimes"
    key = ("--preapproved",)
    one, two = join(hub, long_name, *key, "--user", "ana"), join(hub, "web", *key, "--tags", "tag:web,tag:db")
    three, four = join(hub, "zoo", *key), join(hub, "waits")
    three.stop()
    hub.admin("nodes", "expire", long_name)
    ids = {n["name"]: n["id"] for n in hub.json("nodes", "list")}
    names = lambda *a: [n["name"] for n in hub.json("nodes", "list", *a)]
    wait_for("zoo is gone", lambda: names("--offline") == ["zoo"])
    check("filters by state", (names("--online"), names("--expired"), names("--waiting")) == (["web"], [long_name], ["waits"]),
          hub.json("nodes", "list"))
    check("by user, tag and system", (names("--user", "ANA"), names("--tag", "tag:db"), names("--tag", "web"), names("--os", "Linux",
          "--tag", "no"), len(names("--os", "linux"))) == ([long_name], ["web"], ["web"], [], 4))
    by_name = sorted(ids)
    check("in the order of names, and the other way round", (names("--sort", "name"), names("--sort", "name", "--reverse")) ==
          (by_name, by_name[::-1]))
    # Who is online first. Without the Z, texts with and without parts of a second are in the order of their times.
    seen = [n.get("lastSeen", "now").rstrip("Z") for n in hub.json("nodes", "list", "--sort", "seen")]
    check("by when they were seen", seen == sorted(seen, reverse=True) and seen[0] == "now" and names("--sort", "id") == sorted(ids, key=ids.get))
    said = [hub.refusal("nodes", "list", *a) for a in (("--sort", "size"), ("--user", "nobody"), ("--online", "--offline"))]
    check("what it cannot do is told", "created" in said[0] and "nobody" in said[1] and "one of" in said[2], said)
    narrow = on_terminal(hub, 80, "nodes", "list")
    check("names are whole at 80 columns", long_name in narrow and all(len(line) <= 80 for line in narrow.splitlines()), narrow)
    wide = on_terminal(hub, 200, "nodes", "list")
    check("at 200 columns there is all", "CLIENT" in wide and re.search(r"zoo +offline +(now|\d+s ago) ", wide), wide)
    said = hub.admin("nodes", "show", "ZOO." + "warren.internal")
    check("show tells all about one", re.search(r"^State +offline, seen ", said, re.M) and "Node key" in said and
          re.search(r"^Owner +admin", said, re.M) and "100.64.0." in said, said)
    check("also of one with tags", re.search(r"^Tags +tag:web,tag:db", hub.admin("nodes", "show", str(ids["web"])), re.M))
    check("and as JSON", hub.json("nodes", "show", "web")["id"] == ids["web"])
    hub.stop()


def on_terminal(hub, columns, *args):
    """What a person sees at a terminal of this width."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    r = subprocess.run([HUB, *args, "--socket", hub.socket], stdin=slave, stdout=slave, timeout=60)
    os.close(slave)
    text = b""
    while True:
        try:
            chunk = os.read(master, 65536)
        except OSError:
            break
        if not chunk:
            break
        text += chunk
    os.close(master)
    return text.decode().replace("\r\n", "\n") if r.returncode == 0 else f"status {r.returncode}"


def commands(d):
    hub = Hub(HUB, d).start()
    def say(*args):
        r = subprocess.run([HUB, *args], capture_output=True, text=True, timeout=20)
        return r.returncode, r.stdout, r.stderr
    status, text, _ = say("nodes", "list", "--help")
    check("COMMAND --help is that command's", status == 0 and "--sort" in text and "--qr" not in text and "Usage: warren-hub nodes list" in text, text)
    status, text, _ = say("nodes", "--help")
    check("of a group too", status == 0 and "nodes approve" in text and "users create" not in text, text)
    status, text, _ = say("serve", "--help")
    check("and of serve", status == 0 and "--tls-cert" in text and "users create" not in text, text)
    wrong = {("nodes", "lsit"): 'mean "nodes list"', ("node", "list"): 'mean "nodes"', ("user",): 'mean "users"', ("polcy", "get"): 'mean "policy"',
             ("nodes", "list", "--sotr", "x"): "mean --sort", ("nodes", "list", "--onlin"): "mean --online", ("serv",): 'mean "serve"',
             ("users", "list", "--qr"): "nothing for", ("serve", "--json"): "nothing for", ("serve", "now"): "nothing for",
             ("xyzzy",): "lists all", ("nodes", "xyzzy"): "nodes --help"}
    got = {a: say(*a) for a in wrong}
    check("who misspells is told what may be meant", all(got[a][0] == 2 and wrong[a] in got[a][2] for a in wrong),
          [(a, got[a]) for a in wrong if wrong[a] not in got[a][2]])
    hub.admin("users", "create", "ana")
    box = join(hub, "box", "--user", "ana")
    key = hub.json("keys", "create", "--reusable", "--user", "ana")
    waits = Device(DEVICE, hub, "waits")
    code = wait_for("it waits", lambda: hub.json("nodes", "pending"))[0]["code"]
    def tab(*words):
        return {line.split("\t")[0] for line in say("__complete", "--socket", hub.socket, *words)[1].splitlines()}
    check("TAB knows devices, users, keys, codes and roles", (tab("nodes", "rename", ""), tab("nodes", "move", "box", "a"), str(key["id"]) in
          tab("keys", "revoke", ""), tab("nodes", "approve", code[:2]), "it-admin" in tab("users", "role", "ana", "")) ==
          ({"box"}, {"admin", "ana"}, True, {code}, True))
    check("and values of flags", (tab("users", "delete", "ana", "--move-to", ""), tab("users", "delete", "ana", "--move-to=an"),
          tab("nodes", "list", "--sort", "s"), tab("tokens", "create", "--scope", "policy_file:")) ==
          ({"admin", "ana"}, {"ana"}, {"state", "seen"}, {"policy_file:read"}))
    check("nothing where nothing fits", (tab("nodes", "show", "box", ""), tab("status", ""), tab("nodes", "rename", "box", "")) == (set(),) * 3)
    check("a file where one is meant", say("__complete", "policy", "set", "")[0] == 3)
    hub.stop()
    check("and without a hub nothing is said", say("__complete", "--socket", hub.socket, "nodes", "show", "")[1:] == ("", ""))


def log_lines(d):
    hub = Hub(HUB, d, "--approve-devices").start()
    hub.admin("users", "create", "ana")
    key = hub.json("keys", "create", "--user", "ana")
    box = Device(DEVICE, hub, "box", key["key"]).running()
    waits = Device(DEVICE, hub, "waits")
    code = wait_for("it waits", lambda: [p for p in hub.json("nodes", "pending") if not p.get("node")])[0]["code"]
    env = dict(os.environ, SUDO_USER="carla")
    hub.run("nodes", "approve", code, "--user", "ana", env=env)
    hub.run("nodes", "approve", "box", env=env)
    hub.run("nodes", "tag", "box", "tag:web", env=env)
    waits.running()
    log = hub.said()
    line = lambda what, name: next((l for l in log.splitlines() if what in l and f"name={name} " in l), "")
    check("who joined by a key: owner and key", "owner=ana" in line("device joined", "box") and f"key={key['id']}" in line("device joined", "box"), log)
    check("by a login: owner, and who approved it", "owner=ana" in line("device joined", "waits") and
          "owner=ana by=carla" in line("device approved by", "waits"), log)
    check("an approved device", "owner=ana" in line("device approved", "box"), log)
    asked = [l for l in log.splitlines() if "a change was asked for by=carla" in l]
    check("every change names who asked, and for what", len(asked) == 3 and any("/nodes/approve code=box" in l for l in asked) and
          any("/tag tags=tag:web" in l for l in asked), asked)
    check("no secret is in the log", key["key"] not in log)
    hub.stop()


sys.exit(run((policies, times, lists, commands, log_lines)))
