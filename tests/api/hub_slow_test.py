#!/usr/bin/env python3
"""Clients that are slow: a request has to be whole in time, however it drips in, and an answer has to be taken; who is slow but gets
on is served to the end. And what nobody reads is not kept.

Usage: hub_slow_test.py WARREN-HUB. Prints TAP."""
import os, re, socket, subprocess, sys, tempfile, threading, time, urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from hub_process import Hub, check, results  # noqa: E402

PROGRAM = os.path.abspath(sys.argv[1])
VERSION = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True).stdout.split()[-1]
IN_TIME = 30  # HTTPD_TIMEOUT_S
PACKAGE = 1_600_000  # nine of them are within PACKAGE_BURST: all are handed out
WEBHOOK = b"POST /api/v2/webhook/policy-git HTTP/1.1\r\nHost: x\r\n"


def connect(hub, window=4096):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
    s.connect(("127.0.0.1", hub.port))
    return s


def drip(hub, start, piece, ended):
    """Sends a piece a second until the hub hangs up; after how long that was."""
    s, begin = connect(hub), time.monotonic()
    s.settimeout(1)
    try:
        s.sendall(start)
        while time.monotonic() - begin < IN_TIME + 20:
            s.sendall(piece)
            try:
                if not s.recv(1000):
                    break
            except socket.timeout:
                pass
    except OSError:
        pass
    ended.append(time.monotonic() - begin)


def download(hub, rate, got):
    """Reads the package at so many bytes a second."""
    s = connect(hub, 65536)
    s.settimeout(10)
    s.sendall(b"GET /packages/warren_%s_amd64.deb HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % VERSION.encode())
    try:
        while data := s.recv(rate // 10):
            got.append(data)
            time.sleep(len(data) / rate)
    except OSError:
        pass


def metric(hub, name):
    with urllib.request.urlopen(f"{hub.url}/metrics", timeout=10) as r:
        return int(re.search(rf"^warren_{name} (\d+)$", r.read().decode(), re.M).group(1))


def memory(hub):
    with open(f"/proc/{hub.p.pid}/status") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1)) // 1024


def slow_ones(hub, package):
    """All at the same time: each takes longer than a request may."""
    drips = {"a head": (b"GET / HTTP/1.1\r\nX: ", b"a"),
             "a body": (b"POST /login/x HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n", b"a"),
             "a body of chunks": (WEBHOOK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
             "trailers": (WEBHOOK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"a: b\r\n")}
    ended, got = {what: [] for what in drips}, []
    threads = [threading.Thread(target=drip, args=(hub, *said, ended[what])) for what, said in drips.items()]
    threads.append(threading.Thread(target=download, args=(hub, 44_000, got)))
    for t in threads:
        t.start()
    stalled, before = [], memory(hub)
    for _ in range(8):
        stalled.append(connect(hub))
        stalled[-1].sendall(b"GET /packages/warren_%s_amd64.deb HTTP/1.1\r\nHost: x\r\n\r\n" % VERSION.encode())
    for s in stalled:
        s.settimeout(10)
    served = [s.recv(12, socket.MSG_PEEK | socket.MSG_WAITALL) for s in stalled]
    check("eight packages begin to be handed out", served == [b"HTTP/1.1 200"] * 8, served)
    time.sleep(1)
    check("eight that ask for a package and do not read it hold nothing of it", memory(hub) - before < 4, (before, memory(hub)))
    for t in threads:
        t.join()
    for what, after in ended.items():
        check(f"{what} that drips in is given up in time", after and IN_TIME - 2 < after[0] < IN_TIME + 10, after)
    body = b"".join(got).partition(b"\r\n\r\n")[2]
    check("a download that takes longer than that is whole", body == package, len(body))
    check("they are counted", metric(hub, "hub_http_timed_out_total") >= len(drips) - 1, metric(hub, "hub_http_timed_out_total"))


def pipelined(hub):
    """Many requests at once: each is answered, in order, although the client reads late."""
    n = 3000
    s = connect(hub)
    sender = threading.Thread(target=s.sendall, args=(b"".join(b"GET /register/%06d HTTP/1.1\r\nHost: x\r\n\r\n" % i if i % 2 else
                                                               b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n" for i in range(n)),))
    sender.start()
    time.sleep(0.5)
    check("requests wait while their client does not read", metric(hub, "hub_http_paused_total") > 0)
    s.settimeout(10)
    statuses, data = 0, b""
    while statuses < n:
        more = s.recv(65536)
        if not more:
            break
        data += more
        statuses += data.count(b"HTTP/1.1 ")
        data = data[-8:] if b"HTTP/1.1 " not in data[-8:] else b""
    sender.join()
    check("and all are answered when it does", statuses == n, statuses)


def unread_bodies(hub):
    """Judged by the head: the answer comes before the body, and the next request behind it."""
    for what, head, body, want in (
            ("to a webhook that is not there", b"Content-Length: 200000\r\n\r\n", b"a" * 200000, b"404"),
            ("in chunks", b"Transfer-Encoding: chunked\r\n\r\n", b"5;x=y\r\naaaaa\r\n" * 1000 + b"0\r\nt: u\r\n\r\n", b"404"),
            ("that is malformed", b"Transfer-Encoding: chunked\r\n\r\n", b"zz\r\n", b"404")):
        with connect(hub) as s:
            s.settimeout(10)
            s.sendall(WEBHOOK + head)
            first = s.recv(4096)
            s.sendall(body + b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            second = s.recv(4096)
            good = b"pass" in second if "malformed" not in what else second[9:12] == b"400"
            check(f"a body {what} is answered by its head and skipped", first[9:12] == want and good, (first[:60], second[:60]))
    with connect(hub) as s:
        s.settimeout(10)
        s.sendall(b"POST /api/v2/tailnet/-/acl HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\nContent-Length: 60000\r\n\r\n")
        check("without a token no body of the API is waited for", s.recv(4096)[9:12] == b"401")


def main():
    with tempfile.TemporaryDirectory(prefix="warren-slow-") as top:
        where, package = os.path.join(top, "packages"), os.urandom(PACKAGE)
        os.mkdir(where)
        with open(os.path.join(where, f"warren_{VERSION}_amd64.deb"), "wb") as f:
            f.write(package)
        hub = Hub(PROGRAM, top, "--packages-dir", where).start()
        try:
            unread_bodies(hub)
            pipelined(hub)
            slow_ones(hub, package)
        finally:
            hub.stop()
    print(f"1..{len(results)}")
    return 0 if all(results) else 1


sys.exit(main())
