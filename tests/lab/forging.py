"""A member whose host gives what it sends to a node the address of a stranger, and the counters of both kernels (tests/lab/reflection,
tests/hostile/reflection_attack.py)."""
import json
import os
import subprocess
import sys

FACTOR = 3
STRANGER = "198.51.100.99"

SERVE = r"""
import socket, threading
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("0.0.0.0", 8080)); s.listen(16)
def pour(c):
    try:
        while True: c.sendall(bytes(65536))
    except OSError: pass
print("ready", flush=True)
while True:
    threading.Thread(target=pour, args=(s.accept()[0],), daemon=True).start()
"""

# Downloads until its end; connects again when the way breaks. How much it had, each 100 ms.
FETCH = r"""
import socket, sys, time
n, told = 0, 0
while True:
    try:
        s = socket.create_connection((sys.argv[1], 8080), timeout=1); s.settimeout(1)
        while True:
            d = len(s.recv(65536))
            if not d: break
            n += d
            if time.monotonic() - told > 0.1:
                told = time.monotonic(); print(n, flush=True)
    except OSError:
        time.sleep(0.05)
"""


def forge(host, node, disco):
    """From now on, and nothing comes in by UDP. disco: path messages are sent, too."""
    path_messages = "" if disco else "@th,64,32 0x5453f09f drop;"
    host.nft(f"""
table inet forge {{
  counter sent {{ }}
  chain out {{
    type filter hook postrouting priority 300;
    ip daddr {node} udp sport 41641 {path_messages}
    ip daddr {node} udp sport 41641 ip saddr set {STRANGER} counter name sent
  }}
  chain in {{ type filter hook input priority 0; ip saddr {node} meta l4proto udp drop; }}
}}""")


def watch(host, node):
    host.nft(f"""
table inet watch {{
  counter got {{ }}
  chain in {{ type filter hook prerouting priority -300; ip saddr {node} ip daddr {STRANGER} meta l4proto udp counter name got drop; }}
}}""")


def count(host, table, counter):
    doc = json.loads(host.run("nft", "-j", "list", "counter", "inet", table, counter))
    return next(x["counter"] for x in doc["nftables"] if "counter" in x)


class Download:
    """From a node through the tunnel, at full speed."""

    def __init__(self, node_host, ip, host):
        self.server = node_host.popen(sys.executable, "-c", SERVE, stdout=subprocess.PIPE, text=True)
        self.server.stdout.readline()
        self.fetch = host.popen(sys.executable, "-c", FETCH, ip, stdout=subprocess.PIPE, text=True)
        os.set_blocking(self.fetch.stdout.fileno(), False)
        self.had = 0

    def bytes(self):
        """How much came by now."""
        try:
            self.had = int(([str(self.had)] + (self.fetch.stdout.read() or "").split())[-1])
        except TypeError:  # nothing new
            pass
        return self.had

    def close(self):
        for child in (self.server, self.fetch):
            child.kill()
            child.wait()
            child.stdout.close()
