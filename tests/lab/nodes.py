"""Programs on lab hosts: hubs and nodes, ours and official ones, behind one small interface."""
import sys
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
from waits import wait_for  # noqa: E402

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("WARREN_BIN", os.path.join(TOP, os.environ.get("BUILD", "build"), "src", "bin"))


def program(name):
    return os.path.join(BIN, name, name)


class UnixHTTP(http.client.HTTPConnection):
    def __init__(self, path, host, timeout=10):
        super().__init__(host, timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Process:
    """A child with its output in a file; ended by its own handle only."""

    def __init__(self, host, name, argv, env=None):
        self.host, self.name = host, name
        self.dir = tempfile.mkdtemp(prefix=f"warren-{name}-")
        self.log = os.path.join(self.dir, "log")
        self.argv, self.env = argv, {**os.environ, **(env or {})}
        self.child = None

    def start(self):
        self.out = open(self.log, "ab")
        self.child = self.host.popen(*self.argv, stdout=self.out, stderr=subprocess.STDOUT, env=self.env)
        return self

    def alive(self):
        return self.child is not None and self.child.poll() is None

    def check_alive(self):
        if not self.alive():
            raise RuntimeError(f"{self.name} ended with {self.child.returncode}:\n{self.tail()}")

    def stop(self, sig="TERM", timeout=10):
        if self.alive():
            (self.child.kill if sig == "KILL" else self.child.terminate)()
            try:
                self.child.wait(timeout)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
                raise RuntimeError(f"{self.name} did not end within {timeout} s of SIG{sig}")

    def close(self):
        try:
            self.stop()
        finally:
            shutil.rmtree(self.dir, ignore_errors=True)

    def tail(self, n=40):
        with open(self.log, errors="replace") as f:
            return "".join(f.readlines()[-n:])

    def rss_kb(self):
        with open(f"/proc/{self.child.pid}/status") as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))


class CA:
    """A certificate authority of the lab, so that TLS is checked as anywhere else."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="warren-ca-")
        self.cert = os.path.join(self.dir, "ca.pem")
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                      "-subj", "/CN=lab", "-days", "2", "-keyout", f"{self.dir}/ca.key", "-out", self.cert)

    def _openssl(self, *args):
        subprocess.run(["openssl", *args], check=True, capture_output=True)

    def issue(self, *names):
        """(certificate, key) files for host names and addresses."""
        base = os.path.join(self.dir, names[0].replace(":", "_"))
        san = ",".join(("IP:" if re.fullmatch(r"[0-9.]+|.*:.*", n) else "DNS:") + n for n in names)
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
                      "/CN=hub", "-keyout", base + ".key", "-out", base + ".csr")
        with open(base + ".ext", "w") as f:
            f.write(f"subjectAltName={san}\n")
        self._openssl("x509", "-req", "-in", base + ".csr", "-CA", self.cert, "-CAkey", f"{self.dir}/ca.key",
                      "-CAcreateserial", "-days", "2", "-extfile", base + ".ext", "-out", base + ".pem")
        return base + ".pem", base + ".key"

    def close(self):
        shutil.rmtree(self.dir, ignore_errors=True)


def bracket(ip):
    return f"[{ip}]" if ":" in ip else ip


class WarrenHub(Process):
    """Ours: one process with relay and STUN. With a certificate it speaks TLS on 443, else HTTP on 80."""

    def __init__(self, host, ip, ca=None, extra=()):
        super().__init__(host, "hub", [])
        self.state = os.path.join(self.dir, "state")
        self.socket = os.path.join(self.dir, "hub.sock")
        self.argv = [program("warren-hub"), "serve", "--state-dir", self.state, "--socket", self.socket]
        if ca:
            cert, key = ca.issue(ip)
            self.url = f"https://{bracket(ip)}"
            self.argv += ["--listen", f"{bracket(ip)}:443", "--tls-cert", cert, "--tls-key", key]
            self.http = None
        else:
            self.url = f"http://{bracket(ip)}"
            self.argv += ["--listen", f"{bracket(ip)}:80"]
        self.argv += ["--url", self.url, *extra]

    def admin(self, *args):
        return self.host.run(program("warren-hub"), *args, "--socket", self.socket)

    def start(self):
        super().start()
        wait_for("the hub's socket answers", lambda: self.check_alive() or self.ready())
        return self

    def ready(self):
        try:
            self.admin("status", "--json")
            return True
        except RuntimeError:
            return False

    def auth_key(self, *flags):
        return json.loads(self.admin("keys", "create", "--json", *flags))["key"]

    def nodes(self):
        return json.loads(self.admin("nodes", "list", "--json"))


class Node(Process):
    """What ours and the official one have in common: the LocalAPI."""

    def local(self, method, path, body=None):
        c = UnixHTTP(self.socket, "local-tailscaled.sock")
        try:
            c.request(method, "/localapi/v0/" + path, body)
            r = c.getresponse()
            return r.status, r.read()
        finally:
            c.close()

    def status(self):
        code, body = self.local("GET", "status")
        if code != 200:
            raise RuntimeError(f"status: {code} {body!r}")
        return json.loads(body)

    def answers(self):
        try:
            return self.status()
        except (OSError, RuntimeError, http.client.HTTPException):
            return None

    def start(self):
        super().start()
        wait_for(f"{self.name}'s LocalAPI answers", lambda: self.check_alive() or self.answers())
        return self

    def ip(self, family=4):
        return next(a for a in self.status()["TailscaleIPs"] if (":" in a) == (family == 6))

    def peer(self, ip):
        """The peer's status by one of its addresses, or None."""
        for p in (self.status().get("Peer") or {}).values():
            if ip in (p.get("TailscaleIPs") or []):
                return p
        return None

    def direct(self, ip):
        """The address by which the peer is reached directly, '' while it is not."""
        p = self.peer(ip)
        return p["CurAddr"] if p else ""

    def up(self, url, key, *flags, timeout=60):
        return self.cli("up", f"--login-server={url}", f"--auth-key={key}", f"--hostname={self.hostname}",
                        f"--timeout={timeout}s", *flags)


