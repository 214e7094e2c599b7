#!/usr/bin/env python3
"""What a member says of itself, whatever it is, leaves the others their map: the built hub, hostile documents from a seed, and an honest
device that asks for its map after each; what people are shown of it holds nothing that steers a terminal; a member's changes go to the
others at a pace.

Usage: hub_members_test.py WARREN-HUB HUBASK HUBDEVICE HOSTINFO. Prints TAP."""
import json, os, re, sqlite3, sys, time, unicodedata

from asker import Asker, hostile
from hub_process import Device, Hub, check, children, run, wait_for

HUB, HUBASK, HUBDEVICE, HOSTINFO = sys.argv[1:5]
SEED, DOCUMENTS = 7, 300
PEER_BYTES = 8192 + 64 * 60 + 2048  # the part of Hostinfo, endpoints, and what is the hub's own


def asker(hub, n):
    noise = json.loads(hub.http("GET", "/key?v=148")[1])["publicKey"].removeprefix("mkey:")
    a = Asker(HUBASK, "127.0.0.1", hub.port, noise, n)
    children.append(a.p)
    return a


def once(pairs):
    """Objects as a strict reader takes them: no name twice."""
    d = dict(pairs)
    assert len(d) == len(pairs), pairs
    return d


def texts(v):
    if isinstance(v, str):
        yield v
    elif isinstance(v, dict):
        for k, x in v.items():
            yield k
            yield from texts(x)
    elif isinstance(v, list):
        for x in v:
            yield from texts(x)


