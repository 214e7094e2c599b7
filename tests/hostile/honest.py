#!/usr/bin/env python3
"""An honest device next to an attack: what it waits for, and how long at most.

Usage: honest.py JSON. Says "ready" when all has gone well once; at the end of its input a JSON object {what: [worst ms, how often]}.
What is asked all the time, of what JSON names:

    hub, key, tools     join: of a new device, one a second, until it has its map; heard: by another device's poll, from the join's
                        beginning on
    http, path          health: GET of a page, ten a second
    relay               the longest gap between packets from one key to another, one in 10 ms (with a hub: of two members)
    local               GET of a LocalAPI's status, ten a second
    ns, ping            the longest gap between answers of pings to this address from a network namespace, one in 50 ms, above 50 ms
"""
import json
import os
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "api"))
import lapi_client  # noqa: E402
from hub_process import Device  # noqa: E402

PATIENCE = 10.0  # seconds that the last ones may take after the end
FAILED = 60000.0  # ms: it did not wait, it was turned away
PING_EVERY = 0.05

lock, worst, ended = threading.Lock(), {}, threading.Event()


def note(what, seconds):
    with lock:
        ms, n = worst.get(what, (0.0, 0))
        worst[what] = max(ms, round(seconds * 1000, 1)), n + 1


def failed(what, why):
    print(f"{what}: {why}", file=sys.stderr, flush=True)
    note(what, FAILED / 1000)


def until(condition, patience=PATIENCE):
    start = time.monotonic()
    while not condition() and time.monotonic() - start < patience:
        time.sleep(0.002)


class Joiner:
    """A device that listens, and new ones that come."""

    def __init__(self, c):
        self.tool, self.key, self.n = os.path.join(c["tools"], "hubdevice", "hubdevice"), c["key"], 0
        self.url = c["hub"]
        self.listener = Device(self.tool, self, "listener", self.key).running()

    def once(self):
        self.n += 1
        name = f"new-{self.n}"
        start = time.monotonic()
        d = Device(self.tool, self, name, self.key)
        try:
            until(lambda: d.state == "running" and d.self)
            if d.state != "running":
                return failed("join", f"{d.state} {d.text}")
            note("join", time.monotonic() - start)
            until(lambda: any(p["name"] == name for p in list(self.listener.peers.values())))
            note("heard", time.monotonic() - start)
        finally:
            d.p.kill()
            d.p.wait()

    def run(self):
        while not ended.is_set():
            start = time.monotonic()
            self.once()
            ended.wait(max(0.0, start + 1 - time.monotonic()))

    def member(self, name):
        """A device that stays; its node key, by which a relay knows that it is one."""
        p = subprocess.Popen([self.tool, self.url, name, self.key], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        secret = next(line.split("\t")[1].strip() for line in p.stdout if line.startswith("secret"))
        threading.Thread(target=lambda: [None for _ in p.stdout], daemon=True).start()
        return p, secret


class Asker:
    """The same question again and again: ask() gives what is wrong with the answer, or None."""

    def __init__(self, what, ask):
        self.what, self.ask = what, ask

    def once(self):
        start = time.monotonic()
        try:
            wrong = self.ask()
        except (OSError, EOFError) as e:
            wrong = str(e)
        if wrong:
            failed(self.what, wrong)
        else:
            note(self.what, time.monotonic() - start)

    def run(self):
        while not ended.wait(0.1):
            self.once()


def page(address, path):
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), PATIENCE) as s:
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        got = s.recv(4096)
    return None if got[9:10] == b"2" else f"answered with {got[:40]!r}"


def local(path):
    status = lapi_client.ask(path, "GET /localapi/v0/status")[0]
    return None if status == 200 else f"status {status}"


class Pair:
    """Two clients of a relay."""

    def __init__(self, c, joiner):
        keys = [joiner.member(name) for name in ("sender", "receiver")] if joiner else []
        self.members = [p for p, _ in keys]
        tool = os.path.join(c["tools"], "derppair", "derppair")
        self.p = subprocess.Popen([tool, c["relay"], *(k for _, k in keys)], stdout=subprocess.PIPE, text=True)
        if self.p.stdout.readline() != "ready\n":
            raise RuntimeError("no packet came through the relay")

    def end(self):
        self.p.terminate()
        text = self.p.stdout.read()
        if self.p.wait(10) != 0:
            failed("relay", "the relay closed a connection")
        else:
            said = json.loads(text)
            with lock:
                worst["relay"] = float(said["worst_gap_ms"]), said["arrived"]
        for p in self.members:
            p.kill()


class Ping:
    def __init__(self, c):
        self.p = subprocess.Popen(["ip", "netns", "exec", c["ns"], "ping", "-n", "-i", str(PING_EVERY), c["ping"]],
                                  stdout=subprocess.PIPE, text=True)
        self.once()

    def once(self):
        """Waits for one answer. False at the end."""
        for line in self.p.stdout:
            if "bytes from" in line:
                return True
        return False

    def run(self):
        more = True
        while more:
            last = time.monotonic()
            more = self.once()
            note("ping", max(0.0, time.monotonic() - last - PING_EVERY))

    def end(self):
        self.p.kill()


def main():
    c = json.loads(sys.argv[1])
    running, ends = [], []
    joiner = Joiner(c) if "hub" in c else None
    if joiner:
        running.append(joiner)
    if "http" in c:
        running.append(Asker("health", lambda: page(c["http"], c["path"])))
    if "local" in c:
        running.append(Asker("local", lambda: local(c["local"])))
    for r in running:
        r.once()
    if worst and max(ms for ms, _ in worst.values()) >= FAILED:
        raise RuntimeError(f"not served without an attack: {worst}")
    worst.clear()
    if "relay" in c:
        ends.append(Pair(c, joiner))
    if "ping" in c:
        running.append(Ping(c))
        ends.append(running[-1])
    threads = [threading.Thread(target=r.run, daemon=True) for r in running]
    for t in threads:
        t.start()
    print("ready", flush=True)
    sys.stdin.read()
    ended.set()
    for e in ends:
        e.end()
    for t in threads:
        t.join(PATIENCE)
    print(json.dumps(worst), flush=True)


main()
