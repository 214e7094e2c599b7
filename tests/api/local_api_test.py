#!/usr/bin/env python3
"""The local API beside what tailscaled 1.102.5 was recorded to answer: status codes, texts, fields and their types, the
rights of other users; then hostile callers. Lists what is not there yet, by name.

Usage: local_api_test.py LAPI-FAKE        against the made-up daemon (all of it)
       local_api_test.py --socket=PATH    against a running daemon (what changes nothing)
Prints TAP."""
import json, os, random, select, signal, socket, subprocess, sys, tempfile, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lapi_client import Bus, ask, as_user, connect, message, read_answer, read_head
from shapes import differences, shape, union
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
from tap import check, results  # noqa: E402

FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures", "localapi")
API = "/localapi/v0/"
NOBODY = 65534
LIVE = sys.argv[1].startswith("--socket=")

# Where ours answers otherwise on purpose: method and path (and body), and why.
ON_PURPOSE = {
    "GET /": "the page names our program",
    "POST serve-config": "serving is not there yet; the texts are those of a later issue",
    "POST ping 034": "an unknown kind of ping is refused; the original hangs up",
}
# Words of Go's JSON reader: ours says what is wrong in its own.
OWN_WORDS = ("invalid character", "json: cannot unmarshal")


def skip(name, why):
    results.append(True)
    print(f"ok {len(results)} - {name} # SKIP {why}", flush=True)


def load(name):
    with open(os.path.join(FIXTURES, name)) as f:
        return [json.loads(line) for line in f]


def route(line):
    method, target = line.split(" ")
    return method, target.partition("?")[0].removeprefix(API)


def is_on_purpose(row):
    method, name = route(row["line"])
    return (f"{method} {name}" if name != "/" else "GET /") in ON_PURPOSE or "034_POST_ping" in row["from"]


def compare_errors(path, calls, uid):
    """Every recorded refusal. Returns the names of routes that ours does not have."""
    missing, wrong, n = set(), [], 0
    for row in calls:
        if row["status"] < 400 or (row.get("who") == "other") != (uid is not None) or is_on_purpose(row):
            continue
        # What depends on the daemon's state at the time of the recording is not a refusal of the request.
        if row["status"] in (500, 503) or "1-needslogin" in row["from"] and row["status"] == 404 and \
                row.get("text") != "404 page not found\n":
            continue
        method, name = route(row["line"])
        status, fields, body = ask(path, row["line"], row.get("body"), row.get("headers"), uid)
        if status == 404 and row.get("text") != "404 page not found\n" and body == b"404 page not found\n":
            missing.add(name)
            continue
        n += 1
        text = row.get("text", "")
        same_text = text.startswith(OWN_WORDS) or "shape" in row or body.decode() == text
        if status != row["status"] or fields.get("content-type") != row.get("type") or not same_text:
            wrong.append(f"{row['from']}: {row['line']}: {status} {fields.get('content-type')} {body[:100]!r}, "
                         f"recorded {row['status']} {row.get('type')} {text!r}")
    who = "another user's refusals" if uid is not None else "refusals"
    check(f"{who} are those that were recorded ({n} calls)", not wrong and n > 10, wrong)
    return missing


