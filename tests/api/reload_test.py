#!/usr/bin/env python3
"""Certificates from files: renewed ones are taken without a restart and without an end of what is open, broken ones are not;
what is wrong with one is told in words, in the log and in the metrics.

Usage: reload_test.py WARREN-HUB WARREN-RELAY. Prints TAP."""
import datetime
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from certificates import CA, openssl  # noqa: E402
from hub_process import check, own_port, run, wait_for  # noqa: E402
from procs import Program, ask, unverified  # noqa: E402

HUB, RELAY = sys.argv[1:3]
NAME = "hub.net.test"


def fingerprint(path):
    with open(path) as f:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(f.read())).hexdigest()


def connect(port):
    s = socket.create_connection(("127.0.0.1", port), 10)
    return unverified().wrap_socket(s, server_hostname=NAME)


def shown(port):
    with connect(port) as s:
        return hashlib.sha256(s.getpeercert(True)).hexdigest()


class Files:
    """As certbot keeps them: live/ has links into archive/, which a renewal turns over."""

    def __init__(self, d):
        self.dir, self.n = d, 0
        for sub in ("live", "archive"):
            os.makedirs(os.path.join(d, sub))
        self.cert, self.key = (os.path.join(d, "live", f) for f in ("fullchain.pem", "privkey.pem"))

    def put(self, cert, key):
        self.n += 1
        for source, link in ((cert, self.cert), (key, self.key)):
            name = f"{os.path.basename(link)[:-4]}{self.n}.pem"
            shutil.copy(source, os.path.join(self.dir, "archive", name))
            os.symlink(os.path.join("..", "archive", name), link + ".tmp")
            os.replace(link + ".tmp", link)


class Hub(Program):
    def __init__(self, d, cert, key, *extra, url=f"https://{NAME}", **kw):
        self.port, self.plain = own_port(), own_port()
        self.argv = [HUB, "serve", "--state-dir", os.path.join(d, "state"), "--socket", os.path.join(d, "s"), "--listen",
                     f"127.0.0.1:{self.port}", "--http-listen", f"127.0.0.1:{self.plain}", "--url", url, "--stun-listen", "off", *extra]
        if cert:
            self.argv += ["--tls-cert", cert, "--tls-key", key]
        super().__init__(d, self.argv, "warren-hub: ready\n", **kw)

    def metric(self, name):
        m = re.search(rf"^warren_hub_certificate_{name} (\d+)$", ask(self.plain, "GET /metrics")[1], re.M)
        return int(m.group(1)) if m else None


class Open:
    """A connection that is kept, by a request on it now and then."""

    def __init__(self, port):
        self.s = connect(port)
        self.began_with = hashlib.sha256(self.s.getpeercert(True)).hexdigest()

    def lives(self):
        self.s.sendall(b"GET /derp/probe HTTP/1.1\r\nHost: x\r\n\r\n")
        return self.s.recv(4096).startswith(b"HTTP/1.1 200")


def shows(port, mark, kept):
    """Do new connections see that certificate by now, while the old ones go on?"""
    if not all(k.lives() for k in kept):
        raise RuntimeError("a connection ended")
    return shown(port) == mark


def renewal(d):
    ca, files = CA(os.path.join(d, "ca")), Files(d)
    pairs = [ca.issue(NAME) for _ in range(4)]
    marks = [fingerprint(p[0]) for p in pairs]
    files.put(*pairs[0])
    hub = Hub(os.path.join(d, "hub"), files.cert, files.key)
    kept = [Open(hub.port)]
    check("the hub shows the certificate of its files", shown(hub.port) == marks[0])
    files.put(*pairs[1])
    check("a renewed one is shown to new connections, by itself", wait_for("the new one", lambda: shows(hub.port, marks[1], kept)))
    check("connections of before go on with the one they began with", all(k.lives() and k.began_with == marks[0] for k in kept))
    check("and that is counted", (hub.metric("reloads_total"), hub.metric("reload_failures_total")) == (1, 0))
    kept.append(Open(hub.port))
    broken(hub, files, pairs, marks, kept)
    hub.p.send_signal(signal.SIGHUP)
    check("SIGHUP reads them again", wait_for("it was counted", lambda: shows(hub.port, marks[3], kept) and hub.metric("reloads_total") == 3) and hub.p.poll() is None)
    check("what was open is still open, whatever was in the files meanwhile", all(k.lives() for k in kept))
    with connect(hub.port) as s:
        chain = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{hub.port}", "-showcerts"], stdin=subprocess.DEVNULL,
                               capture_output=True, text=True).stdout
        check("the relay's key is still named behind the new chain", "derpkey" in chain and s.version() == "TLSv1.3")
    check("it ends with status 0", hub.stop() == 0)


