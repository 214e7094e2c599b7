#!/usr/bin/env python3
"""Keys of devices come to their end while the hub is away: our devices know the time, and need nobody's word.

Usage: expiry_test.py WARREND. Prints TAP; needs root."""
import subprocess
import sys
import time

from place import Place, check, run, wait_for, within


def pings(node, ip):
    return subprocess.run(node.host.argv("ping", "-c", "1", "-W", "1", ip), capture_output=True).returncode == 0


def without_the_hub():
    with Place() as p:
        key = p.hub.auth_key("--reusable")
        a, b, c = p.node("a"), p.node("b"), p.node("c")
        for n in a, b, c:
            n.up(p.hub.url, key)
        wait_for("all reach each other", lambda: pings(a, b.ip()) and pings(b, c.ip()) and pings(a, c.ip()))
        ip, was = b.ip(), b.status()["Self"]["PublicKey"]
        p.hub.admin("nodes", "expire", "b", "--expiry", "6s")
        end = time.monotonic() + 6
        wait_for("they know it", lambda: (a.peer(ip) or {}).get("KeyExpiry") and b.status()["Self"].get("KeyExpiry"))
        p.hub.stop("KILL")
        check("until then it is reached", time.monotonic() > end - 1 or pings(a, ip))
        check("its own daemon stops at that time", within("b wants a login", lambda: b.status()["BackendState"] == "NeedsLogin",
                                                          end + 4 - time.monotonic()) is not None, b.status()["BackendState"])
        check("and takes its addresses away", within("no address", lambda: ip not in b.host.run("ip", "addr"), 3) is not None, b.host.run("ip", "addr"))
        check("its peers see it expired", within("a says so", lambda: (a.peer(ip) or {}).get("Expired"), 5) is not None, a.peer(ip))
        check("and do not reach it", not pings(a, ip) and not pings(c, ip))
        r = subprocess.run(a.host.argv(a.argv[0].replace("warrend", "warren"), f"--socket={a.socket}", "ping", "-c", "1", ip), capture_output=True, text=True)
        check("a ping by hand says why", r.returncode != 0 and "expired" in r.stdout + r.stderr, r.stdout + r.stderr)
        check("the others go on", pings(a, c.ip()))
        p.hub.start()
        check("the hub, when it is back, says the same", within("the hub's list", lambda: p.listed("b")["expired"], 10) is not None, p.hub.nodes())
        b.up(p.hub.url, key)
        check("it comes back by a login, with a fresh key, as the same device", within("it is reached", lambda: pings(a, ip), 10) is not None and
              b.status()["Self"]["PublicKey"] != was and b.ip() == ip, b.status())


sys.exit(run(without_the_hub))
