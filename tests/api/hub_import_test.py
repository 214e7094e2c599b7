#!/usr/bin/env python3
"""A real installation of headscale becomes a hub: what is there afterwards, whether its keys let devices in, and what is refused.

Usage: hub_import_test.py WARREN-HUB HUBDEVICE. Prints TAP."""
import hashlib, json, os, shutil, sqlite3, subprocess, sys, time

from hub_process import Device, Hub, check, run
import headscale

HUB, HUBDEVICE = sys.argv[1:3]


def command(*args):
    return subprocess.run([HUB, "import", "headscale", *args], capture_output=True, text=True, timeout=60)


def taken_over(d):
    """What headscale knew, the hub knows."""
    config = headscale.put_down(d)
    hub = Hub(HUB, d, "--base-domain", "tail.test")
    state = os.path.join(d, "state")
    r = command(config, "--dry-run", "--state-dir", state, "--json")
    told = json.loads(r.stdout)
    check("a dry run says what would be", (told["users"], told["devices"], told["keys"]) == (2, 5, 10), r.stdout + r.stderr)
    check("and leaves nothing", not os.path.exists(state) and "stateDir" not in told)
    r = command(config, "--state-dir", state, "--owner", "ana@corp.example")
    check("it is taken over", r.returncode == 0 and "imported.conf" in r.stdout, r.stdout + r.stderr)
    check("what is not is said", "2 API keys" in r.stdout, r.stdout)
    second = command(config, "--state-dir", state)
    check("not over a hub that is there", second.returncode == 1 and "has a hub already" in second.stderr, second.stderr)
    with open(os.path.join(state, "imported.conf")) as f:
        settings = f.read()
    check("its settings are a file for --config", "url=https://hub.test\n" in settings and "base-domain=tail.test\n" in settings, settings)
    hub.start()
    nodes = hub.nodes()
    check("all devices are there", set(nodes) == {"h1", "h2", "anas-laptop", "phone", "job"}, nodes.keys())
    for name, ip, user, tags in (("h1", "100.64.0.1", "u1", []), ("h2", "100.64.0.2", "", ["tag:server"]),
                                 ("anas-laptop", "100.64.0.3", "ana@corp.example", []), ("job", "100.64.0.5", "u1", [])):
        n = nodes[name]
        check(f"{name} has its address, owner and tags", n["ipv4"] == ip and (n.get("user") or "") == user and n["tags"] == tags, n)
    check("the phone is expired", nodes["phone"]["expired"] and not nodes["h1"]["expired"], nodes["phone"])
    check("the job vanishes when it is away", nodes["job"]["ephemeral"] and not nodes["h1"].get("ephemeral"), nodes["job"])
    check("roles and names", hub.users()["ana@corp.example"]["role"] == "owner" and hub.users()["u1"]["role"] == "member", hub.users())
    routes = {r["prefix"]: r for r in hub.json("routes", "list")}
    check("the approved route is approved", routes["10.77.0.0/16"]["approvedBy"] == "headscale", routes)
    check("what autoApprovers approve now is said", all(routes[p]["approvedBy"] == "autoApprovers" and p in r.stdout for p in ("0.0.0.0/0", "10.78.0.0/16")), r.stdout)
    check("the policy runs", "lab-lan" in hub.admin("policy", "get"))
    allowed = json.loads(hub.admin("policy", "can", "anas-laptop", "h1:22", "--json"))
    check("and means what it meant", allowed["allowed"] and not json.loads(hub.run("policy", "can", "h1", "anas-laptop:22", "--json").stdout)["allowed"])
    dns = hub.json("dns", "status")
    check("names are resolved as before", "corp.example" in json.dumps(dns) and "nas.tail.test" in json.dumps(dns) and "9.9.9.9" in json.dumps(dns), dns)
    keys_work(hub)
    hub.stop()


def keys_work(hub):
    keys = headscale.keys()
    ana, server, once = (keys[k] for k in ("reusable, ana@corp.example, ten years", "reusable, tag:server, ten years", "one-off, u1, unused, ten years"))
    # Before anybody has used it: the name of a key is no key, and neither is another secret.
    for what, key in (("its name alone", ana[:23]), ("another secret", ana[:-1] + ("a" if ana[-1] != "a" else "b")), ("the secret alone", ana[24:])):
        x = Device(HUBDEVICE, hub, "stranger", key)
        x.wait("it is refused", lambda x: "invalid auth key" in x.text + x.trouble, 30)
        check(f"{what} lets nobody in", "stranger" not in hub.nodes())
        x.p.kill()
    one = Device(HUBDEVICE, hub, "one", ana).running()
    check("a key of headscale lets a device in", hub.nodes()["one"]["user"] == "ana@corp.example", hub.nodes()["one"])
    two = Device(HUBDEVICE, hub, "two", server).running()
    check("one with tags gives them", two.self["tags"] == ["tag:server"], two.self)
    three = Device(HUBDEVICE, hub, "three", once).running()
    again = Device(HUBDEVICE, hub, "four", once)
    again.wait("it is refused", lambda x: "used already" in x.text + x.trouble, 30)
    check("one that works once works once", "four" not in hub.nodes())
    again.p.kill()
    with sqlite3.connect(os.path.join(hub.dir, "state", "hub.db")) as db:
        docs = [json.loads(d) for (d,) in db.execute("SELECT doc FROM doc WHERE kind = 2")]
    check("keys that were used have our own hash now", sorted(k["id"] for k in docs if "bcrypt" not in k) == [8, 9, 10], docs)
    five = Device(HUBDEVICE, hub, "five", ana).running()
    check("and work on", five.self is not None)
    guesses_are_few(hub, keys)
    for x in (one, two, three, five):
        x.p.kill()


