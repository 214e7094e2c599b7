#!/usr/bin/env python3
"""What waits for an administrator: logins with a code, devices that joined with a key, and links for a browser.

Usage: hub_waiting_test.py WARREN-HUB HUBDEVICE HUBASK. Prints TAP."""
import functools, http.client, json, os, re, sys

import asker
from hub_process import Device, Hub, check, run, wait_for

HUB, DEVICE, HUBASK = sys.argv[1:4]
Asker = functools.partial(asker.at_hub, HUBASK)
HTML = {"Accept": "text/html,application/xhtml+xml"}


def code_in(answer):
    return answer["AuthURL"].rsplit("/", 1)[1]


def waiting_code(hub):
    return wait_for("it waits", lambda: hub.json("nodes", "pending"))[0]["code"]


def digest_of(page):
    return re.search(r'name="digest" value="([0-9a-f]{32})"', page).group(1)


def by_key(d):
    hub = Hub(HUB, d, "--approve-devices").start()
    key = hub.json("keys", "create", "--reusable")["key"]
    box, other, third = (Device(DEVICE, hub, n, key) for n in ("box", "other", "third"))
    for x in (box, other, third):
        x.running()
    check("a device that joined with a key waits", not box.self["authorized"] and not box.peers)
    pending = {p["name"]: p for p in hub.json("nodes", "pending")}
    check("nodes pending knows it", set(pending) == {"box", "other", "third"} and pending["box"]["user"] == "admin" and
          pending["box"]["node"] == box.self["id"] and pending["box"]["code"] == str(box.self["id"]), pending)
    table = hub.admin("nodes", "pending")
    check("and its table", "box" in table and "key of admin" in table, table)
    said = hub.admin("status")
    check("status counts it", hub.json("status")["pending"] == 3 and re.search(r"Waiting +3 .*nodes pending", said), said)
    url = pending["box"]["url"][len(hub.url):]
    status, page, _ = hub.http("GET", url, headers=HTML)
    check("the page that a client names is there, and tells strangers no devices", url == "/admin" and status == 200 and
          "warren-hub nodes approve" in page and "box" not in page, page)
    check("also where the official one has it", hub.http("GET", "/admin/machines")[0] == 200)
    said = hub.admin("nodes", "approve", "box")
    box.wait("it is in", lambda x: x.self["authorized"])
    check("approve takes its name", "box is in and belongs to admin" in said, said)
    cookie, csrf = hub.browser("/admin")
    page = hub.http("GET", "/admin", headers=cookie)[1]
    look = f"/admin/device/{other.self['id']}"
    check("an admin's page shows what waits", "other" in page and "third" in page and f'href="{look}"' in page, page)
    check("strangers are not told about it", hub.http("GET", look)[0] == 403)
    page = hub.http("GET", look, headers=cookie)[1]
    check("and all that it would get", all(w in page for w in ("Let it in", ">Owner<", ">Tags<", ">Ephemeral<", ">Key expires<", ">Routes<",
                                                             ">Exit node<", "mkey:", "nodekey:")), page)
    form = f"csrf={csrf}&node={other.self['id']}&digest={digest_of(page)}"
    refused = [hub.http("POST", "/admin/approve", b, h)[0] for b, h in (
        (form, {}), (form.replace(csrf, ""), cookie), (f"csrf={csrf}&node=x", cookie), (f"csrf={csrf}&node=4711&digest=0", cookie),
        (f"csrf={csrf}&node={other.self['id']}", cookie))]
    check("the button needs cookie, token, a device and what was shown", refused == [403, 403, 400, 404, 400], refused)
    check("it lets the device in", hub.http("POST", "/admin/approve", form, cookie)[0] == 200)
    other.wait("it is in", lambda x: x.self["authorized"] and box.self["id"] in x.peers)
    said = hub.refusal("nodes", "reject", "box")
    check("who is in is not rejected", "in already" in said, said)
    hub.admin("nodes", "reject", str(third.self["id"]))
    third.wait("it has to log in", lambda x: x.state == "login" and "/register/" in x.text)
    check("a rejected device is out, and can ask for a login", set(hub.nodes()) == {"box", "other"} and
          [p["hostname"] for p in hub.json("nodes", "pending")] == ["third"] and hub.json("status")["pending"] == 1)
    hub.stop()


