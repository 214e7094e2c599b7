#!/usr/bin/env python3
"""Every route of the hub that a browser can ask for, by every role; whose role one may change; whom a link logs in.

Usage: hub_roles_test.py WARREN-HUB SOURCE-ROOT. The routes are read from the tables; one without a line below fails. Prints TAP."""
import json, re, sys
from pathlib import Path

from hub_process import Hub, check, run

HUB, SOURCE = sys.argv[1], Path(sys.argv[2])
ALL = {"owner", "admin", "network-admin", "it-admin", "billing-admin", "auditor", "member"}
SEE = ALL - {"member"}
LOG = SEE - {"billing-admin"}
DEVICES = USERS = {"owner", "admin", "it-admin"}
NETWORK = POLICY = {"owner", "admin", "network-admin"}
TOKENS = {"owner", "admin"}
NOBODY = set()

MAY = {}
for roles, lines in (
    (SEE, """GET /status, GET /limits, GET /users, GET /nodes, POST /nodes/list, POST /nodes/changed, POST /nodes/show, GET /pending, POST /nodes/waiting, GET /keys,
        GET /routes, GET /own-prefixes, GET /dns, POST /dns/preview, GET /policy, GET /policy/status, GET /policy/versions,
        GET /policy/versions/{id:int}, POST /policy/check, POST /policy/preview, POST /policy/can, GET /events"""),
    (LOG, "GET /tokens, GET /sessions, POST /audit/list"),
    (USERS, "POST /users, POST /users/{id:int}/delete, POST /users/{id:int}/rename, POST /users/{id:int}/role, POST /sessions/{id:int}/end"),
    (DEVICES, """POST /nodes/approve, POST /nodes/reject, POST /nodes/{id:int}/approve, POST /nodes/{id:int}/rename, POST /nodes/{id:int}/tag,
        POST /nodes/{id:int}/move, POST /nodes/{id:int}/expire, POST /nodes/{id:int}/delete, POST /keys, POST /keys/{id:int}/revoke,
        POST /keys/{id:int}/delete, POST /keys/{id:int}/move"""),
    (NETWORK, """POST /nodes/{id:int}/routes/approve, POST /nodes/{id:int}/routes/unapprove, POST /own-prefixes, POST /dns/nameservers/{verb},
        POST /dns/split/{verb}, POST /dns/search/{verb}, POST /dns/records/{verb}, POST /dns/switch/{name}/{verb}"""),
    (POLICY, "POST /policy, POST /policy/versions/{id:int}/restore, POST /policy/pull"),
    (TOKENS, "POST /tokens, POST /tokens/{id:int}/revoke, POST /tokens/{id:int}/delete"),
    (ALL, "GET /session, POST /logout"),
    (NOBODY, "POST /login"),
):
    for line in lines.split(","):
        MAY[tuple(line.split())] = roles


def routes():
    found = []
    for name in ("src/hub/admin/admin.c", "src/hub/console/live.c"):
        table = (SOURCE / name).read_text().split("struct http_route routes[] = {")[1].split("\n};")[0]
        lines = re.findall(r'\{\s*"(\w+)",\s*"([^"]+)",\s*(\w+),', table)
        check(f"all lines of {name} are read", len(lines) == table.count(".fn ="), len(lines))
        found += [(method, path.removeprefix("/console/api")) for method, path, right in lines]
    return found


class Browser:
    def __init__(self, hub, user=None):
        link = hub.json("login", *(["--user", user] if user else []))["url"]
        _, _, head = hub.http("POST", "/login/" + link.split("/login/")[1], "")
        self.hub, self.cookie = hub, {"Cookie": head["Set-Cookie"].split(";")[0]}
        self.session = json.loads(hub.http("GET", "/console/api/session", headers=self.cookie)[1])

    def ask(self, method, path, doc=None):
        headers = self.cookie | {"X-CSRF-Token": self.session["csrf"]}
        return self.hub.http(method, "/console/api" + path, json.dumps(doc or {}) if method == "POST" else None, headers)[:2]


def is_refused(browser, method, path):
    status, text = browser.ask(method, path.replace("{id:int}", "999999").replace("{verb}", "none").replace("{name}", "none"))
    return status == 403 and "your role does not include" in text


