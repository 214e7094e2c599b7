#!/usr/bin/env python3
"""Manual pages and completions say what the programs say: every flag and subcommand of --help is in both.

    docs_test.py NAME PROGRAM MANUAL [BASH ZSH FISH]
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
from tap import check, results  # noqa: E402

NAME, PROGRAM, MANUAL = sys.argv[1:4]
COMPLETIONS = dict(zip(("bash", "zsh", "fish"), sys.argv[4:]))
FLAG = re.compile(r"^  (--?[A-Za-z0-9][-A-Za-z0-9]*)", re.M)
DEPTH_MAX = 3


def help_of(*path):
    r = subprocess.run([PROGRAM, *path, "--help"], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30)
    return r.stdout


def section(text, *titles):
    """Lines of the section with one of these titles, up to the blank line."""
    out, on = [], False
    for line in text.splitlines():
        if line.rstrip() in titles:
            on = True
        elif not line.strip():
            on = False
        elif on:
            out.append(line)
    return out


def read(path=()):
    """Walks the help: {path: (flags, words that may follow)}."""
    text = help_of(*path)
    found = {}
    levels = section(text, "Commands:")
    if levels:  # one page lists all; each command has a page of its own, and a group one that lists its commands
        for line in [""] + levels:
            words = re.match(r"(?:  )?((?:[a-z-]+ ?)*)", line).group(1).split()[:2]
            for i in range(len(words) + 1):
                way = tuple(words[:i])
                if way not in found:
                    found[way] = (set(FLAG.findall(help_of(*way) if way else text)), set())
                if i < len(words) and re.match("  " + r" ".join(words[:i + 1]) + r"( |$)", line):
                    found[way][1].add(words[i])
        return found
    follow = {line.split()[0] for line in section(text, "SUBCOMMANDS")}
    found[path] = (set(FLAG.findall(text)), follow)
    if len(path) < DEPTH_MAX:
        for word in follow:
            found.update(read(path + (word,)))
    return found


def bash(path, word):
    script = (f"source {COMPLETIONS['bash']}; COMP_WORDS=({' '.join((PROGRAM, *path))} {word or chr(39) * 2}); "
              f"COMP_CWORD={len(path) + 1}; _{NAME.replace('-', '_')} {PROGRAM}; printf '%s\\n' \"${{COMPREPLY[@]}}\"")
    return set(subprocess.run(["bash", "-c", script], text=True, capture_output=True, timeout=30).stdout.split())


def fish(path, word):
    """fish completes what is in the path, under its own name."""
    with tempfile.TemporaryDirectory() as d:
        os.symlink(os.path.abspath(PROGRAM), os.path.join(d, NAME))
        line = " ".join((NAME, *path, word)) + ("" if word else " " if path == () else "")
        line = line if word or line.endswith(" ") else line + " "
        script = f"source {COMPLETIONS['fish']}; complete -C '{line}'"
        r = subprocess.run(["fish", "--no-config", "-c", script], text=True, capture_output=True, timeout=30,
                           env=dict(os.environ, PATH=d + ":" + os.environ["PATH"], HOME=d))
    return {line.split("\t")[0] for line in r.stdout.splitlines()}


ZSH = r"""
autoload -Uz compinit
_describe() { shift $(( $1 == -o ? 2 : 1 )); print -rl -- ${(P)1%%%%:*} }
_files() { }
words=(%s)
CURRENT=$#words
PREFIX=$words[-1]
source %s
"""


def zsh(path, word):
    """Its completion function, with the way in which it hands over its findings replaced by a print."""
    script = ZSH.replace("$1 == -o", '"$1" == -o') % (" ".join((PROGRAM, *path, word or "''")), COMPLETIONS["zsh"])
    script = script.replace('$(( "$1" == -o ? 2 : 1 ))', '$([[ $1 == -o ]] && print 2 || print 1)')
    r = subprocess.run(["zsh", "-f", "-c", script], text=True, capture_output=True, timeout=30)
    return set(r.stdout.split())




def skip(what, why):
    results.append(True)
    print(f"ok {len(results)} - {what} # SKIP {why}")


def main():
    pages = read()
    flags = set().union(*(f for f, _ in pages.values()))
    check("the help was understood", len(flags) >= 5, flags)
    with open(MANUAL, encoding="utf-8") as f:
        manual = re.sub(r"\\f[BRI]|\\&", "", f.read().replace("\\-", "-"))
    missing = [x for x in flags if not re.search(r"(?<![-\w])" + re.escape(x) + r"(?![-\w])", manual)]
    check("every flag is in the manual", not missing, missing)
    missing = [" ".join(p) for p in pages if p and not re.search(r"\b" + " ".join(p) + r"\b", manual)]
    check("every subcommand is in the manual", not missing, missing)
    for shell, complete in (("bash", bash), ("zsh", zsh), ("fish", fish)):
        if shell not in COMPLETIONS:
            continue
        if not shutil.which(shell):
            skip(f"{shell} completes flags and subcommands", f"no {shell} here")
            continue
        wrong = []
        for path, (want_flags, want_words) in sorted(pages.items()):
            for word, want in (("-", want_flags), ("", want_words)):
                got = complete(path, word) if want else want
                if not want <= got:
                    wrong.append(f"{NAME} {' '.join(path)} {word}: lacks {sorted(want - got)}")
        check(f"{shell} completes flags and subcommands ({len(pages)} pages)", not wrong, "\n".join(wrong))
    print(f"1..{len(results)}")
    sys.exit(not all(results))


main()