def codes(d):
    hub = Hub(HUB, d).start()
    hub.admin("users", "create", "ana")
    box = Device(DEVICE, hub, "box")
    code = waiting_code(hub)
    url = box.wait("it has a URL", lambda x: x.text)
    check("a code can be read out", re.fullmatch(r"[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}", code) and
          url == f"{hub.url}/register/{code}", (code, url))
    same = [hub.http("GET", "/register/" + c) for c in (code, code.lower(), code.replace("-", ""), code.lower().replace("-", ""))]
    check("its page is found in any spelling", all(s == 200 and "box" in page for s, page, _ in same))
    check("when is told as people do", "just now" in same[0][1] or "second" in same[0][1], same[0][1])
    said = hub.admin("nodes", "approve", code[:3].lower(), "--user", "Ana")
    box.running()
    check("its beginning is enough", "belongs to ana" in said and box.owner() == "ana", said)
    said = hub.refusal("nodes", "approve", code)
    check("a used one is not there any more", "nothing waits" in said, said)
    many = [Device(DEVICE, hub, f"n{i}") for i in range(21)]  # more than there are letters
    wait_for("all wait", lambda: len(hub.json("nodes", "pending")) == len(many))
    all_codes = [p["code"] for p in hub.json("nodes", "pending")]
    letter = [c[0] for c in all_codes if sum(o[0] == c[0] for o in all_codes) > 1][0]
    said = hub.refusal("nodes", "approve", letter)
    check("of several that begin so none is guessed", "codes begin with" in said and len(hub.json("nodes", "pending")) == 21, said)
    victim = hub.json("nodes", "pending")[0]
    hub.admin("nodes", "reject", victim["code"])
    loser = [m for m in many if m.p.args[2] == victim["hostname"]][0]
    loser.wait("it is told", lambda x: "did not let" in x.text)
    check("a login can be rejected", len(hub.json("nodes", "pending")) == 20)
    right = hub.json("nodes", "pending")[0]["code"]
    wrong = next(a + b for a in ("BCDF-", "GHJK-") for b in ("BCDF", "GHJK") if a + b not in all_codes)
    seen = [hub.http("GET", "/register/" + wrong)[0] for _ in range(14)]
    check("guessing is stopped, also where it would be right", seen[0] == 404 and seen[-1] == 429 and
          hub.http("GET", "/register/" + right)[0] == 429, seen)
    check("the command still works, and an admin's browser", hub.http("GET", "/register/" + right, headers=hub.browser()[0])[0] == 200)
    check("and is counted", "warren_hub_login_codes_throttled_total" in hub.http("GET", "/metrics")[1])
    for m in many:
        m.p.kill()
    hub.stop()


def what_was_shown(d):
    """Is what is approved: whatever changes between the look and the yes refuses it, with what it is."""
    hub = Hub(HUB, d, "--key-expiry", "180d").start()
    hub.admin("users", "create", "ana")
    policy = os.path.join(d, "policy")
    with open(policy, "w") as f:
        json.dump({"tagOwners": {"tag:web": ["admin@", "ana@"]}, "autoApprovers": {"routes": {"10.1.0.0/16": ["ana@"]}}, "acls": []}, f)
    hub.admin("policy", "set", policy)
    a = Asker(hub, 17)
    host = {"OS": "linux", "Hostname": "box", "RoutableIPs": ["10.1.2.0/24", "10.9.0.0/16"]}
    code = code_in(a.registered(Hostinfo=host))
    shown = hub.json("nodes", "pending", code, "--user", "ana")
    lines = {line["label"]: line["value"] for line in shown["lines"]}
    check("nodes pending CODE shows all that it would get", "autoApprovers" in lines["Route 10.1.2.0/24"] and "offered only" in lines["Route 10.9.0.0/16"] and
          lines["Owner"] == "ana" and lines["Tags"] == "none" and "180 d" in lines["Key expires"] and lines["Machine key"].startswith("mkey:") and
          lines["Device"] == "a new one" and shown["from"] == "127.0.0.1", shown)
    text = hub.admin("nodes", "pending", code, "--user", "ana")
    check("for people, too, with what lets in just that", f"nodes approve {code} --digest {shown['digest']} --user ana" in text and "10.9.0.0/16" in text, text)
    check("a repeated request has the same code", code_in(a.registered(Hostinfo=host)) == code)
    said = hub.refusal("nodes", "approve", code, "--digest", shown["digest"])
    check("what was shown as one's is not given to another", '"Owner" was "ana" and is "admin"' in said, said)
    other = code_in(a.registered(Hostinfo={**host, "RequestTags": ["tag:web"]}))
    said = hub.refusal("nodes", "approve", code, "--user", "ana", "--digest", shown["digest"])
    check("a request for other things has another code, and the old one is told so", other != code and other in said and "other things" in said, said)
    cookie, csrf = hub.browser()
    status, page, _ = hub.http("GET", f"/register/{code}", headers=cookie)
    check("in a browser as well", status == 409 and "another code" in page, page)
    page = hub.http("GET", f"/register/{other}?user=ana", headers=cookie)[1]
    check("its form shows tags, routes and keys", all(w in page for w in ("tag:web", "10.9.0.0/16", "mkey:", "<option selected>ana")), page)
    with open(policy, "w") as f:
        json.dump({"tagOwners": {"tag:web": ["ana@"]}, "autoApprovers": {"routes": {"10.0.0.0/8": ["tag:web"]}}, "acls": []}, f)
    hub.admin("policy", "set", policy)
    status, page, _ = hub.http("POST", f"/register/{other}", f"csrf={csrf}&user=ana&digest={digest_of(page)}", cookie)
    check("a policy that changed meanwhile refuses it, and it is said what has", status == 409 and "Route 10.9.0.0/16" in page and "autoApprovers" in page, page)
    first = digest_of(hub.http("GET", f"/register/{other}?user=ana", headers=cookie)[1])
    rival = hub.json("nodes", "pending", other, "--user", "ana")["digest"]
    check("two who look see the same", first == rival)
    check("one of them lets it in", hub.http("POST", f"/register/{other}", f"csrf={csrf}&user=ana&digest={first}", cookie)[0] == 200)
    said = hub.refusal("nodes", "approve", other, "--user", "ana", "--digest", rival)
    check("the other is told that it is in already", "in already" in said, said)
    check("and its code is nothing's", hub.http("GET", f"/register/{other}", headers=cookie)[0] == 404 and hub.nodes()["box"]["tags"] == ["tag:web"])
    hub.stop()