def compare_shapes(path, calls):
    """Every recorded document that can be asked for without changing anything."""
    recorded = {}
    for row in calls:
        method, name = route(row["line"])
        if row["status"] == 200 and "shape" in row and name != "watch-ipn-bus" and (method == "GET" or name.split("?")[0] == "ping"):
            recorded.setdefault((method, name), []).append(row)
    missing, wrong, n = set(), [], 0
    for (method, name), rows in sorted(recorded.items()):
        lines = sorted({r["line"] for r in rows if "addr=" not in r["line"] and "id=" not in r["line"] and "ip=" not in r["line"]})
        if name == "whois":
            lines = [f"GET {API}whois?addr={own_address(path)}"]
        elif name == "ping":
            lines = [f"POST {API}ping?ip={own_address(path)}&type=disco"]
        for line in lines:
            status, fields, body = ask(path, line)
            if status == 404 and body == b"404 page not found\n":
                missing.add(name)
                continue
            if status != 200:
                continue
            n += 1
            shapes = [r["shape"] for r in rows]
            handed_on = name in ("peer-by-id", "dns-config", "debug-packet-filter-rules", "derpmap")
            wrong += [f"{line}{d}" for d in differences(shape(json.loads(body)), union(shapes), shapes, "", handed_on)]
            if fields.get("content-type") != rows[0].get("type"):
                wrong.append(f"{line}: {fields.get('content-type')}")
    check(f"documents have the recorded fields, types and order ({n} answers)", not wrong and n > 10, wrong)
    return missing


def own_address(path):
    ips = json.loads(ask(path, f"GET {API}status?peers=false")[2])["TailscaleIPs"]
    return ips[0] if ips else "100.64.0.1"


def compare_headers(path):
    status, fields, _ = ask(path, f"GET {API}status")
    want = {"tailscale-cap": None, "tailscale-version": None, "x-frame-options": "DENY", "x-content-type-options": "nosniff",
            "content-type": "application/json"}
    check("answers carry the version and the headers that keep browsers out", status == 200 and
          all(k in fields and (v is None or fields[k] == v) for k, v in want.items()) and
          fields["content-security-policy"].startswith("default-src 'none'; frame-ancestors 'none'"))
    refused = [ask(path, f"GET {API}status", None, h) for h in
               ({"Host": "localhost"}, {"Host": "127.0.0.1:9110"}, {"Host": "100.100.100.100:41112"}, {"Origin": "http://x"},
                {"Referer": "http://x"})]
    check("browsers are refused by their headers", all(r[0] == 403 and r[2] == b"invalid localapi request\n" for r in refused))
    check("a caller without a Host is served", ask(path, f"GET {API}status", None, {"Host": ""})[0] == 200)
    status, fields, body = ask(path, f"HEAD {API}status")
    check("HEAD is answered without a body", status == 200 and not body and int(fields["content-length"]) > 100)


def compare_bus(path):
    docs = [d["body"] for d in load("docs.jsonl") if d["doc"] == "notify"]
    recorded = [shape(d) for d in docs]
    wrong = []
    for mask in (2, 6, 142, 8, 16384, 128 + 2):
        b = Bus(path, mask)
        m = b.next()
        if not m:
            wrong.append(f"mask {mask}: no first message")
            continue
        wrong += [f"mask {mask}{d}" for d in differences(shape(m), union(recorded), recorded)]
        if (mask & 2) and (len(m.get("SessionID", "")) != 16 or m["State"] is None):
            wrong.append(f"mask {mask}: no session or state")
        b.close()
    check("the bus begins with what its mask asks for, in the recorded form", not wrong, wrong)
    b = Bus(path, 0)
    m = b.next(0.2)
    # A running daemon may have news of its own in that time, but no initial state.
    quiet = m is None or (LIVE and not m.get("SessionID") and m.get("NetMap") is None)
    check("without initial bits the head comes at once and nothing behind it", b.status == 200 and quiet, json.dumps(m))
    b.close()
    bad = {mask: ask(path, f"GET {API}watch-ipn-bus?mask={mask}")[0] for mask in ("abc", "-1", "0x2", 65536, 256 + 16384, 256 + 4096)}
    check("masks that mean nothing are refused", all(v == 400 for v in bad.values()), str(bad))