def steers(text):
    return [c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") and c != "\n" and not 0x600 <= ord(c) <= 0x605]


def shown(hub):
    """What people are shown of devices: lists as tables and as JSON, pages, the log."""
    return [hub.admin("nodes", "list"), *texts(hub.json("nodes", "list")), hub.said().replace("\n", "")]


def metric(hub, name):
    return int(re.search(rf"^warren_{name} (\d+)$", hub.http("GET", "/metrics")[1], re.M).group(1))


def whole(m, n):
    """A map in which nothing is missing and nothing is out of its type's range."""
    return len(m["Peers"]) == n and all(
        p["Addresses"] and p["Key"] and "Hostinfo" in p and 0 <= p.get("HomeDERP", 0) < 1 << 31 and len(p["Endpoints"]) <= 64 and
        all(0 < s["Port"] < 65536 and s["Proto"].startswith("peerapi") for s in p["Hostinfo"].get("Services", [])) and
        set(p["Hostinfo"]) <= {"OS", "Hostname", "Services", "sshHostKeys", "Location"} and len(json.dumps(p)) <= PEER_BYTES
        for p in m["Peers"])


def documents(d):
    hub = Hub(HUB, d).start()
    key = hub.json("keys", "create", "--reusable")["key"]
    liar, honest = asker(hub, 17).register(key), asker(hub, 18).register(key)
    device = Device(HUBDEVICE, hub, "listener", key).running()
    wrong, answers = [], {}
    for i, words in enumerate(hostile(HOSTINFO, SEED, DOCUMENTS) + hostile(HOSTINFO, SEED + 1, DOCUMENTS, "sane")):
        status = liar.say(words)[0]
        answers[status] = answers.get(status, 0) + 1
        try:
            text = honest.map_bytes()[0].decode()
            m = json.loads(text, object_pairs_hook=once)
            bad = [s for s in texts(m) if steers(s)]
            if not whole(m, 2) or bad:
                wrong.append((i, words[:200], bad or text[:2000]))
        except (ValueError, AssertionError, ConnectionError) as e:
            wrong.append((i, words[:200], repr(e)))
        if len(wrong) > 3:
            break
    check(f"{2 * DOCUMENTS} hostile documents: after each the honest device's map is whole, and every text can be printed", not wrong, wrong)
    check("who is only strange is taken, who is no JSON is refused", answers.get(200, 0) >= DOCUMENTS and answers.get(400, 0) > 20 and
          set(answers) <= {200, 400, 0}, answers)  # 0: a body over the limit is reset
    check("both are counted", metric(hub, "hub_texts_cleaned_total") and metric(hub, "hub_parts_left_out_total") and
          metric(hub, "hub_unreadable_total") == 0)
    bad = [s for s in shown(hub) if steers(s)]
    check("lists, JSON and the log hold nothing that steers a terminal", not bad, bad[:3])
    check("a device that listens has both peers", wait_for("its peers", lambda: len(device.peers) == 2))
    # A registration says the same things.
    refused = 0
    for i, words in enumerate(hostile(HOSTINFO, SEED + 2, 60)):
        body = b'{"Version":148,"NodeKey":"nodekey:%s","Auth":{"AuthKey":"%s"},%s}' % (b"%064x" % (i + 1), key.encode(), words)
        status, _, _, answer = liar.raw("/machine/register", body)
        refused += status != 200
        m = honest.map()[0]
        if not whole(m, 2):
            wrong.append((i, status, m))
    check("nor do 60 of them with a registration break it", not wrong, wrong)
    hub.stop()
    hub.start()
    m = asker(hub, 18).map()[0]
    check("after a restart all is as it was", whole(m, 2) and not [s for s in texts(m) if steers(s)], m)
    hub.stop()


POISON = ['{"OS":"linux","Location":{"a":"\\q"}}', '{"Services":[{"Proto":"peerapi4","Port":70000}]}', '{"OS":"\\u001b[2J\\u202e"}',
          '{"Location":' + '{"a":' * 28 + "1" + "}" * 28 + "}", '{"NetInfo":{"PreferredDERP":99999999999}}']


def stored(d):
    """What an older hub has kept is cleaned, in memory and on the disk."""
    hub = Hub(HUB, d).start()
    key = hub.json("keys", "create", "--reusable")["key"]
    asker(hub, 33).register(key)
    asker(hub, 34).register(key)
    hub.stop()
    file = next(os.path.join(at, f) for at, _, fs in os.walk(os.path.join(d, "state")) for f in fs if f.endswith((".db", ".sqlite")))
    for poison in POISON:
        with sqlite3.connect(file) as db:
            at, text = next((i, t) for i, t in db.execute("select id, doc from doc where kind = 1") if f"nodekey:{'21' * 32}" in t)
            text = text[:text.index('"hostinfo":')] + '"hostinfo":' + poison + "}"
            db.execute("update doc set doc = ? where kind = 1 and id = ?", (text, at))
        db.close()
        hub.start()
        m = asker(hub, 34).map()[0]
        bad = [s for s in [*texts(m), *shown(hub)] if steers(s)]
        check(f"a stored {poison[:40]} is cleaned", whole(m, 1) and not bad, (m["Peers"], bad))
        asker(hub, 33).ask("/machine/map", OmitPeers=True)  # it says something good, so the next one is found as before
        hub.stop()


def pace(d):
    """A flood: little of it goes to others and to the disk, the last word does, and what another device says goes at once."""
    hub = Hub(HUB, d).start()
    key = hub.json("keys", "create", "--reusable")["key"]
    loud, calm, honest = (asker(hub, n).register(key) for n in (49, 50, 51))
    device = Device(HUBDEVICE, hub, "listener", key).running()
    sent, commits = metric(hub, "hub_map_bytes_total"), metric(hub, "hub_commits_total")
    end, n, slow = time.monotonic() + 5, 0, 0.0
    while time.monotonic() < end:
        n += 1
        words = b'"Hostinfo":{"Hostname":"x","OS":"os-%d","App":"%s"},"Endpoints":["192.0.2.1:%d"]' % (n, b"a" * 60000, n % 60000 + 1)
        assert loud.say(words)[0] == 200
        if n % 50 == 0:
            start = time.monotonic()
            calm.ask("/machine/map", OmitPeers=True, Endpoints=[f"192.0.2.2:{n}"])
            wait_for("it is told", lambda: [f"192.0.2.2:{n}"] in [p["Endpoints"] for p in honest.map()[0]["Peers"]], 5)
            slow = max(slow, time.monotonic() - start)
    check(f"{n} updates of 60 KB in 5 s: few bytes go to others, and few writes", metric(hub, "hub_map_bytes_total") - sent < 300_000 and
          metric(hub, "hub_commits_total") - commits < 60, (metric(hub, "hub_map_bytes_total") - sent, metric(hub, "hub_commits_total") - commits))
    check("what waits is seen, and counted", metric(hub, "hub_updates_waiting") == 1 and metric(hub, "hub_updates_held_total") > n / 2)
    check("another device's move is told at once", slow < 0.5, slow)
    said = lambda: [p["Hostinfo"].get("OS") for p in honest.map()[0]["Peers"]]  # noqa: E731
    check("its last word is told in the end", wait_for("the last word", lambda: f"os-{n}" in said(), 30))
    later = [loud.ask("/machine/register", Auth={"AuthKey": key}, NodeKey=f"nodekey:{i + 1:064x}") for i in range(60)]
    check("a device that registers all the time is told to come later, with Retry-After", sum(a[0] == 429 for a in later) > 30 and
          all(a[1].isdigit() for a in later if a[0] == 429), [a[:2] for a in later])
    check("the listener is still there", device.state == "running")
    hub.stop()


if __name__ == "__main__":
    sys.exit(run([documents, stored, pace]))
