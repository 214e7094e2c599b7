#!/usr/bin/env python3
"""A hub in one file, and back: made while a thousand devices join, put in place of another hub, refused where it would do harm.

Usage: hub_backup_test.py WARREN-HUB HUBDEVICE HUBLOAD. Prints TAP."""
import json, os, sqlite3, stat, subprocess, sys

from hub_process import Device, Hub, check, children, run, wait_for

HUB, HUBDEVICE, HUBLOAD = sys.argv[1:4]
NODE = 1  # kind of document


def state(hub):
    return os.path.join(hub.dir, "state")


def make(hub, to, *extra):
    return subprocess.run([HUB, "backup", to, "--state-dir", state(hub), *extra], capture_output=True, text=True, timeout=60)


def restore(hub, file, *extra):
    return subprocess.run([HUB, "restore", file, "--state-dir", state(hub), *extra], capture_output=True, text=True, timeout=60)


def keys_in(file):
    with sqlite3.connect(file) as db:
        return {json.loads(d)["nodeKey"] for (d,) in db.execute("SELECT doc FROM doc WHERE kind = ?", (NODE,))}


def acknowledged(path):
    """Whole lines only: the last one may be half written."""
    with open(path) as f:
        return set(f.read().rpartition("\n")[0].split())


def while_all_changes(d):
    """Whatever was acknowledged before a backup began is in it."""
    hub = Hub(HUB, d, "--accept-rate", "0").start()
    key = hub.json("keys", "create", "--reusable")["key"]
    answered = os.path.join(d, "answered")
    open(answered, "w").close()
    load = subprocess.Popen([HUBLOAD, hub.url, key, "1000", str(hub.p.pid), answered], stdout=subprocess.PIPE, text=True)
    children.append(load)
    missing, sizes, seen = [], [], -1
    while load.poll() is None and len(sizes) < 40:
        wait_for("one more is in, or all are", lambda: len(acknowledged(answered)) > seen or load.poll() is not None, 170)
        before, file = acknowledged(answered), os.path.join(d, f"b{len(sizes)}")
        seen = len(before)
        r = make(hub, file)
        if r.returncode != 0:
            raise RuntimeError(r.stderr)
        found = keys_in(file)
        missing += sorted(before - found)
        sizes.append(len(found))
    figures = json.loads(load.communicate(timeout=170)[0])
    check("what was acknowledged before a backup began is in it", not missing and sizes, missing[:3])
    print(f"# {len(sizes)} backups while 1,000 devices joined, of {sizes[0]} to {sizes[-1]} devices; joined in {figures['joined_ms']} ms")
    check("all joined meanwhile", load.returncode == 0 and len(hub.nodes()) >= 1000, figures)
    hub.stop()


def there_and_back(d):
    """On another machine, so to say: devices go on without a login."""
    hub = Hub(HUB, d, "--key-expiry", "90d").start()
    key = hub.json("keys", "create", "--reusable")["key"]
    one, two = (Device(HUBDEVICE, hub, n, key).running() for n in ("one", "two"))
    hub.admin("nodes", "rename", "one", "desk")
    file = os.path.join(d, "hub.backup")
    r = make(hub, file, "--json")
    told = json.loads(r.stdout)
    check("a backup says what is in it", told["users"] == 1 and told["devices"] == 2 and told["keys"] == 1, r.stdout + r.stderr)
    check("it is for its owner only", stat.S_IMODE(os.stat(file).st_mode) == 0o600)
    r = make(hub, file)
    check("a file that is there is not written over", r.returncode == 1 and "is there already" in r.stderr, r.stderr)
    r = restore(hub, file)
    check("a running hub is not replaced", r.returncode == 1 and "is running" in r.stderr, r.stderr)
    later = hub.json("keys", "create")["id"]
    hub.stop()
    r = restore(hub, file)
    check("nor one that is there", r.returncode == 1 and "--replace" in r.stderr, r.stderr)
    os.rename(state(hub), os.path.join(d, "lost"))
    r = restore(hub, file)
    check("an empty place gets it", r.returncode == 0 and "2 devices" in r.stdout, r.stdout + r.stderr)
    hub.start()
    for x, name in ((one, "desk"), (two, "two")):
        x.wait("they know each other again", lambda x: x.state == "running" and len(x.peers) == 1)
    check("devices are as they were, and logged in", set(hub.nodes()) == {"desk", "two"} and
          all(n["online"] for n in hub.nodes().values()), hub.nodes())
    check("what came later is not there", later not in [k["id"] for k in hub.json("keys", "list")])
    hub.admin("users", "create", "zoe")
    hub.stop()
    r = restore(hub, file, "--replace", "--json")
    aside = json.loads(r.stdout)["replaced"]
    check("with --replace the other one is kept", r.returncode == 0 and os.path.exists(os.path.join(aside, "hub.db")) and
          os.path.exists(os.path.join(aside, "noise.key")), r.stdout + r.stderr)
    hub.start()
    check("and this one is in its place", "zoe" not in hub.users())
    hub.stop()


