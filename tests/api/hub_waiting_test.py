#!/usr/bin/env python3
"""What waits for an administrator: logins with a code, devices that joined with a key, and links for a browser.

Usage: hub_waiting_test.py WARREN-HUB HUBDEVICE. Prints TAP."""
import re, sys

from hub_process import Device, Hub, check, run, wait_for

HUB, DEVICE = sys.argv[1:3]
HTML = {"Accept": "text/html,application/xhtml+xml"}


def waiting_code(hub):
    return wait_for("it waits", lambda: hub.json("nodes", "pending"))[0]["code"]


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
    check("an admin's page shows what waits, with a button", "other" in page and "third" in page and f'value="{other.self["id"]}"' in page, page)
    form = f"csrf={csrf}&node={other.self['id']}"
    refused = [hub.http("POST", "/admin/approve", b, h)[0] for b, h in (
        (form, {}), (f"node={other.self['id']}", cookie), (f"csrf={csrf}&node=x", cookie), (f"csrf={csrf}&node=4711", cookie))]
    check("the button needs cookie, token and a device", refused == [403, 403, 400, 404], refused)
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


sys.exit(run((by_key, codes, links)))
