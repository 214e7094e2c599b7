"""Raw HTTP over a unix socket, as any local program might speak it."""
import json, os, pickle, select, socket

HOST = "local-tailscaled.sock"


def connect(path, timeout=10):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.settimeout(timeout)
    s.connect(path)
    return s


def message(line, body=None, headers=None):
    fields = {"Host": HOST}
    if body is not None:
        fields["Content-Length"] = str(len(body.encode()))
    fields.update(headers or {})
    text = line + " HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in fields.items() if v is not None) + "\r\n"
    return text.encode() + (body or "").encode()


def read_head(s, data=b""):
    while b"\r\n\r\n" not in data:
        more = s.recv(65536)
        if not more:
            raise EOFError(data)
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    fields = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines[1:])}
    return int(lines[0].split()[1]), fields, rest


def read_answer(s, head_only=False, data=b""):
    """(status, headers, body, bytes of the next answer)"""
    status, fields, rest = read_head(s, data)
    n = 0 if head_only or status == 204 else int(fields.get("content-length", 0))
    while len(rest) < n:
        more = s.recv(65536)
        if not more:
            raise EOFError(rest)
        rest += more
    return status, fields, rest[:n], rest[n:]


def ask(path, line, body=None, headers=None, uid=None):
    """One request on a connection of its own; as another user when uid is given (needs root)."""
    if uid is not None:
        return as_user(uid, ask, path, line, body, headers)
    with connect(path) as s:
        s.sendall(message(line, body, headers))
        return read_answer(s, line.startswith("HEAD "))[:3]


def as_user(uid, fn, *args):
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            result = fn(*args)
        except BaseException as e:  # handed over, whatever it is
            result = e
        os.write(w, pickle.dumps(result))
        os._exit(0)
    os.close(w)
    data = b""
    while True:
        more = os.read(r, 65536)
        if not more:
            break
        data += more
    os.close(r)
    os.waitpid(pid, 0)
    result = pickle.loads(data)
    if isinstance(result, BaseException):
        raise result
    return result


class Bus:
    """watch-ipn-bus, a message at a time."""

    def __init__(self, path, mask):
        self.s = connect(path)
        self.s.sendall(message(f"GET /localapi/v0/watch-ipn-bus?mask={mask}"))
        self.status, self.fields, self.data = read_head(self.s)

    def next(self, timeout=5):
        """The next message, or None when there is none in time; False at the end."""
        while True:
            size, sep, rest = self.data.partition(b"\r\n")
            if sep and len(rest) >= int(size, 16) + 2:
                n = int(size, 16)
                self.data = rest[n + 2:]
                return json.loads(rest[:n]) if n else False
            if not select.select([self.s], [], [], timeout)[0]:
                return None
            more = self.s.recv(65536)
            if not more:
                return False
            self.data += more

    def close(self):
        self.s.close()
