#!/usr/bin/env python3
"""warren-hub and its policy: the API that tools for Tailscale use, the commands, the pull from Git.

Usage: policy_test.py WARREN-HUB HUBLOAD. Prints TAP."""
import base64, hashlib, hmac, http.client, json, os, random, re, shutil, signal, socket, subprocess, sys, tempfile
import hub_process
from hub_process import check, children, results, wait_for

HUB, HUBLOAD = sys.argv[1:3]
ALL_OPEN = '{\n\t"acls": [{"action": "accept", "src": ["*"], "dst": ["*:*"]}],\n}\n'
ACL = "/api/v2/tailnet/-/acl"


class Hub(hub_process.Hub):
    def __init__(self, directory, *extra):
        super().__init__(HUB, directory, *extra)

    def api(self, method, path, token, body=None, chunked=False, **headers):
        h = {"Authorization": f"Bearer {token}"} if token else {}
        h.update({k.replace("_", "-"): v for k, v in headers.items()})
        if chunked:
            h["Transfer-Encoding"] = "chunked"
        return self.http(method, path, body, h, chunked)


def write(path, text):
    with open(path, "wb") as f:
        f.write(text if isinstance(text, bytes) else text.encode())
    return path


# One fault in each section: the text, and where the error must point.
FAULTS = {
    "nothing at all": ('', 1),
    "syntax": ('{\n\t"acls": [\n\t\t{"action": "accept" "src": ["*"]},\n\t],\n}\n', 3),
    "unknown section": ('{\n\t"acl": [],\n}\n', 2),
    "acls": ('{\n\t"acls": [\n\t\t{"action": "deny", "src": ["*"], "dst": ["*:*"]},\n\t],\n}\n', 3),
    "acls, port": ('{\n\t"acls": [\n\t\t{"action": "accept", "src": ["*"],\n\t\t "dst": ["10.0.0.1:ssh"]},\n\t],\n}\n', 4),
    "grants": ('{\n\t"grants": [\n\t\t{"src": ["*"], "dst": ["*"]},\n\t],\n}\n', 3),
    "groups": ('{\n\t"groups": {\n\t\t"group:a": ["group:b"],\n\t},\n}\n', 3),
    "hosts": ('{\n\t"hosts": {\n\t\t"server": "10.0.0.300",\n\t},\n}\n', 3),
    "ipsets": ('{\n\t"ipsets": {\n\t\t"ipset:a": ["sub 10.0.0.0/8"],\n\t},\n}\n', 3),
    "tagOwners": ('{\n\t"tagOwners": {\n\t\t"tag:1st": [],\n\t},\n}\n', 3),
    "autoApprovers": ('{\n\t"autoApprovers": {\n\t\t"routes": {"10.0.0.0/33": ["*"]},\n\t},\n}\n', 3),
    "ssh": ('{\n\t"ssh": [\n\t\t{"action": "accept", "src": ["*"], "dst": ["autogroup:self"]},\n\t],\n}\n', 3),
    "nodeAttrs": ('{\n\t"nodeAttrs": [\n\t\t{"target": ["%bogus%"], "attr": ["funnel"]},\n\t],\n}\n', 3),
    "postures": ('{\n\t"postures": {\n\t\t"posture:a": ["node:os ~~ \'linux\'"],\n\t},\n}\n', 3),
    "tests": ('{\n\t"acls": [],\n\t"tests": [\n\t\t{"src": "10.0.0.1", "accept": ["10.0.0.2:22"]},\n\t],\n}\n', 4),
    "sshTests": ('{\n\t"acls": [],\n\t"sshTests": [\n\t\t{"src": "admin", "dst": ["10.0.0.1/8"], "accept": ["root"]},\n\t],\n}\n', 4),
}


