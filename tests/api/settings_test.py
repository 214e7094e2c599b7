#!/usr/bin/env python3
"""Settings that a hub would refuse, on a connected device: the command and the local API refuse them in words and the device stays
connected; what an older daemon left in the state file is kept out and shown, by hub and device; the state file can always be read.

    box: hub 127.0.0.1, warrend

Usage: settings_test.py WARREND. Needs root. Prints TAP."""
import base64
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
os.environ["WARREN_BIN"] = os.path.dirname(os.path.dirname(os.path.abspath(sys.argv[1])))
sys.path.insert(0, os.path.join(HERE, "..", "lab"))
from net import Net  # noqa: E402
from nodes import WarrenHub, WarrenNode, program, wait_for  # noqa: E402
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
from tap import check, results  # noqa: E402

NUMBERS = "tag names can only contain numbers, letters, or dashes"
LETTER = "tag names must start with a letter, after 'tag:'"


def routes(n):
    return [f"10.{i >> 8}.{i & 255}.0/24" for i in range(n)]


def cli(d, *args):
    p = subprocess.run(d.host.argv(program("warren"), f"--socket={d.socket}", *args), capture_output=True, text=True, timeout=60)
    return p.returncode, p.stdout + p.stderr


def prefs(d):
    return json.loads(d.local("GET", "prefs")[1])


def running(d):
    return d.status()["BackendState"] == "Running"


def connected(d):
    s = d.status()
    return s["BackendState"] == "Running" and s["Self"]["Online"]


def health(d):
    """What is said of settings; a box without a network hears of other things."""
    return [h for h in d.status().get("Health") or [] if "setting" in h]


def metric(hub, name):
    text = hub.host.run("python3", "-c", "import urllib.request as u; print(u.urlopen(%r).read().decode())" % f"{hub.url}/metrics")
    return int(re.search(rf"^warren_{name} (\d+)$", text, re.M).group(1))


# What a person may type, and what is said. {url} is the hub's.
TYPED = [
    ("up --login-server={url} --hostname=box --advertise-tags=tag:web_1", f'tag: "tag:web_1": {NUMBERS}'),
    ("up --login-server={url} --hostname=box --advertise-tags=tag:web.prod", f'tag: "tag:web.prod": {NUMBERS}'),
    ("up --login-server={url} --hostname=box --advertise-tags=tag:1web", f'tag: "tag:1web": {LETTER}'),
    ("up --login-server={url} --hostname=box --advertise-tags=tag:-x", f'tag: "tag:-x": {LETTER}'),
    ("up --login-server={url} --hostname=box --advertise-tags=tag:ok,", 'tag: "tag:": tag names must not be empty'),
    ("up --login-server={url} --hostname=box --advertise-tags=tag:" + "a" * 100, "tags can have at most 64 characters"),
    ("up --login-server={url} --hostname=box --advertise-tags=" + ",".join(f"tag:t{i}" for i in range(300)), "300 tags are too many"),
    ("up --login-server={url} --hostname=" + "n" * 256, "is too long to be a DNS label"),
    ("up --login-server={url} --hostname=box --advertise-routes=" + ",".join(routes(1025)), "1025 routes are too many"),
    ("set --hostname=" + "n" * 256, "hostname too long: 256 bytes (max 255)"),
    ("set --advertise-routes=" + ",".join(routes(3000)), "3000 routes are too many"),
    ("set --advertise-routes=10.0.0.1/24", "10.0.0.1/24 has non-address bits set; expected 10.0.0.0/24"),
    ("set --advertise-routes=0.0.0.0/0", "0.0.0.0/0 advertised without its IPv6 counterpart"),
    ("set --nickname=" + "n" * 300, "nickname too long"),
    ("set --operator=" + "o" * 300, "operator too long"),
    ("set --relay-server-port=70000", "is not a port"),
]

