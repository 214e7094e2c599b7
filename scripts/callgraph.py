"""Which source of src/ uses externals of which other, read from the objects of a build. Tests are left out."""
import glob
import os
import re
import subprocess

TEST = re.compile(r"_(test|fuzz|bench)\.c$")


def source_of(build, obj):
    """BUILD/src/a/libx.a.p/b_c.c.o is of src/a/b/c.c or src/a/b_c.c; .._d_c.c.o of src/d/c.c."""
    base, name = os.path.dirname(os.path.dirname(os.path.relpath(obj, build))), os.path.basename(obj)[:-2]
    parts = name.split("_")
    for at in range(len(parts)):
        path = os.path.normpath(os.path.join(base, "/".join(parts[:at]), "_".join(parts[at:])))
        if os.path.isfile(path):
            return path
    return None


def symbols(obj):
    """(defined, used)"""
    defined, used = set(), set()
    for line in subprocess.run(["nm", "-P", obj], capture_output=True, text=True, check=True).stdout.splitlines():
        name, kind = line.split()[:2]
        (used if kind == "U" else defined if kind in "TDBRVWC" else set()).add(name)
    return defined, used


def call_graph(build):
    """source -> sources whose externals it uses, over all of src/; tests are left out."""
    sym = {}
    for obj in glob.glob(os.path.join(build, "src", "**", "*.o"), recursive=True):
        src = source_of(build, obj)
        if src and src.startswith("src/") and not TEST.search(src):
            sym[src] = symbols(obj)
    owner = {s: f for f, (defined, _) in sym.items() for s in defined}
    return {f: {owner[s] for s in used if owner.get(s, f) != f} for f, (_, used) in sym.items()}
