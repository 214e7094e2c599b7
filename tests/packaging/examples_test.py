#!/usr/bin/env python3
"""Every example of the documents is one that works: policies, command lines, settings, units.

    examples_test.py BINDIR HUBDEVICE       prints TAP

Policies and the pieces of policies are checked by a hub with the people and devices that they name. Command lines of our programs go to
the programs' own parsers. Of others, the program has to be on a list here. A block in a language without a check here fails, as does a
kind of line that is not understood: what is shown and not tried has to be named in UNTRIED, with the reason.
"""
import glob
import itertools
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "api"))
from hub_process import Device, Hub, check, children, results, wait_for  # noqa: E402

BIN, HUBDEVICE = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
OURS = ("warren", "warrend", "warren-hub", "warren-relay")
PROGRAM = {name: os.path.join(BIN, name, name) for name in OURS}
PAGES = ["README.md"] + sorted(os.path.relpath(p, TOP) for p in glob.glob(os.path.join(TOP, "docs", "*.md")))

# Languages of blocks that something else tries, or nothing can.
UNTRIED = {
    "": "drawings and output",
    "nginx": "tests/interop runs nginx with it",
    "caddy": "tests/interop runs Caddy with it",
    "haproxy": "tests/interop runs HAProxy with it",
    "c": "pieces of the simulator and of recipes, which make recipes follows",
    "meson": "recipes: make recipes follows them",
    "console": "recipes: make recipes tries them",
}
# Programs of others that lines may begin with.
OTHERS = {"apt", "apt-get", "cd", "certbot", "curl", "git", "gitops-pusher", "install", "ip", "mv", "scp", "sqlite3", "systemctl", "tailscale", "wget",
          "for", "do", "done", "set", "[", "ssh", "sha256sum", "echo", "export", "ninja", "meson", "sh", "update-ca-certificates", "openssl", "timedatectl"}


def blocks(path):
    """(line, language, text) of each fenced block."""
    with open(os.path.join(TOP, path)) as f:
        text = f.read()
    for m in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S):
        yield text.count("\n", 0, m.start()) + 2, m.group(1), m.group(2)


def spans(path):
    """Pieces of code inside of sentences, that begin like a command line of ours with an option or an argument."""
    with open(os.path.join(TOP, path)) as f:
        text = re.sub(r"^```.*?^```$", lambda m: "\n" * m.group().count("\n"), f.read(), flags=re.M | re.S)
    for m in re.finditer(r"`((?:sudo )?(?:warren|warrend|warren-hub|warren-relay|make) [^`]+)`", text):
        yield text.count("\n", 0, m.start()) + 1, m.group(1).replace("\n", " ")


# ---- Command lines ----

def help_of(program, *words):
    return subprocess.run([PROGRAM[program], *words, "--help"], capture_output=True, text=True, timeout=20)


def hub_commands():
    text = help_of("warren-hub").stdout
    lines = text[text.index("Commands:"):].split("\n\n")[0].splitlines()[1:]
    words = [re.match(r"  ((?:[a-z|-]+ ?)+)", line).group(1).split() for line in lines]
    return {tuple(way) for w in words for way in itertools.product(*(x.split("|") for x in w))}  # "on|off" is two


def warren_words(words):
    """Its flags stand before what is not one: the command's names and the flags are left."""
    names = [words[0]]
    below = re.search(r"^SUBCOMMANDS\n((?:  .*\n)+)", help_of("warren", *names).stdout + help_of("warren", *names).stderr, re.M)
    if below and len(words) > 1:
        names.append(words[1])
    return names + [w for w in words[len(names):] if w.startswith("-")]


def fault_of_ours(program, words):
    """What the program says against a line, None if it takes it. Nothing is done: --help comes last."""
    words = [w for w in words if w not in ("...", "&")]
    if program == "warren-hub":
        names = [w for w in words if not w.startswith("-")]
        known = hub_commands() | {("serve",)}
        if names and not names[0].isupper() and not any(tuple(names[:n]) in known for n in (1, 2, 3)):
            return f"there is no command {' '.join(names[:3])}"
    if program == "warren" and words and not words[0].startswith("-"):
        words = warren_words(words)
    r = subprocess.run([PROGRAM[program], *words, "--help"], capture_output=True, text=True, timeout=20)
    said = r.stdout + r.stderr
    if r.returncode not in (0, 2) or re.search(r"unknown|not defined|invalid value|not built|needs a value|no such", said.split("\n")[0]):
        return f"exit {r.returncode}: {said[:200]}"
    return None


