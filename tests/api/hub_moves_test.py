#!/usr/bin/env python3
"""A hub that moves to another URL: its devices stay logged in.

    box 198.51.100.2 (two warrend) ---+--- lan --- old 198.51.100.3
                                      +----------- new 198.51.100.4

The state directory is copied from old to new. Devices find the hub by its former URL too, by a redirect, or because they are told;
what is not the same hub gets nothing of theirs. Usage: hub_moves_test.py WARREND. Needs root. Prints TAP."""
import json
import os
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
os.environ["WARREN_BIN"] = os.path.dirname(os.path.dirname(os.path.abspath(sys.argv[1])))
sys.path.insert(0, os.path.join(HERE, "..", "lab"))
from net import Net  # noqa: E402
from nodes import Process, WarrenHub, WarrenNode, wait_for  # noqa: E402
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
from tap import check, results  # noqa: E402

OLD, NEW = "198.51.100.3", "198.51.100.4"
REDIRECT = r"""
import http.server, sys
class H(http.server.BaseHTTPRequestHandler):
    def send(self):
        self.send_response(int(sys.argv[3])); self.send_header("Location", sys.argv[2] + self.path); self.send_header("Content-Length", "0")
        self.end_headers()
    do_GET = do_POST = send
    def log_message(self, *a): pass
http.server.ThreadingHTTPServer((sys.argv[1], 80), H).serve_forever()
"""


class Lab:
    def __init__(self):
        self.net = Net()
        lan = self.net.switch("lan")
        self.box, self.peer, self.old, self.new = (self.net.host(n) for n in ("box", "peer", "old", "new"))
        for host, ip in ((self.box, "198.51.100.2"), (self.peer, "198.51.100.5"), (self.old, OLD), (self.new, NEW)):
            host.plug(lan, "eth0", ip + "/24")
        self.started = []

    def start(self, process):
        self.started.append(process.start())
        return process

    def moved_hub(self, from_hub, *extra):
        """The hub at its new place, with the state of the one that was ended."""
        hub = WarrenHub(self.new, NEW, extra=extra)
        shutil.copytree(from_hub.state, hub.state)
        return self.start(hub)

    def redirect(self, to, status=308):
        p = self.start(Process(self.old, "redirect", [sys.executable, "-c", REDIRECT, OLD, to, str(status)]))
        wait_for("the redirect answers", lambda: "LISTEN" in self.old.run("ss", "-ltn", "sport", "=", ":80"))
        return p

    def close(self):
        for p in reversed(self.started):
            p.close()
        self.net.close()


def url_of(node):
    return json.loads(node.local("GET", "prefs")[1])["ControlURL"]


def key_of(node):
    return node.status()["Self"]["PublicKey"]


def online(hub):
    return sorted(n["name"] for n in hub.nodes() if n["online"])


def begin(lab):
    """The hub at its old place, and two devices that ping each other."""
    hub = lab.start(WarrenHub(lab.old, OLD))
    key = hub.auth_key("--reusable")
    nodes = [lab.start(WarrenNode(h, n)) for h, n in ((lab.box, "box"), (lab.peer, "peer"))]
    for n in nodes:
        n.up(hub.url, key)
    wait_for("both are online", lambda: online(hub) == ["box", "peer"])
    return hub, nodes, [key_of(n) for n in nodes]


def same(nodes, keys, hub):
    """Logged in as before: the same keys, and nobody new at the hub."""
    return [key_of(n) for n in nodes] == keys and len(hub.nodes()) == 2 and all(n.status()["BackendState"] == "Running" for n in nodes)


def by_redirect(lab):
    hub, nodes, keys = begin(lab)
    hub.stop()
    redirect = lab.redirect(f"http://{NEW}")
    moved = lab.moved_hub(hub)
    wait_for("both are online at the new place", lambda: online(moved) == ["box", "peer"], timeout=60)
    check("a permanent redirect leads devices to the hub's new place, logged in as before", same(nodes, keys, moved), [n.status()["Self"] for n in nodes])
    check("they keep the new URL", [url_of(n) for n in nodes] == [moved.url] * 2, [url_of(n) for n in nodes])
    check("the log tells of it", "is at another URL now" in nodes[0].tail(200), nodes[0].tail(30))
    redirect.stop()
    nodes[0].stop()
    nodes[0].start()
    wait_for("online again", lambda: nodes[0].status()["Self"]["Online"])
    check("and after a restart they need the old one no more", same(nodes, keys, moved) and url_of(nodes[0]) == moved.url)


