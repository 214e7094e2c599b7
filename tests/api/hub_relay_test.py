#!/usr/bin/env python3
"""Whom the hub's relay is for: its own devices, from their registration until they are removed or expire or take another key; and
what the hub tells other relays of them at /verify.

Usage: hub_relay_test.py PATH-OF-WARREN-HUB PATH-OF-HUBDEVICE. Prints TAP."""
import json, os, re, sys, time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "hostile"))
from hub_process import Device, Hub, check, own_port, run, wait_for  # noqa: E402
from raw import CLIENT_INFO, RECV_PACKET, Closed, Conn, Derp, derp_frame, public, request  # noqa: E402

HUB, DEVICE = sys.argv[1:3]
GRACE = 10  # DERPRELAY_GRACE, seconds
BURST = 5000  # HUB_VERIFY_BURST
FLOOD = 1000


class Member(Device):
    """Its node key's secret half, the latest one, is `secret`."""

    def __init__(self, *args, **kw):
        self.secret = None
        super().__init__(*args, **kw)

    def read(self):
        device = self

        class Lines:
            def __init__(self, of):
                self.of = of

            def __iter__(self):
                for line in self.of:
                    if line.startswith("secret\t"):
                        device.secret = bytes.fromhex(line.split("\t")[1])
                    yield line

        self.p.stdout = Lines(self.p.stdout)
        super().read()

    def running(self):
        super().running()
        self.wait("its key", lambda d: d.secret)
        return self


class RelayHub(Hub):
    def __init__(self, directory, *flags):
        self.relay = "127.0.0.1", own_port()
        super().__init__(HUB, directory, "--relay-listen", f"127.0.0.1:{self.relay[1]}", *flags)

    def auth_key(self, *flags):
        return self.json("keys", "create", "--reusable", *flags)["key"]

    def device(self, name, *flags):
        return Member(DEVICE, self, name, self.auth_key(*flags)).running()

    def derp(self, secret=None):
        return Derp(self.relay, secret, tls=True, window=65536)

    def lets_in(self, secret=None):
        c = self.derp(secret)
        try:
            return c.is_in()
        finally:
            c.close()

    def metric(self, name):
        return int(re.search(rf"^warren_{name} (\d+)$", self.http("GET", "/metrics")[1], re.M).group(1))

    def verify(self, body, method="POST"):
        return self.http(method, "/verify", body if isinstance(body, str) else json.dumps(body))[:2]

    def knows(self, secret):
        status, text = self.verify({"NodePublic": "nodekey:" + public(secret).hex(), "Source": "192.0.2.7"})
        return json.loads(text)["Allow"] if status == 200 else status


def passes(a, b):
    """Does a packet from one to the other arrive?"""
    a.push(a.packet(b.key, b"hello"))
    try:
        while True:
            kind, payload = b.next()
            if kind == RECV_PACKET:
                return payload == a.key + b"hello"
    except Closed:
        return False


def goes(c, other):
    """How long the relay keeps a client that may stay no longer: it still serves it in its grace. None: for ever."""
    start = time.monotonic()
    served = passes(c, other)
    return time.monotonic() - start if served and c.is_closed(GRACE + 5) else None


