#!/usr/bin/env python3
"""Packages that the hub hands out to the next device: the right bytes, nothing else, and not without a bound.

Usage: hub_packages_test.py WARREN-HUB. Prints TAP."""
import http.client, os, re, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from hub_process import Hub, check, results  # noqa: E402

PROGRAM = os.path.abspath(sys.argv[1])
VERSION = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True).stdout.split()[-1]


def ask(hub, path, method="GET"):
    c = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=20)
    try:
        c.putrequest(method, path, skip_accept_encoding=True)
        c.endheaders()
        r = c.getresponse()
        return r.status, dict(r.getheaders()), r.read()
    finally:
        c.close()


def put(where, name, data):
    with open(os.path.join(where, name), "wb") as f:
        f.write(data)


def handed_out(top):
    where = os.path.join(top, "packages")
    os.mkdir(where)
    amd64, arm64 = os.urandom(700_000), os.urandom(300_000)
    put(where, f"warren_{VERSION}_amd64.deb", amd64)
    put(where, f"warren_{VERSION}_arm64.deb", arm64)
    put(where, "warren_0.0.9_amd64.deb", b"old")
    put(where, f"warren-hub_{VERSION}_amd64.deb", b"another")
    put(top, "secret", b"secret")
    hub = Hub(PROGRAM, top, "--packages-dir", where).start()
    try:
        status, headers, body = ask(hub, f"/packages/warren_{VERSION}_amd64.deb")
        check("a package comes as it is", status == 200 and body == amd64 and headers["Content-Length"] == str(len(amd64)), (status, headers))
        check("it is a file to the browser, and never a page", headers["Content-Type"] == "application/vnd.debian.binary-package" and
              headers["X-Content-Type-Options"] == "nosniff", headers)
        check("one of another architecture, too", ask(hub, f"/packages/warren_{VERSION}_arm64.deb")[2] == arm64)
        status, headers, body = ask(hub, f"/packages/warren_{VERSION}_amd64.deb", "HEAD")
        check("HEAD says how long it is", status == 200 and not body and headers["Content-Length"] == str(len(amd64)), headers)
        check("POST is not for it", ask(hub, f"/packages/warren_{VERSION}_amd64.deb", "POST")[0] == 405)
        for path in ("", "warren_0.0.9_amd64.deb", f"warren-hub_{VERSION}_amd64.deb", f"warren_{VERSION}_amd64.deb/", "../secret", "..%2fsecret",
                     f"./warren_{VERSION}_amd64.deb", "secret", f"warren_{VERSION}_armhf.deb", "/etc/passwd", "%00", "a" * 3000):
            status, _, body = ask(hub, "/packages/" + path)
            check(f"nothing at /packages/{path[:40]}", status in (400, 404) and len(body) < 200, (status, body[:200]))
        page = ask(hub, "/")[2].decode()
        lines = re.findall(r"<pre>(wget [^<]*)</pre>", page)
        check("the page says how a machine gets it", lines == [f"wget {hub.url}/packages/warren_{VERSION}_{a}.deb\nsudo apt install "
                                                               f"./warren_{VERSION}_{a}.deb" for a in ("amd64", "arm64")], page)
        put(where, f"warren_{VERSION}_amd64.deb", b"changed")
        check("what is handed out is what was there at the start", ask(hub, f"/packages/warren_{VERSION}_amd64.deb")[2] == amd64)
        asked = [ask(hub, f"/packages/warren_{VERSION}_amd64.deb") for _ in range(40)]
        late = [(s, h) for s, h, _ in asked if s != 200]
        check("too many at once wait their turn", late and all(s == 503 and h.get("Retry-After") for s, h in late) and
              all(b == amd64 for s, _, b in asked if s == 200), [s for s, _, _ in asked])
        check("which is counted", f"warren_hub_downloads_throttled_total {len(late)}\n" in ask(hub, "/metrics")[2].decode())
        check("and the hub answers meanwhile", ask(hub, "/health")[0] == 200)
    finally:
        hub.stop()


def not_there(top):
    hub = Hub(PROGRAM, top).start()
    check("without the option there is none", ask(hub, f"/packages/warren_{VERSION}_amd64.deb")[0] == 404 and
          b"wget" not in ask(hub, "/")[2])
    hub.stop()
    where = os.path.join(top, "empty")
    os.mkdir(where)
    hub = Hub(PROGRAM, top, "--packages-dir", where).start()
    check("a directory without one is told of, and the hub runs", "there is no package of this release" in hub.said() and
          b"wget" not in ask(hub, "/")[2], hub.said())
    hub.stop()
    put(where, f"warren_{VERSION}_amd64.deb", b"x" * ((8 << 20) + 1))
    r = subprocess.run(Hub(PROGRAM, top, "--packages-dir", where).argv, capture_output=True, text=True, timeout=20)
    check("one that is too large is refused at the start, by name", r.returncode == 1 and "--packages-dir" in r.stderr and "amd64.deb" in r.stderr,
          r.stderr)


for test in (handed_out, not_there):
    with tempfile.TemporaryDirectory() as top:
        test(top)
print(f"1..{len(results)}")
sys.exit(not all(results))