def compare_rights(path, calls):
    if os.getuid() != 0:
        return skip("other users", "only root can be another user")
    try:
        ask(path, f"GET {API}derpmap", uid=NOBODY)
    except PermissionError:
        return skip("other users", "the socket's directory is closed to them")
    missing = compare_errors(path, calls, NOBODY)
    reads = ["status", "prefs", "derpmap", f"whois?addr={own_address(path)}", "usermetrics", "dns-config", "check-ip-forwarding"]
    got = {r: ask(path, f"GET {API}{r}", uid=NOBODY)[0] for r in reads}
    check("everybody may read", all(v in (200, 404, 503) for v in got.values()), str(got))
    check("secrets are not among it", b"5e5e5e5e" not in ask(path, f"GET {API}prefs", uid=NOBODY)[2])
    return missing


# ---- what changes something: the made-up daemon only ----

def metrics(path):
    text = ask(path, f"GET {API}metrics")[2].decode()
    return {k: int(v) for k, v in (line.split(" ") for line in text.splitlines())}


def wait_for(condition, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return False


def test_edits(path):
    bus = Bus(path, 6)
    bus.next()
    status, _, body = ask(path, f"PATCH {API}prefs", '{"shieldsup":true,"SHIELDSUPSET":true,"Hostname":"not meant"}')
    prefs = json.loads(body)
    check("an edit changes what it names and answers with the result", status == 200 and prefs["ShieldsUp"] is True and
          prefs["Hostname"] == "chunky")
    m = bus.next()
    check("the bus hears of it, without secrets", m and m["Prefs"]["ShieldsUp"] is True and
          set(m["Prefs"]["Config"]["PrivateNodeKey"]) <= set("privkey:0"))
    ask(path, f"PATCH {API}prefs", '{"ShieldsUp":true,"ShieldsUpSet":true}')
    check("an edit that changes nothing is silent", bus.next(0.2) is None)
    ask(path, f"PATCH {API}prefs", '{"WantRunning":false,"WantRunningSet":true}')
    check("down is told as state 4", (bus.next() or {}).get("Prefs") and (bus.next() or {}).get("State") == 4)
    bus.close()
    status, _, body = ask(path, f"PATCH {API}prefs", '{"InternalExitNodePrior":"x","InternalExitNodePriorSet":true}')
    check("internal fields are not for clients", status == 400 and json.loads(body)["Error"] == "can't set Internal fields")
    status, _, body = ask(path, f"PATCH {API}prefs", '{"ExitNodeID":"x"} trailing')
    check("what follows the document is not read", status == 200)


def test_operator(path):
    if os.getuid() != 0:
        return skip("the operator may write", "only root can be another user")
    edit = '{"OperatorUser":"nobody","OperatorUserSet":true,"WantRunning":true,"WantRunningSet":true}'
    before = ask(path, f"GET {API}profiles/", uid=NOBODY)[0]
    ask(path, f"PATCH {API}prefs", edit)
    during = ask(path, f"GET {API}profiles/", uid=NOBODY)[0]
    with_open_connection = as_user(NOBODY, operator_loses_right, path)
    check("the operator may write, from the moment the preference says so", (before, during) == (403, 200))
    check("and not after that, on a connection that is open", with_open_connection == (200, 403))


def operator_loses_right(path):
    with connect(path) as s:
        s.sendall(message(f"PATCH {API}prefs", '{"OperatorUser":"","OperatorUserSet":true}'))
        first = read_answer(s)[0]
        s.sendall(message(f"GET {API}profiles/"))
        return first, read_answer(s)[0]


def test_login(path):
    codes = [ask(path, f"DELETE {API}profiles/nope")[0], ask(path, f"POST {API}profiles/nope")[0],
             ask(path, f"PUT {API}profiles/", "")[0], ask(path, f"POST {API}profiles/f4b1")[0],
             ask(path, f"POST {API}logout")[0]]
    check("profiles are made, changed and left with the exact codes", codes == [204, 500, 201, 204, 204], str(codes))
    ask(path, f"POST {API}profiles/f4b1")
    ask(path, f"PATCH {API}prefs", '{"Hostname":"slow","HostnameSet":true}')
    with connect(path) as s:
        s.sendall(message(f"POST {API}logout"))
        waits = not select.select([s], [], [], 0.2)[0]
        ask(path, f"PATCH {API}prefs", "{}")
        check("a logout is answered when it is done", waits and read_answer(s)[0] == 204)
    bus = Bus(path, 2)
    check("logged out is state 2", bus.next()["State"] == 2)
    codes = [ask(path, f"POST {API}start", '{"UpdatePrefs":{"WantRunning":true,"ControlURL":"https://hub.test"}}')[0],
             ask(path, f"POST {API}login-interactive")[0]]
    got = [bus.next(), bus.next()]
    check("start and login-interactive answer 204, and the page comes over the bus", codes == [204, 204] and
          got[0]["Prefs"] and got[1]["BrowseToURL"])
    bus.close()
    m = Bus(path, 2).next()
    check("whoever watches then is told the page to log in at", m["State"] == 2 and m["BrowseToURL"].startswith("https://"))
    check("start with an auth key runs", ask(path, f"POST {API}start", '{"AuthKey":"k"}')[0] == 204 and
          json.loads(ask(path, f"GET {API}status")[2])["BackendState"] == "Running")


def test_connection(path):
    with connect(path) as s:
        s.sendall(message(f"GET {API}prefs") + message(f"GET {API}derpmap") + message(f"GET {API}nope"))
        rest, codes = b"", []
        for _ in range(3):
            status, _, _, rest = read_answer(s, data=rest)
            codes.append(status)
        check("requests on one connection are answered in turn", codes == [200, 200, 404], str(codes))
        body = b'{"Hostname":"chunky","HostnameSet":true}'
        pieces = [message(f"PATCH {API}prefs", None, {"Transfer-Encoding": "chunked"})]
        pieces += [b"%x;ext=1\r\n%s\r\n" % (len(body[i:i + 7]), body[i:i + 7]) for i in range(0, len(body), 7)]
        for piece in pieces + [b"0\r\nTrailer: x\r\n\r\n"]:
            for byte in piece:
                s.sendall(bytes([byte]))
        status, _, answer, _ = read_answer(s)
        check("a chunked body is read however it is cut", status == 200 and json.loads(answer)["Hostname"] == "chunky")
        s.sendall(message(f"GET {API}status", None, {"Connection": "close"}))
        read_answer(s)
        check("a connection is closed when asked to", s.recv(1) == b"")


def test_dial(path):
    head = {"Upgrade": "ts-dial", "Connection": "upgrade", "Dial-Host": "near", "Dial-Port": "22"}
    status, fields, _ = ask(path, f"POST {API}dial", "", head)
    check("dial tells the address that the caller can reach", status == 200 and fields["dial-self"] == "true" and
          fields["dial-addr"] == "100.64.0.2:22")
    head["Dial-Host"] = "nobody-here"
    check("and says when there is no such device", ask(path, f"POST {API}dial", "", head)[0] == 502)


def test_waiting_calls(path):
    with connect(path) as s:
        s.sendall(message(f"POST {API}ping?ip=100.64.0.99&type=disco"))
        waits = wait_for(lambda: metrics(path)["waiting"] == 1)
        s.sendall(message(f"GET {API}prefs"))  # answered after the ping, that is never
    gone = wait_for(lambda: metrics(path)["waiting"] == 0)
    check("a ping waits for its answer and is forgotten when the caller leaves", waits and gone and metrics(path)["cancelled"] == 1)


def test_slow_watcher(path):
    slow = connect(path)
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.sendall(message(f"GET {API}watch-ipn-bus?mask=0"))
    read_head(slow)
    before = metrics(path)["watchers_behind"]
    for i in range(3000):
        ask(path, f"PATCH {API}prefs", json.dumps({"Hostname": f"h{i}", "HostnameSet": True}))
        if i % 100 == 99 and metrics(path)["watchers_behind"] > before:
            break
    check("a watcher that does not read is cut off", metrics(path)["watchers_behind"] == before + 1)
    data = b""
    while True:
        more = slow.recv(65536)
        if not more:
            break
        data += more
    slow.close()
    check("and told so, in a stream that ends well", b"IPN bus consumer fell behind" in data and data.endswith(b"0\r\n\r\n"))


def test_hostile(path):
    rng = random.Random(7)
    before = metrics(path)
    junk = [b"\x16\x03\x01" + rng.randbytes(200), b"GET / HTTP/9.9\r\n\r\n", b"A" * 70000, b"GET /" + b"a" * 20000,
            b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 1000 + b"\r\n", b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n",
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
            b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", b"\r\n\r\n" * 100,
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"100000\r\n" + b"x" * 0x100000 + b"\r\n5\r\nxxxxx\r\n0\r\n\r\n"]
    junk += [rng.randbytes(rng.randrange(1, 3000)) for _ in range(100)]
    junk += [message(f"PATCH {API}prefs", "[" * 5000), message(f"PATCH {API}prefs", '{"Hostname":"\xff"}'),
             message(f"POST {API}start", '{"UpdatePrefs":' * 40), message("GET " + API + "whois?addr=%zz"),
             message("GET " + API + "whois?addr=" + "1" * 9000), message("GET /localapi/v0/%00"), message("GET /../../etc/passwd")]
    for data in junk:
        with connect(path) as s:
            try:
                s.sendall(data)
                s.settimeout(0.05)
                while s.recv(65536):
                    pass
            except OSError:
                pass
    open_ones = []
    for _ in range(300):
        try:
            open_ones.append(connect(path))
        except OSError:
            break
    refused = wait_for(lambda: served(path) is False, 5)
    for s in open_ones:
        s.close()
    check("connections are bounded", refused)
    ok = wait_for(lambda: served(path) is True)
    after = metrics(path) if ok else {}
    check("whatever came, it goes on, and what was bad is counted", ok and after["bad_requests"] > before["bad_requests"] + 20 and
          after["connections_refused"] > 0 and wait_for(lambda: metrics(path)["connections"] == 1) and
          wait_for(lambda: metrics(path)["watchers"] == 0))


def served(path):
    try:
        return ask(path, f"GET {API}prefs")[0] == 200
    except (OSError, EOFError):
        return False


def run_fake(binary, calls):
    with tempfile.TemporaryDirectory() as d:
        os.chmod(d, 0o755)
        path = os.path.join(d, "sub", "s")
        p = subprocess.Popen([binary, path])
        try:
            assert wait_for(lambda: os.path.exists(path) and served(path))
            check("the socket's directory is made, and the socket is open to all", os.stat(path).st_mode & 0o777 == 0o666)
            second = subprocess.run([binary, path], capture_output=True)
            check("a second daemon does not take over the socket", second.returncode == 1 and served(path))
            missing = compare(path, calls)
            for test in (test_connection, test_edits, test_operator, test_dial, test_waiting_calls, test_login, test_slow_watcher,
                         test_hostile):
                test(path)
            p.send_signal(signal.SIGTERM)
            check("it ends when told to and takes its socket along", p.wait(10) == 0 and not os.path.exists(path))
        finally:
            p.kill()
    return missing


def compare(path, calls):
    compare_headers(path)
    missing = compare_errors(path, calls, None) | compare_shapes(path, calls)
    compare_bus(path)
    return missing | (compare_rights(path, calls) or set())


def main():
    calls = load("calls.jsonl")
    if LIVE:
        missing = compare(sys.argv[1].removeprefix("--socket="), calls)
    else:
        missing = run_fake(sys.argv[1], calls)
    print(f"# vectors: localapi/calls.jsonl calls: {len(calls)} cases")
    print("# skipped: not there yet: " + ", ".join(sorted(missing)))
    for what, why in sorted(ON_PURPOSE.items()):
        print(f"# skipped: {what}: {why}")
    print(f"1..{len(results)}")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