def members_only(d):
    hub = RelayHub(d).start()
    one, two = hub.device("one"), hub.device("two")
    a, b = hub.derp(one.secret), hub.derp(two.secret)
    check("devices of the hub are let in, and packets pass", a.is_in() and b.is_in() and passes(a, b) and passes(b, a))
    check("a stranger is not", not hub.lets_in() and hub.metric("relay_refused_total") == 1)
    check("the log says why", "turned away: it is no device of this hub" in hub.said() and "--relay-open" in hub.said())
    c = Derp(hub.relay, tls=True, login=False)
    c.push(derp_frame(CLIENT_INFO, public(os.urandom(32)), length=200000))
    check("a stranger is turned away at its key, before the rest of a long login", c.is_closed(5))
    c = Derp(hub.relay, tls=True, login=False)
    c.push(derp_frame(CLIENT_INFO, public(one.secret) + os.urandom(64)))
    check("a device's key without its secret is turned away, too", c.is_closed(5) and hub.metric("relay_clients") == 2)
    old = one.secret
    one.say(f"login {hub.auth_key()}")
    one.wait("another key", lambda x: x.secret != old and x.state == "running")
    check("the new key of a device is let in at once", hub.lets_in(one.secret))
    took = goes(a, b)
    check("its old key is served for a grace and then no more", took and GRACE - 2 < took < GRACE + 3 and not hub.lets_in(old), took)
    a = hub.derp(one.secret)
    check("who is still a device stays", a.is_in() and passes(a, b))
    hub.admin("nodes", "delete", "two")
    check("a device that was deleted is not let in", not hub.lets_in(two.secret))
    took = goes(b, a)
    check("and is gone after the grace", took, took)
    three = hub.device("three")
    hub.admin("nodes", "expire", "three")
    check("an expired one is not let in", not hub.lets_in(three.secret))
    hub.admin("nodes", "expire", "three", "--expiry", "never")
    check("when its key is good again it is, at once", hub.lets_in(three.secret))
    for x in one, two, three:
        x.stop()
    hub.stop()
    hub.start()
    check("after a restart the hub knows its devices", hub.lets_in(three.secret) and not hub.lets_in())
    hub.stop()


def with_approval(d):
    hub = RelayHub(d, "--approve-devices").start()
    one = Member(DEVICE, hub, "one", hub.auth_key())
    one.wait("it waits for approval", lambda x: x.secret and "one" in hub.nodes())
    check("a device that waits for approval is not let in", not hub.lets_in(one.secret) and hub.knows(one.secret) is False)
    hub.admin("nodes", "approve", "one")
    check("once it is approved it is", hub.lets_in(one.secret) and hub.knows(one.secret) is True)
    one.stop()
    hub.stop()


def open_to_all(d):
    hub = RelayHub(d, "--relay-open").start()
    one = hub.device("one")
    a, b = hub.derp(), hub.derp(one.secret)
    check("with --relay-open strangers are let in", a.is_in() and b.is_in() and passes(a, b))
    check("who is a device of the hub is another question", hub.knows(a.private) is False and hub.knows(one.secret) is True)
    one.stop()
    hub.stop()


def for_others(d):
    hub = RelayHub(d).start()
    one = hub.device("one")
    check("/verify says whether a key is a device's", hub.knows(one.secret) is True and hub.knows(os.urandom(32)) is False)
    check("it is counted", (hub.metric("hub_verify_total"), hub.metric("hub_verify_refused_total")) == (2, 1))
    key = "nodekey:" + public(one.secret).hex()
    check("what else a relay may say is no matter", json.loads(hub.verify({"nodepublic": key, "Source": "", "More": [1]})[1]) == {"Allow": True})
    bad = ["", "x", "[]", json.dumps({"NodePublic": key[:-1]}), json.dumps({"NodePublic": key.replace("nodekey", "mkey")}),
           json.dumps({"NodePublic": key, "Source": "x"}), "{" + " " * 5000 + "}"]
    check("what is no question is refused", [hub.verify(b)[0] for b in bad] == [400] * len(bad), [hub.verify(b) for b in bad])
    check("it is not to be looked at", hub.verify("", "GET")[0] == 405)
    hub.admin("nodes", "delete", "one")
    check("a device that was deleted is none", hub.knows(one.secret) is False)
    n = refused = 0
    while not refused and n < 20 * BURST:
        refused = flood(hub)
        n += FLOOD
    check("too many questions of one source are put off", n >= BURST and hub.metric("hub_verify_throttled_total") == refused, (n, refused))
    wait_for("it is answered again", lambda: hub.knows(one.secret) is False)
    one.stop()
    hub.stop()


def flood(hub):
    """FLOOD questions one behind the other on one connection; how many of them were put off."""
    c = Conn(("127.0.0.1", hub.port), window=1 << 20)
    try:
        put_off = 0
        for _ in range(FLOOD // 50):
            c.push(request("POST /verify", body=b"{}") * 50)
            got = b""
            while got.count(b"HTTP/1.1 ") < 50:
                got += c.read(1)
            put_off += got.count(b"HTTP/1.1 429 ")
        return put_off
    finally:
        c.close()


if __name__ == "__main__":
    sys.exit(run([members_only, with_approval, open_to_all, for_others]))