def refused(d):
    hub = Hub(HUB, d).start()
    file, bad = os.path.join(d, "good"), os.path.join(d, "bad")
    make(hub, file)
    hub.stop()
    with open(file, "rb") as f:
        good = f.read()

    def attempt(what, words):
        r = restore(hub, bad, "--replace")
        check(what, r.returncode == 1 and words in r.stderr and os.path.exists(os.path.join(state(hub), "hub.db")), r.stderr)

    attempt("a file that is missing", "bad")
    with open(bad, "wb") as f:
        f.write(good[:8192] + b"\xff" * 4096 + good[12288:])
    attempt("a damaged one is refused, and the hub is as it was", "damaged")
    with open(bad, "wb") as f:
        f.write(good[:len(good) // 2])
    attempt("one that was cut off", "damaged")
    with open(bad, "wb") as f:
        f.write(b"all my devices\n" * 100)
    attempt("one that is none", "damaged")
    os.remove(bad)
    with sqlite3.connect(bad) as db:
        db.execute("CREATE TABLE doc (id INTEGER)")
    attempt("another database", "none that")
    os.remove(bad)
    with open(bad, "wb") as f:
        f.write(good)
    with sqlite3.connect(bad) as db:
        db.execute("UPDATE backup_file SET name = '../noise.key' WHERE name = 'noise.key'")
    r = restore(hub, bad, "--replace")
    check("a name that leads elsewhere is refused", r.returncode == 1 and not os.path.exists(os.path.join(d, "noise.key")), r.stderr)
    with open(bad, "wb") as f:
        f.write(good)
    with sqlite3.connect(bad) as db:
        db.execute("PRAGMA user_version = 99")
    attempt_newer = restore(hub, bad, "--replace")
    check("one of a newer program says so", attempt_newer.returncode == 1 and "newer version" in attempt_newer.stderr, attempt_newer.stderr)
    r = restore(hub, file, "--replace")
    check("after a refusal half way the good one can still be put in place", r.returncode == 0, r.stderr)
    hub.start()
    check("and runs", "admin" in hub.users())
    hub.stop()


def older_schema(d):
    """A migration leaves what it began with."""
    os.makedirs(os.path.join(d, "state"))
    path = os.path.join(d, "state", "hub.db")
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE doc (kind INTEGER, id INTEGER, doc TEXT NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID")
        db.execute("INSERT INTO doc VALUES (0, 1, ?)", (json.dumps({"id": 1, "name": "ann", "created": "2026-01-01T00:00:00Z"}),))
        db.execute("PRAGMA user_version = 1")
    hub = Hub(HUB, d).start()
    check("the hub has its users", "ann" in hub.users())
    with sqlite3.connect(path + ".before-3") as db:
        check("the database of before is beside it", db.execute("PRAGMA user_version").fetchone() == (1,) and
              db.execute("SELECT count(*) FROM doc").fetchone() == (1,))
    hub.stop()


sys.exit(run((while_all_changes, there_and_back, refused, older_schema)))