def guesses(d):
    """From so many sources that none of them is stopped for itself: all together are."""
    hub = Hub(HUB, d).start()
    box = Device(DEVICE, hub, "box")
    code = box.wait("it has a code", lambda x: "/register/" in x.text and x.text).rsplit("/", 1)[1]
    seen = []
    for i in range(400):
        c = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=10, source_address=(f"127.1.{i >> 8}.{i & 255}", 0))
        c.request("GET", "/register/BCDF-BCDF")
        seen.append(c.getresponse().status)
        c.close()
    check("guesses of all together are bounded", seen[0] == 404 and seen[-1] == 429 and 300 <= seen.count(404) < 330, seen.count(404))
    check("also where they would be right", hub.http("GET", f"/register/{code}")[0] == 429)
    check("they are counted", "warren_hub_login_codes_wrong_total 3" in hub.http("GET", "/metrics")[1])
    check("an admin's browser goes on", hub.http("GET", f"/register/{code}", headers=hub.browser()[0])[0] == 200)
    hub.admin("nodes", "approve", code)
    check("and the command", box.running())
    hub.stop()


def pushed_out(hub):
    return int(re.search(r"warren_hub_pending_logins_evicted_total (\d+)", hub.http("GET", "/metrics")[1]).group(1))


def strangers(d):
    """More registrations than there is room for, from one address: an honest login waits on."""
    hub = Hub(HUB, d).start()
    honest = Device(DEVICE, hub, "honest")
    code = honest.wait("it has a code", lambda x: "/register/" in x.text and x.text).rsplit("/", 1)[1]
    for i in range(4000):  # some are told to come later; on one connection so many would be a flood
        if i % 100 == 0:
            a = Asker(hub, 17, source="127.2.0.1")
        a.key = f"nodekey:{i + 1:064x}"
        a.registered()
        if i % 100 == 99:
            a.close()
            if pushed_out(hub) > 100:
                break
    waiting = [p["code"] for p in hub.json("nodes", "pending")]
    check("they push out only each other", code in waiting and len(waiting) == 2048, len(waiting))
    check("which is counted", pushed_out(hub) > 100)
    said = hub.refusal("nodes", "approve", "BBBB-BBBB")
    check("who was pushed out is not approved", "nothing waits" in said, said)
    hub.admin("nodes", "approve", code)
    check("the honest one is let in", honest.running())
    hub.stop()


def links(d):
    hub = Hub(HUB, d).start()
    path = hub.json("login")["url"][len(hub.url):]
    hub.http("POST", path)
    used, wrong = hub.http("GET", path)[1], hub.http("GET", "/login/" + "0" * 64)[1]
    check("a used link is told from a wrong one", "used already" in used and "link is wrong" in wrong, (used, wrong))
    status, page, headers = hub.http("GET", "/nothing", headers=HTML)
    check("a missing page is a page", status == 404 and "<h1>No such page</h1>" in page and
          headers["Content-Type"].startswith("text/html") and "default-src 'none'" in headers["Content-Security-Policy"], page)
    status, page, headers = hub.http("GET", "/nothing")
    check("for a program it is a line", status == 404 and page.count("\n") == 1 and headers["Content-Type"].startswith("text/plain"), page)
    status, page, headers = hub.http("GET", "/logout", headers=HTML)
    check("a wrong method is a page, too, and says the right one", status == 405 and "<h1>" in page and headers["Allow"] == "POST", page)
    check("and for a form", hub.http("POST", "/", "a=b")[2]["Allow"] == "GET, HEAD")
    hub.stop()


sys.exit(run((by_key, codes, what_was_shown, guesses, strangers, links)))
