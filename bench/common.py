"""What the benchmarks share: tables of ours, the peer's and the ratio, and the closing counts."""
import os
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(TOP, os.environ.get("BUILD", "build"))
sys.path[:0] = [os.path.join(TOP, "tests", "lab"), os.path.join(TOP, "tests", "interop")]


class Table:
    """Rows of ours beside a peer's. A row fails when it could not be measured, or missed a goal that is ours to keep."""

    def __init__(self, title=None):
        self.n_passed = self.n_failed = self.n_skipped = 0
        if title:
            print(f"{title}\n{'':34}{'ours':>12}{'peer':>12}{'ours/peer':>11}   {'goal':14} peer is", flush=True)

    def row(self, what, ours, peer=None, unit="", goal=None, name="", digits=2, ratio=None):
        """goal: ("<", limit) or (">", limit) for ours; ratio: ours is to be that many times the peer's. peer None: was not measured."""
        def text(v):
            return "-" if v is None else f"{v:.{digits}f} {unit}"
        kept = ours is not None and (not goal or (ours < goal[1] if goal[0] == "<" else ours > goal[1]))
        if ratio:
            kept = kept and bool(peer) and ours / peer >= ratio
        self.n_passed += kept
        self.n_failed += not kept
        times = f"{ours / peer:.3f}" if ours is not None and peer else "-"
        said = f"{goal[0]} {goal[1]:g} {unit}" if goal else f"> {ratio:g} times" if ratio else ""
        print(f"{what:34}{text(ours):>12}{text(peer):>12}{times:>11}   {said:14} {name}{'' if kept else '   MISSED'}", flush=True)

    @classmethod
    def skipped(cls, why):
        """In the place of a table that cannot be made."""
        t = cls()
        t.n_skipped = 1
        print(f"skipped: {why}", flush=True)
        return t

    @staticmethod
    def end(*tables):
        """Prints the counts, gives the exit status."""
        passed, failed, skipped = (sum(getattr(t, n) for t in tables) for n in ("n_passed", "n_failed", "n_skipped"))
        print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
        return 1 if failed or not passed + skipped else 0
