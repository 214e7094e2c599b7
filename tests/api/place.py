"""A hub and devices as processes, each in a namespace of its own, for TAP tests; needs root.

The test's first argument is the path of warrend; the other programs lie beside it."""
import os
import re
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
os.environ["WARREN_BIN"] = os.path.dirname(os.path.dirname(os.path.abspath(sys.argv[1])))
sys.path.insert(0, os.path.join(TOP, "tests", "lab"))
from nodes import WarrenHub, WarrenNode, wait_for  # noqa: E402
import topologies  # noqa: E402
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
from tap import check, results  # noqa: E402

GET = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1]).read().decode())"


def within(what, condition, bound):
    """Seconds until it was so, or None."""
    t = time.monotonic()
    try:
        wait_for(what, condition, bound)
        return time.monotonic() - t
    except TimeoutError:
        return None


class Place:
    def __init__(self, *hub_flags):
        self.t, self.started, self.n = topologies.internet(), [], 20
        self.hub = self.add(WarrenHub(self.t.hub, topologies.HUB4, extra=hub_flags))

    def add(self, p):
        self.started.append(p)
        return p.start()

    def node(self, name):
        self.n += 1
        return self.add(WarrenNode(topologies.public_host(self.t, name, self.n), name))

    def __enter__(self):
        return self

    def __exit__(self, kind, e, tb):
        if e is not None or not all(results):
            for p in self.started:
                print("# --- " + p.name + "\n# " + p.tail().replace("\n", "\n# "), flush=True)
        for p in reversed(self.started):
            p.close()
        self.t.net.close()

    def listed(self, name):
        return next(n for n in self.hub.nodes() if n["name"] == name)

    def metric(self, name):
        text = self.t.hub.run(sys.executable, "-c", GET, self.hub.url + "/metrics")
        return int(re.search(rf"^warren_hub_{name} (\d+)$", text, re.M).group(1))

    def logged(self, p, text):
        with open(p.log) as f:
            return sum(text in line for line in f)


def run(*parts):
    """Exit status of the whole test."""
    if os.geteuid() != 0:
        print("1..0 # SKIP network namespaces need root")
        return 0
    for part in parts:
        part()
    print(f"1..{len(results)}")
    return 0 if all(results) else 1
