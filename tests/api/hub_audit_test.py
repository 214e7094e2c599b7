#!/usr/bin/env python3
"""The record of changes: each one with who, from where, before and after; nothing secret; kept for its time; never without its change.

Usage: hub_audit_test.py WARREN-HUB HUBDEVICE. Prints TAP."""
import json, os, re, signal, sqlite3, subprocess, sys, time

from hub_process import Device, Hub, check, run, wait_for

HUB, HUBDEVICE = sys.argv[1:3]
AUDIT = 65  # kind of document


def entries(hub, *args):
    return hub.json("audit", "list", *args)["entries"]


def latest(hub):
    return entries(hub, "--limit", "1")[0]


def field(entry, kind, name):
    return next(c for c in entry["changes"] if c["kind"] == kind)["fields"].get(name)


def everything(d):
    """Each way by which something is changed leaves its entry."""
    hub = Hub(HUB, d).start()
    check("a new hub has an empty record", entries(hub) == [])
    key = hub.json("keys", "create", "--reusable")["key"]
    e = latest(hub)
    check("a key that was made is there", e["action"] == "POST /keys" and e["via"] == "socket" and e["by"] and e["changes"][0]["kind"] == "key", e)
    one = Device(HUBDEVICE, hub, "one", key).running()
    check("what a device does by itself is none of it", latest(hub)["id"] == e["id"])
    hub.admin("nodes", "rename", "one", "desk")
    e = latest(hub)
    check("a change has what was before and what is after", e["action"] == f"POST /nodes/{one.self['id']}/rename" and
          field(e, "device", "name") == {"before": "one", "after": "desk"} and e["changes"][0]["name"] == "desk", e)
    hub.admin("users", "create", "zoe")
    e = latest(hub)
    check("what is new has no before", field(e, "user", "name") == {"after": "zoe"}, e)
    hub.admin("users", "role", "zoe", "admin")
    check("a role", field(latest(hub), "user", "role")["after"] == "admin", latest(hub))
    before = latest(hub)["id"]
    for words in (("nodes", "rename", "desk", "desk"), ("users", "create", "zoe"), ("nodes", "rename", "nobody", "x"), ("users", "list")):
        hub.run(*words)
    check("what was refused, or changed nothing, leaves none", latest(hub)["id"] == before, latest(hub))
    ways(hub, d)
    hub.admin("nodes", "delete", "desk")
    e = latest(hub)
    check("what was deleted has no after", field(e, "device", "name") == {"before": "desk"}, e)
    shown(hub, d, key)
    hub.stop()
    hub.start()
    n = latest(hub)["id"]
    hub.admin("users", "create", "ben")
    check("after a restart the record goes on", latest(hub)["id"] == n + 1 and field(latest(hub), "user", "name") == {"after": "ben"})
    hub.stop()


def ways(hub, d):
    token = hub.admin("tokens", "create", "ci").strip()
    policy = '{"acls": [{"action": "accept", "src": ["*"], "dst": ["*:*"]}]}'
    status, text, _ = hub.http("POST", "/api/v2/tailnet/-/acl", policy, {"Authorization": f"Bearer {token}", "Content-Type": "application/hujson"})
    e = latest(hub)
    check("a program with a token", status == 200 and e["via"] == "api" and e["by"] == "ci" and e["from"] == "127.0.0.1" and
          e["changes"][0]["kind"] == "policy", (status, text, e))
    cookie, csrf = hub.browser(user="zoe")
    waits = Device(HUBDEVICE, hub, "guest")
    waits.wait("it has a page", lambda x: "/register/" in x.text)
    path = re.search(r"/register/\S+", waits.text).group(0)
    page = hub.http("GET", path, headers=cookie)[1]
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page))
    fields.update(csrf=csrf)
    action = re.search(r'action="([^"]+)"', page).group(1)
    form = "&".join(f"{k}={v}" for k, v in fields.items())
    status = hub.http("POST", action, form, {**cookie, "Content-Type": "application/x-www-form-urlencoded", "Origin": hub.url})[0]
    waits.running()
    e = latest(hub)
    check("an approval in the browser", e["via"] == "browser" and e["by"] == "zoe" and any(c["kind"] == "device" and c["name"] == "guest" for c in e["changes"]), (status, e))