def broken(hub, files, pairs, marks, kept):
    """Whatever is wrong with the new pair, the one of before stays."""
    text = os.path.join(files.dir, "nonsense")
    with open(text, "w") as f:
        f.write("not a certificate\n")
    empty = os.path.join(files.dir, "empty")
    open(empty, "w").close()
    for i, (name, pair, says) in enumerate((
            ("a key of another certificate", (pairs[2][0], pairs[1][1]), "do not belong together"),
            ("no certificate in the file", (text, pairs[2][1]), "holds no certificate in PEM"),
            ("an empty key file", (pairs[2][0], empty), "holds no private key in PEM"),
            ("the two exchanged", (pairs[2][1], pairs[2][0]), "are the two files exchanged?"))):
        files.put(*pair)
        wait_for(f"{name} was looked at", lambda: shows(hub.port, marks[1], kept) and hub.metric("reload_failures_total") == i + 1)
        check(f"{name}: the old one stays, and the log says why", shown(hub.port) == marks[1] and says in hub.said().splitlines()[-1],
              hub.said())
    os.unlink(files.cert)
    wait_for("a missing file was looked at", lambda: shows(hub.port, marks[1], kept) and hub.metric("reload_failures_total") == 5)
    check("a file that is gone: likewise", shown(hub.port) == marks[1] and "there is no such file" in hub.said().splitlines()[-1], hub.said())
    files.put(*pairs[3])
    check("a good pair after that is taken", wait_for("the new one", lambda: shows(hub.port, marks[3], kept)) and hub.metric("reloads_total") == 2)


def without(d):
    """Nothing from files: SIGHUP does no harm, and the pinned certificate is the same one."""
    relay = own_port()
    hub = Hub(d, None, None, "--relay-listen", f"127.0.0.1:{relay}", url="http://127.0.0.1:1")
    before = shown(relay)
    hub.p.send_signal(signal.SIGHUP)
    wait_for("it was heard", lambda: "SIGHUP" in hub.said())
    os.utime(os.path.join(d, "state", "relay.pem"))
    check("a hub without a certificate lives on after SIGHUP, its pin unchanged", hub.p.poll() is None and shown(relay) == before and
          ask(hub.port, "GET /health")[0] == 200 and hub.metric("reloads_total") is None)
    hub.stop()


def relay(d):
    ca, files = CA(os.path.join(d, "ca")), Files(d)
    pairs = [ca.issue("relay.test") for _ in range(2)]
    files.put(*pairs[0])
    port = own_port()
    argv = [RELAY, "--listen", f"127.0.0.1:{port}", "--stun", "off", "--state-dir", os.path.join(d, "state")]
    p = Program(os.path.join(d, "with"), [*argv, "--cert", files.cert, "--key", files.key, "--hostname", NAME], "warren-relay: ready\n")
    check("warren-relay tells of a certificate for another name", "not for the name that devices use" in p.said(), p.said())
    kept = Open(port)
    files.put(*pairs[1])
    check("warren-relay takes a renewed one, too", wait_for("the new one", lambda: shows(port, fingerprint(pairs[1][0]), [kept])))
    p.p.send_signal(signal.SIGHUP)
    check("and reads it again on SIGHUP", wait_for("twice", lambda: p.said().count("was read anew") == 2) and kept.lives())
    p.stop()
    p = Program(os.path.join(d, "without"), argv, "warren-relay: ready\n")
    before = shown(port)
    p.p.send_signal(signal.SIGHUP)
    check("without files SIGHUP does no harm", wait_for("it was heard", lambda: "SIGHUP" in p.said()) and shown(port) == before and p.stop() == 0)


def days(n):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=n)).strftime("%Y%m%d%H%M%SZ")


def warnings(d):
    ca = CA(os.path.join(d, "ca"))
    for name, pair, metrics, says in (
            ("a good one", ca.issue(NAME), (0, 0, 0), None),
            ("an expired one", ca.issue(NAME, end=days(-1)), (1, 0, 0), "has expired"),
            ("one of 90 days with 10 left", ca.issue(NAME, begin=days(-80), end=days(10)), (0, 1, 0), "expires soon"),
            ("one of 90 days with 20 left", ca.issue(NAME, begin=days(-70), end=days(20)), (0, 0, 0), None),
            ("one of six days with three left", ca.issue(NAME, begin=days(-3), end=days(3)), (0, 0, 0), None),
            ("one of six days with one left", ca.issue(NAME, begin=days(-5), end=days(1)), (0, 1, 0), "expires soon"),
            ("one of another name", ca.issue("other.test"), (0, 0, 1), "not for the name that devices use"),
            ("one for a pattern of names", ca.issue("*.net.test"), (0, 0, 0), None)):
        hub = Hub(os.path.join(d, name.replace(" ", "-")), *pair)
        seen = tuple(hub.metric(m) for m in ("expired", "expires_soon", "wrong_name"))
        told = json.loads(subprocess.run([HUB, "status", "--json", "--socket", hub.argv[hub.argv.index("--socket") + 1]], capture_output=True).stdout)
        check(f"{name}: status says until when, and what is wrong", told["certificateExpires"] and
              (says in told.get("certificateFault", "") or "name" in says) if says else "certificateFault" not in told, told)
        lines = [line for line in hub.said().splitlines() if "tls:" in line]
        check(f"{name}: log and metrics say so", seen == metrics and (len(lines) == 1 and says in lines[0] if says else not lines), (seen, lines))
        hub.stop()


