#!/usr/bin/env python3
"""warren-hub as a process: commands, pages, devices that join, a crash in the middle of it, hostile bytes.

Usage: hub_test.py WARREN-HUB HUBLOAD. Prints TAP."""
import base64, http.client, json, os, random, re, signal, socket, ssl, stat, subprocess, sys, tempfile
import hub_process
from hub_process import check, children, own_port, results, wait_for

HUB, HUBLOAD = sys.argv[1:3]


class Hub(hub_process.Hub):
    def __init__(self, directory, *extra):
        super().__init__(HUB, directory, "--relay-listen", f"127.0.0.1:{own_port()}", "--stun-listen", f"127.0.0.1:{own_port()}", *extra)

    def stop(self, sig=signal.SIGTERM):
        self.p.send_signal(sig)
        return self.p.wait(20)


def basics(d):
    hub = Hub(d).start()
    check("status says where the hub is", hub.json("status")["url"] == hub.url)
    check("first user is there", [u["name"] for u in hub.json("users", "list")] == ["admin"])
    status, body, _ = hub.http("GET", "/key?v=113")
    check("Noise key is public", status == 200 and json.loads(body)["publicKey"].startswith("mkey:"))
    check("small pages answer", [hub.http("GET", p)[0] for p in (
        "/", "/health", "/metrics", "/generate_204", "/derp/probe", "/bootstrap-dns", "/robots.txt", "/derp", "/ts2021", "/no",
    )] == [200, 200, 200, 204, 200, 200, 200, 426, 400, 404])
    key = hub.json("keys", "create", "--reusable")["key"]
    r = json.loads(subprocess.run([HUBLOAD, hub.url, key, "20", str(hub.p.pid)], capture_output=True, text=True).stdout)
    check("twenty devices join, hear of one more, and come back", r["complete"], r)
    before = hub.json("nodes", "list")
    check("they are listed", len(before) == 21 and len({n["ipv4"] for n in before}) == 21)
    state = os.path.join(d, "state")
    modes = {f: stat.S_IMODE(os.stat(os.path.join(state, f)).st_mode) for f in os.listdir(state)}
    check("state is for its owner only", stat.S_IMODE(os.stat(state).st_mode) == 0o700 and
          set(modes.values()) == {0o600} and {"hub.db", "noise.key", "relay.key", "relay.pem"} <= set(modes), modes)
    check("SIGTERM ends it with status 0", hub.stop() == 0)
    noise = body
    hub.start()
    ids = lambda l: [(n["id"], n["name"], n["ipv4"], n["nodeKey"]) for n in l]
    check("restart keeps devices and the Noise key", ids(hub.json("nodes", "list")) == ids(before) and
          hub.http("GET", "/key?v=113")[1] == noise)
    hub.stop()


def login(hub):
    """A browser that followed a login link: its cookie."""
    link = hub.json("login", "--next", "/")["url"]
    path = link[len(hub.url):]
    hub.http("GET", path)  # looking at it does not use it up
    status, _, headers = hub.http("POST", path)
    return path, status, (headers["Set-Cookie"] or "")


