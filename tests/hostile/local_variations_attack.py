"""The LocalAPI, by another user of the device; root's own programs are served all the time."""
import json
import os

from lib import attack, many
from raw import Conn, request

OTHER = 65534
HOST = "local-tailscaled.sock"
API = "/localapi/v0/"


def ask(line, headers="", body=b""):
    return request(line, headers, body, HOST)


@attack("300 bodies of 1 MB less a byte to the LocalAPI", target="node")
def local_bodies(p):
    many(300, lambda i: p.local(OTHER).say(ask(f"PATCH {API}prefs", "Content-Length: 1048576\r\n") + b" " * 1048575, 0.02))
    p.hold(1)


@attack("300 watchers of the bus with every part of the map, nothing read, while the state changes", target="node")
def local_watchers(p):
    many(300, lambda i: p.local(OTHER).say(ask(f"GET {API}watch-ipn-bus?mask={2 + 4 + 8 + 128 + 1024}"), 0.02))
    for i in range(20):
        p.node.local("PATCH", "prefs", json.dumps({"HostnameSet": True, "Hostname": f"n{i}"}))
    p.hold(1)


@attack("calls that wait, by another user: netchecks, pings, dials; 100 each", target="node")
def local_waiting(p):
    for line in (f"POST {API}ping?ip=100.100.100.1&type=disco", f"POST {API}ping?ip=100.64.0.1&type=TSMP", f"GET {API}netcheck",
                 f"POST {API}dial", f"POST {API}debug?action=rebind", f"GET {API}whois?addr=" + "1" * 10000):
        many(100, lambda i: p.local(OTHER).say(ask(line), 0.02))
    p.hold(1)


@attack("JSON of every odd kind to every call that takes one, by root", target="node")
def local_json(p):
    odd = [b'{"Hostname":' + b"[" * 100_000, b"[" * 100_000, b'{"a":' * 50_000, b'{"WantRunning":1e400,"WantRunningSet":true}', b'{"Hostname":"\\ud800"}',
           b'{"Hostname":"\xff\xfe"}', b'{"Hostname":"a","Hostname":"b"}' * 100, b'{"AdvertiseRoutes":[' + b'"10.0.0.0/8",' * 50_000 + b'"10.0.0.0/8"]}', b"{}" * 1000,
           b'{"Hostname":"' + b"x" * 900_000 + b'","HostnameSet":true}', b"null", b"", b"\0" * 1000, b'{"ExitNodeID":1,"ExitNodeIDSet":"x"}']
    for call in ("PATCH prefs", "POST start", "POST check-prefs", "POST profiles/x", "POST update/check", "POST set-dns"):
        method, path = call.split(" ")
        for body in odd:
            many(1, lambda i: p.local(0).say(ask(f"{method} {API}{path}", body=body), 0.05))
    p.hold(0.5)
    status = p.node.status()
    p.expect("the device is connected all the same", status["BackendState"] == "Running" and status["Self"]["Online"], status["BackendState"])


@attack("the administration's socket of a hub, by another user, 500 times")
def admin_socket(p):
    os.chmod(p.dir, 0o755)
    got_in = []

    def knock(i):
        os.seteuid(OTHER)
        try:
            got_in.append(p.keep(Conn(p.hub.socket)))
        finally:
            os.seteuid(0)
    many(500, knock)
    p.expect("another user does not get in", not got_in)
    p.expect("nobody else reads the state", os.stat(os.path.join(p.dir, "state")).st_mode & 0o077 == 0)
    p.hold(0.5)


@attack("pipelined requests for status and metrics on 60 connections, answers not read", target="node")
def local_pipelines(p):
    data = (ask(f"GET {API}status") + ask(f"GET {API}metrics") + ask(f"GET {API}prefs")) * 1000
    many(60, lambda i: p.local(OTHER).say(data, 0.02))
    p.hold(1)


@attack("600 connections to the LocalAPI, each of another user, as who has subordinate user ids can be", target="node")
def local_many_users(p):
    many(600, lambda i: p.local(20_000 + i).say(b"GET /localapi/v0/status HTTP/1.1\r\n", 0.02))
    p.hold(1.5)
