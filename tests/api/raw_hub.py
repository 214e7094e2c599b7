"""A hub that says whatever a test wants, to the built daemon: tests/tools/rawhub."""
import json
import os
import subprocess
import threading

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def node(number, ip, **more):
    """A peer as a hub lists it."""
    return {"ID": number, "StableID": f"n{number}", "Name": f"n{number}.test.", "User": 1, "Key": "nodekey:" + f"{number:064x}",
            "Addresses": [f"{ip}/32"], "AllowedIPs": [f"{ip}/32"], "MachineAuthorized": True, **more}


def relay(region, host, **more):
    return {"Name": f"{region}a", "RegionID": region, "HostName": host, "STUNPort": -1, "InsecureForTests": True, **more}


def derp_map(*regions):
    """(number, relays)"""
    return {"Regions": {str(n): {"RegionID": n, "RegionCode": f"r{n}", "RegionName": f"region {n}", "Nodes": nodes} for n, nodes in regions}}


def own(ip="100.64.0.1", **more):
    return {**node(1, ip), "Name": "self.test.", "Key": "KEY", **more}


class RawHub:
    def __init__(self, host, at="127.0.0.1:8080", build=None):
        self.url = f"http://{at}"
        tool = os.path.join(build or os.environ["WARREN_BIN"], "..", "..", "tests", "tools", "rawhub", "rawhub")
        self.p = host.popen(os.path.normpath(tool), at, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.key = self.p.stdout.readline().split()[1]
        self.heard = []
        self.said = threading.Semaphore(0)
        self.reached = 0
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        for line in self.p.stdout:
            if line.startswith("said "):
                self.reached = int(line.split()[1])
                self.said.release()
            else:
                self.heard.append(line.rstrip("\n"))

    def _tell(self, word, doc):
        self.p.stdin.write(f"{word} {json.dumps(doc)}\n" if doc is not None else f"{word}\n")
        self.p.stdin.flush()

    def register(self, doc):
        self._tell("register", doc)

    def first(self, **doc):
        self._tell("first", doc)

    def say(self, **doc):
        """To how many polls it went."""
        self._tell("say", doc)
        if not self.said.acquire(timeout=10):
            raise RuntimeError("the hub does not answer")
        return self.reached

    def another_key(self):
        self._tell("hubkey", None)

    def close(self):
        self.p.stdin.close()
        self.p.wait(10)
