#!/usr/bin/env python3
"""scripts/up and scripts/down, as make up and make down call them: what they print is what works on the next device.

Usage: up_test.py BUILD. Prints TAP. Needs root: network and directories of the machine's are replaced by namespaces of its own."""
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
from tap import check, results  # noqa: E402

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(sys.argv[1])
INSIDE = "--inside"


def enter():
    """Again, where /var/lib/warren and its like are empty and the only network is one made here."""
    script = ("mount --make-rprivate /; for d in /run /var/lib /usr/local/bin; do mount -t tmpfs tmpfs $d; done; ip link set lo up; "
              "ip link add eth0 type veth peer name far; ip addr add 198.51.100.2/24 dev eth0; ip link set eth0 up; ip link set far up; "
              "ip route add default via 198.51.100.1; \"$@\"; exit $?")  # a shell that stays takes care of children that others leave
    os.execvp("unshare", ["unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-euc", script, "sh", sys.executable,
                          os.path.abspath(__file__), BUILD, INSIDE])


def run(script, **env):
    return subprocess.run([os.path.join(TOP, "scripts", script)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=120, env={**os.environ, "BUILD": os.path.relpath(BUILD, TOP), **env})


def on_terminal(answer, **env):
    """up on a terminal, where a person answers; what was shown."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(BUILD=os.path.relpath(BUILD, TOP), **env)
        os.execv(os.path.join(TOP, "scripts", "up"), ["up"])
    shown, answered, end = "", False, time.monotonic() + 100
    while time.monotonic() < end:
        if select.select([fd], [], [], 0.2)[0]:
            try:
                data = os.read(fd, 4096)
            except OSError:
                break
            if not data:
                break
            shown += data.decode(errors="replace")
        if not answered and re.search(r"URL \[[^]]*\]: $", shown):
            answered = True
            os.write(fd, answer.encode() + b"\n")
    return shown, answered, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def hub_url():
    r = subprocess.run([os.path.join(BUILD, "src/bin/warren-hub/warren-hub"), "status", "--json"], capture_output=True, text=True)
    return re.search(r'"url": *"([^"]*)"', r.stdout).group(1) if r.returncode == 0 else r.stderr


def next_device(shown, where):
    """The lines for the next device, entered as they stand, up to what needs a machine of its own."""
    lines = re.search(r"Another Linux device.*\n((?:    .*\n)+?)  or with", shown).group(1).splitlines()
    check("three lines bring in the next device", len(lines) == 3 and "wget" in lines[0] and "apt install" in lines[1] and
          "sudo warren up --login-server=" in lines[2], shown)
    if not shutil.which("wget"):
        return print("# no wget here: the package is not fetched")
    r = subprocess.run(["sh", "-ec", lines[0].strip() + "\n" + lines[1].strip().replace("sudo apt install", "dpkg-deb -I")], cwd=where, capture_output=True,
                       text=True)
    check("they fetch a package, which is the one that was made here", r.returncode == 0 and "Package: warren\n" in r.stdout, r.stdout + r.stderr)
    with open(os.path.join(where, os.listdir(where)[0]), "ab") as f:
        f.write(b"x")
    r = subprocess.run(["sh", "-c", lines[1].strip().replace("sudo apt install", "echo installed")], cwd=where, capture_output=True, text=True)
    check("another one would not be installed", r.returncode != 0 and "installed" not in r.stdout, r.stdout)


def package():
    """Stands for the one of make deb, which has a test of its own."""
    version = subprocess.run([os.path.join(BUILD, "src/bin/warren-hub/warren-hub"), "--version"], capture_output=True, text=True).stdout.split()[-1]
    os.makedirs("/run/deb/DEBIAN")
    os.mkdir("/run/packages")
    with open("/run/deb/DEBIAN/control", "w") as f:
        f.write(f"Package: warren\nVersion: {version}\nArchitecture: amd64\nMaintainer: Nobody <nobody@localhost>\nDescription: a test\n")
    subprocess.run(["dpkg-deb", "--build", "/run/deb", f"/run/packages/warren_{version}_amd64.deb"], check=True, capture_output=True)


def home():
    r = run("up")
    check("without a word it is this network", r.returncode == 0 and hub_url() == "http://198.51.100.2:8080" and
          "in this network only" in r.stdout and "reach-your-hub" in r.stdout, r.stdout)
    with tempfile.TemporaryDirectory() as where:
        next_device(r.stdout, where)
    r = run("up", URL="http://hub.example.org:8080")
    check("a hub that runs is not given another name behind its devices' backs", r.returncode == 1 and "make down" in r.stdout, r.stdout)
    r = run("down", PURGE="1")
    check("down undoes it", r.returncode == 0 and not os.path.exists("/var/lib/warren"), r.stdout)


def named():
    with open("/etc/hosts") as f:
        hosts = f.read()
    with open("/run/hosts", "w") as f:
        f.write(hosts + "\n198.51.100.2 hub.example.org\n")
    subprocess.run(["mount", "--bind", "/run/hosts", "/etc/hosts"], check=True)
    for bad in ("hub.example.org", "ftp://hub", "http://"):
        r = run("up", URL=bad)
        check(f"URL={bad} is refused, with how to write it", r.returncode == 2 and "https://hub.example.org" in r.stdout, r.stdout)
    r = run("up", URL="http://hub.example.org:8081/")
    check("URL=NAME is what devices are told", r.returncode == 0 and hub_url() == "http://hub.example.org:8081" and
          "--login-server=http://hub.example.org:8081 " in r.stdout, r.stdout)
    run("down")
    r = run("up")
    check("the next make up remembers it", r.returncode == 0 and hub_url() == "http://hub.example.org:8081", r.stdout)
    run("down", PURGE="1")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=hub.example.org",
                    "-addext", "subjectAltName=DNS:hub.example.org", "-days", "2", "-keyout", "/run/key.pem", "-out", "/run/cert.pem"], check=True,
                   capture_output=True)
    r = run("up", URL="https://hub.example.org", CERT="/run/cert.pem", KEY="/run/key.pem", SSL_CERT_FILE="/run/cert.pem")
    check("with a certificate it is HTTPS on port 443", r.returncode == 0 and "https://hub.example.org" == hub_url(), r.stdout)
    run("down", PURGE="1")
    r = run("up", URL="https://hub.example.org")
    check("a name that does not lead here yet is told, with where to read on", r.returncode == 1 and "does not lead to it yet" in r.stdout, r.stdout)
    run("down", PURGE="1")


def asked():
    shown, answered, code = on_terminal("")
    check("a person is asked for the URL first, and Enter means this network", answered and code == 0 and hub_url() == "http://198.51.100.2:8080", shown)
    run("down")
    shown, answered, code = on_terminal("")
    check("and is not asked again", not answered and code == 0, shown)
    run("down", PURGE="1")
    shown, answered, code = on_terminal("http://hub.example.org:8080")
    check("a name that is entered is used", answered and code == 0 and hub_url() == "http://hub.example.org:8080", shown)
    run("down", PURGE="1")


def main():
    if os.geteuid() != 0:
        print("1..0 # SKIP namespaces need root")
        return 0
    if sys.argv[2:] != [INSIDE]:
        enter()
    os.environ["PACKAGES"] = "/run/packages"
    package()
    try:
        home()
        named()
        asked()
    finally:
        run("down", PURGE="1")
    print(f"1..{len(results)}")
    return 0 if all(results) else 1


sys.exit(main())
