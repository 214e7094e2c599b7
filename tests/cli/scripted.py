"""A daemon that is made of a script: what it answers is told by the test, call by call, so that every order of events can be had."""
import json
import os
import queue
import socketserver
import tempfile
import threading

OLD, NEW = "nodekey:" + "11" * 32, "nodekey:" + "22" * 32
PREFS = {"ControlURL": "https://hub.test", "CorpDNS": True, "WantRunning": True, "LoggedOut": False, "NoStatefulFiltering": True,
         "NetfilterMode": 2, "AutoUpdate": {"Check": True, "Apply": None},
         "Config": {"UserProfile": {"ID": 1, "LoginName": "anna@example.com", "DisplayName": "Anna"}, "NodeID": "n1"}}
STATES = {"NoState": 0, "NeedsLogin": 2, "NeedsMachineAuth": 3, "Stopped": 4, "Starting": 5, "Running": 6}


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        line = self.rfile.readline().decode().split()
        if len(line) < 2:
            return
        length = 0
        while (header := self.rfile.readline().strip()):
            name, _, value = header.decode().partition(":")
            length = int(value) if name.lower() == "content-length" else length
        body = self.rfile.read(length)
        self.server.daemon.answer(self, line[0], line[1].removeprefix("/localapi/v0/"), body)

    def send(self, status, doc=b""):
        text = doc if isinstance(doc, bytes) else json.dumps(doc).encode()
        head = f"HTTP/1.1 {status} x\r\nTailscale-Version: x\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n"
        self.wfile.write((head if status != 204 else f"HTTP/1.1 204 x\r\nTailscale-Version: x\r\nConnection: close\r\n\r\n").encode() + text)

    def send_bus(self, lines):
        self.wfile.write(b"HTTP/1.1 200 x\r\nTailscale-Version: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        while (message := lines.get()) is not None:
            text = json.dumps(message).encode() + b"\n"
            try:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(text), text))
            except OSError:
                return


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        pass  # the command went away


class Scripted:
    """state and key are what the status says. hooks: path -> what happens when it is called, after the answer is decided.
    hang: paths that are never answered."""

    def __init__(self, state="Running", key=OLD, prefs=None):
        self.dir = tempfile.TemporaryDirectory()
        self.socket = os.path.join(self.dir.name, "s")
        self.state, self.key, self.url, self.tags, self.health = state, key, "", [], []
        self.prefs = {**PREFS, **(prefs or {})}
        self.calls, self.bus, self.hooks, self.hang = [], queue.Queue(), {}, set()
        self.closing = threading.Event()
        self.server = Server(self.socket, Handler)
        self.server.daemon = self
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.closing.set()
        self.bus.put(None)
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
        self.dir.cleanup()

    def become(self, state=None, key=None, tell=True):
        """tell: the bus says so, too."""
        if key:
            self.key = key
        if state:
            self.state = state
        if tell and key:
            self.bus.put({"SelfChange": {"ID": 1, "StableID": "n1", "Name": "me.tail.test.", "User": 1, "Key": key}})
        if tell and state:
            self.bus.put({"State": STATES[state]})

    def status(self):
        return {"Version": "x", "TUN": True, "BackendState": self.state, "HaveNodeKey": bool(self.key), "AuthURL": self.url,
                "TailscaleIPs": ["127.0.0.1"], "Health": self.health, "MagicDNSSuffix": "tail.test",
                "Self": {"ID": "n1", "PublicKey": self.key or "nodekey:" + "00" * 32, "HostName": "me", "DNSName": "me.tail.test.", "OS": "linux",
                         "TailscaleIPs": ["127.0.0.1"], "Tags": self.tags, "Online": True},
                "Peer": {}, "User": {}}

    def answer(self, h, method, path, body):
        name = path.split("?")[0]
        self.calls.append((method, name, body.decode()))
        hook = self.hooks.get(name)
        if name in self.hang or "*" in self.hang:
            self.closing.wait(60)
            return
        if name == "watch-ipn-bus":
            return h.send_bus(self.bus)
        if name == "prefs" and method == "PATCH":
            self.prefs.update({k: v for k, v in json.loads(body).items() if json.loads(body).get(k + "Set")})
        if hook:
            hook()
        if name == "status":
            h.send(200, self.status())
        elif name == "prefs":
            h.send(200, self.prefs)
        elif name == "check-prefs":
            h.send(200, {})
        elif name == "profiles/current":
            h.send(200, {"ID": "one", "Name": "one"})
        elif name == "profiles/" and method == "GET":
            h.send(200, [{"ID": "one", "Name": "one"}, {"ID": "two", "Name": "two"}])
        elif name == "profiles/":
            h.send(201)
        else:
            h.send(204)

    def count(self, name):
        return sum(1 for c in self.calls if c[1] == name)