# What a program may ask of the local API.
ASKED = [
    ({"AdvertiseTags": ["tag:web_1"]}, NUMBERS),
    ({"AdvertiseTags": ["tag:" + "a" * 100]}, "at most 64"),
    ({"AdvertiseTags": [f"tag:t{i}" for i in range(300)]}, "too many"),
    ({"AdvertiseTags": [None]}, "tags must start with"),
    ({"Hostname": "n" * 256}, "hostname too long"),
    ({"Hostname": "a\nb"}, "control characters"),
    ({"AdvertiseRoutes": routes(1025)}, "too many"),
    ({"AdvertiseRoutes": ["10.0.0.1/24"]}, "non-address bits"),
    ({"AdvertiseRoutes": ["::/0"]}, "counterpart"),
    ({"ControlURL": "hub:8080"}, "is not the URL of a hub"),
    ({"ControlURL": "http://" + "h" * 300}, "too long"),
    ({"OperatorUser": "o" * 300}, "too long"),
    ({"ProfileName": "n" * 300}, "too long"),
    ({"ExitNodeID": "n" * 300}, "too long"),
    ({"RelayServerPort": 70000}, "not a port"),
    ({"NetfilterMode": 7}, "not known"),
    ({"AdvertiseServices": [f"svc:s{i}" for i in range(300)]}, "too many"),
    ({"RelayServerStaticEndpoints": ["192.0.2.1:1"] * 300}, "too many"),
    ({"DriveShares": [{"name": "x" * 70000}]}, "too long"),
]


def refused(d, hub, before):
    wrong = []
    for command, says in TYPED:
        code, text = cli(d, *command.format(url=hub.url).split())
        if code != 1 or says not in text or not running(d) or prefs(d) != before:
            wrong.append(f"{command[:70]}: {code} {text[:200]} {d.status()['BackendState']} {prefs(d) == before}")
    check(f"what a hub would refuse is refused by the command in words ({len(TYPED)} cases)", not wrong, "\n".join(wrong))
    wrong = []
    for edit, says in ASKED:
        mask = {**edit, **{k + "Set": True for k in edit}}
        answers = {"prefs": d.local("PATCH", "prefs", json.dumps(mask)),
                   "check-prefs": d.local("POST", "check-prefs", json.dumps({**before, **edit})),
                   "start": d.local("POST", "start", json.dumps({"UpdatePrefs": {**before, **edit}}))}
        wanted = {"prefs": 400, "check-prefs": 200, "start": 500}
        for call, (code, body) in answers.items():
            if code != wanted[call] or says not in body.decode() or not running(d) or prefs(d) != before:
                wrong.append(f"{call} {str(edit)[:60]}: {code} {body[:200]}")
    check(f"and by the local API, whichever call brings it ({3 * len(ASKED)} cases)", not wrong, "\n".join(wrong))


def the_most(d, hub, before):
    """What is just within the limits is taken, reaches the hub, and is there after a restart."""
    d.cli("set", "--advertise-routes=" + ",".join(routes(1024)))
    offered = lambda: [r for r in json.loads(hub.admin("routes", "list", "--json")) if r.get("advertised")]  # noqa: E731
    wait_for("the hub knows 1024 routes", lambda: len(offered()) == 1024)
    d.stop()
    d.start()
    wait_for("it runs again", lambda: connected(d))
    check("1024 routes are known to the hub and outlive a restart", len(prefs(d)["AdvertiseRoutes"]) == 1024 and
          len(offered()) == 1024 and not health(d), health(d))
    d.cli("set", "--advertise-routes=")
    wait_for("they are gone", lambda: not offered())


def edit_state(d, **values):
    """As an older daemon may have left it."""
    path = os.path.join(d.dir, "warrend.state")
    with open(path) as f:
        state = json.load(f)
    name = base64.b64decode(state["_current-profile"]).decode()
    doc = json.loads(base64.b64decode(state[name]))
    doc.update(values)
    state[name] = base64.b64encode(json.dumps(doc).encode()).decode()
    with open(path, "w") as f:
        json.dump(state, f)


def left_behind(d, hub):
    """Settings of an older daemon: the device stays in, and both sides say what is left out."""
    for values, says in (({"AdvertiseTags": ["tag:web_1"]}, NUMBERS), ({"AdvertiseTags": ["tag:" + "a" * 100]}, "at most 64"),
                         ({"AdvertiseTags": [f"tag:t{i}" for i in range(300)]}, "300 tags are too many"),
                         ({"Hostname": "n" * 256}, "hostname too long: 256 bytes"),
                         ({"AdvertiseRoutes": routes(3000)}, "3000 routes are too many")):
        what = f"{next(iter(values))} of an older daemon"
        counted = metric(hub, "hub_settings_refused_total")
        plain = prefs(d)
        d.stop()
        edit_state(d, **values)
        d.start()
        wait_for(f"{what}: it is connected", lambda: connected(d))
        told = wait_for(f"{what}: it is told", lambda: [h for h in health(d) if says in h])
        check(f"{what} is left out, and the device shows it", told[0].startswith("The hub refused a setting of this device: ") and
              says in cli(d, "status")[1] and len(hub.nodes()) == 1, health(d))
        check("the hub logs and counts it", says in hub.tail() and "a setting of a device is refused" in hub.tail() and
              metric(hub, "hub_settings_refused_total") > counted, hub.tail())
        code, text = cli(d, "up")
        check("up says it and fails, though it is connected", code == 1 and says in text and connected(d), f"{code} {text}")
        code, body = d.local("PATCH", "prefs", '{"ShieldsUp":true,"ShieldsUpSet":true}')
        check("other settings can be changed meanwhile", code == 200 and prefs(d)["ShieldsUp"], body)
        mask = {k: plain[k] for k in ("ShieldsUp", *values)}
        code, body = d.local("PATCH", "prefs", json.dumps({**mask, **{k + "Set": True for k in mask}}))
        wait_for(f"{what}: nothing is refused any more", lambda: not health(d))
        check("when it is put right the word goes", code == 200 and connected(d), body)