def commands(d):
    hub = Hub(d).start()
    file = os.path.join(d, "policy.hujson")
    check("without a policy all is open, and is said to be", "*:*" in hub.admin("policy", "get") and
          "none" in hub.admin("policy", "status"))
    key = hub.json("keys", "create", "--reusable")["key"]
    subprocess.run([HUBLOAD, hub.url, key, "2"], check=True, capture_output=True)  # load-0, load-1 and one more
    ip = {n["name"]: n["ipv4"] for n in hub.json("nodes", "list")}
    write(file, ALL_OPEN)
    check("policy set makes version 1", "version 1" in hub.admin("policy", "set", file))
    wrong = {}
    for section, (text, line) in FAULTS.items():
        write(file, text)
        for verb in ("check", "set"):
            r = hub.run("policy", verb, file)
            places = re.findall(rf"^{re.escape(file)}:(\d+):(\d+): .{{8,}}$", r.stderr, re.M)
            if r.returncode != 1 or [p[0] for p in places] != [str(line)]:
                wrong[section, verb] = r.stderr
    check(f"a fault in each of {len(FAULTS)} sections gives one error with its place", not wrong, wrong)
    check("the running policy stays", hub.json("policy", "status")["version"] == 1 and hub.admin("policy", "get") == ALL_OPEN and
          hub.metric("hub_policy_refused_total") == len(FAULTS))
    narrow = ('{\n\t"acls": [\n\t\t// the first may reach one port\n'
              f'\t\t{{"action": "accept", "src": ["{ip["load-0"]}"], "dst": ["{ip["load-1"]}:22"]}},\n\t],\n'
              f'\t"tests": [{{"src": "{ip["load-0"]}", "accept": ["{ip["load-1"]}:22"], "deny": ["{ip["load-1"]}:23"]}}],\n}}\n')
    write(file, narrow)
    changes = {c["name"]: c for c in hub.json("policy", "preview", file)}
    check("preview names who loses whom", changes["load-0"]["peersLost"] == 1 and changes["load-1"]["peersLost"] == 1 and
          changes["load-2"]["peersLost"] == 2 and hub.json("policy", "status")["version"] == 1, changes)
    check("preview is a table that fits", hub.admin("policy", "preview", file).splitlines()[0].split()[:2] == ["DEVICE", "NAME"])
    hub.admin("policy", "set", "-", input=narrow)
    can = lambda *a: hub.json("policy", "can", *a)
    check("can tells yes, and by which rule", can("load-0", "load-1:22") == {"allowed": True, "rule": "acls[0]", "line": 4},
          can("load-0", "load-1:22"))
    check("can tells no", [can("load-1", "load-0:22")["allowed"], can("load-0", "load-1:23")["allowed"],
                           can("load-0", "load-1:22", "--proto", "sctp")["allowed"]] == [False] * 3)
    check("can takes addresses and says it in words", "line 4" in hub.admin("policy", "can", ip["load-0"], ip["load-1"] + ":22"))
    bad = [hub.run("policy", *a) for a in (("can", "nobody", "load-1:22"), ("can", "load-0", "load-1"), ("show", "99"), ("show", "x"),
                                           ("rollback", "99"), ("set", file + ".not"), ("can", "load-0", "load-1:22", "--proto", "no"),
                                           ("pull",))]
    check("mistakes are explained", all(r.returncode == 1 and len(r.stderr) > 30 for r in bad), [r.stderr for r in bad])
    diff = hub.admin("policy", "diff", "1")
    check("diff is unified and goes to the version in force", diff.startswith("--- version 1\t") and "\n+++ version 2\t" in diff and
          '\n-\t"acls": [{"action"' in diff and "\n+\t\t// the first may reach one port\n" in diff and
          hub.admin("policy", "diff", "1", "1") == "", diff)
    failing = narrow.replace(':23"]', ':22"]')
    r = hub.run("policy", "set", "-", input=failing)
    check("a policy whose own tests fail is refused with the test's place", r.returncode == 1 and
          re.search(r"^standard input:6:\d+: .*22", r.stderr, re.M) and hub.json("policy", "status")["version"] == 2, r.stderr)
    hub.stop()
    hub.start()
    check("a restart keeps policy and versions", hub.admin("policy", "get") == narrow and
          [v["version"] for v in hub.json("policy", "versions")] == [2, 1] and can("load-1", "load-0:22")["allowed"] is False)
    check("rollback makes the old text the newest version", "version 3" in hub.admin("policy", "rollback", "1") and
          hub.admin("policy", "get") == ALL_OPEN and hub.admin("policy", "show", "2") == narrow)
    versions = hub.json("policy", "versions")
    check("versions say who and when", [v["current"] for v in versions] == [True, False, False] and "back to 1" in versions[0]["author"] and
          versions[0]["sha256"] == hashlib.sha256(ALL_OPEN.encode()).hexdigest() and "created" in versions[0], versions)
    table = hub.admin("policy", "versions").splitlines()
    check("versions are a table", table[0].split() == ["VERSION", "STATE", "SET", "BY", "BYTES"] and "in force" in table[1], table)
    hub.stop()


