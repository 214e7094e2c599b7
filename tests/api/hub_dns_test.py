#!/usr/bin/env python3
"""How a hub is told what names its devices resolve, and what the devices hear of it.

Usage: hub_dns_test.py WARREN-HUB HUBDEVICE. Prints TAP."""
import json, sys

from hub_process import Hub, check, run

HUB, DEVICE = sys.argv[1:3]


def settings(d):
    hub = Hub(HUB, d, "--base-domain", "corp.test").start()
    first = hub.json("dns", "status")
    check("names of devices and nothing else", first["magicDNS"] and first["overrideLocalDNS"] and not first["wildcard"] and
          not first["certificates"] and first["baseDomain"] == "corp.test" and
          not any(first[k] for k in ("nameservers", "splitDNS", "searchDomains", "records", "notes")), first)
    hub.admin("dns", "nameservers", "add", "9.9.9.9", "149.112.112.112:53")
    hub.admin("dns", "nameservers", "add", "https://DNS.corp.example/dns-query", "--at", "10.0.0.53,fd00::53", "--with-exit-node")
    said = hub.refusal("dns", "nameservers", "add", "9.9.9.9")
    check("what is there is not added twice", "9.9.9.9 is there already" in said, said)
    got = hub.json("dns", "nameservers", "list")["nameservers"]
    check("resolvers in their usual form", got == [
        {"address": "9.9.9.9"}, {"address": "149.112.112.112"},
        {"address": "https://dns.corp.example/dns-query", "at": ["10.0.0.53", "fd00::53"], "useWithExitNode": True}], got)
    hub.admin("dns", "nameservers", "remove", "149.112.112.112")
    hub.admin("dns", "split", "set", "Lab.Example.", "10.1.0.53", "10.1.0.54")
    hub.admin("dns", "split", "set", "only.records.example")
    hub.admin("dns", "split", "remove", "lab.example", "10.1.0.54")
    hub.admin("dns", "search", "add", "lab.example", "corp.example")
    hub.admin("dns", "records", "add", "Printer.Lab.Example", "10.1.0.9", "fd00::9")
    hub.admin("dns", "records", "add", "nas.corp.test", "A", "10.1.0.8")
    now = hub.json("dns", "status")
    check("what was set", now["splitDNS"] == [{"suffix": "lab.example", "nameservers": [{"address": "10.1.0.53"}]},
                                              {"suffix": "only.records.example", "nameservers": None}] and
          now["searchDomains"] == ["lab.example", "corp.example"] and now["records"] == [
              {"name": "nas.corp.test", "type": "A", "value": "10.1.0.8"},
              {"name": "printer.lab.example", "type": "A", "value": "10.1.0.9"},
              {"name": "printer.lab.example", "type": "AAAA", "value": "fd00::9"}], now)
    check("what surprises is said", any("well-known providers" in n for n in now["notes"]), now["notes"])
    table = hub.admin("dns", "records")
    check("records as a table", "NAME" in table and "printer.lab.example  AAAA" in table, table)
    table = hub.admin("dns", "split", "list")
    check("split as a table", "lab.example" in table and "10.1.0.53" in table and "records only" in table, table)
    check("status in words", "instead of the devices' own" in hub.admin("dns", "status"))
    for name, on in (("magic", "off"), ("override", "off"), ("wildcard", "on"), ("certificates", "on")):
        hub.admin("dns", name, on)
    now = hub.json("dns", "status")
    check("switches", not now["magicDNS"] and not now["overrideLocalDNS"] and now["wildcard"] and now["certificates"], now)
    hub.stop()
    hub.start()
    check("all of it is there after a restart", hub.json("dns", "status") == now)
    said = hub.said()
    check("changes are in the log with who and what", "request=/dns/records/add name=nas.corp.test values=10.1.0.8" in said and
          "request=/dns/switch/magic/off" in said and "by=" in said, said[-2000:])
    hub.admin("dns", "records", "remove", "printer.lab.example")
    hub.admin("dns", "split", "remove", "lab.example")
    hub.admin("dns", "search", "clear")
    hub.admin("dns", "nameservers", "clear")
    now = hub.json("dns", "status")
    check("taken out again", len(now["records"]) == 1 and len(now["splitDNS"]) == 1 and not now["searchDomains"] and
          not now["nameservers"], now)
    hub.stop()