def approval(d):
    """A login by hand: the page shows who asks, lets in only admins, and only by their own forms."""
    hub = Hub(d).start()
    subprocess.run([HUB, "users", "create", "ann", "--socket", hub.socket], check=True, capture_output=True)
    load = subprocess.Popen([HUBLOAD, hub.url, "-", "2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    children.append(load)
    wait_for("two devices wait", lambda: len(hub.json("nodes", "pending")) == 2)
    first, second = [p["code"] for p in hub.json("nodes", "pending")]
    page = hub.http("GET", f"/register/{first}")[1]
    check("page shows which device asks and how to let it in", "load-" in page and "127.0.0.1" in page and
          f"warren-hub nodes approve {first}" in page and "<form" not in page)
    check("an unknown code is not found", hub.http("GET", "/register/" + "0" * 24)[0] == 404)
    path, status, cookie = login(hub)
    check("login link gives a strict cookie, once", status == 303 and "HttpOnly" in cookie and "SameSite=Strict" in cookie and
          hub.http("POST", path)[0] == 404, cookie)
    headers = {"Cookie": cookie.split(";")[0]}
    _, page, seen = hub.http("GET", f"/register/{first}", headers=headers)
    csrf = re.search(r'name="csrf" value="([0-9a-f]{64})"', page).group(1)
    check("pages forbid scripts and frames", "default-src 'none'" in seen["Content-Security-Policy"] and
          "frame-ancestors 'none'" in seen["Content-Security-Policy"])
    digest = re.search(r'name="digest" value="([0-9a-f]{32})"', hub.http("GET", f"/register/{first}?user=ann", headers=headers)[1]).group(1)
    form = f"csrf={csrf}&user=ann&digest={digest}"
    refused = [hub.http("POST", f"/register/{first}", body, h)[0] for body, h in (
        (form, {}), (f"user=ann&digest={digest}", headers), (form.replace(csrf, "0" * 64), headers))]
    check("approval needs the cookie and the form's token", refused == [403] * 3 and len(hub.json("nodes", "list")) == 0)
    refused = [hub.http("POST", f"/register/{first}", body, headers)[0] for body in (
        f"csrf={csrf}&user=ann", form.replace(digest, "0" * 32), form.replace("user=ann", "user=admin"))]
    check("and what was shown, as of whom", refused == [400, 409, 409] and len(hub.json("nodes", "list")) == 0, refused)
    check("admin's form lets it in", hub.http("POST", f"/register/{first}", form, headers)[0] == 200)
    node = wait_for("it is listed", lambda: hub.json("nodes", "list"))[0]
    check("it belongs to whom the form named", node["user"] == "ann" and node["approved"], node)
    hub.admin("nodes", "approve", second)
    wait_for("the third asks, too", lambda: len(hub.json("nodes", "pending")) == 1)  # hubload's last one
    hub.admin("nodes", "approve", hub.json("nodes", "pending")[0]["code"])
    check("devices go on by themselves when they are approved", json.loads(load.communicate(timeout=30)[0])["complete"])
    hub.stop()


def administration(d):
    hub = Hub(d).start()
    key = hub.json("keys", "create", "--reusable")["key"]
    subprocess.run([HUBLOAD, hub.url, key, "3"], check=True, capture_output=True)
    hub.admin("nodes", "rename", "load-1", "printer")
    hub.admin("nodes", "tag", "load-2", "tag:web", "tag:db")
    hub.admin("nodes", "expire", "load-0")
    hub.admin("nodes", "delete", "load-3")
    nodes = {n["name"]: n for n in hub.json("nodes", "list")}
    check("rename, tag, expire and delete", sorted(nodes) == ["load-0", "load-2", "printer"] and nodes["load-0"]["expired"] and
          nodes["load-2"]["tags"] == ["tag:web", "tag:db"] and "user" not in nodes["load-2"], nodes)
    wrong = [hub.run(*a) for a in (
        ("nodes", "rename", "printer", "load-0"), ("nodes", "rename", "printer", "Not a name"), ("nodes", "delete", "99999"),
        ("nodes", "tag", "printer", "web"), ("users", "delete", "admin"), ("users", "create", "admin"), ("keys", "revoke", "77"),
        ("keys", "create", "--expiry", "soon"), ("nodes", "approve", "nobody"), ("keys", "create", "--user", "nobody"))]
    check("mistakes are explained", all(r.returncode == 1 and len(r.stderr) > 30 for r in wrong), [r.stderr for r in wrong])
    usage = [hub.run(*a).returncode for a in (("nodes", "fly"), ("what",), ("nodes", "rename"), ("status", "--no"))]
    check("usage errors end with 2", usage == [2] * 4, usage)
    hub.admin("keys", "revoke", str(hub.json("keys", "list")[0]["id"]))
    once = hub.json("keys", "create", "--ephemeral", "--tags", "tag:ci", "--expiry", "1h")
    states = [(k["state"], k["used"], "key" in k, "hash" in k) for k in hub.json("keys", "list")]
    check("keys are listed without their text", states == [("revoked", 4, False, False), ("valid", 0, False, False)], states)
    check("key tells what it is for", once["tags"] == ["tag:ci"] and once["ephemeral"] and not once["reusable"], once)
    table = hub.admin("nodes", "list").splitlines()
    check("tables have a head and a line each", table[0].split()[:2] == ["ID", "NAME"] and len(table) == 4, table)
    hub.stop()


def crash(d):
    """kill -9 in the middle of 200 registrations: what was answered is there, and the rest joins after the restart."""
    answered = os.path.join(d, "answered")
    in_the_middle = False
    for attempt in range(10):
        sub = os.path.join(d, str(attempt))
        os.mkdir(sub)
        hub = Hub(sub).start()
        key = hub.json("keys", "create", "--reusable")["key"]
        open(answered, "w").close()
        load = subprocess.Popen([HUBLOAD, hub.url, key, "200", "0", answered], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        children.append(load)
        while os.path.getsize(answered) == 0 and load.poll() is None:
            pass
        hub.p.kill()
        hub.p.wait()
        with open(answered) as f:
            known = f.read().split()
        in_the_middle = 0 < len(known) < 200
        if in_the_middle:
            break
        load.kill()
    hub.start()
    listed = {n["nodeKey"] for n in hub.json("nodes", "list")}
    check(f"every answered registration survives kill -9 ({len(known)} of 200)", in_the_middle and set(known) <= listed)
    out = load.communicate(timeout=90)[0]
    check("the others join after the restart, nobody twice", json.loads(out)["complete"] and
          len(hub.json("nodes", "list")) == 201, out)
    hub.stop()


UPGRADE = (b"POST /ts2021 HTTP/1.1\r\nHost: x\r\nUpgrade: tailscale-control-protocol\r\nConnection: upgrade\r\n"
           b"X-Tailscale-Handshake: %s\r\n\r\n")


def hostile_bytes(rng):
    yield b"\0" * 20000
    yield b"\x16\x03\x01\x02\x00" + rng.randbytes(500)
    yield b"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
    yield b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 5000
    yield b"POST /register/x HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n"
    yield b"POST /login/x HTTP/1.1\r\nContent-Length: 70000\r\n\r\n" + b"a" * 70000
    yield UPGRADE % b"AAAA"
    yield UPGRADE % base64.b64encode(b"\0\x71\x01\0\x60" + rng.randbytes(96))
    yield b"GET /derp HTTP/1.1\r\nHost: x\r\nUpgrade: DERP\r\nConnection: Upgrade\r\n\r\n\x02\xff\xff\xff\xff"
    for _ in range(60):
        yield rng.choice([b"", b"GET ", UPGRADE % b"A", b"POST /users HTTP/1.1\r\nContent-Length: 9\r\n\r\n"]) + \
            rng.randbytes(rng.randrange(1, 3000)) + b"\r\n\r\n"


def throw(family, address, data):
    with socket.socket(family, socket.SOCK_STREAM) as s:
        s.settimeout(0.3)
        try:
            s.connect(address)
            s.sendall(data)
            s.recv(4096)
        except OSError:
            pass


def hostile(d):
    rng = random.Random(7)
    tls, stun = own_port(), own_port()
    hub = Hub(d, "--relay-listen", f"127.0.0.1:{tls}", "--stun-listen", f"127.0.0.1:{stun}").start()
    for data in hostile_bytes(rng):
        throw(socket.AF_INET, ("127.0.0.1", hub.port), data)
        throw(socket.AF_INET, ("127.0.0.1", tls), data)
        throw(socket.AF_UNIX, hub.socket, data)
    ctx = ssl.create_default_context()
    ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
    for data in hostile_bytes(rng):
        with socket.create_connection(("127.0.0.1", tls)) as s, ctx.wrap_socket(s) as t:
            t.settimeout(0.3)
            try:
                t.sendall(data)
                t.recv(4096)
            except OSError:
                pass
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect(("127.0.0.1", stun))
        for _ in range(300):
            s.send(rng.randbytes(rng.randrange(1, 200)))
        s.settimeout(2)
        for _ in range(10):  # the flood may have filled the socket's buffer
            s.send(bytes.fromhex("000100142112a4420102030405060708090a0b0c802200087461696c6e6f646580280004b32c370f"))
            try:
                answer = s.recv(100)
                break
            except TimeoutError:
                answer = b""
    check("STUN answers the real request only", answer[:4] == b"\x01\x01\x00\x0c")
    counted = {n: hub.metric(n) for n in ("hub_http_bad_requests_total", "hub_tls_failed_total", "hub_control_bad_handshakes_total",
                                          "hub_admin_bad_requests_total", "relay_bad_logins_total", "stun_bad_total")}
    check("malformed input is counted by kind", all(counted.values()), counted)
    key = hub.json("keys", "create", "--reusable")["key"]
    r = subprocess.run([HUBLOAD, hub.url, key, "5"], capture_output=True, text=True)
    check("hub serves on after hostile bytes", hub.p.poll() is None and json.loads(r.stdout)["complete"])
    check("no connection is left behind", wait_for("they are closed", lambda: hub.metric("hub_http_connections") <= 1, 40))
    hub.stop()


def main():
    for part in (basics, approval, administration, crash, hostile):
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
