"""Servers on a host that say their name and whom they see, and who of them answers, from another host."""
import subprocess
import sys

SERVE = r"""
import socket, struct, sys, threading
name, PKTINFO = sys.argv[1], 8
def listen():
    s = socket.create_server(("::", 8080), family=socket.AF_INET6, backlog=64, dualstack_ipv6=True)
    while True:
        c, a = s.accept(); c.sendall(f"{name} {a[0].removeprefix('::ffff:')}".encode()); c.close()
def datagrams():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("0.0.0.0", 8080))
    s.setsockopt(socket.IPPROTO_IP, PKTINFO, 1)
    while True: # the answer comes from the address that was asked
        _, info, _, a = s.recvmsg(4096, 64)
        own = struct.unpack("I4s4s", info[0][2])[2]
        s.sendmsg([f"{name} {a[0]}".encode()], [(socket.IPPROTO_IP, PKTINFO, struct.pack("I4s4s", 0, own, bytes(4)))], 0, a)
for f in (listen, datagrams):
    threading.Thread(target=f, daemon=True).start()
print("ready", flush=True)
threading.Event().wait()
"""

# Who answers at each address, by TCP, ping and, of IPv4, UDP, all at once: one line "ADDRESS WAY ANSWER" for each that does.
ASK = r"""
import socket, subprocess, sys, threading
wait = float(sys.argv[1])
def tcp(ip):
    with socket.create_connection((ip, 8080), timeout=wait) as s:
        s.settimeout(wait); return s.recv(100).decode()
def udp(ip):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(wait); s.connect((ip, 8080)); s.send(b"x"); return s.recv(100).decode()
def ping(ip):
    subprocess.run(["ping", "-n", "-c", "1", "-W", str(wait), ip], check=True, capture_output=True); return "pong"
def ask(how, ip):
    try:
        sys.stdout.write(f"{ip} {how.__name__} {how(ip)}\n")
    except (OSError, subprocess.CalledProcessError):
        pass
threads = [threading.Thread(target=ask, args=(how, ip)) for ip in sys.argv[2:] for how in (tcp, udp, ping)[::2 if ":" in ip else 1]]
for t in threads: t.start()
for t in threads: t.join()
"""


class Server:
    def __init__(self, host, name):
        self.child = host.popen(sys.executable, "-c", SERVE, name, stdout=subprocess.PIPE, text=True)
        if self.child.stdout.readline().strip() != "ready":
            raise RuntimeError("a server did not start")

    def close(self):
        self.child.kill()
        self.child.wait()
        self.child.stdout.close()


def answers(host, ips, wait=1.0):
    """{(address, way): who}"""
    out = {}
    for line in host.run(sys.executable, "-c", ASK, str(wait), *ips).splitlines():
        ip, how, *who = line.split()
        out[ip, how] = who
    return out