def make_targets():
    with open(os.path.join(TOP, "Makefile")) as f:
        text = f.read()
    return set(re.search(r"^\.PHONY: (.*)$", text, re.M).group(1).split()), text + open(os.path.join(TOP, "scripts/lib-up")).read() + open(
        os.path.join(TOP, "scripts/up")).read() + open(os.path.join(TOP, "scripts/fuzz")).read()


def fault_of_make(words):
    targets, text = make_targets()
    for w in words:
        name = w.split("=")[0]
        if "=" in w and not re.search(rf"\b{name}\b", text):
            return f"no variable {name}"
        if "=" not in w and w not in targets:
            return f"no target {w}"
    return None


def fault_of_unit(words):
    units = {os.path.basename(p).split(".")[0] for p in glob.glob(os.path.join(TOP, "packaging/systemd/*"))}
    named = [w.split(".")[0] for w in words if w.startswith("warren")]
    return next((f"no unit {w}" for w in named if w not in units), None)


def fault_of_line(line):
    try:
        words = shlex.split(line, comments=True)
    except ValueError as e:
        return str(e)
    while words and (words[0] == "sudo" or re.fullmatch(r"\w+=\S*", words[0])):
        words.pop(0)
    if not words or line.lstrip().startswith("#"):
        return None
    if words[0] in OURS:
        return fault_of_ours(words[0], words[1:])
    if words[0] == "make":
        return fault_of_make(words[1:])
    if words[0] == "systemctl":
        return fault_of_unit(words[1:])
    if words[0].startswith("build/") or words[0].startswith("scripts/") or words[0].startswith("tests/"):
        path = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(BIN))), *words[0].split("/"))
        return None if os.path.exists(path) or os.path.exists(os.path.join(TOP, words[0])) else f"there is no {words[0]}"
    return None if words[0] in OTHERS else f"{words[0]}: a program that this test does not know"


def lines_of(text):
    if text.startswith("#!"):
        return []  # a script: below
    text = text.replace("\\\n", " ")
    out = []
    for line in text.splitlines():
        code = re.sub(r"(^|\s)#.*", "", line)
        out += re.split(r";\s*|\s&&\s|\s\|\s", code)
    return [piece.strip().rstrip("&").strip() for piece in out if piece.strip()]


def commands():
    for page in PAGES:
        bad, n = [], 0
        for line, lang, text in blocks(page):
            if lang != "sh":
                continue
            n += 1
            if text.startswith("#!"):
                r = subprocess.run(["sh", "-n"], input=text, text=True, capture_output=True)
                bad += [f"{page}:{line}: {r.stderr}"] if r.returncode else []
            bad += [f"{page}:{line}: {piece}: {fault}" for piece in lines_of(text) if (fault := fault_of_line(piece))]
        for line, text in spans(page):
            n += 1
            for piece in lines_of(text):
                fault = fault_of_line(piece)
                bad += [f"{page}:{line}: {piece}: {fault}"] if fault else []
        if n:
            check(f"{page}: command lines ({n})", not bad, "\n".join(bad))


# ---- Policies ----

# What pieces of policies name, so that they are whole.
AROUND = {
    "groups": {"group:dev": ["ana@corp.example"], "group:ops": ["cat@corp.example"]},
    "tagOwners": {t: ["autogroup:admin"] for t in ("tag:web", "tag:db", "tag:gw", "tag:k8s", "tag:gw-eu", "tag:server")},
    "hosts": {"office": "10.20.0.0/16"},
    "grants": [{"src": ["group:dev"], "dst": ["tag:web"], "ip": ["tcp:443"]}],
    "ssh": [{"action": "accept", "src": ["group:dev"], "dst": ["tag:web"], "users": ["deploy"]},
            {"action": "check", "src": ["group:dev"], "dst": ["tag:web"], "users": ["root"]}],
}


def whole_policy(text):
    """A block as a policy: as it stands, as one rule, or as members."""
    plain = re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.S).strip()
    if plain.startswith("{") and re.match(r'\{\s*"(src|action)"', plain):
        kind = "ssh" if '"users"' in plain else "acls" if '"action"' in plain else "grants"
        mine = f'"{kind}": [{plain}]'
    elif plain.startswith("{"):
        return text
    else:
        mine = plain.rstrip(",")
    names = set(re.findall(r'^\s*"(\w+)":', mine, re.M))
    return "{" + ", ".join([mine] + [f'"{k}": {json.dumps(v)}' for k, v in AROUND.items() if k not in names]) + "}"


def check_policies(hub, top, which):
    for page in PAGES:
        for line, lang, text in blocks(page):
            if lang not in ("jsonc", "json", "hujson") or not which(text):
                continue
            with open(os.path.join(top, "policy"), "w") as f:
                f.write(whole_policy(text))
            r = hub.run("policy", "check", os.path.join(top, "policy"))
            check(f"{page}:{line}: the policy is taken", r.returncode == 0, r.stdout + r.stderr)