class WarrenNode(Node):
    def __init__(self, host, hostname, ca=None, flags=()):
        super().__init__(host, f"warrend-{hostname}", [], {"SSL_CERT_FILE": ca.cert} if ca else None)
        self.hostname = hostname
        self.socket = os.path.join(self.dir, "d.sock")
        self.argv = [program("warrend"), "--statedir", self.dir, "--socket", self.socket, "--tun", "warren0",
                     "--port", "41641", *flags]

    def cli(self, *args, check=True):
        return self.host.run(program("warren"), f"--socket={self.socket}", *args, check=check)

    def cli_of_daemon(self, *args):
        """warrend itself, as its service or a package calls it."""
        return self.host.run(program("warrend"), *args)


class TailscaleNode(Node):
    """The official daemon and command, from tests/interop/bin/VERSION."""

    def __init__(self, host, hostname, bindir, ca=None, flags=(), env=None):
        super().__init__(host, f"tailscaled-{hostname}", [],
                         {"TS_NO_LOGS_NO_SUPPORT": "true", **({"SSL_CERT_FILE": ca.cert} if ca else {}),
                          **(env or {})})
        self.env["TS_LOGS_DIR"] = self.dir  # else it makes /var/lib/tailscale
        self.hostname, self.bindir = hostname, bindir
        self.socket = os.path.join(self.dir, "d.sock")
        self.argv = [os.path.join(bindir, "tailscaled"), "--statedir", self.dir, "--socket", self.socket,
                     "--tun", "tailscale0", "--port", "41641", "--no-logs-no-support", *flags]

    def cli(self, *args, check=True):
        return self.host.run(os.path.join(self.bindir, "tailscale"), f"--socket={self.socket}", *args,
                             check=check)

    def up(self, url, key, *flags, timeout=60):
        return super().up(url, key, "--accept-dns=false", *flags, timeout=timeout)


class Ping:
    """A running series of pings with the time of each answer."""

    def __init__(self, host, ip, interval=0.02):
        self.start_mono, self.start_wall = time.monotonic(), time.time()
        self.child = host.popen("ping", "-n", "-D", "-O", "-i", str(interval), ip, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True)
        self.interval = interval
        os.set_blocking(self.child.stdout.fileno(), False)
        self.answers, self.rest = {}, ""  # sequence number: wall time of the answer

    def poll(self):
        try:
            self.rest += self.child.stdout.read() or ""
        except (BlockingIOError, TypeError):
            pass
        *lines, self.rest = self.rest.split("\n")
        for line in lines:
            m = re.match(r"\[([0-9.]+)\] \d+ bytes from .* icmp_seq=(\d+) .*time=", line)
            if m:
                self.answers.setdefault(int(m.group(2)), float(m.group(1)))
        return self.answers

    def first(self):
        """Seconds from our start to the first answer, or None."""
        self.poll()
        return min(self.answers.values()) - self.start_wall if self.answers else None

    def stop(self):
        self.child.send_signal(2)
        try:
            self.child.wait(5)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        self.poll()
        return self

    def lost(self):
        """Sequence numbers without an answer between the first and the last answered one."""
        if not self.answers:
            return []
        return sorted(set(range(min(self.answers), max(self.answers))) - set(self.answers))