def routes(d):
    hub = Hub(d).start()
    key = hub.json("keys", "create", "--reusable")["key"]
    subprocess.run([HUBLOAD, hub.url, key, "2"], check=True, capture_output=True)
    check("no device offers a route", hub.json("routes", "list") == [])
    hub.admin("routes", "approve", "load-0", "10.1.0.0/16")
    listed = hub.json("routes", "list")
    check("a route is approved in advance, and it is said by whom", [(r["name"], r["prefix"], r["approved"], r["advertised"], r["inUse"])
          for r in listed] == [("load-0", "10.1.0.0/16", True, False, False)] and listed[0]["approvedBy"], listed)
    check("and that nobody offers it", listed[0].get("offeredByNobody") and "offered by nobody" in hub.admin("routes", "list"), listed)
    own = hub.json("own-prefixes", "set", "10.0.0.0/8", "--mode", "quarantine")
    check("the organisation's own prefixes are kept", own == {"prefixes": ["10.0.0.0/8"], "mode": "quarantine"}, own)
    check("the list of routes shows what overlaps them", hub.json("routes", "list")[0].get("ownPrefix") == "10.0.0.0/8")
    check("only the mode is changed when no prefix is named", hub.json("own-prefixes", "set", "--mode", "refuse") ==
          {"prefixes": ["10.0.0.0/8"], "mode": "refuse"})
    bad = [hub.run(*a) for a in (("routes", "approve", "load-0", "10.1.2.3/16"), ("routes", "approve", "load-0", "ten"),
                                 ("routes", "approve", "none", "10.1.0.0/16"), ("routes", "unapprove", "load-0", "10.2.0.0/16"),
                                 ("own-prefixes", "set", "0.0.0.0/0"), ("own-prefixes", "set", "--mode", "loud"), ("own-prefixes", "set"))]
    check("mistakes are explained", all(r.returncode == 1 and len(r.stderr) > 30 for r in bad), [r.stderr for r in bad])
    hub.stop()
    hub.start()
    check("a restart keeps approvals and prefixes", len(hub.json("routes", "list")) == 1 and
          hub.json("own-prefixes", "list") == {"prefixes": ["10.0.0.0/8"], "mode": "refuse"})
    hub.admin("routes", "unapprove", "load-0", "10.1.0.0/16")
    hub.admin("own-prefixes", "clear")
    check("both are taken back", hub.json("routes", "list") == [] and hub.json("own-prefixes", "list")["prefixes"] == [])
    hub.stop()


