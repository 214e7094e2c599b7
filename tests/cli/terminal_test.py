#!/usr/bin/env python3
"""What others wrote reaches a terminal as text: a daemon that answers with control characters everywhere, and arguments with them.

Usage: terminal_test.py WARREN WARREND WARREN_HUB WARREN_RELAY. Prints TAP."""
import json
import os
import re
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
from tap import check, results  # noqa: E402

WARREN, WARREND, HUB, RELAY = sys.argv[1:5]
EVIL = "\x1b]0;owned\x07\x1b[2J\x1b[31mred \u009b31m \u202egnp.exe \u2066\x7f\x08\x08 line one\nline two\r\u2028end\U000e0041"
KEY = "nodekey:" + "22" * 32
STATUS = {"Version": EVIL, "BackendState": "Running", "HaveNodeKey": True, "AuthURL": "", "TailscaleIPs": ["100.64.0.1"],
          "Self": {"ID": "n1", "PublicKey": "nodekey:" + "11" * 32, "HostName": EVIL, "DNSName": f"{EVIL}.test.", "OS": EVIL, "UserID": 1,
                   "TailscaleIPs": ["100.64.0.1"], "Online": True},
          "Health": [EVIL, "the hub says: " + EVIL], "MagicDNSSuffix": EVIL, "CurrentTailnet": {"Name": EVIL, "MagicDNSSuffix": EVIL},
          "Peer": {KEY: {"ID": "n2", "PublicKey": KEY, "HostName": EVIL, "DNSName": f"{EVIL}.test.", "OS": EVIL, "UserID": 2, "Relay": EVIL, "CurAddr": EVIL,
                         "TailscaleIPs": ["100.64.0.2"], "Tags": [EVIL], "Online": True, "ExitNodeOption": True, "Active": True,
                         "Location": {"Country": EVIL, "City": EVIL, "CountryCode": EVIL}}},
          "User": {"1": {"ID": 1, "LoginName": EVIL, "DisplayName": EVIL}, "2": {"ID": 2, "LoginName": EVIL, "DisplayName": EVIL}}}
WHOIS = {"Node": {"ID": 2, "StableID": EVIL, "Name": EVIL, "Key": KEY, "Addresses": ["100.64.0.2/32"], "ComputedName": EVIL, "Tags": [EVIL],
                  "Hostinfo": {"OS": EVIL}}, "UserProfile": {"ID": 2, "LoginName": EVIL, "DisplayName": EVIL}, "CapMap": {EVIL: [EVIL]}}
PREFS = {"ControlURL": "https://hub.test", "WantRunning": True, "Hostname": EVIL, "ProfileName": EVIL, "OperatorUser": EVIL,
         "Config": {"UserProfile": {"ID": 1, "LoginName": EVIL, "DisplayName": EVIL}, "NodeID": "n1"}}
PROFILES = [{"ID": EVIL, "Name": EVIL, "Key": EVIL, "UserProfile": {"ID": 1, "LoginName": EVIL}, "NetworkProfile": {"DomainName": EVIL}}]
DERP = {"Regions": {"1": {"RegionID": 1, "RegionCode": EVIL, "RegionName": EVIL, "Nodes": []}}}


class Handler(socketserver.StreamRequestHandler):
    """Every second kind of answer is a refusal with words."""

    def handle(self):
        line = self.rfile.readline().decode().split()
        while self.rfile.readline().strip():
            pass
        path = line[1].removeprefix("/localapi/v0/").split("?")[0] if len(line) > 1 else ""
        doc = {"status": STATUS, "whois": WHOIS, "prefs": PREFS, "profiles/": PROFILES, "profiles/current": PROFILES[0], "derpmap": DERP}.get(path)
        status, text = (200, json.dumps(doc, ensure_ascii=False)) if doc is not None else (500, EVIL)
        if path in self.server.refused:
            status, text = 403, EVIL
        body = text.encode()
        try:
            self.wfile.write(f"HTTP/1.1 {status} x\r\nTailscale-Version: {self.server.version}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        except OSError:
            pass


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads, version, refused = True, "1\u009b31m", set()


def said(argv):
    p = subprocess.run(argv, capture_output=True, timeout=30, stdin=subprocess.DEVNULL)
    return p.stdout, p.stderr


def steers(data):
    """What of it is no text."""
    text = data.decode(errors="replace")
    return [c for c in text if (c not in "\n\t" and not c.isprintable()) or c == "\ufffd"]


COMMANDS = ["status", "status --json", "status --peers=false", "whois 100.64.0.2", "whois --json 100.64.0.2", "ip", "ip 100.64.0.2", "exit-node list",
            "switch --list", "get hostname", "get", "netcheck", "dns status", "up", "ping --c=1 --timeout=1s 100.64.0.2", "whoami", "version --daemon", "bugreport",
            "metrics", "debug prefs", "down", "set --hostname=x", "logout", "__complete ping ''", "wait --timeout=1s"]


def commands(server, path):
    wrong, forged = [], []
    for command in COMMANDS:
        for refused in (set(), {"status"}, {"prefs"}):
            server.refused = refused
            for data in said([WARREN, f"--socket={path}", *command.split()]):
                if steers(data):
                    wrong.append(f"{command} {refused}: {data!r}")
                if re.search(rb"^line two", data, re.M):
                    forged.append(f"{command} {refused}: {data!r}")
    server.refused = set()
    check(f"{len(COMMANDS)} commands show what a daemon answers as text", not wrong, "\n".join(wrong))
    check("and one text makes one line", not forged, "\n".join(forged))
    out, _ = said([WARREN, f"--socket={path}", "status"])
    check("the letters of it are still there", b"red" in out and b"gnp.exe" in out, out)


def arguments():
    wrong = []
    for program in (WARREN, WARREND, HUB, RELAY):
        if program == WARREND:  # with most of these it would begin
            continue
        for argv in ([EVIL], ["--" + EVIL], ["--socket", EVIL], ["--listen", EVIL], ["status", EVIL], ["--state-dir", EVIL, "status"], ["up", "--hostname", EVIL],
                     ["nodes", EVIL], ["nodes", "show", EVIL, "--socket", "/none" + EVIL]):
            for data in said([program, *argv]):
                if steers(data):
                    wrong.append(f"{program} {argv}: {data!r}")
    for argv in ([EVIL], ["--" + EVIL], ["--port", EVIL]):
        for data in said([WARREND, *argv]):
            if steers(data):
                wrong.append(f"{WARREND} {argv}: {data!r}")
    check("nor do arguments, which links and scripts bring, steer it", not wrong, "\n".join(wrong))


def process_list():
    """An auth key on the command line, as everybody on the machine could read it while the command waits."""
    with tempfile.TemporaryDirectory() as d:
        s = socket.socket(socket.AF_UNIX)
        s.bind(os.path.join(d, "s"))
        s.listen(8)
        seen = []
        for args in (["--auth-key=wkey-auth-12-SECRET"], ["--auth-key", "SECRET"], ["--authkey=SECRET"], ["-auth-key=tskey-auth-SECRET"]):
            p = subprocess.Popen([WARREN, f"--socket={d}/s", "up", *args], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            asked, _ = s.accept()  # it has begun to ask, and waits
            with open(f"/proc/{p.pid}/cmdline") as f:
                seen.append(f.read())
            p.kill()
            p.wait()
            asked.close()
    check("auth keys are not in the list of processes", not any("SECRET" in line for line in seen) and all("up" in line for line in seen), seen)


def main():
    process_list()
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, "s")
        server = Server(path, Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        commands(server, path)
        arguments()
    print(f"1..{len(results)}")
    sys.exit(not all(results))


main()