def guesses_are_few(hub, keys):
    """A slow hash is tried a few times only, however many ask; others are served meanwhile."""
    with sqlite3.connect(os.path.join(hub.dir, "state", "hub.db")) as db:
        name = next(json.loads(d)["hint"][:23] for (d,) in db.execute("SELECT doc FROM doc WHERE kind = 2 AND doc LIKE '%bcrypt%'"))
    guessers = [Device(HUBDEVICE, hub, f"guesser{i}", f"{name}-{'x' * 60}{i:04}") for i in range(24)]
    slowest, until = 0.0, time.monotonic() + 3
    while time.monotonic() < until:
        t = time.monotonic()
        hub.http("GET", "/health")
        slowest = max(slowest, time.monotonic() - t)
    print(f"# slowest answer beside 24 guessers: {slowest * 1000:.0f} ms")
    tried = sum("invalid auth key" in g.trouble + g.text for g in guessers)
    check("a few were tried, the others are told to come again", 0 < tried <= 12, [(g.text, g.trouble) for g in guessers])
    check("none of them is in", not [n for n in hub.nodes() if n.startswith("guesser")])
    for g in guessers:
        g.p.kill()


def killed(db):
    """The database of a headscale that was killed: what it wrote last is in the log beside it."""
    other = db + ".other"
    with sqlite3.connect(db) as c:
        c.execute("PRAGMA journal_mode=WAL")
        c.execute("PRAGMA wal_autocheckpoint=0")
        c.execute("UPDATE nodes SET given_name = 'h1-renamed' WHERE given_name = 'h1'")
        c.commit()
        shutil.copy(db, other)
        shutil.copy(db + "-wal", other + "-wal")
    c.close()
    os.replace(other, db)
    os.replace(other + "-wal", db + "-wal")


def contents(state):
    of = {}
    for name in ("db.sqlite", "db.sqlite-wal"):
        with open(os.path.join(state, name), "rb") as f:
            of[name] = hashlib.sha256(f.read()).hexdigest()
    return of


def only_read(d):
    """headscale can be started again as if nothing had been."""
    config = headscale.put_down(d)
    theirs = os.path.join(d, "STATE")
    killed(os.path.join(theirs, "db.sqlite"))
    before = contents(theirs)
    hub = Hub(HUB, d, "--base-domain", "tail.test")
    r = command(config, "--state-dir", os.path.join(d, "state"))
    check("that of a killed headscale, too", r.returncode == 0, r.stdout + r.stderr)
    check("its files are as they were", contents(theirs) == before, (before, contents(theirs)))
    hub.start()
    check("and what it wrote last is there", "h1-renamed" in hub.nodes(), hub.nodes().keys())
    hub.stop()


def refused(d):
    def attempt(name, what, words, **how):
        place = os.path.join(d, name)
        os.makedirs(place)
        config = headscale.put_down(place, **how)
        r = command(config, "--state-dir", os.path.join(place, "state"))
        left = os.listdir(os.path.join(place, "state")) if os.path.exists(os.path.join(place, "state")) else []
        check(what, r.returncode == 1 and words in r.stderr and "hub.db" not in left and "noise.key" not in left, r.stderr + str(left))

    attempt("pg", "PostgreSQL is not read", "database.type", change=lambda t: t.replace("type: sqlite", "type: postgres"))
    attempt("yaml", "a fault of the configuration is named with its line", "line 4", change=lambda t: "a: 1\nb: 2\nc: [1, 2\nd: }\n" + t)
    attempt("alias", "anchors are refused", "anchors", change=lambda t: "a: &x [1]\nb: *x\n" + t)
    attempt("old", "an older headscale is told apart", "before 0.28", edit="ALTER TABLE nodes DROP COLUMN tags")
    attempt("policy", "a policy that this hub does not take", "--policy FILE", edit="UPDATE policies SET data = '{\"acls\": [{\"action\": \"accept\", \"src\": [\"group:none\"], \"dst\": [\"*:*\"]}]}'")
    attempt("domain", "a base domain that is none", "base domain", change=lambda t: t.replace("base_domain: tail.test", "base_domain: tail..test"))
    attempt("key", "a key file that is none", "is no key", change=lambda t: t.replace("STATE/noise.key", "config.yaml"))
    place = os.path.join(d, "bad-row")
    os.makedirs(place)
    config = headscale.put_down(place, edit="UPDATE nodes SET machine_key = 'mkey:zz' WHERE id = 1; UPDATE nodes SET user_id = 77 WHERE id = 3; "
                                            "UPDATE nodes SET ipv4 = '10.0.0.1' WHERE id = 5")
    r = command(config, "--dry-run")
    check("devices that cannot be kept are named, others are kept", r.returncode == 0 and "2 devices" in r.stdout and "anas-laptop" in r.stdout and
          "its keys cannot be read" in r.stdout and "100.64.0.0/10" in r.stdout, r.stdout + r.stderr)
    r = command(config, "--dry-run", "--owner", "zoe")
    check("an owner who is not there is a mistake", r.returncode == 1 and "zoe" in r.stderr, r.stderr)
    r = command(os.path.join(d, "nowhere.yaml"))
    check("a configuration that is not there", r.returncode == 1 and "nowhere.yaml" in r.stderr, r.stderr)


sys.exit(run((taken_over, only_read, refused)))
