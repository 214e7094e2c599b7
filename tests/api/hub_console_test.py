#!/usr/bin/env python3
"""The console on the public port, without a browser: its files, its session, what it refuses, what it is told.

Usage: hub_console_test.py WARREN-HUB HUBDEVICE. Prints TAP."""
import gzip, http.client, json, sys

from hub_process import Device, Hub, check, children, run

HUB, HUBDEVICE = sys.argv[1:3]


def console(d):
    hub = Hub(HUB, d).start()
    status, page, head = hub.http("GET", "/console/devices/17")
    check("every address of the console is its page", status == 200 and '<div id="app">' in page, page[:200])
    check("with a strict policy", "default-src 'none'; script-src 'self'" in head["Content-Security-Policy"], head["Content-Security-Policy"])
    status, _, again = hub.http("GET", "/console", headers={"If-None-Match": head["ETag"]})
    check("which is not sent twice", status == 304, status)
    script = page.split('src="')[1].split('"')[0]
    status, text, head = hub.http("GET", script)
    check("its script may be kept for ever", status == 200 and "immutable" in head["Cache-Control"], head["Cache-Control"])
    connection = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=20)
    for coding, accept in (("gzip", "gzip"), ("br", "gzip, br"), (None, "br;q=0")):
        connection.request("GET", script, headers={"Accept-Encoding": accept})
        r = connection.getresponse()
        body = r.read()
        check(f"as {coding}", r.headers["Content-Encoding"] == coding and r.headers["Vary"] == "Accept-Encoding", r.headers["Content-Encoding"])
        if coding == "gzip":
            check("the same bytes", gzip.decompress(body).decode() == text)
    connection.close()
    check("an old address is not kept", "immutable" not in hub.http("GET", "/console/assets/0/app.js")[2]["Cache-Control"])
    check("another file is not there", hub.http("GET", "/console/assets/0/..%2f")[0] == 404)

    check("a stranger gets nothing", [hub.http("GET", "/console/api" + p)[0] for p in ("/nodes", "/session", "/events", "/nothing")] == [401] * 4)
    cookie, _ = hub.browser("/console")
    status, body, head = hub.http("GET", "/console/api/session", headers=cookie)
    token = {"X-CSRF-Token": json.loads(body)["csrf"]}
    check("a session knows its token", status == 200 and head["Cache-Control"] == "no-store", body)
    check("and reads what warren-hub prints", json.loads(hub.http("GET", "/console/api/nodes", headers=cookie)[1]) == hub.json("nodes", "list"))
    ask = json.dumps({"name": "bob"})
    check("a change needs the token", hub.http("POST", "/console/api/users", ask, cookie)[0] == 403)
    check("and comes from a page of ours", hub.http("POST", "/console/api/users", ask, cookie | token | {"Sec-Fetch-Site": "cross-site"})[0] == 403)
    check("nothing was changed", "bob" not in hub.users())
    check("then it is made", hub.http("POST", "/console/api/users", ask, cookie | token)[0] == 200 and "bob" in hub.users())
    made = hub.json("audit", "list")["entries"][0]
    check("and recorded as what it is, wherever it was asked for", made["action"] == "POST /users" and made["via"] == "browser", made)
    check("a path that is none is one", hub.http("GET", "/console/api/nothing", headers=cookie)[0] == 404)

    stream = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=20)
    stream.request("GET", "/console/api/events", headers=cookie)
    r = stream.getresponse()
    check("events are a stream", r.headers["Content-Type"] == "text/event-stream")
    device = Device(HUBDEVICE, hub, "laptop", hub.json("keys", "create")["key"]).running()
    text = ""
    while "devices" not in text:
        text += r.readline().decode()
    check("a page is told that devices have changed", "event: changed" in text, text)
    for _ in range(40):
        c = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=20)
        c.request("GET", "/console/api/events", headers=cookie)
        c.getresponse()
        c.close()
    check("pages that are gone hold nothing", hub.http("GET", "/console/api/nodes", headers=cookie)[0] == 200)
    news = json.loads(hub.http("POST", "/console/api/nodes/changed", "{}", cookie | token)[1])
    check("a page asks for all devices", news["all"] and news["total"] == len(news["nodes"]) == 1, news)
    known = json.dumps({"changes": news["changes"]})
    later = json.loads(hub.http("POST", "/console/api/nodes/changed", known, cookie | token)[1])
    check("and then for those that have changed", not later["all"] and later["nodes"] == [] and later["total"] == 1, later)
    hub.admin("nodes", "rename", "laptop", "desk")
    later = json.loads(hub.http("POST", "/console/api/nodes/changed", known, cookie | token)[1])
    check("a name is a change", [n["name"] for n in later["nodes"]] == ["desk"], later)
    known = json.dumps({"changes": later["changes"]})
    answers = {hub.http("POST", "/console/api/nodes/changed", known, cookie | token)[1] for _ in range(5)}
    second = Device(HUBDEVICE, hub, "tablet", hub.json("keys", "create")["key"]).running()
    seen = []
    while "tablet" not in seen:  # each time that an event says so: what was asked between two of them may be older
        text = ""
        while "devices" not in text:
            text = r.readline().decode()
        seen = [n["name"] for n in json.loads(hub.http("POST", "/console/api/nodes/changed", known, cookie | token)[1])["nodes"]]
    check("what is asked behind an event knows what the event was for", "tablet" in seen and len(answers) <= 2, answers)
    second.p.kill()
    extra = []
    for i in range(9):
        c = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=20)
        c.request("GET", "/console/api/events", headers=cookie)
        extra.append((c, c.getresponse().status))
    check("of nine streams more", [s for _, s in extra] == [200] * 9, [s for _, s in extra])
    while r.readline():
        pass
    check("a session keeps the eight youngest", True)
    stream.request("GET", "/console/api/events", headers=cookie)
    r = stream.getresponse()
    for c, _ in extra:
        c.close()
    check("who logs out is out", hub.http("POST", "/console/api/logout", "{}", cookie | token)[0] == 200 and hub.http("GET", "/console/api/nodes", headers=cookie)[0] == 401)
    while r.readline():
        pass
    check("and its streams end", True)
    text = hub.admin("console")
    check("warren-hub console prints a link and its picture", "/login/" in text and ("█" in text or "▀" in text), text)
    device.say("logout")
    hub.stop()


sys.exit(run((console,)))