def api(d):
    hub = Hub(d).start()
    made = hub.json("tokens", "create", "ci")
    token, reader = made["token"], hub.json("tokens", "create", "watch", "--scope", "policy_file:read", "--expiry", "1h")["token"]
    check("a token has the form that tools expect", re.fullmatch(r"tskey-api-k1-[0-9a-f]{64}", token), made)
    with open(os.path.join(d, "state", "hub.db"), "rb") as f:
        stored = f.read()
    for name in os.listdir(os.path.join(d, "state")):
        with open(os.path.join(d, "state", name), "rb") as f:
            stored += f.read()
    check("the database does not know it", token.encode() not in stored and token.split("-")[3].encode() not in stored and
          hashlib.sha256(token.encode()).hexdigest().encode() in stored)
    get = lambda t=token, **h: hub.api("GET", ACL, t, **h)
    status, body, head = get()
    check("GET gives HuJSON with a strong ETag", status == 200 and head["Content-Type"] == "application/hujson" and
          re.fullmatch('"[0-9a-f]{64}"', head["ETag"]) and "//" in body, (status, head.items()))
    status, body, head2 = get(Accept="application/json")
    check("and JSON with the same ETag", status == 200 and json.loads(body)["acls"] and head2["ETag"] == head["ETag"] and
          head2["Content-Type"] == "application/json")
    basic = {"Authorization": "Basic " + base64.b64encode(f"{token}:".encode()).decode()}
    check("Basic with the token as user name is as good", hub.http("GET", ACL, None, basic)[0] == 200)
    check("the tailnet may have its names", [hub.api("GET", f"/api/v2/tailnet/{t}/acl", token)[0] for t in
          ("warren.internal", "127.0.0.1", "%2D", "other.example", "..")] == [200, 200, 200, 404, 404])
    text = '{"acls":[]}\n'
    post = lambda body, t=token, **h: hub.api("POST", ACL, t, body, **h)
    check("a stale If-Match is refused", [post(text, If_Match='"' + "0" * 64 + '"')[0], hub.json("policy", "status")["version"]] == [412, 0])
    check("ts-default holds while there is no policy", post(text, If_Match='"ts-default"')[0] == 200 and
          post(text, If_Match='"ts-default"')[0] == 412)
    status, body, head = get()
    check("the text stays as it was sent, the ETag is that of its canonical form", body == text and
          head["ETag"] == '"99da70d87d436657826c1b97333561071acd862a637dbd3d6dca12dd0eb09ceb"', head["ETag"])
    status, body, new = post(ALL_OPEN, If_Match=head["ETag"], chunked=True)
    check("the right If-Match sets it, also from a chunked body", status == 200 and body == ALL_OPEN and new["ETag"] != head["ETag"], body)
    check("the same If-Match does not hold twice", post(text, If_Match=head["ETag"])[0] == 412)
    author = hub.json("policy", "versions")[0]["author"]
    check("the version names the token", author == "token k1 ci", author)
    details = json.loads(hub.api("GET", ACL + "?details=1", token)[1])
    check("details=1 wraps it", base64.b64decode(details["acl"]).decode() == ALL_OPEN and details["errors"] is None, details)
    wrong = {}
    for section, (fault, line) in FAULTS.items():
        status, body, _ = post(fault)
        message = json.loads(body)
        place = re.search(r"line (\d+), column (\d+): (.*)$", message["message"])
        tests = message["message"] == "test(s) failed" and message["data"][0]["errors"]
        if status != 400 or not (place and int(place[1]) == line or tests):
            wrong[section] = (status, body)
        status, body, _ = hub.api("POST", ACL + "/validate", reader, fault)
        if status != 200 or json.loads(body) != message:
            wrong[section, "validate"] = (status, body)
    check(f"a fault in each of {len(FAULTS)} sections is 400 with one message, and what validate says", not wrong, wrong)
    check("the running policy stays", get()[1] == ALL_OPEN)
    validate = lambda body: (lambda r: (r[0], json.loads(r[1])))(hub.api("POST", ACL + "/validate", token, body))
    check("validate answers {} to what is good", validate(ALL_OPEN) == (200, {}) and get()[1] == ALL_OPEN)
    tests = '[{"src": "100.64.9.9", "%s": ["100.64.9.8:22"]}]'
    check("validate runs a list of tests against the running policy", validate(tests % "accept") == (200, {}) and
          validate(tests % "deny")[1]["message"] == "test(s) failed", validate(tests % "deny"))
    check("a reader reads, and validates, but writes nothing", [get(reader)[0], hub.api("POST", ACL + "/validate", reader, ALL_OPEN)[0],
          post(text, reader)[0]] == [200, 200, 403])
    preview = hub.api("POST", ACL + "/preview?type=ipport&previewFor=100.64.9.8:22", token, ALL_OPEN)
    check("preview shows the rules that concern an address and port", preview[0] == 200 and
          [m["lineNumber"] for m in json.loads(preview[1])["matches"]] == [2], preview)
    mine = ALL_OPEN.replace('"src": ["*"]', '"src": ["autogroup:member"]')
    lines = lambda who: [m["lineNumber"] for m in json.loads(hub.api("POST", f"{ACL}/preview?type=user&previewFor={who}", token, mine)[1])
                         ["matches"]]
    key = hub.json("keys", "create", "--reusable")["key"]
    subprocess.run([HUBLOAD, hub.url, key, "2"], check=True, capture_output=True)
    check("preview shows those that concern a person", [lines("admin"), lines("nobody")] == [[2], []])
    check("preview judges what it is asked", [hub.api("POST", f"{ACL}/preview?{q}", token, ALL_OPEN)[0] for q in
          ("type=user", "type=all&previewFor=x", "type=ipport&previewFor=x")] == [200, 400, 400])
    refused = [hub.api("GET", ACL, t)[0] for t in (None, "tskey-api-k1-" + "0" * 64, "tskey-api-k9-" + "0" * 64, token[:-1], "x")]
    check("no token, a wrong one, part of one: 401", refused == [401] * 5, refused)
    errors = [json.loads(hub.api(*a)[1])["message"] for a in (("GET", ACL, None), ("GET", "/api/v2/nothing", token), ("PUT", ACL, token),
              ("POST", ACL, reader, text), ("GET", ACL + "/validate", token))]
    check("every error is JSON with a message", all(errors), errors)
    hub.admin("tokens", "revoke", "2")
    check("a revoked token is none", get(reader)[0] == 401 and [t["state"] for t in hub.json("tokens", "list")] == ["valid", "revoked"])
    short = hub.json("tokens", "create", "--expiry", "1s")["token"]
    check("an expired token is none", wait_for("it expires", lambda: get(short)[0] in (401, 429)))
    flood = [get("tskey-api-k1-" + "f" * 64)[0] for _ in range(20)]
    check("failures are limited, and a good token still works", flood[-1] == 429 and get()[0] == 200 and
          hub.metric("hub_api_throttled_total") > 0 and hub.metric("hub_api_denied_total") >= 20, flood)
    listed = hub.json("tokens", "list")[0]
    check("the list shows use and no secret", "lastUsed" in listed and "token" not in listed and "hash" not in listed, listed)
    hub.stop()
    hub.start()
    check("tokens survive a restart", get()[0] == 200 and get(reader)[0] == 401)
    hostile(hub, token)
    hub.stop()


