#!/usr/bin/env python3
"""The sum of all bounds of a program is below what its unit lets it use: memory, descriptors, tasks.

    limits_test.py UNIT=PROGRAM ...      UNIT: a built .service file; PROGRAM: what it starts, as built

Prints TAP."""
import json
import os
import re
import resource
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "api"))
from hub_process import Hub, check, results  # noqa: E402

MB = 1 << 20
MACHINES = [1 << 30, 4 << 30, 256 << 30]  # memory of
GIT = ["--policy-git", "file:///nonexistent", "--policy-git-protocols", "file"]


def of_unit(unit):
    with open(unit) as f:
        text = f.read()
    found = dict(re.findall(r"^(MemoryMax|TasksMax|LimitNOFILE)=(.*)$", text, re.M))
    return {"memory": int(found["MemoryMax"].rstrip("%")) / 100, "tasks": int(found["TasksMax"]), "descriptors": int(found["LimitNOFILE"])}


def fewer_files(n):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    n = n if hard == resource.RLIM_INFINITY else min(n, hard)
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (n, n))


class LimitedHub(Hub):
    """With as many descriptors as its unit lets it have."""

    def start_with(self, files):
        self.argv = ["prlimit", f"--nofile={files}:{files}", *self.argv]
        return self.start()


def hub_on(program, unit, memory, extra=()):
    """What the hub of a machine says: the budget takes 15/16 of the cgroup's memory.max for its own."""
    allowed = int(memory * unit["memory"])
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with tempfile.TemporaryDirectory(prefix="warren-limits-") as d:
        hub = LimitedHub(program, d, "--memory-max", str(allowed // 16 * 15), *extra)
        hub.start_with(min(unit["descriptors"], hard))
        try:
            said = json.loads(hub.run("status", "--limits", "--json").stdout)
            table = hub.run("status", "--limits").stdout
            threads = len(os.listdir(f"/proc/{hub.p.pid}/task"))
        finally:
            hub.stop()
    return allowed, said, table, threads


def parts(said, of):
    return {r["what"]: r for r in said["limits"] if r["of"] == of}


def hub(program, unit):
    for memory in MACHINES:
        allowed, said, table, threads = hub_on(program, unit, memory, GIT)
        sums = {of: sum(r["max"] for r in parts(said, of).values()) for of in ("memory", "descriptors", "tasks")}
        check(f"hub, {memory // MB} MB: the sums are those of their parts", sums == {of: said[of + "Sum"] for of in sums}, (sums, said))
        check(f"hub, {memory // MB} MB: all memory together is below MemoryMax", said["memorySum"] <= said["memoryMax"] < allowed, (said, allowed))
        check(f"hub, {memory // MB} MB: all descriptors together are within LimitNOFILE",
              said["descriptorsSum"] <= said["descriptorsMax"] <= unit["descriptors"], said)
        check(f"hub, {memory // MB} MB: all tasks together are below TasksMax", threads <= said["tasksSum"] < unit["tasks"], (threads, said))
        strangers = parts(said, "memory")["connections and logins of strangers"]["max"]
        members = parts(said, "memory")["connections of members, API, administration"]["max"]
        check(f"hub, {memory // MB} MB: strangers' part stays small, members' grows", strangers <= 64 * MB and members >= allowed // 10 * 3,
              (strangers, members))
        check(f"hub, {memory // MB} MB: the table has a line for each", all(r["what"] in table for r in said["limits"]), table)
        check(f"hub, {memory // MB} MB: what nobody counts is not shown as nothing",
              parts(said, "memory")["kernel: buffers of sockets"]["now"] == -1 and re.search(r"kernel: buffers of sockets +- ", table) and
              parts(said, "tasks")["threads: the loop, the writer of the database, libraries'"]["now"] == threads, (table, threads))
    for wrong in ("64M", "1.5G", "much", "255M"):
        r = subprocess.run([program, "serve", "--state-dir", "/nonexistent/x", "--memory-max", wrong], capture_output=True, text=True, timeout=20)
        check(f"hub: --memory-max {wrong} is refused in words", r.returncode == 1 and "--memory-max" in r.stderr, r.stderr)


def relay(program, unit):
    for memory in MACHINES:
        allowed = int(memory * unit["memory"])
        out = subprocess.run([program, "--limits", "--memory-max", str(allowed // 16 * 15)], capture_output=True, text=True, check=True,
                             preexec_fn=fewer_files(unit["descriptors"])).stdout
        rows = [line.split("\t") for line in out.splitlines()]
        whole = {of: int(n) for of, what, n in rows if what == "of"}
        sums = {of: sum(int(n) for o, what, n in rows if o == of and what != "of") for of in whole}
        check(f"relay, {memory // MB} MB: all memory together is below MemoryMax", sums["memory"] <= whole["memory"] < allowed, out)
        check(f"relay, {memory // MB} MB: all descriptors together are within LimitNOFILE",
              sums["descriptors"] <= whole["descriptors"] <= unit["descriptors"], out)


def main():
    units = {os.path.basename(u)[:-8]: (os.path.abspath(p), of_unit(u)) for u, p in (a.split("=", 1) for a in sys.argv[1:])}
    for name, (_, unit) in units.items():
        check(f"{name}: the unit has bounds", 0 < unit["memory"] < 1 and unit["tasks"] > 0 and unit["descriptors"] > 0, unit)
    hub(*units["warren-hub"])
    relay(*units["warren-relay"])
    print(f"1..{len(results)}")
    return 0 if all(results) else 1


sys.exit(main())
