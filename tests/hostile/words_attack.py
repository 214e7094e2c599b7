"""What a member may write into its documents, case by case: whatever it is, the others have their maps, and can print them."""
import json

from lib import attack
from raw import Closed

HOST = {"OS": "linux", "Hostname": "m"}
DEEP = "[" * 3000 + "]" * 3000


def documents():
    """Texts of a map request's fields, after its keys; each is a document by itself, or none."""
    yield '"Hostinfo":{"OS":"linux","Hostname":"m","Location":' + '{"a":' * 28 + "1" + "}" * 28 + "}"
    yield '"Hostinfo":{"OS":"linux","Hostname":"m","Location":{"Country":"\\\\q"}}'
    yield '"Hostinfo":{"OS":"linux","Hostname":"m","Services":[{"Proto":"tcp","Port":70000}]}'
    yield '"Hostinfo":{"OS":"linux","Hostname":"m","NetInfo":{"PreferredDERP":99999999999999999999}}'
    yield '"Hostinfo":{"OS":"linux","Hostname":"m","NetInfo":{"PreferredDERP":-1,"DERPLatency":{"1-v4":1e400}}}'
    yield '"Hostinfo":{"OS":"linux","Hostname":"m","NetInfo":{"DERPLatency":{"1-v4":NaN}}}'
    for text in ("\u202e\u2066evil\u2069", "a\x1b[2J\x07", "\u0000", "\ud800", "x" * 60000, "\U0010ffff", "\ufeff", "a\u0300" * 5000, "\x7f\u0085"):
        yield '"Hostinfo":' + json.dumps({**HOST, "OS": text, "OSVersion": text, "DeviceModel": text, "Hostname": text, "Package": text})
    yield '"Hostinfo":{"OS":"linux","Hostname":"a","Hostname":"b","OS":"c","os":"d","HOSTNAME":"e"}'
    yield f'"Hostinfo":{{"OS":"linux","Hostname":"m","X":{DEEP}}}'
    yield f'"Hostinfo":{DEEP}'
    yield '"Hostinfo":' + json.dumps({**HOST, "RequestTags": [f"tag:{i}" for i in range(5000)]})
    yield '"Hostinfo":' + json.dumps({**HOST, "RoutableIPs": [f"10.{i >> 8}.{i & 255}.0/24" for i in range(20000)]})
    yield '"Hostinfo":' + json.dumps({**HOST, "Services": [{"Proto": "tcp", "Port": i % 65536, "Description": "d" * 200} for i in range(3000)]})
    yield '"Endpoints":' + json.dumps([f"192.0.2.{i % 256}:{i % 65536}" for i in range(30000)])
    yield '"Endpoints":["[::ffff:1.2.3.4]:1","[fe80::1%eth0]:2","0.0.0.0:0","255.255.255.255:65535","224.0.0.1:9"]'
    yield '"DiscoKey":"discokey:' + "0" * 64 + '"'
    yield '"DiscoKey":"discokey:' + "ff" * 33 + '"'
    yield '"Hostinfo":' + json.dumps({**HOST, "SSH_HostKeys": ["ssh-ed25519 " + "A" * 5000 + "\nx" for _ in range(50)]})
    yield '"Hostinfo":' + json.dumps({**HOST, "PeerAPI": "x", "WireIngress": 7})
    yield '"Hostinfo":null,"Endpoints":null,"Version":1e3'
    yield '"Hostinfo":' + json.dumps({**HOST, "Location": {"Country": "\u202e" * 2000, "CountryCode": "x" * 9000, "Latitude": 1e308, "Priority": 1 << 62}})


@attack("one member's hostinfo, endpoints and keys of every odd kind, on register and on update")
def odd_documents(p):
    key = p.auth_key()
    watcher = p.machine(p.source(1))
    p.expect("a member joins", watcher.register(key)[0] == 200)
    for i, fields in enumerate(documents()):
        m = p.machine(p.source(2 + i))
        for path, more in (("/machine/register", f'"Auth":{{"AuthKey":"{key}"}},'), ("/machine/map", '"OmitPeers":true,')):
            text = f'{{"Version":148,"NodeKey":"{m.node_key}",{more}{fields}}}'
            try:
                status, answer = m.ask(path, text.encode("utf-8", "surrogatepass"))
            except (Closed, OSError):  # more than its session may hold; it comes with the other request again
                m = p.machine(p.source(2 + i))
                continue
            gone = status == 0 and m.is_closed()
            p.expect(f"{path} {fields[:60]!r} is answered", gone or status in (-1, 200, 400, 401, 404, 413, 429), (status, answer[:200]))
        m.close()
        got = watcher.map()
        p.expect(f"the map is whole after {fields[:60]!r}", isinstance(got, dict) and got.get("Node"), str(got)[:200])
        if isinstance(got, dict):
            check_map(p, got, fields)
    p.hold(1)


def texts(v):
    if isinstance(v, dict):
        for k, x in v.items():
            yield k
            yield from texts(x)
    elif isinstance(v, list):
        for x in v:
            yield from texts(x)
    elif isinstance(v, str):
        yield v


def check_map(p, m, fields):
    """What peers are told of each other is small and can be printed."""
    for peer in m.get("Peers") or []:
        size = len(json.dumps(peer))
        p.expect(f"a peer is small after {fields[:60]!r}", size < 200_000, size)
        bad = [t for t in texts(peer) if any(ord(c) < 32 or 0x7f <= ord(c) < 0xa0 or c in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
                                             for c in t)]
        p.expect(f"peers can be printed after {fields[:60]!r}", not bad, repr(bad)[:100])