def hostile(hub, token):
    rng = random.Random(5)
    auth = f"Authorization: Bearer {token}\r\nHost: x\r\n".encode()
    line = b"POST %s HTTP/1.1\r\n" % ACL.encode()
    cases = [line + auth + b"Content-Length: 99999999\r\n\r\n",
             line + auth + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx",
             line + auth + b"Transfer-Encoding: chunked\r\n\r\n" + b"10000\r\n" + b"a" * 65536 + b"\r\nzz\r\n",
             line + b"Host: x\r\nContent-Length: 3000000\r\n\r\n" + b"{" * 100000,
             line + auth + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"]
    bodies = [b"\0" * 100, b"[" * 100000, b'{"acls": "' + b"a" * 1000000, b"\xff\xfe", b'{"groups": {"group:\\q": []}}', b"", b"// x",
              b"[[]]", b"[{}]", b'[{"src": 1}]', b'{"tests": {}}']
    bodies += [rng.randbytes(rng.randrange(1, 4000)) for _ in range(20)]
    for body in bodies:
        for tail in (b"", b"/validate", b"/preview?type=user&previewFor=%ff"):
            cases.append(b"POST %s%s HTTP/1.1\r\n%sContent-Length: %d\r\n\r\n%s" % (ACL.encode(), tail, auth, len(body), body))
    answers = set()
    for case in cases:
        with socket.create_connection(("127.0.0.1", hub.port)) as s:
            s.settimeout(5)
            try:
                s.sendall(case)
                s.shutdown(socket.SHUT_WR)
                answers.add(s.recv(65536)[9:12])
            except OSError:
                pass
    check("malformed input is answered and changes nothing", hub.p.poll() is None and answers <= {b"200", b"400", b"401", b"413", b""} and
          b"400" in answers and hub.api("GET", ACL, token)[1] == ALL_OPEN, answers)


class Repository:
    """A bare repository, and a tree that pushes to it."""

    def __init__(self, directory):
        self.bare, self.tree = os.path.join(directory, "policy.git"), os.path.join(directory, "tree")
        self.env = {"PATH": os.environ["PATH"], "HOME": directory, "GIT_CONFIG_NOSYSTEM": "1"}
        for who in ("AUTHOR", "COMMITTER"):
            self.env.update({f"GIT_{who}_NAME": "Ann Example", f"GIT_{who}_EMAIL": "ann@corp.example"})
        self.git(directory, "init", "--quiet", "--bare", "--initial-branch=main", self.bare)
        self.git(directory, "init", "--quiet", "--initial-branch=main", self.tree)

    def git(self, where, *args):
        return subprocess.run(["git", "-C", where, *args], check=True, capture_output=True, text=True, env=self.env).stdout

    def push(self, text, subject, path="net/policy.hujson"):
        os.makedirs(os.path.join(self.tree, "net"), exist_ok=True)
        write(os.path.join(self.tree, path), text)
        self.git(self.tree, "add", "-A")
        self.git(self.tree, "commit", "--quiet", "--allow-empty", "-m", subject)
        self.git(self.tree, "push", "--quiet", "--force", self.bare, "main")
        return self.git(self.tree, "rev-parse", "HEAD").strip()


def from_git(d):
    if not shutil.which("git"):
        print("# no git here: the pull is not tested")
        return
    repository, secret = Repository(d), write(os.path.join(d, "secret"), "s3cret\n")
    options = ["--policy-git", "file://" + repository.bare, "--policy-git-path", "net/policy.hujson", "--policy-git-interval", "1s",
               "--policy-git-protocols", "file", "--policy-git-secret-file", secret]
    hub = Hub(d, *options).start()
    git = lambda: hub.json("policy", "status")["git"]
    state = lambda wanted: wait_for(f"state {wanted}", lambda: git()["state"] == wanted and git())
    check("an empty repository is said to be unreadable", "reason" in state("unreachable") and hub.metric("hub_policy_git_applied") == 0)
    commit = repository.push(ALL_OPEN, "open at first")
    seen = state("applied")
    check("the head is applied", seen["commit"] == commit and seen["author"] == "Ann Example" and seen["subject"] == "open at first" and
          hub.admin("policy", "get") == ALL_OPEN and hub.metric("hub_policy_git_applied") == 1, seen)
    check("the version names commit and author", hub.json("policy", "versions")[0]["author"] == f"git {commit[:12]} Ann Example")
    broken = repository.push('{\n\t"acls": [{"action": "deny"}],\n}\n', "broken")
    seen = state("refused")
    check("a broken head is refused with the reason, and the policy before stays", seen["commit"] == broken and
          "line 2, column" in seen["reason"] and hub.admin("policy", "get") == ALL_OPEN and hub.metric("hub_policy_git_refused") == 1, seen)
    check("the console says so", "REFUSED" in hub.admin("policy", "status") and "line 2, column" in hub.admin("policy", "status"))
    check("the log says so, once", hub.said().count("the head of the policy's repository is refused") == 1 and broken[:12] in hub.said())
    fixed = repository.push('{"acls": []}\n', "fixed")
    seen = state("applied")
    check("the fixed head is applied", seen["commit"] == fixed and hub.admin("policy", "get") == '{"acls": []}\n')
    token = hub.json("tokens", "create")["token"]
    r = hub.run("policy", "set", "-", input=ALL_OPEN)
    check("edits by other ways are refused while Git owns the policy", r.returncode == 1 and "--force" in r.stderr and
          hub.api("POST", ACL, token, ALL_OPEN)[0] == 409 and hub.run("policy", "rollback", "1").returncode == 1, r.stderr)
    hub.admin("policy", "set", "-", "--force", input=ALL_OPEN)
    state("overridden")
    hub.stop()
    hub.start()
    state("overridden")
    check("what was forced stays until the head moves, also over a restart", hub.admin("policy", "get") == ALL_OPEN)
    repository.push('{"acls": [], "groups": {}}\n', "the head moves")
    state("applied")
    check("then the head counts again", hub.admin("policy", "get") == '{"acls": [], "groups": {}}\n')
    repository.git(repository.tree, "rm", "--quiet", "net/policy.hujson")
    repository.push("x", "no policy any more", "README")
    check("a head without the file is refused", "no file" in state("refused")["reason"])
    hub.stop()
    for lock in ("shallow.lock", "refs/warren/head.lock", "HEAD.lock"):  # a git that was killed leaves them
        write(os.path.join(d, "state", "policy-git", lock), "")
    hub.argv[hub.argv.index("1s")] = "1h"
    hub.start()
    state("refused")
    body = json.dumps({"ref": "refs/heads/main"})
    last = repository.push(ALL_OPEN, "told by the webhook")
    sign = lambda key: hmac.new(key, body.encode(), "sha256").hexdigest()
    hook = lambda **h: hub.api("POST", "/api/v2/webhook/policy-git", None, body, **h)[0]
    check("a webhook needs its signature", [hook(), hook(X_Hub_Signature_256="sha256=" + sign(b"other")), hook(X_Gitea_Signature="00")] ==
          [403] * 3 and git()["state"] == "refused" and hub.metric("hub_policy_git_bad_signatures_total") == 3)
    check("with it, the hub looks at once", hook(X_Hub_Signature_256="sha256=" + sign(b"s3cret")) == 202 and
          state("applied")["commit"] == last)
    second = repository.push('{"acls":[]}', "and as Gitea signs")
    check("also as Gitea signs", hook(X_Gitea_Signature=sign(b"s3cret")) == 202 and
          wait_for("it is read", lambda: git()["commit"] == second))
    write(secret, "another\n")
    hub.p.send_signal(signal.SIGHUP)
    check("SIGHUP reads the webhook's secret anew", wait_for("the new one counts", lambda: hook(X_Gitea_Signature=sign(b"another")) == 202) and
          hook(X_Gitea_Signature=sign(b"s3cret")) == 403)
    write(secret, "")
    hub.p.send_signal(signal.SIGHUP)
    check("an empty one is not taken", wait_for("the log says so", lambda: "the one of before stays" in hub.said()) and
          hook(X_Gitea_Signature=sign(b"another")) == 202)
    write(secret, "s3cret\n")
    last = repository.push(ALL_OPEN, "by hand")
    hub.admin("policy", "pull")
    check("policy pull looks at once, too", wait_for("it is read", lambda: git()["commit"] == last and git()["state"] == "applied"))
    repository.push('{"nodeAttrs": [{"target": ["late@corp.example"], "attr": ["funnel"]}]}', "names somebody who is not here yet")
    hub.admin("policy", "pull")
    state("refused")
    hub.admin("users", "create", "late@corp.example")
    hub.admin("policy", "pull")
    check("a head that was refused is judged again when somebody asks", bool(state("applied")))
    repository.push(ALL_OPEN, "open again")
    hub.admin("policy", "pull")
    wait_for("it is in force", lambda: hub.admin("policy", "get") == ALL_OPEN)
    copy = os.path.join(d, "state", "policy-git")
    taken = lambda: sum(os.path.getsize(os.path.join(w, f)) for w, _, files in os.walk(copy) for f in files)
    peak = lambda: int(re.search(r"VmHWM:\s+(\d+)", open(f"/proc/{hub.p.pid}/status").read())[1]) // 1024
    big = os.path.join(repository.tree, "big")
    write(big, os.urandom(40 << 20))
    repository.push(ALL_OPEN, "too large")
    hub.admin("policy", "pull")
    check("a repository that is too large is told, and the policy stays", "larger than 32 MiB" in state("unreachable")["reason"] and
          hub.admin("policy", "get") == ALL_OPEN, git())
    check("it took no more of the disk than it may", taken() < 100 << 20, taken())
    write(big, bytes(200 << 20))  # small on the wire, large in memory
    repository.push(ALL_OPEN, "a bomb")
    hub.admin("policy", "pull")
    check("one that grows when it is unpacked harms nobody", bool(state("applied")) and taken() < 100 << 20 and peak() < 64, (taken(), peak()))
    for n in range(4):
        write(big, os.urandom(20 << 20))
        head = repository.push(ALL_OPEN, f"again and again {n}")
        hub.admin("policy", "pull")
        wait_for("it is read", lambda: git()["commit"] == head)
    check("a copy that grew too large begins anew", hub.metric("hub_policy_git_begun_anew_total") >= 1 and taken() < 100 << 20, taken())
    os.unlink(big)
    repository.push(ALL_OPEN, "small again")
    shutil.move(repository.bare, repository.bare + ".gone")
    hub.admin("policy", "pull")
    check("a repository that is gone is told, and the policy stays", "git ended" in state("unreachable")["reason"] and
          hub.admin("policy", "get") == ALL_OPEN)
    hub.stop()
    hub.argv[hub.argv.index("file")] = "https:ssh"
    hub.start()
    check("protocols that are not allowed are not used", "not allowed" in state("unreachable")["reason"], git())
    hub.stop()
    for wrong in (["--policy-git", "-x"], ["--policy-git", "ext::sh"], ["--policy-git", "https://h/r", "--policy-git-path", "../x"],
                  ["--policy-git", "https://h/r", "--policy-git-branch", "--upload-pack=x"], ["--policy-git", "https://h/r",
                   "--policy-git-interval", "0"], ["--policy-git", "https://h/r", "--policy-git-secret-file", "/does/not/exist"]):
        r = subprocess.run(Hub(d, *wrong).argv, capture_output=True, text=True, timeout=20)
        check(f"{' '.join(wrong)} is refused at start", r.returncode == 1 and "--policy-git" in r.stderr, r.stderr)


def main():
    for part in (commands, routes, api, from_git):
        with tempfile.TemporaryDirectory() as d:
            part(d)
    print(f"1..{len(results)}")
    return 0 if all(results) else 1


try:
    code = main()
finally:
    for p in children:  # a failed check must not leave one behind
        if p.poll() is None:
            p.kill()
sys.exit(code)
