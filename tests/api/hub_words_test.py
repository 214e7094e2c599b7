#!/usr/bin/env python3
"""What warren-hub says: commands and their help, tables for many devices, words about policies, log lines, and completion.

Usage: hub_words_test.py WARREN-HUB HUBDEVICE. Prints TAP."""
import os, re, sys

from hub_process import Device, Hub, check, run

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


def times(d):
    hub = Hub(HUB, d).start()
    for args in (("keys", "create"), ("tokens", "create", "x")):
        said = [hub.refusal(*args, "--expiry", e) for e in ("0", "0d", "0h0m", "-1", "")]
        check(f"{args[0]} that have expired already are not made", all("--expiry" in s for s in said), said)
    check("never is said in words", "expires" not in hub.json("keys", "create", "--expiry", "never"))
    said = hub.admin("status")
    check("status counts as people do", re.search(r"up for \d+ s\n", said) and "0 clients" in said, said)
    hub.stop()


sys.exit(run((policies, times)))