def pending(hub):
    return [p["code"] for p in json.loads(hub.admin("nodes", "pending", "--json"))]


def other_tags(d, hub):
    """Tags change with a login. Until it is approved, and when it is refused, the device stays connected as it was."""
    up = ["up", f"--login-server={hub.url}", "--hostname=box"]
    ip, key = d.ip(), d.status()["Self"]["PublicKey"]
    code, text = cli(d, *up, "--advertise-tags=tag:x", "--auth-key=" + hub.auth_key("--reusable"), "--timeout=20s")
    check("tags that a key does not give are refused in words", code == 1 and "asks for tags that this auth key does not give" in text, text)
    check("and the device stays connected with the key that it has", connected(d) and d.status()["Self"]["PublicKey"] == key and d.ip() == ip,
          d.status()["BackendState"])
    wait_for("the device says what it lacks", lambda: any("gets tags by a login only" in h for h in d.status()["Health"]))
    wait_for("it is connected", lambda: connected(d))
    child = subprocess.Popen(d.host.argv(program("warren"), f"--socket={d.socket}", *up, "--advertise-tags=tag:x", "--timeout=30s"),
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        waiting = wait_for("a login waits", lambda: pending(hub))
        states = [(s["BackendState"], s["Self"]["Online"]) for s in (d.status() for _ in range(20))]
        hub.admin("nodes", "approve", waiting[0])
        text = child.communicate(timeout=30)[0]
    finally:
        child.kill()
        child.wait()
    check("without a key, up with other tags shows the page of a login and says why", child.returncode == 0 and "/register/" in text and
          "The tags of a device change with a login" in text, f"{child.returncode} {text}")
    check("the device stays connected while it waits", set(states) == {("Running", True)}, states)
    wait_for("it has the tags", lambda: d.status()["Self"].get("Tags") == ["tag:x"])
    check("then the device has them, at its address", connected(d) and d.ip() == ip and len(hub.nodes()) == 1, hub.nodes())
    wait_for("and lacks nothing", lambda: not any("tags" in h for h in d.status()["Health"]))
    check("and up with them again changes nothing", cli(d, *up, "--advertise-tags=tag:x") == (0, "") and not pending(hub))


def unreadable_profile(d, hub):
    d.stop()
    path = os.path.join(d.dir, "warrend.state")
    with open(path) as f:
        good = f.read()
    state = json.loads(good)
    name = base64.b64decode(state["_current-profile"]).decode()
    state[name] = base64.b64encode(b'{"ControlURL": 7').decode()
    with open(path, "w") as f:
        json.dump(state, f)
    d.start()
    with open(path) as f:
        kept = json.load(f)
    check("with a profile that cannot be read it starts anew, says so, and leaves it", d.status()["BackendState"] == "NeedsLogin" and
          "cannot be read" in d.tail() and kept[name] == state[name], d.tail())
    d.stop()
    with open(path, "w") as f:
        f.write(good)
    d.start()
    wait_for("it is connected", lambda: connected(d))


def main():
    if os.getuid() != 0:
        print("1..0 # SKIP network namespaces need root")
        return 0
    net = Net()
    host = net.host("box")
    hub, d = WarrenHub(host, "127.0.0.1"), WarrenNode(host, "box")
    try:
        hub.start()
        d.start()
        d.up(hub.url, hub.auth_key())
        wait_for("it is connected", lambda: connected(d))
        before = prefs(d)
        refused(d, hub, before)
        the_most(d, hub, before)
        left_behind(d, hub)
        unreadable_profile(d, hub)
        other_tags(d, hub)
    finally:
        d.close()
        hub.close()
        net.close()
    print(f"1..{len(results)}")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
