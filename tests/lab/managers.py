"""The managers of a system's resolver, as Debian has them, each in a root of its own (roots.py)."""
import re
import subprocess
import time

from roots import Root, unpack

CACHE = "/var/cache/warren-lab-debs"
BASE = "# base file\nnameserver 10.9.9.1\nsearch base.example\noptions ndots:2\n"
FOREIGN = "# written by another program\nnameserver 192.0.2.1\n"
STUB = "../run/systemd/resolve/stub-resolv.conf"


def wait_for(what, test, limit=15.0):
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        got = test()
        if got:
            return got
        time.sleep(0.05)
    raise RuntimeError(f"{what}: not within {limit} s")


def start_bus(root):
    root.popen("dbus-daemon", "--system", "--nofork", "--nopidfile", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for("the bus", lambda: "yes" in root.sh("[ -S /run/dbus/system_bus_socket ] && echo yes || true"))


class Manager:
    packages = ()
    name = manager = None

    def __init__(self, tun=True):
        """tun: with a device that stands for the daemon's."""
        self.root = Root(unpack(self.packages, CACHE))
        if tun:
            self.root.sh("ip tuntap add warren0 mode tun; ip link set warren0 up; ip addr add 100.64.0.1/32 dev warren0")
        self.root.sh("rm -f /etc/resolv.conf; ip link add eth0 type veth peer name far0; ip link set far0 up; ip addr add 10.9.9.2/24 dev eth0; ip link set eth0 up")
        self.set_up()

    def set_up(self):
        pass

    def snapshot(self):
        """Everything that is to be the same afterwards."""
        return self.root.sh("cd /; ls -l --time-style=+ etc/resolv.conf; cat etc/resolv.conf; ls etc | grep -i warren; ls run/warren 2>/dev/null;"
                            " find run/resolvconf etc/resolvconf -type f 2>/dev/null | sort | xargs -r tail -n +1", check=False) + self.more()

    def more(self):
        return ""

    def killed(self):
        pass

    def ours(self):
        return "nameserver 100.100.100.100\n" in self.root.read("/etc/resolv.conf")

    def overwrite(self):
        self.root.write("/etc/resolv.conf", FOREIGN)

    def rewritten(self, t):
        """Somebody else rewrites the file: he is answered once, then his content stays."""
        self.overwrite()
        t.until("set", overwritten=1)
        if not self.ours():
            return False
        self.overwrite()
        t.until("yielded", overwritten=2)
        return self.theirs()

    def theirs(self):
        """Is it as the other one has left it?"""
        return self.root.read("/etc/resolv.conf") == FOREIGN

    def clean(self):
        return not self.root.sh("ls /etc /run/warren 2>/dev/null | grep -i warren | grep -v : || true")


class File(Manager):
    name, manager = "file", "file"

    def set_up(self):
        self.root.write("/etc/resolv.conf", BASE)
        self.root.sh("chmod 640 /etc/resolv.conf; chgrp 4 /etc/resolv.conf")


class Link(Manager):
    name, manager = "link", "file"

    def set_up(self):
        self.root.write("/run/theirs", BASE)
        self.root.sh("ln -s ../run/theirs /etc/resolv.conf")

    def overwrite(self):
        self.root.sh("rm -f /etc/resolv.conf; ln -s ../run/theirs /etc/resolv.conf")

    def theirs(self):
        return self.root.sh("readlink /etc/resolv.conf; cat /etc/resolv.conf") == "../run/theirs\n" + BASE


class Mount(Manager):
    name, manager = "mount", "file"

    def set_up(self):
        self.root.write("/run/outside", BASE)
        self.root.sh("touch /etc/resolv.conf; mount --bind /run/outside /etc/resolv.conf")

    def overwrite(self):
        self.root.write("/run/outside", FOREIGN)

    def rewritten(self, t):
        """Who writes the file from outside is seen within 30 s only: once is enough for a lab."""
        self.overwrite()
        t.until("set", limit=40, overwritten=1, base="192.0.2.1")
        return self.ours()


class ReadOnly(Manager):
    """/etc cannot be written; the link leads to where one can."""
    name, manager = "readonly", "file"

    def set_up(self):
        self.root.write("/run/theirs", BASE)
        self.root.sh("ln -s ../run/theirs /etc/resolv.conf; mount --bind /etc /etc; mount -o remount,bind,ro /etc; mkdir -p /run/warren")

    def overwrite(self):
        self.root.write("/run/theirs", FOREIGN)


class Resolved(Manager):
    name, manager, packages = "resolved", "systemd-resolved", ("systemd-resolved",)

    def set_up(self):
        self.root.sh("grep -q ^systemd-resolve /etc/passwd || { echo 'systemd-resolve:x:990:990::/:/usr/sbin/nologin' >>/etc/passwd;"
                     f"echo 'systemd-resolve:x:990:' >>/etc/group; }}; chown systemd-resolve:systemd-resolve /run/systemd/resolve; ln -s {STUB} /etc/resolv.conf")
        start_bus(self.root)
        self.root.popen("/usr/lib/systemd/systemd-resolved", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for("resolved", lambda: "DNS" in self.root.run("resolvectl", "status", check=False))
        self.root.run("resolvectl", "dns", "eth0", "10.9.9.1")

    def more(self):
        # Its state by links, in the order of names. What a link carries over IPv6 takes a moment after it came up, and is not ours.
        # Which server it asked last is its own, too; the line moves the others to the right.
        text = re.sub(r"(?m)^ +", "", self.root.run("resolvectl", "status"))
        text = re.sub(r"Current DNS Server:.*\n", "", text)
        text = re.sub(r"(Current Scopes:).*?( DNS)?[^\n]*", r"\1\2", text)
        return "\n\n".join(sorted(re.sub(r"Link \d+", "Link", part).strip() for part in text.split("\n\n")))

    def killed(self):
        # A daemon's device goes with it; the tool has none.
        self.root.sh("ip link del warren0; ip tuntap add warren0 mode tun; ip link set warren0 up; ip addr add 100.64.0.1/32 dev warren0")

    def ours(self):
        s = self.root.run("resolvectl", "status", "warren0")
        return "100.100.100.100" in s and "tail.test" in s

    def rewritten(self, t):
        before = self.more()
        self.root.run("resolvectl", "revert", "warren0")
        self.reverted = self.more()
        if self.ours():
            return False
        t.tell("network\n")
        wait_for("ours again", self.ours)
        return self.more() == before

    def theirs(self):
        return self.more() == self.reverted


class NetworkManager(Manager):
    """With a resolver of its own, as without systemd-resolved."""
    name, manager = "networkmanager", "NetworkManager"
    packages = ("network-manager", "libbluetooth3", "libmm-glib0", "libndp0", "libnewt0.52", "libnm0", "libteamdctl0")
    PROFILE = ("[connection]\nid=lan\nuuid=1b6e1a0e-6f0c-4b0e-9d2b-000000000001\ntype=ethernet\ninterface-name=eth0\n[ipv4]\nmethod=manual\n"
               "address1=10.9.9.2/24\ndns=10.9.9.1;\ndns-search=base.example;\n[ipv6]\nmethod=disabled\n")
    DIR = "/etc/NetworkManager"

    def set_up(self):
        self.root.sh("ip addr flush dev eth0; ip link set eth0 down")  # it is to bring it up itself
        self.root.sh(f"mkdir -p {self.DIR}/system-connections /var/lib/NetworkManager; printf '[main]\nplugins=keyfile\ndns=default\nauth-polkit=false\n"
                     f"[keyfile]\nunmanaged-devices=interface-name:far0\n' >{self.DIR}/NetworkManager.conf; umask 077; touch {self.DIR}/system-connections/lan.nmconnection")
        self.root.write(f"{self.DIR}/system-connections/lan.nmconnection", self.PROFILE)
        start_bus(self.root)
        self.start()

    def start(self):
        self.root.popen("/usr/sbin/NetworkManager", "--no-daemon", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for("its file", lambda: "10.9.9." in (self.root.read("/run/NetworkManager/resolv.conf") or ""))
        wait_for("its connection", lambda: "eth0:connected" in self.root.run("nmcli", "-t", "-f", "DEVICE,STATE", "device", check=False))

    def more(self):
        return self.root.run("nmcli", "-t", "-f", "DEVICE,STATE,CONNECTION", "device") + self.root.sh("cat /run/NetworkManager/*resolv.conf; cat /var/lib/NetworkManager/NetworkManager-intern.conf 2>/dev/null || true")

    def servers(self, a):
        self.root.sh(f"nmcli connection modify lan ipv4.dns {a} && nmcli device reapply eth0")

    def rewritten(self, t):
        """What it says by and by is followed without a fight, also when it starts anew. The end puts its newest text in place."""
        for a in ("10.9.9.7", "10.9.9.8", "10.9.9.9"):
            self.servers(a)
            t.until("set", base=a, overwritten=0)
        self.root.sh("pkill -x NetworkManager; while pgrep -x NetworkManager; do sleep 0.05; done; rm -f /run/NetworkManager/resolv.conf")
        self.start()
        t.until("set", base="10.9.9.9", overwritten=0)
        return self.ours()

    def theirs(self):
        text = self.root.read("/etc/resolv.conf")
        return text == self.root.read("/run/NetworkManager/resolv.conf") and "10.9.9.9" in text and "100.100" not in text


class Openresolv(Manager):
    name, manager, packages = "openresolv", "openresolv", ("openresolv",)

    record = "eth0"

    def set_up(self):
        self.root.sh("printf 'nameserver 10.9.9.1\\nsearch base.example\\n' | resolvconf -a eth0; resolvconf -u")

    def ours(self):
        text = self.root.read("/etc/resolv.conf")
        return "nameserver 100.100.100.100\n" in text and "10.9.9.1" not in text

    def rewritten(self, t):
        """Others have records of their own, and change these."""
        self.root.sh(f"printf 'nameserver 10.9.9.7\\n' | resolvconf -a {self.record}")
        if not self.ours():
            return False
        t.tell("network\n")
        t.until("set", base="10.9.9.7", overwritten=0)
        return self.ours()

    def theirs(self):
        text = self.root.read("/etc/resolv.conf")
        return "nameserver 10.9.9.7\n" in text and "100.100" not in text and "10.9.9.1\n" not in text


class Resolvconf(Openresolv):
    name, manager, packages = "resolvconf", "resolvconf", ("resolvconf",)
    record = "eth0.inet"

    def set_up(self):
        self.root.sh("find /etc/resolvconf/update.d -type f ! -name libc -delete;"  # hooks of packages that happen to be here
                     "mkdir -p /run/resolvconf/interface; ln -sfn /run/resolvconf /etc/resolvconf/run; ln -s ../run/resolvconf/resolv.conf /etc/resolv.conf;"
                     "resolvconf --enable-updates; printf 'nameserver 10.9.9.1\\nsearch base.example\\n' | resolvconf -a eth0.inet")


MANAGERS = {m.name: m for m in (File, Link, Mount, ReadOnly, NetworkManager, Resolved, Openresolv, Resolvconf)}
