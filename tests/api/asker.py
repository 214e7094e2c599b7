"""A device that asks its hub whatever it likes, inside Noise, by tests/tools/hubask; and what hostile members say of themselves."""
import base64, json, subprocess

from hub_process import children


class Asker:
    """One device: its connection, and its keys, which are as good as any. noise: the hub's key, as hex. within: argv before the tool's."""

    def __init__(self, tool, address, port, noise, n, within=lambda *argv: list(argv)):
        self.key, self.disco = (kind + ":" + f"{n:02x}" * 32 for kind in ("nodekey", "discokey"))
        self.p = subprocess.Popen(within(tool, address, str(port), noise, f"{n:02x}" * 32), stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    @staticmethod
    def node_key(n):
        return "nodekey:" + f"{n:02x}" * 32

    def raw(self, path, body):
        """The same with a body as bytes."""
        self.p.stdin.write(path.encode() + b" " + body + b"\n")
        self.p.stdin.flush()
        line = self.p.stdout.readline().decode()
        if not line:
            raise ConnectionError("the hub ended the connection")
        status, retry, end, answer = line.rstrip("\n").split("\t")
        return int(status), retry, end, base64.b64decode(answer)

    def ask(self, path, version=148, **fields):
        """Status, Retry-After or "-", "end" or "open", and the answer."""
        return self.raw(path, json.dumps({"Version": version, "NodeKey": self.key, "Hostinfo": {"OS": "linux"}, **fields}).encode())

    def registered(self, **fields):
        """The answer to a registration, whatever it is."""
        status, _, _, body = self.ask("/machine/register", **fields)
        return json.loads(body) if status == 200 else {"status": status, "text": body.decode()}

    def register(self, key, **fields):
        status, _, _, body = self.ask("/machine/register", Auth={"AuthKey": key}, **fields)
        assert status == 200 and not json.loads(body)["Error"], body
        return self

    def map_bytes(self, **fields):
        """The one message of an answer that is not compressed, as it came."""
        status, _, end, body = self.ask("/machine/map", Compress="", **fields)
        assert status == 200 and int.from_bytes(body[:4], "little") == len(body) - 4, (status, body[:200])
        return body[4:], end

    def map(self, **fields):
        text, end = self.map_bytes(**fields)
        return json.loads(text), end

    def say(self, members):
        """Members of a map request, as bytes: a lite update with them."""
        return self.raw("/machine/map", b'{"Version":148,"NodeKey":"%s","DiscoKey":"%s","OmitPeers":true,%s}' %
                        (self.key.encode(), self.disco.encode(), members))

    def close(self):
        self.p.stdin.close()
        self.p.wait(20)


def at_hub(tool, hub, n, key_n=None, source=None):
    """n names the machine's key, key_n the node's. source: the address that it comes from."""
    noise = json.loads(hub.http("GET", "/key?v=148")[1])["publicKey"].removeprefix("mkey:")
    a = Asker(tool, "127.0.0.1", hub.port, noise, n, lambda *argv: [*argv, *([source] if source else [])])
    a.key = a.key if key_n is None else a.node_key(key_n)
    children.append(a.p)
    return a


def hostile(tool, seed, count, kind="any"):
    """Of tests/tools/hostinfo: [members of a map request, as bytes]."""
    return subprocess.run([tool, str(seed), str(count), kind], stdout=subprocess.PIPE, check=True).stdout.split(b"\n")[:count]