def shown(hub, d, key):
    text = hub.admin("audit", "list")
    check("people read a table", "desk" in text and "WHEN" in text and "zoe" in text, text)
    check("a word picks", all("zoe" in json.dumps(e) for e in entries(hub, "zoe")) and len(entries(hub, "ZOE")) == len(entries(hub, "zoe")) == 3)
    check("a time picks", len(entries(hub, "--since", "1h")) == len(entries(hub)))
    check("what is no time is refused", "--since" in hub.refusal("audit", "list", "--since", "yesterday"))
    path = os.path.join(d, "audit.jsonl")
    hub.admin("audit", "export", path)
    with open(path) as f:
        lines = [json.loads(line) for line in f]
    check("the export has all of it", [e["id"] for e in lines] == list(range(len(lines), 0, -1)), [e["id"] for e in lines])
    with open(path) as f:
        whole = f.read()
    with sqlite3.connect(os.path.join(hub.dir, "state", "hub.db")) as db:
        hashes = [json.loads(t)["hash"] for (t,) in db.execute("SELECT doc FROM doc WHERE kind IN (2, 64)")]
    check("no secret and no hash of one is in it", hashes and not any(h in whole for h in hashes) and key not in whole)


def in_pages(d):
    """More than one page, and the oldest go with their time."""
    hub = Hub(HUB, d).start()
    with sqlite3.connect(os.path.join(hub.dir, "state", "hub.db")) as db:
        pass
    hub.stop()
    old, young = "2020-01-01T00:00:00Z", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    with sqlite3.connect(os.path.join(hub.dir, "state", "hub.db")) as db:
        for i in range(1, 5001):
            doc = {"id": i, "at": old if i <= 700 else young, "by": "ann", "via": "socket", "action": f"POST /test/{i}", "changes": []}
            db.execute("INSERT INTO doc (tailnet, kind, id, doc) VALUES (1, ?, ?, ?)", (AUDIT, i, json.dumps(doc)))
    hub.argv += ["--audit-keep", "never"]
    hub.start()
    out = [json.loads(line) for line in hub.admin("audit", "export", "-").splitlines()]
    check("an export goes over its pages", [e["id"] for e in out] == list(range(5000, 0, -1)), len(out))
    check("so does a list", [e["id"] for e in entries(hub, "--limit", "700")] == list(range(5000, 4300, -1)))
    check("and a word is looked for in all of them", [e["id"] for e in entries(hub, "/test/7")] == sorted((i for i in range(1, 5001) if str(i).startswith("7")), reverse=True)[:50])
    hub.stop()
    hub.argv[-1] = "90d"
    hub.start()

    def left():
        with sqlite3.connect(os.path.join(hub.dir, "state", "hub.db")) as db:
            return db.execute("SELECT count(*), min(id) FROM doc WHERE kind = ?", (AUDIT,)).fetchone()

    wait_for("old ones go, a part at a time", lambda: left() == (4500, 501), 30)
    check("as many as once", left() == (4500, 501), left())
    hub.stop()
    hub.start()
    wait_for("the rest goes", lambda: left() == (4300, 701), 30)
    check("and no more than is old", left() == (4300, 701), left())
    hub.stop()


def with_its_change(d):
    """Killed at any moment: there is no change without its entry, and no entry without its change."""
    hub = Hub(HUB, d).start()
    for i in range(12):
        made = [subprocess.Popen([HUB, "users", "create", f"u{i}-{k}", "--socket", hub.socket], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                for k in range(6)]
        time.sleep(0.004 * i)  # a different moment each time; what is checked holds at any
        hub.p.send_signal(signal.SIGKILL)
        hub.p.wait()
        for p in made:
            p.wait(20)
        hub.start()
    users = {n for n in hub.users() if n != "admin"}
    told = {field(e, "user", "name")["after"] for e in map(json.loads, hub.admin("audit", "export", "-").splitlines())}
    print(f"# {len(users)} of 72 users were made before a kill")
    check("the record is what was done", users == told, users ^ told)
    hub.stop()


sys.exit(run((everything, in_pages, with_its_change)))
