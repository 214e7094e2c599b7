"""Members who say whatever they like of themselves, all the time: what they say, how often, and who they say that they are. Beside the
honest device another one asks for its map, which stays whole."""
import json
import os
import threading
import time
import unicodedata

from asker import Asker, hostile
from lib import HUB4, PLAIN, TOOLS, attack


def tool(name):
    return os.path.join(TOOLS, name, name)


def asker(p, n):
    return Asker(tool("hubask"), HUB4, PLAIN, p.key.hex(), n)


def members(p, n, first=100):
    key = p.auth_key()
    return key, [asker(p, first + i).register(key) for i in range(n)]


def until(seconds, each):
    """each(round) in a thread for every function, until the time is up."""
    end = time.monotonic() + seconds

    def run(fn):
        i = 0
        while time.monotonic() < end:
            fn(i)
            i += 1
    threads = [threading.Thread(target=run, args=(fn,)) for fn in each]
    for t in threads:
        t.start()
    for t in threads:
        t.join(20)


def look(p, honest):
    """The map of one that is honest: read strictly, whole, and nothing in it steers a terminal."""
    text = honest.map_bytes()[0].decode()
    m = json.loads(text)
    hidden = [c for c in json.dumps(m, ensure_ascii=False) if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") and not 0x600 <= ord(c) <= 0x605]
    p.expect("the honest map can be printed", not hidden, hidden[:3])
    p.expect("the honest map is whole", m["Peers"] and all(x["Addresses"] and "Hostinfo" in x for x in m["Peers"]), text[:300])


@attack("hostile Hostinfo from a seed, 4 s of it from four members")
def hostile_words(p):
    _, liars = members(p, 4)
    _, (honest,) = members(p, 1, 50)
    words = [hostile(tool("hostinfo"), 100 + i, 300) for i in range(4)]
    until(4, [lambda i, a=a, w=w: a.say(w[i % len(w)]) for a, w in zip(liars, words)] + [lambda i: look(p, honest)])
    p.expect("something was cleaned", p.metric("warren_hub_texts_cleaned_total") > 10)
    p.expect("nothing went out that could not be read", p.metric("warren_hub_unreadable_total") == 0)


def told(p):
    """Messages of changes. Whole maps are for who joins, and for who looks as often as the machine lets it."""
    return p.metric("warren_hub_map_messages_total") - p.metric("warren_hub_first_maps_total")


@attack("500 KB of Hostinfo, another one each time, as fast as two members can for 5 s")
def flood_of_words(p):
    _, loud = members(p, 2)
    _, (honest,) = members(p, 1, 50)
    told_before, commits = told(p), p.metric("warren_hub_commits_total")
    services = b",".join(b'{"Proto":"tcp","Port":%d,"Description":"%s"}' % (i + 1, b"d" * 90) for i in range(4000))

    sent = []

    def flood(a):
        return lambda i: sent.append(i) or a.say(b'"Hostinfo":{"Hostname":"x","OS":"os-%d","Services":[%s]},"Endpoints":["192.0.2.1:%d"]' % (i, services, i % 60000 + 1))
    until(5, [flood(a) for a in loud] + [lambda i: look(p, honest)])
    held = p.metric("warren_hub_updates_held_total")
    p.expect("all but a burst waited", len(sent) > 2 * 22 and held >= len(sent) - 2 * 24, (len(sent), held))
    # A burst of 20 small changes of each, to some ten readers, and little more.
    p.expect("little was told", told(p) - told_before < 2 * 22 * 10, told(p) - told_before)
    p.expect("little was written", p.metric("warren_hub_commits_total") - commits < 500, p.metric("warren_hub_commits_total") - commits)


@attack("members that come and go, change their keys, names, routes and the end of their keys, and register again and again for 5 s")
def flapping(p):
    key, flaps = members(p, 6)
    _, (honest,) = members(p, 1, 50)
    commits, later = p.metric("warren_hub_commits_total"), []

    def rotate(i):
        later.append(flaps[0].ask("/machine/register", Auth={"AuthKey": key}, NodeKey=f"nodekey:{i + 1:064x}")[0])

    def expire(i):
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 10 ** 7 - i))
        later.append(flaps[1].ask("/machine/register", Expiry=at)[0])

    each = [rotate, expire,
            lambda i: flaps[2].ask("/machine/map", Stream=True, KeepAlive=True),
            lambda i: flaps[3].say(b'"Hostinfo":{"Hostname":"name-%d"}' % i),
            lambda i: flaps[4].say(b'"Hostinfo":{"RoutableIPs":["10.%d.0.0/16","0.0.0.0/0"]}' % (i % 250)),
            lambda i: flaps[5].ask("/machine/register", Auth={"AuthKey": key}),
            lambda i: look(p, honest)]
    until(5, each)
    p.expect("who registers all the time is told to come later", later.count(429) > 20, later[:60])
    p.expect("little was written", p.metric("warren_hub_commits_total") - commits < 500, p.metric("warren_hub_commits_total") - commits)
