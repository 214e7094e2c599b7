#!/usr/bin/env python3
"""warren-hub as a process: commands, pages, devices that join, a crash in the middle of it, hostile bytes.

Usage: hub_test.py WARREN-HUB HUBLOAD. Prints TAP."""
import http.client, json, os, signal, socket, stat, subprocess, sys, tempfile, time

HUB, HUBLOAD = sys.argv[1:3]
results, children = [], []


def check(name, ok, why=""):
    results.append(bool(ok))
    print(f"{'ok' if ok else 'not ok'} {len(results)} - {name}{'' if ok else f' # {why}'}", flush=True)


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Hub:
    def __init__(self, directory, *extra):
        self.dir, self.port = directory, free_port()
        self.socket = os.path.join(directory, "hub.sock")
        self.url = f"http://127.0.0.1:{self.port}"
        self.argv = [HUB, "serve", "--state-dir", os.path.join(directory, "state"), "--socket", self.socket,
                     "--listen", f"127.0.0.1:{self.port}", "--url", self.url, *extra]

    def start(self):
        self.p = subprocess.Popen(self.argv, stdout=subprocess.PIPE, text=True)
        children.append(self.p)
        for line in self.p.stdout:
            if line == "warren-hub: ready\n":
                return self
        raise RuntimeError("the hub ended before it was ready")

    def stop(self, sig=signal.SIGTERM):
        self.p.send_signal(sig)
        return self.p.wait(20)

    def admin(self, *args, ok=True):
        r = subprocess.run([HUB, *args, "--socket", self.socket], capture_output=True, text=True)
        if ok and r.returncode != 0:
            raise RuntimeError(f"{args}: {r.stderr}")
        return r

    def json(self, *args):
        return json.loads(self.admin(*args, "--json").stdout)

    def http(self, method, path, body=None, headers={}):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            c.request(method, path, body, headers)
            r = c.getresponse()
            return r.status, r.read().decode(), r.headers
        finally:
            c.close()

    def metric(self, name):
        for line in self.http("GET", "/metrics")[1].splitlines():
            if line.startswith(f"warren_{name} "):
                return int(line.split()[1])
        raise KeyError(name)


def basics(d):
    hub = Hub(d).start()
    check("status says where the hub is", hub.json("status")["url"] == hub.url)
    check("first user is there", [u["name"] for u in hub.json("users", "list")] == ["admin"])
    status, body, _ = hub.http("GET", "/key?v=113")
    check("Noise key is public", status == 200 and json.loads(body)["publicKey"].startswith("mkey:"))
    check("small pages answer", [hub.http("GET", p)[0] for p in (
        "/", "/health", "/metrics", "/generate_204", "/derp/probe", "/bootstrap-dns", "/robots.txt", "/derp", "/ts2021", "/no",
    )] == [200, 200, 200, 204, 200, 200, 200, 426, 400, 404])
    key = hub.json("keys", "create", "--reusable")["key"]
    r = json.loads(subprocess.run([HUBLOAD, hub.url, key, "20", str(hub.p.pid)], capture_output=True, text=True).stdout)
    check("twenty devices join, hear of one more, and come back", r["complete"], r)
    before = hub.json("nodes", "list")
    check("they are listed", len(before) == 21 and len({n["ipv4"] for n in before}) == 21)
    state = os.path.join(d, "state")
    modes = {f: stat.S_IMODE(os.stat(os.path.join(state, f)).st_mode) for f in os.listdir(state)}
    check("state is for its owner only", stat.S_IMODE(os.stat(state).st_mode) == 0o700 and
          set(modes.values()) == {0o600} and {"hub.db", "noise.key", "relay.key", "relay.pem"} <= set(modes), modes)
    check("SIGTERM ends it with status 0", hub.stop() == 0)
    noise = body
    hub.start()
    ids = lambda l: [(n["id"], n["name"], n["ipv4"], n["nodeKey"]) for n in l]
    check("restart keeps devices and the Noise key", ids(hub.json("nodes", "list")) == ids(before) and
          hub.http("GET", "/key?v=113")[1] == noise)
    hub.stop()


def main():
    with tempfile.TemporaryDirectory() as d:
        basics(d)
    print(f"1..{len(results)}")
    return 0 if all(results) else 1


try:
    code = main()
finally:
    for p in children:  # a failed check must not leave one behind
        if p.poll() is None:
            p.kill()
sys.exit(code)
