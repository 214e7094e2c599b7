#!/usr/bin/env python3
"""The local API while other users of the machine take what they can get: root is served, memory is bounded, nobody waits for names.

Usage: local_shares_test.py LAPI_FAKE SLOWNSS_LIB. Needs root, who can be another user. Prints TAP."""
import json
import multiprocessing
import os
import pwd
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from lapi_client import as_user, ask, connect, message, read_answer, read_head  # noqa: E402
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
from tap import check, results  # noqa: E402

FAKE, SLOWNSS = (os.path.abspath(a) for a in sys.argv[1:3])
SANITIZED = b"__asan_init" in open(FAKE, "rb").read()
API = "/localapi/v0/"
SERVED = 1.0  # seconds in which root is answered, whatever others do
GROWTH_MB = 48  # what one user can make of the daemon: SHARE_BYTES_MAX, and buffers around it
USERS = range(20001, 20007)


class Api:
    def __init__(self, directory, env=None):
        self.path = os.path.join(directory, "s")
        self.p = subprocess.Popen([FAKE, self.path], env={**os.environ, **(env or {})})
        end = time.monotonic() + 10
        while not os.path.exists(self.path):
            if time.monotonic() > end:
                raise TimeoutError("the API does not come up")
            time.sleep(0.01)

    def mb(self):
        with open(f"/proc/{self.p.pid}/status") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS:")) / 1024

    def served(self):
        """How long root waits for a status; 60 when it is not answered."""
        begin = time.monotonic()
        try:
            return time.monotonic() - begin if ask(self.path, f"GET {API}status")[0] != 200 else max(time.monotonic() - begin, 1e-6)
        except (OSError, EOFError):
            return 60.0

    def close(self):
        self.p.terminate()
        self.p.wait(10)


class Others:
    """Processes of other users, each of which does what fn does and holds it until close."""

    def __init__(self, fn, path, users=USERS):
        self.go, self.end = multiprocessing.Queue(), multiprocessing.Event()
        self.p = [multiprocessing.Process(target=self._run, args=(fn, path, uid), daemon=True) for uid in users]
        for p in self.p:
            p.start()
        self.got = [self.go.get(timeout=30) for _ in self.p]

    def _run(self, fn, path, uid):
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
        held = fn(path)
        self.go.put(len(held))
        self.end.wait(60)

    def close(self):
        self.end.set()
        for p in self.p:
            p.join(20)


def is_open(s):
    """Not turned away: the other side has not closed it."""
    s.settimeout(0.2)
    try:
        return s.recv(1, socket.MSG_PEEK) != b""
    except TimeoutError:
        return True
    except OSError:
        return False


def many_connections(path):
    all_ = []
    for _ in range(100):
        try:
            all_.append(connect(path))
        except OSError:
            break
    return [s for s in all_ if is_open(s)]


def many_watchers(path):
    held = []
    for _ in range(40):
        try:
            s = connect(path)
            s.sendall(message(f"GET {API}watch-ipn-bus?mask=10"))
            if read_head(s)[0] == 200:
                held.append(s)
        except (OSError, EOFError):
            pass
    return held


def answers_not_read(path):
    held = []
    request = message(f"GET {API}status") * 200
    for _ in range(64):
        try:
            s = connect(path)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.settimeout(0.05)
            for _ in range(20):
                s.send(request)
        except OSError:
            pass
        held.append(s)
    return held


def bodies_that_never_end(path):
    held = []
    for _ in range(64):
        try:
            s = connect(path, timeout=0.2)
            s.sendall(message(f"POST {API}check-prefs", headers={"Content-Length": "1000000"}) + b"x" * 999000)
        except OSError:
            pass
        held.append(s)
    return held


def crowd(api, name, fn, most, growth=GROWTH_MB):
    before = api.mb()
    o = Others(fn, api.path)
    try:
        waits = [api.served() for _ in range(20)]
        grown = api.mb() - before
        check(f"{name}: root is served", max(waits) < SERVED, waits)
        if most:
            check(f"{name}: a user gets no more than his share", 0 < max(o.got) <= most, o.got)
        if SANITIZED:
            print(f"# {name}: what it takes is not measured, sanitizers take more")
        else:
            check(f"{name}: memory is bounded", grown < growth, f"{grown:.1f} MB")
        w = connect(api.path)
        w.sendall(message(f"GET {API}watch-ipn-bus?mask=10"))
        check(f"{name}: root may watch", read_head(w)[0] == 200)
        w.close()
    finally:
        o.close()


def work(api):
    def pings():
        said = []
        for _ in range(150):
            said.append(ask(api.path, f"POST {API}bugreport")[0])
        return said.count(200), said.count(429)

    done, refused = as_user(USERS[0], pings)
    check("reports of a user are limited", done < 30 and refused > 100, (done, refused))
    check("those of root are not", all(ask(api.path, f"POST {API}bugreport")[0] == 200 for _ in range(30)))


def names():
    """The directory of users does not answer."""
    name, uid = next((p.pw_name, p.pw_uid) for p in pwd.getpwall() if p.pw_uid not in (0, os.getuid()))
    with tempfile.TemporaryDirectory() as d:
        os.chmod(d, 0o755)
        hang = os.path.join(d, "hang")
        api = Api(d, {"LD_PRELOAD": SLOWNSS, "SLOWNSS": hang, "ASAN_OPTIONS": "verify_asan_link_order=0"})
        try:
            open(hang, "w").close()
            ask(api.path, f"PATCH {API}prefs", json.dumps({"OperatorUser": name, "OperatorUserSet": True}))
            o = Others(lambda path: [asked(path)], api.path, users=[uid])
            waits = [api.served() for _ in range(20)]
            check("while names cannot be looked up, root is served", max(waits) < SERVED, waits)
            begin = time.monotonic()
            said = as_user(uid, lambda: ask(api.path, f"GET {API}profiles/")[0])
            took = time.monotonic() - begin
            check("who may be the operator waits, and not for ever", said == 403 and took < 10, (said, took))
            os.unlink(hang)
            end = time.monotonic() + 10
            while (said := as_user(uid, lambda: ask(api.path, f"GET {API}profiles/")[0])) != 200 and time.monotonic() < end:
                time.sleep(0.05)
            check("and is the operator as soon as it is known", said == 200, said)
            check("others are not", as_user(USERS[0], lambda: ask(api.path, f"GET {API}profiles/")[0]) == 403)
            o.close()
        finally:
            if os.path.exists(hang):
                os.unlink(hang)
            api.close()


def asked(path):
    s = connect(path)
    s.sendall(message(f"GET {API}profiles/"))
    return s


def main():
    if os.getuid() != 0:
        print("1..0 # SKIP only root can be another user")
        return
    with tempfile.TemporaryDirectory() as d:
        os.chmod(d, 0o755)
        api = Api(d)
        try:
            crowd(api, "600 connections of six users", many_connections, 64)
            crowd(api, "240 watchers of six users", many_watchers, 16)
            crowd(api, "answers that are not read", answers_not_read, 0)
            crowd(api, "bodies that never end", bodies_that_never_end, 0, growth=GROWTH_MB + 6 * 8)
            work(api)
            check("it lives", api.p.poll() is None)
        finally:
            api.close()
    names()
    print(f"1..{len(results)}")
    sys.exit(not all(results))


main()