def by_an_impostor(lab):
    """A redirect to a hub with another key, and one that is not for good."""
    hub, nodes, keys = begin(lab)
    hub.stop()
    other = lab.start(WarrenHub(lab.new, NEW))
    redirect = lab.redirect(f"http://{NEW}")
    box = nodes[0]
    wait_for("the device says that it is another hub", lambda: "another one than this device is logged in at" in json.dumps(box.status()["Health"]), timeout=60)
    check("a redirect to another hub is not followed", url_of(box) == hub.url and not other.nodes() and [key_of(n) for n in nodes] == keys, other.nodes())
    redirect.stop()
    lab.redirect(f"http://{NEW}", 307)
    wait_for("the device says where it is sent", lambda: NEW in json.dumps(box.status()["Health"]) and "sends on" in json.dumps(box.status()["Health"]),
             timeout=60)
    check("nor is one that is not permanent", url_of(box) == hub.url and not other.nodes(), box.status()["Health"])


def by_being_told(lab):
    """The old URL goes on to lead to the hub, which says that it has another one now."""
    hub, nodes, keys = begin(lab)
    hub.stop()
    old_url = hub.url
    hub.argv[hub.argv.index("--url") + 1] = f"http://{OLD}:8080"  # nothing is there yet
    hub.argv += ["--also-url", f"http://old.example,{old_url}"]
    hub.start()
    wait_for("both are online by the old URL", lambda: online(hub) == ["box", "peer"], timeout=60)
    check("where the new URL leads nowhere yet, devices stay with the old one", same(nodes, keys, hub) and url_of(nodes[0]) == old_url)
    hub.stop()
    hub.argv += ["--http-listen", f"{OLD}:8080"]
    hub.start()
    wait_for("they move when it does", lambda: [url_of(n) for n in nodes] == [f"http://{OLD}:8080"] * 2, timeout=60)
    check("devices that come by a former URL are told the new one, and go there", same(nodes, keys, hub))
    r = lab.new.popen(*WarrenHub(lab.new, NEW, extra=("--also-url", "ftp://x")).argv, stdout=-1, stderr=-2, text=True).communicate(timeout=20)[0]
    check("--also-url is checked", "--also-url ftp://x" in r, r)


def by_hand(lab):
    hub, nodes, keys = begin(lab)
    other = lab.start(WarrenHub(lab.new, NEW, extra=("--listen", f"{NEW}:81")))
    other.url = f"http://{NEW}:81"
    box = nodes[0]
    text = ""
    try:
        box.cli("up", f"--login-server={other.url}", "--hostname=box", "--timeout=20s")
    except RuntimeError as e:
        text = str(e)
    check("up with another hub's URL is refused, and says how to leave", "another hub" in text and "--force-reauth" in text, text)
    check("and the device stays where it was", url_of(box) == hub.url and key_of(box) == keys[0] and not other.nodes())
    wait_for("it is online there", lambda: online(hub) == ["box", "peer"])
    other.stop()
    hub.stop()
    moved = lab.moved_hub(hub)
    for n in nodes:
        n.cli("up", f"--login-server={moved.url}", f"--hostname={n.hostname}", "--timeout=20s")
    check("up --login-server with the hub's new URL needs no login", same(nodes, keys, moved) and [url_of(n) for n in nodes] == [moved.url] * 2,
          [n.status()["Self"] for n in nodes])
    wait_for("both are online there", lambda: online(moved) == ["box", "peer"])
    key = other.start().auth_key()
    box.cli("up", f"--login-server={other.url}", f"--auth-key={key}", "--force-reauth", "--hostname=box", "--timeout=20s")
    check("with --force-reauth it leaves for another hub", url_of(box) == other.url and key_of(box) != keys[0] and len(other.nodes()) == 1)


def main():
    if os.geteuid() != 0:
        print("1..0 # SKIP network namespaces need root")
        return 0
    for test in (by_redirect, by_an_impostor, by_being_told, by_hand):
        lab = Lab()
        try:
            test(lab)
        except (TimeoutError, RuntimeError) as e:
            check(test.__name__, False, f"{e}\n" + "\n".join(p.tail(15) for p in lab.started if p.child))
        finally:
            lab.close()
    print(f"1..{len(results)}")
    return 0 if all(results) else 1


sys.exit(main())