REFUSED = [
    (("nameservers", "add", "dns.google"), "is no resolver"),
    (("nameservers", "add", "http://dns.google/dns-query"), "in clear"),
    (("nameservers", "add", "100.100.100.100"), "ask itself"),
    (("nameservers", "add", "9.9.9.9", "--at", "10.0.0.1"), "is an address itself"),
    (("nameservers", "add", "tls://dns.example", "--at", "nowhere"), "write addresses"),
    (("nameservers", "remove", "9.9.9.9"), "dns nameservers list"),
    (("split", "set", "warren.internal", "10.0.0.53"), "base domain"),
    (("split", "set", "no name", "10.0.0.53"), "is no name"),
    (("split", "remove", "lab.example"), "dns split list"),
    (("search", "add", "warren.internal"), "searched first"),
    (("search", "remove", "lab.example"), "dns search list"),
    (("records", "add", "x.lab.example", "TXT", "hello"), "A and AAAA only"),
    (("records", "add", "*.lab.example", "10.0.0.9"), "dns wildcard on"),
    (("records", "add", "x.lab.example", "AAAA", "10.0.0.9"), "no address"),
    (("records", "add", "x.lab.example", "A"), "which address"),
    (("records", "remove", "x.lab.example"), "dns records list"),
    (("magic", "maybe"), "on or off"),
    (("preview", "a..b"), "is no name"),
    (("preview", "x", "nobody"), 'no device "nobody"'),
]


def refusals(d):
    hub = Hub(HUB, d).start()
    for args, words in REFUSED:
        said = hub.refusal("dns", *args)
        check(f"dns {' '.join(args)}", words in said, said)
    r = hub.run("dns", "nameserver", "add", "9.9.9.9")
    check("a slip is put right", r.returncode == 2 and 'did you mean "dns nameservers add"' in r.stderr, r.stderr)
    r = hub.run("dns", "nameservers", "set")
    check("usage of a verb of two words", r.returncode == 2 and "dns nameservers set ADDRESS..." in r.stderr, r.stderr)
    said = hub.run("dns", "nameservers", "--help").stdout
    check("help of a verb of two words", "dns nameservers remove" in said and "dns split" not in said, said)
    said = hub.run("dns", "--help").stdout
    check("help of the group", "dns nameservers remove" in said and "dns preview" in said, said)
    check("nothing was set", not hub.json("dns", "status")["nameservers"])
    hub.stop()


ZONE = """$ORIGIN lab.example.
@ 3600 IN SOA ns hostmaster ( 1 2 3
  4 5 )
@    A     10.1.0.1
     AAAA  fd00::1
DB   A     10.1.0.2 ; a comment
www  CNAME db
printer A  10.1.0.9
"""


def imports(d):
    hub = Hub(HUB, d).start()
    hub.admin("dns", "records", "add", "printer.lab.example", "10.1.0.9")
    zone = d + "/lab.zone"
    with open(zone, "w") as f:
        f.write(ZONE)
    said = hub.admin("dns", "records", "import", zone, "--dry-run")
    check("import --dry-run names what is new", "10.1.0.2" in said and "10.1.0.9" not in said and "Nothing was changed" in said and
          "1 record there already" in said and "2 lines not of an address" in said, said)
    got = hub.json("dns", "records", "import", zone, "--dry-run")["records"]
    check("as JSON, too", [r["value"] for r in got] == ["10.1.0.1", "fd00::1", "10.1.0.2"], got)
    check("and changes nothing", len(hub.json("dns", "status")["records"]) == 1)
    hub.admin("dns", "records", "import", zone)
    want = {("printer.lab.example", "10.1.0.9"), ("lab.example", "10.1.0.1"), ("lab.example", "fd00::1"), ("db.lab.example", "10.1.0.2")}
    got = hub.json("dns", "status")["records"]
    check("import adds it", {(r["name"], r["value"]) for r in got} == want and len(got) == 4, got)
    said = hub.admin("dns", "records", "import", zone)
    check("once more there is nothing to add", "Nothing to add" in said and "4 records there already" in said, said)
    with open(zone, "w") as f:
        f.write("a.lab.example A 10.1.0.3\nb.lab.example A nowhere\n")
    said = hub.refusal("dns", "records", "import", zone)
    check("what is wrong is told with its line, and nothing is added", "lab.zone:2: " in said and hub.json("dns", "status")["records"] == got, said)
    with open(zone, "w") as f:
        f.write("a.lab.example. A 10.1.0.3\nx.onion. A 10.1.0.4\n")
    said = hub.refusal("dns", "records", "import", zone)
    check("all or nothing, also of what the hub refuses", ".onion" in said and hub.json("dns", "status")["records"] == got, said)
    hub.stop()


def previews(d):
    hub = Hub(HUB, d).start()
    hub.admin("dns", "split", "set", "lab.example", "10.1.0.53")
    hub.admin("dns", "records", "add", "printer.lab.example", "10.1.0.9")

    def answers(*args):
        return hub.json("dns", "preview", *args)["answers"]
    got = [answers(n) for n in ("printer.lab.example", "x.lab.example", "nobody", "example.org")]
    check("who answers", got == ["records", "split", "nobody", "system"], got)
    hub.admin("dns", "nameservers", "add", "9.9.9.9")
    check("in words", "asked of 9.9.9.9" in hub.admin("dns", "preview", "example.org"))
    hub.stop()


