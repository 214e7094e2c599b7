"""A hub and devices as processes, for the tests of this directory."""
import http.client, json, os, re, signal, subprocess, sys, tempfile, threading
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
from ports import own_port  # noqa: E402
from tap import check, results  # noqa: E402
from waits import wait_for  # noqa: E402

children = []


class Hub:
    def __init__(self, program, directory, *extra):
        self.program, self.dir, self.port = program, directory, own_port()
        self.socket = os.path.join(directory, "hub.sock")
        self.url = f"http://127.0.0.1:{self.port}"
        self.argv = [program, "serve", "--state-dir", os.path.join(directory, "state"), "--socket", self.socket, "--relay-listen",
                     "off", "--stun-listen", "off", "--listen", f"127.0.0.1:{self.port}", "--url", self.url, *extra]

    def start(self):
        self.log = open(os.path.join(self.dir, "log"), "a+")
        self.p = subprocess.Popen(self.argv, stdout=subprocess.PIPE, stderr=self.log, text=True)
        children.append(self.p)
        for line in self.p.stdout:
            if line == "warren-hub: ready\n":
                return self
        raise RuntimeError("the hub ended before it was ready: " + self.said())

    def said(self):
        with open(os.path.join(self.dir, "log")) as f:
            return f.read()

    def stop(self):
        self.p.send_signal(signal.SIGTERM)
        if self.p.wait(20) != 0:
            raise RuntimeError(f"the hub ended with status {self.p.returncode}: {self.said()[-3000:]}")
        self.log.close()

    def run(self, *args, **kw):
        return subprocess.run([self.program, *args, "--socket", self.socket], capture_output=True, text=True, timeout=60, **kw)

    def admin(self, *args, **kw):
        r = self.run(*args, **kw)
        if r.returncode != 0:
            raise RuntimeError(f"{args}: {r.stderr}")
        return r.stdout

    def refusal(self, *args):
        """What the person reads, of a command that has to fail."""
        r = self.run(*args)
        return r.stderr.strip() if r.returncode == 1 else f"status {r.returncode}: {r.stdout}{r.stderr}"

    def json(self, *args, **kw):
        return json.loads(self.admin(*args, "--json", **kw))

    def nodes(self):
        return {n["name"]: n for n in self.json("nodes", "list")}

    def users(self):
        return {u["name"]: u for u in self.json("users", "list")}

    def http(self, method, path, body=None, headers={}, chunked=False):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        body = body.encode() if isinstance(body, str) else body
        try:
            c.request(method, path, iter([body]) if chunked else body, headers, encode_chunked=chunked)
            r = c.getresponse()
            return r.status, r.read().decode(), r.headers
        finally:
            c.close()

    def metric(self, name):
        for line in self.http("GET", "/metrics")[1].splitlines():
            if line.startswith(f"warren_{name} "):
                return int(line.split()[1])
        raise KeyError(name)

    def browser(self, next_page="/", user=None):
        """Headers and token of a browser that followed a login link."""
        path = self.json("login", "--next", next_page, *(["--user", user] if user else []))["url"][len(self.url):]
        cookie = {"Cookie": self.http("POST", path)[2]["Set-Cookie"].split(";")[0]}
        return cookie, re.search(r'name="csrf" value="([0-9a-f]{64})"', self.http("GET", "/", headers=cookie)[1]).group(1)


class Device:
    """tests/tools/hubdevice: what it was told last is in its members."""

    def __init__(self, program, hub, hostname, key="-", tags=""):
        self.p = subprocess.Popen([program, hub.url, hostname, key, tags], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        children.append(self.p)
        self.state, self.text, self.trouble, self.self, self.peers, self.logins = "", "", "", None, {}, {}
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.p.stdout:
            f = line.rstrip("\n").split("\t")
            if f[0] == "state":
                self.text, self.state = f[2], f[1]
            elif f[0] == "trouble":
                self.trouble = f[1]
            elif f[0] == "self":
                self.self = {"id": int(f[1]), "name": f[2].split(".")[0], "user": int(f[3]), "ip": f[4],
                             "tags": f[5].split(",") if f[5] else [], "authorized": f[6] == "1"}
            elif f[0] == "peer":
                self.peers[int(f[1])] = {"name": f[2].split(".")[0], "user": int(f[3])}
            elif f[0] == "gone":
                self.peers.pop(int(f[1]), None)
            elif f[0] == "user":
                self.logins[int(f[1])] = f[2]

    def say(self, line):
        self.p.stdin.write(line + "\n")
        self.p.stdin.flush()

    def wait(self, what, condition, timeout=20.0):
        return wait_for(what, lambda: condition(self), timeout)

    def running(self):
        self.wait("it is in", lambda d: d.state == "running" and d.self)
        return self

    def owner(self):
        return self.logins.get(self.self["user"])

    def stop(self):
        self.p.stdin.close()
        self.p.wait(20)


def run(parts):
    """Each part in a directory of its own; the exit status. Nothing is left behind."""
    try:
        for part in parts:
            with tempfile.TemporaryDirectory() as d:
                part(d)
        print(f"1..{len(results)}")
        return 0 if all(results) else 1
    finally:
        for p in children:
            if p.poll() is None:
                p.kill()