def every_route(hub, found):
    for role in sorted(ALL):
        browser = Browser(hub, "the-" + role)
        check(f"{role}: the session says who it is", (browser.session["user"], browser.session["role"]) == ("the-" + role, role), browser.session)
        # A stream does not end: it is enough that who may not see is refused.
        asked = [r for r in found if r[1] != "/logout" and (r[1] != "/events" or role not in MAY[r])]
        wrong = [r for r in asked if is_refused(browser, *r) != (role not in MAY[r])]
        check(f"{role}: {len(asked)} routes", not wrong, wrong)
        check(f"{role}: may log out", browser.ask("POST", "/logout")[0] == 200)


def pages(hub):
    """The pages without scripts: who may not let devices in is no admin there."""
    for role in sorted(ALL):
        status, text, _ = hub.http("GET", "/admin/device/999999", headers=Browser(hub, "the-" + role).cookie)
        check(f"{role}: the page of a device that waits", status == (404 if role in DEVICES else 403), (status, text))


def roles(hub):
    ids = {u["name"]: u["id"] for u in hub.json("users", "list")}
    role_of = lambda name: {u["name"]: u["role"] for u in hub.json("users", "list")}[name]
    helpdesk, owner = Browser(hub, "the-it-admin"), Browser(hub, "the-owner")

    def give(browser, name, role):
        return browser.ask("POST", f"/users/{ids[name]}/role", {"role": role})[0]

    check("nobody gives more than he has", [give(helpdesk, "the-member", r) for r in ("owner", "admin", "network-admin")] == [403] * 3)
    check("nor decides about who has more", give(helpdesk, "the-admin", "member") == 403
          and helpdesk.ask("POST", f"/users/{ids['the-owner']}/rename", {"name": "x"})[0] == 403
          and helpdesk.ask("POST", f"/users/{ids['the-admin']}/delete")[0] == 403)
    check("nor changes his own role, nor deletes himself", give(helpdesk, "the-it-admin", "member") == 403
          and helpdesk.ask("POST", f"/users/{ids['the-it-admin']}/delete")[0] == 403)
    check("what he has he gives", give(helpdesk, "the-member", "auditor") == 200 and role_of("the-member") == "auditor")
    check("no key makes a device the owner's", helpdesk.ask("POST", "/keys", {"user": "the-owner"})[0] == 403)
    status, text = helpdesk.ask("POST", "/keys")
    check("without a name it is one's own", status == 200 and json.loads(text)["user"] == "the-it-admin", text)
    entry = json.loads(helpdesk.ask("POST", "/audit/list")[1])
    check("the record says who it was", "the-it-admin" in json.dumps(entry), entry)
    ids_of = lambda name: [s["id"] for s in hub.json("sessions", "list") if s.get("user") == name]
    check("sessions are listed", len(ids_of("the-owner")) == 2 and "the-owner" in hub.admin("sessions", "list"), hub.json("sessions", "list"))
    check("nobody logs out who has more rights", helpdesk.ask("POST", f"/sessions/{ids_of('the-owner')[-1]}/end")[0] == 403)
    guest = Browser(hub, "the-auditor")
    hub.admin("sessions", "end", str(max(ids_of("the-auditor"))))
    check("a session that is ended is over", guest.ask("GET", "/session")[0] == 401)
    check("and not there any more", "no session 999999" in hub.refusal("sessions", "end", "999999"))
    hub.admin("users", "role", "the-it-admin", "member")
    check("a role that is taken away is gone at once", helpdesk.ask("GET", "/nodes")[0] == 403)
    check("the ownership is handed over", give(owner, "the-admin", "owner") == 200 and role_of("the-admin") == "owner" and role_of("the-owner") == "admin")
    check("and is not taken back", give(owner, "the-owner", "owner") == 403 and give(owner, "the-admin", "member") == 403)
    hub.admin("users", "delete", "the-owner")
    check("who is deleted is logged out", owner.ask("GET", "/session")[0] == 401)
    root = Browser(hub)
    check("a link without a user is root's, and an owner's", "user" not in root.session and root.session["role"] == "owner", root.session)


def test(d):
    hub = Hub(HUB, d).start()
    for role in ALL:
        hub.admin("users", "create", "the-" + role)
        hub.admin("users", "role", "the-" + role, role)
    found = routes()
    check("each route has a line in this test", not set(found) ^ set(MAY), set(found) ^ set(MAY))
    every_route(hub, found)
    pages(hub)
    roles(hub)
    hub.stop()


sys.exit(run((test,)))
