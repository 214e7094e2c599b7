#!/usr/bin/env python3
"""Our control client against Tailscale's own test control server: join, a change that all hear, and a lost connection.

    ctl.py HUBLOAD

Without Go, or without the module proxy, the test is skipped (exit 77).
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def main():
    if not shutil.which("go"):
        return 77
    with tempfile.TemporaryDirectory() as work:
        hub = os.path.join(work, "foreignhub")
        # A copy: the build completes go.mod and go.sum, which the source tree does not keep.
        source = shutil.copytree(os.path.join(HERE, "ctl"), os.path.join(work, "src"))
        built = subprocess.run(["go", "build", "-mod=mod", "-p", "2", "-o", hub, "."], cwd=source,
                               capture_output=True, text=True, check=False)
        if built.returncode:
            print(built.stderr, file=sys.stderr)
            return 77
        with subprocess.Popen([hub], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              text=True) as server:
            url = server.stdout.readline().strip()
            run = subprocess.run([sys.argv[1], url, "-", "20", str(server.pid)], capture_output=True, text=True,
                                 timeout=200, check=False)
            server.stdin.close()
            server.wait(timeout=10)
    print(run.stdout, run.stderr)
    return 0 if run.returncode == 0 and json.loads(run.stdout)["complete"] else 1


if __name__ == "__main__":
    sys.exit(main())
