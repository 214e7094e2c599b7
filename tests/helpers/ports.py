"""Ports of 127.0.0.1 that belong to one test: no other test takes them, and the system hands them out to nobody.

The system takes ports for connections from its range (ip_local_port_range) only; these are below it. Among tests a port is owned by who
holds the lock of its file, until the process ends."""
import fcntl
import os
import socket
import tempfile

FIRST, END = 20000, 32000
held = []


def is_free(port):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as s:
            if kind == socket.SOCK_STREAM:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("0.0.0.0", port))
            except OSError:
                return False
    return True


def own_port():
    """A port for TCP and UDP."""
    folder = os.path.join(tempfile.gettempdir(), f"warren-test-ports-{os.getuid()}")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    with open("/proc/sys/net/ipv4/ip_local_port_range") as f:
        end = min(END, int(f.read().split()[0]))
    # Where a process begins to look is its own matter: many that start at once do not all try the same locks.
    for i in range(end - FIRST):
        port = FIRST + (os.getpid() * 16 + i) % (end - FIRST)
        f = open(os.path.join(folder, str(port)), "w")
        try:
            fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            f.close()
            continue
        if is_free(port):
            held.append(f)
            return port
        f.close()
    raise RuntimeError("every port is taken")