def policies(top):
    hub = Hub(PROGRAM["warren-hub"], top).start()
    try:
        for user in ("ana@corp.example", "ben@corp.example", "cat@corp.example"):
            hub.admin("users", "create", user)
        check_policies(hub, top, lambda text: whole_policy(text) == text)  # a network that begins: people, and no device yet
        with open(os.path.join(top, "around"), "w") as f:
            json.dump(AROUND, f)
        hub.admin("policy", "set", os.path.join(top, "around"))
        for name, flags in (("anas", ("--user", "ana@corp.example")), ("web", ("--tags", "tag:web")), ("db", ("--tags", "tag:db"))):
            d = Device(HUBDEVICE, hub, name, hub.json("keys", "create", *flags)["key"])
            wait_for(f"{name} is in", lambda: d.state == "running" or d.self)
        check_policies(hub, top, lambda text: whole_policy(text) != text)
    finally:
        for c in children:
            if c is not hub.p:
                c.kill()
        hub.stop()


# ---- Settings and units ----

def settings():
    text = help_of("warren-hub").stdout
    text = text[text.index("Options of serve"):] + text
    places = PAGES + ["packaging/default/warren-hub"]
    bad = []
    for page in places:
        with open(os.path.join(TOP, page)) as f:
            for name in re.findall(r"\bWARREN_HUB_([A-Z][A-Z_]*)", f.read()):
                if f"--{name.lower().replace('_', '-')} " not in text:
                    bad.append(f"{page}: WARREN_HUB_{name}")
    check("every WARREN_HUB_ setting is an option of serve", not bad, bad)
    for name in OURS[1:]:
        path = os.path.join(TOP, "packaging/default", name)
        for flags in re.findall(r'^#?FLAGS="([^"]*)"', open(path).read(), re.M) if os.path.exists(path) else []:
            check(f"packaging/default/{name}: its flags are known", fault_of_ours(name, shlex.split(flags)) is None, flags)


def units(top):
    """Drop-ins name settings that systemd knows, in sections that it knows."""
    for page in PAGES:
        for line, lang, text in blocks(page):
            if lang not in ("ini", "systemd"):
                continue
            m = re.match(r"# /etc/systemd/system/(warren[\w-]*)\.service\.d/", text)
            known = m and os.path.exists(os.path.join(TOP, "packaging/systemd", m.group(1) + ".service.in"))
            plain = [x for x in text.splitlines() if x and not x.startswith("#")]
            good = all(re.fullmatch(r"\[(Unit|Service|Install)\]|[A-Z]\w+=.*", x) for x in plain)
            check(f"{page}:{line}: a drop-in of a unit of ours", known and good, text)


def languages():
    checked = {"sh", "jsonc", "json", "hujson", "ini", "systemd"}
    bad = [f"{p}:{line}: {lang}" for p in PAGES for line, lang, _ in blocks(p) if lang not in checked and lang not in UNTRIED]
    check("every block is tried, or it is said why not", not bad, "\n".join(bad))


# ---- Links ----

# Pages for people who run or use a network; the others are for those who read the source.
FOR_USERS = ("README.md", "docs/quick-start.md", "docs/reach-your-hub.md", "docs/operator-guide.md", "docs/certificates-and-proxies.md",
             "docs/policy.md", "docs/nat-traversal.md")


def anchors(path):
    with open(os.path.join(TOP, path)) as f:
        return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in re.findall(r"^#+ (.*)$", f.read(), re.M)}


def links():
    bad = []
    for page in PAGES:
        with open(os.path.join(TOP, page)) as f:
            for target, anchor in re.findall(r"\]\(([^)#:\s]*)#([^)\s]+)\)", f.read()):
                to = os.path.normpath(os.path.join(os.path.dirname(page), target)) if target else page
                if anchor not in anchors(to):
                    bad.append(f"{page}: {target}#{anchor}")
    check("every link into a page finds its heading", not bad, bad)
    with open(os.path.join(TOP, "README.md")) as f:
        readme = f.read()
    missing = [p for p in PAGES[1:] if f"({p})" not in readme and f"({p}#" not in readme]
    check("README names every page", not missing, missing)
    missing = [p for p in FOR_USERS if "first-words.md" not in open(os.path.join(TOP, p)).read()]
    check("pages for users lead to the first words", not missing, missing)


languages()
links()
commands()
settings()
with tempfile.TemporaryDirectory() as directory:
    units(directory)
    policies(directory)
print(f"1..{len(results)}")
sys.exit(not all(results))