def expires(d):
    """While the hub runs: told at that moment, not a day later."""
    ca = CA(os.path.join(d, "ca"))
    hub = Hub(os.path.join(d, "hub"), *ca.issue(NAME, end=days(15 / 86400)))
    check("a certificate that expires in the middle of the day is told of then", hub.metric("expired") == 0 and
          wait_for("the log says so", lambda: "has expired" in hub.said(), 40) and hub.metric("expired") == 1, hub.said())
    hub.stop()


def refusals(d):
    """A hub that cannot start says which file, for whom, and what to do."""
    ca = CA(os.path.join(d, "ca"))
    cert, key = ca.issue(NAME)
    locked = os.path.join(d, "locked.key")
    openssl("pkey", "-in", key, "-aes256", "-passout", "pass:x", "-out", locked)
    other = ca.issue(NAME)[1]
    for name, c, k, says in (
            ("a missing key", cert, os.path.join(d, "no.key"), f"{d}/no.key: there is no such file"),
            ("a directory for a key", cert, d, f"{d}: "),
            ("a key with a passphrase", cert, locked, "is locked with a passphrase; \"openssl pkey"),
            ("the two exchanged", key, cert, "are the two files exchanged?"),
            ("a key of another certificate", cert, other, "do not belong together")):
        for program, argv in ((HUB, ["serve", "--url", f"https://{NAME}", "--listen", "127.0.0.1:1", "--socket", os.path.join(d, "s"), "--tls-cert", c,
                                     "--tls-key", k]), (RELAY, ["--listen", "127.0.0.1:1", "--cert", c, "--key", k])):
            r = subprocess.run([program, *argv, "--state-dir", os.path.join(d, "state")], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                               timeout=20)
            check(f"{name}: {os.path.basename(program)} says so", r.returncode == 1 and says in r.stderr and r.stderr.count("\n") == 1, r.stderr)
    unreadable(d, cert, key)


def unreadable(d, cert, key):
    """As another user than root. The program is copied to where that user may start it."""
    if os.geteuid() != 0:
        return
    open_dir = os.path.join(d, "open")
    os.makedirs(open_dir)
    os.chmod(d, 0o755)
    program = shutil.copy(HUB, open_dir)
    shutil.copy(cert, os.path.join(open_dir, "c.pem"))
    closed = os.path.join(open_dir, "closed")
    os.makedirs(closed, mode=0o700)
    for name, path, says in (("a key of root's", os.path.join(open_dir, "k.pem"), "closed to user nobody (number 65534)"),
                             ("a key in a closed directory", os.path.join(closed, "k.pem"), f"the directory {closed} is closed to user nobody")):
        shutil.copy(key, path)
        os.chmod(path, 0o600)
        state = os.path.join(open_dir, "state")
        os.makedirs(state, exist_ok=True)
        os.chown(state, 65534, 65534)
        r = subprocess.run([program, "serve", "--url", f"https://{NAME}", "--listen", "127.0.0.1:1", "--socket", os.path.join(state, "s"), "--tls-cert",
                            os.path.join(open_dir, "c.pem"), "--tls-key", path, "--state-dir", state], capture_output=True, text=True, timeout=20,
                           user=65534, group=65534, extra_groups=[])
        check(f"{name}: the hub says for whom it is closed, and where ways are described", r.returncode == 1 and path in r.stderr and
              says in r.stderr and "Certificates and proxies" in r.stderr, r.stderr)
    later_closed(open_dir, program, cert, key)


def later_closed(d, program, cert, key):
    """Started as root it reads root's key, and says that it will not be able to do so again."""
    files = Files(os.path.join(d, "root"))
    files.put(cert, key)
    hub = Hub(os.path.join(d, "hub"), files.cert, files.key, "--user", "nobody")
    check("a key that is closed once root's rights are given up is told of at start", "a renewed certificate needs a restart" in hub.said(), hub.said())
    hub.stop()


sys.exit(run((renewal, without, relay, warnings, expires, refusals)))
