#!/usr/bin/env python3
"""Names in requests of the local API become no paths: what lies elsewhere is neither removed nor read, by whoever may write.

Usage: local_paths_test.py WARREND. Needs root. Prints TAP."""
import os
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
os.environ["WARREN_BIN"] = os.path.dirname(os.path.dirname(os.path.abspath(sys.argv[1])))
sys.path[:0] = [os.path.join(HERE, "..", "lab"), HERE]
from net import Net  # noqa: E402
from nodes import WarrenNode  # noqa: E402
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
from tap import check, results  # noqa: E402



def main():
    net = Net()
    d = WarrenNode(net.host("box"), "box").start()
    with tempfile.TemporaryDirectory() as elsewhere:
        try:
            files = [os.path.join(elsewhere, n) for n in ("netmap.json", "netmap.refused")]
            up = "../" * 20 + elsewhere.lstrip("/")
            inside = os.path.join(d.dir, "kept")
            os.mkdir(inside)
            os.makedirs(os.path.join(d.dir, "profile-data", "a"), exist_ok=True)
            files += [os.path.join(inside, "netmap.json")]
            for f in files:
                open(f, "w").close()
            ids = [up, "../kept", "..%2fkept", "%2e%2e%2fkept", "..%2F..%2F" + os.path.basename(d.dir) + "%2Fkept", ".", "..", "a%2f..%2f..%2fkept", "kept%00x",
                   "..%5ckept", up.replace("/", "%2f"), up.replace("/", "%2F").replace(".", "%2e"), "x" * 5000]
            said = [d.local(method, f"profiles/{i}")[0] for i in ids for method in ("DELETE", "POST", "GET")]
            check("ids with paths in them remove nothing", all(os.path.exists(f) for f in files), [f for f in files if not os.path.exists(f)])
            check("and the daemon answers", all(200 <= s < 600 for s in said) and d.status()["BackendState"] == "NeedsLogin", said)
        finally:
            d.close()
            net.close()
    print(f"1..{len(results)}")
    sys.exit(not all(results))


main()