def api(d):
    hub = Hub(HUB, d, "--base-domain", "corp.test").start()
    token, reader, other = (hub.json("tokens", "create", n, "--scope", s)["token"] for n, s in
                            (("tf", "dns"), ("watch", "all:read"), ("ci", "policy_file")))

    def ask(method, path, body=None, key=token):
        status, text, _ = hub.http(method, "/api/v2/tailnet/-/dns/" + path, json.dumps(body) if body is not None else None,
                                   {"Authorization": "Bearer " + key})
        return status, json.loads(text)
    got = [ask("GET", p)[1] for p in ("nameservers", "preferences", "searchpaths", "split-dns", "configuration")]
    check("as it begins", got == [{"dns": []}, {"magicDNS": True}, {"searchPaths": []}, {}, {
        "nameservers": [], "splitDNS": {}, "searchPaths": [], "preferences": {"overrideLocalDNS": True, "magicDNS": True}}], got)
    hub.admin("dns", "records", "add", "nas.corp.test", "10.1.0.8")
    got = ask("POST", "nameservers", {"dns": ["8.8.8.8", "2001:4860:4860:0::8888"]})
    check("nameservers", got == (200, {"dns": ["8.8.8.8", "2001:4860:4860::8888"], "magicDNS": True}), got)
    got = ask("POST", "nameservers", {"dns": []})
    check("without any, names of devices stay", got == (200, {"dns": [], "magicDNS": True}), got)
    got = ask("POST", "preferences", {"magicDNS": False}), ask("POST", "preferences", {"magicDNS": True})
    check("preferences", got == ((200, {"magicDNS": False}), (200, {"magicDNS": True})), got)
    got = ask("POST", "searchpaths", {"searchPaths": ["Lab.Example"]})
    check("search paths", got == (200, {"searchPaths": ["lab.example"]}), got)
    got = ask("PUT", "split-dns", {"a.example": ["10.0.0.1"], "b.example": ["10.0.0.2"]})
    check("split replaced", got == (200, {"a.example": ["10.0.0.1"], "b.example": ["10.0.0.2"]}), got)
    got = ask("PATCH", "split-dns", {"b.example": None, "c.example": ["10.0.0.3"], "gone.example": None})
    check("split merged", got == (200, {"a.example": ["10.0.0.1"], "c.example": ["10.0.0.3"]}), got)
    whole = {"nameservers": [{"address": "1.1.1.1", "useWithExitNode": True}], "splitDNS": {"d.example": [{"address": "10.0.0.4"}]},
             "searchPaths": ["d.example"], "preferences": {"overrideLocalDNS": False, "magicDNS": True}}
    got = ask("POST", "configuration", whole)
    check("configuration", got == (200, whole) and ask("GET", "configuration") == (200, whole), got)
    check("what the API has no form for stays", hub.json("dns", "status")["records"] ==
          [{"name": "nas.corp.test", "type": "A", "value": "10.1.0.8"}])
    hub.admin("dns", "nameservers", "set", "https://dns.lab.example/q", "--at", "10.0.0.5")
    ask("POST", "nameservers", {"dns": ["https://dns.lab.example/q", "9.9.9.9"]})
    got = hub.json("dns", "nameservers")["nameservers"]
    check("so does where a resolver is found", got[0].get("at") == ["10.0.0.5"] and got[1] == {"address": "9.9.9.9"}, got)
    got = ask("POST", "nameservers", {"dns": ["no resolver"]})
    check("what is refused is told", got[0] == 400 and "is no resolver" in got[1]["message"], got)
    got = ask("PATCH", "split-dns", {"corp.test": ["10.0.0.1"]})
    check("the base domain is ours", got[0] == 400 and "base domain" in got[1]["message"], got)
    got = ask("POST", "searchpaths", {"searchPaths": 7})
    check("what is no such body is told", got[0] == 400 and "body" in got[1]["message"], got)
    got = [ask("GET", "nameservers", key=reader)[0], *ask("POST", "nameservers", {"dns": []}, reader)]
    check("who may read only", got[:2] == [200, 403] and "dns is the scope" in got[2]["message"], got)
    got = ask("GET", "nameservers", key=other)
    check("another scope", got[0] == 403 and "this needs dns:read" in got[1]["message"], got)
    check("nobody else", hub.http("GET", "/api/v2/tailnet/-/dns/nameservers")[0] == 401)
    check("a wrong method", ask("DELETE", "split-dns")[0] == 405)
    hub.stop()


if __name__ == "__main__":
    sys.exit(run([settings, refusals, imports, previews, api]))
