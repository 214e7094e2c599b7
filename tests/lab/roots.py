"""Machines of their own for programs that manage the whole system: a network, processes, and a root of their own.

The root is this machine's, seen through an overlay in memory: what a program writes is gone with it. Packages of Debian that must not be installed
side by side (openresolv and resolvconf), or that would take over this machine (systemd-resolved, NetworkManager), are unpacked into it.
"""
import atexit
import glob
import os
import shutil
import signal
import subprocess
import tempfile
import time

from net import run

SETUP = """
set -e
mount -t tmpfs -o mode=755 root {dir}
mkdir {dir}/over {dir}/work {dir}/root
for deb in {debs}; do dpkg-deb -x $deb {dir}/over; done
# Packages still name /lib and /sbin, which are links here.
for d in lib bin sbin; do
	if [ -d {dir}/over/$d ]; then
		mkdir -p {dir}/over/usr/$d
		cp -a {dir}/over/$d/. {dir}/over/usr/$d
		rm -r {dir}/over/$d
	fi
done
mount -t overlay -o lowerdir=/,upperdir={dir}/over,workdir={dir}/work overlay {dir}/root
cd {dir}/root
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys 2>/dev/null || true
mount --rbind /dev dev
mount -t tmpfs -o mode=755 run run
mkdir -p run/dbus run/systemd/resolve run/NetworkManager
ip link set lo up
exec sleep infinity
"""


def unpack(packages, into):
    """Fetches packages by apt, without installing them. Returns their files."""
    os.makedirs(into, exist_ok=True)
    os.chmod(into, 0o777)  # apt fetches as a user of its own
    have = {os.path.basename(f).split("_")[0] for f in glob.glob(f"{into}/*.deb")}
    missing = [p for p in packages if p not in have]
    if missing:
        subprocess.run(["apt-get", "download", "-qq", *missing], cwd=into, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return [f for f in glob.glob(f"{into}/*.deb") if os.path.basename(f).split("_")[0] in packages]


class Root:
    def __init__(self, debs=()):
        self.dir = tempfile.mkdtemp(prefix="warren-root-")
        self.children = []
        self.holder = subprocess.Popen(
            ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "sh", "-c",
             SETUP.format(dir=self.dir, debs=" ".join(debs))])
        atexit.register(self.close)
        self.pid = self._inner_pid()

    def _inner_pid(self):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if self.holder.poll() is not None:
                raise RuntimeError("no root: overlays in memory, and root, are needed")
            try:
                with open(f"/proc/{self.holder.pid}/task/{self.holder.pid}/children") as f:
                    pids = f.read().split()
                if pids:
                    with open(f"/proc/{pids[0]}/comm") as f:
                        if f.read().strip() == "sleep":
                            return int(pids[0])
            except FileNotFoundError:
                pass
            time.sleep(0.01)
        raise RuntimeError("the root is not ready after 30 s")

    def argv(self, *argv):
        return ["nsenter", "-t", str(self.pid), "-m", "-n", "-p", "--", "chroot", f"{self.dir}/root", *argv]

    def run(self, *argv, check=True, stdin=None):
        return run(*self.argv(*argv), check=check, stdin=stdin)

    def popen(self, *argv, **kw):
        p = subprocess.Popen(self.argv(*argv), **kw)
        self.children.append(p)
        return p

    def sh(self, text, check=True):
        return self.run("sh", "-c", text, check=check)

    def read(self, path):
        """None: it is not there."""
        out = self.run("sh", "-c", f"cat {path} 2>/dev/null || echo -n MISSING", check=False)
        return None if out == "MISSING" else out

    def write(self, path, text):
        self.run("tee", path, stdin=text)

    def close(self):
        if self.holder is None:
            return
        try:
            os.kill(self.pid, signal.SIGKILL)  # the first of its processes: all others end with it
        except (ProcessLookupError, AttributeError):
            pass
        self.holder.kill()
        self.holder.wait()
        for p in self.children:
            p.wait()
        self.holder = None
        shutil.rmtree(self.dir, ignore_errors=True)
