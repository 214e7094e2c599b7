"""Clients that say whatever they like: bytes over TCP, TLS and unix sockets, HTTP/1, frames of HTTP/2 inside ts2021, frames of
DERP. None of them reads unless it is asked to: `push` sends until the other side takes no more.

    s = Session(to, hub_key(to));  s.push(frame(HEADERS, 5, 1, REQUEST))
"""
import base64
import ctypes
import json
import os
import select
import socket
import ssl
import struct
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(TOP, os.environ.get("BUILD", "build"))
STALL = 0.3  # seconds without a byte taken after which a peer is said to take no more

_lib = None


def lib():
    """tests/tools/rawpeer: the cryptography."""
    global _lib
    if _lib is None:
        _lib = ctypes.CDLL(os.path.join(BUILD, "tests", "tools", "rawpeer", "librawpeer.so"))
        _lib.raw_noise_new.restype = ctypes.c_void_p
        _lib.raw_noise_seal.restype = ctypes.c_void_p
        _lib.raw_noise_open.restype = ctypes.c_long
    return _lib


def public(private):
    out = ctypes.create_string_buffer(32)
    if lib().raw_public(private, out) < 0:
        raise ValueError("no key")
    return out.raw


def box_seal(private, peer, text, nonce=None):
    """nonce, tag and ciphertext, as disco and DERP have them."""
    out = ctypes.create_string_buffer(len(text) + 40)
    if lib().raw_box_seal(private, peer, nonce or os.urandom(24), text, ctypes.c_size_t(len(text)), out) < 0:
        raise ValueError("no key")
    return out.raw


def box_open(private, peer, sealed):
    out = ctypes.create_string_buffer(max(len(sealed) - 40, 1))
    if len(sealed) < 40 or lib().raw_box_open(private, peer, sealed, ctypes.c_size_t(len(sealed)), out) < 0:
        raise ValueError("it does not open")
    return out.raw[:len(sealed) - 40]


def is_ready(s, events, seconds):
    """Like select, for any number of descriptors."""
    poll = select.poll()
    poll.register(s, events)
    return bool(poll.poll(max(0.0, seconds) * 1000))


class Closed(Exception):
    """The other side has ended the connection."""


class Conn:
    """One connection. to: (address, port), or the path of a unix socket. source: our own address. window: of bytes that the system
    takes in for us while we do not read; small, so that the other side notices soon."""

    def __init__(self, to, source=None, tls=False, window=4096, timeout=5.0, before=b"", name=None):
        self.sent = 0
        unix = isinstance(to, str)
        family = socket.AF_UNIX if unix else socket.AF_INET6 if ":" in to[0] else socket.AF_INET
        self.s = socket.socket(family, socket.SOCK_STREAM)
        if not unix:
            self.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
            self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if source:
                self.s.bind((source, 0))
        self.s.settimeout(timeout)
        try:
            self.s.connect(to)
            self.s.sendall(before)
            if tls:
                ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
                self.s = ctx.wrap_socket(self.s, server_hostname=name)
        except BaseException:
            self.s.close()
            raise
        self.s.settimeout(0)
        self.got = b""

    def push(self, data, stall=STALL):
        """Sends until all is sent, or nothing has been taken for so long. Bytes sent; Closed when the other side hung up."""
        at, view = 0, memoryview(data)
        while at < len(view):
            try:
                at += self.s.send(view[at:at + 262144])
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                if not is_ready(self.s, select.POLLOUT, stall):
                    break
            except (OSError, ssl.SSLError) as e:
                self.sent += at
                raise Closed(str(e)) from e
        self.sent += at
        return at

    def say(self, data, stall=STALL):
        """True unless it was closed or not all was taken."""
        try:
            return self.push(data, stall) == len(data)
        except Closed:
            return False

    def read(self, want=1, timeout=5.0):
        """At least so many bytes, what is there. Fewer at the end or when the time is up."""
        end = time.monotonic() + timeout
        while len(self.got) < want:
            left = end - time.monotonic()
            try:
                more = self.s.recv(262144)
                if not more:
                    break
                self.got += more
            except (BlockingIOError, ssl.SSLWantReadError):
                if left <= 0 or not is_ready(self.s, select.POLLIN, left):
                    break
            except (OSError, ssl.SSLError):
                break
        out, self.got = self.got, b""
        return out

    def until(self, mark, timeout=5.0):
        """What comes up to this mark; what came behind it is read next."""
        got, end = b"", time.monotonic() + timeout
        while mark not in got:
            more = self.read(1, max(0.0, end - time.monotonic()))
            if not more:
                raise Closed(f"no {mark!r} but {got[:200]!r}")
            got += more
        head, _, self.got = got.partition(mark)
        return head + mark

    def exactly(self, n, timeout=5.0):
        got = self.read(n, timeout)
        if len(got) < n:
            raise Closed(f"{len(got)} bytes of {n}")
        self.got = got[n:] + self.got
        return got[:n]

    def is_closed(self, wait=0.0):
        """Has the other side hung up? Reads what is there."""
        end = time.monotonic() + wait
        while True:
            try:
                if not self.s.recv(262144):
                    return True
                continue
            except (BlockingIOError, ssl.SSLWantReadError):
                pass
            except (OSError, ssl.SSLError):
                return True
            left = end - time.monotonic()
            if left <= 0 or not is_ready(self.s, select.POLLIN, left):
                return False

    def close(self):
        self.s.close()


def request(line, headers="", body=b"", host="x"):
    """Bytes of one HTTP/1 request."""
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    return f"{line} HTTP/1.1\r\nHost: {host}\r\n{headers}{length}\r\n".encode() + body


def hub_key(to, source=None):
    """The hub's public key, as any stranger gets it."""
    c = Conn(to, source, window=1 << 16)
    try:
        c.push(request("GET /key?v=148", "Connection: close\r\n"))
        text = c.until(b"}").decode()
    finally:
        c.close()
    return bytes.fromhex(json.loads(text[text.index("{"):])["publicKey"].removeprefix("mkey:"))


# HTTP/2

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS, ACK = 1, 4, 1
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
REQUEST = b"\x82\x84\x87"  # GET / https: the smallest one, 12 bytes with its frame's header


def frame(kind, flags, stream, payload=b"", length=None):
    """length: what its header says, if not the truth."""
    n = len(payload) if length is None else length
    return struct.pack(">I", n)[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _integer(value, prefix):
    top = (1 << prefix) - 1
    if value < top:
        return bytes([value])
    out, value = [top], value - top
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + [value])


def hpack(fields):
    """Header fields, each in full (never indexed)."""
    out = b""
    for name, value in fields:
        name, value = (x.encode() if isinstance(x, str) else x for x in (name, value))
        out += b"\x10" + _integer(len(name), 7) + name + _integer(len(value), 7) + value
    return out


def post(path, stream, body=None, end=True, more=()):
    """A POST as devices make it, one HEADERS frame and one DATA frame for each 16 KiB. body None: none yet."""
    head = hpack([(":method", "POST"), (":scheme", "https"), (":authority", "x"), (":path", path), *more])
    out = [frame(HEADERS, END_HEADERS | (END_STREAM if body is None and end else 0), stream, head)]
    for at in range(0, len(body or b""), 16384):
        part = body[at:at + 16384]
        out.append(frame(DATA, END_STREAM if end and at + 16384 >= len(body) else 0, stream, part))
    return b"".join(out)


_STATUS = {8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500}
_DIGITS = {"00000": "0", "00001": "1", "00010": "2", "011001": "3", "011010": "4", "011011": "5", "011100": "6", "011101": "7", "011110": "8",
           "011111": "9"}


def status_of(block):
    """:status of a header block that begins with it, as nghttp2 writes it; 0: of another one."""
    at = 0
    while at < len(block) and block[at] >> 5 == 1:  # the table's size
        at += 1
    if block[at:at + 1] and block[at] & 0x80:
        return _STATUS.get(block[at] & 0x7f, 0)
    value = block[at + 2:at + 2 + (block[at + 1] & 0x7f)] if len(block) > at + 1 else b""
    if not block[at + 1:at + 2] or not block[at + 1] & 0x80:
        return int(value) if value.isdigit() else 0
    bits, text = "".join(f"{b:08b}" for b in value), ""
    while len(text) < 3:
        code = next((c for c in _DIGITS if bits.startswith(c)), None)
        if code is None:
            return 0
        text, bits = text + _DIGITS[code], bits[len(code):]
    return int(text)


class Session(Conn):
    """ts2021: Noise, and inside it what you like; `push` and `read` are plaintext. hello: SETTINGS and the preface are sent."""

    def __init__(self, to, hub, source=None, tls=False, machine=None, window=4096, version=148, hello=True, before=b""):
        super().__init__(to, source, tls, window, before=before)
        self.noise, self.sealed, self.opened = None, b"", False
        try:
            self.open(hub, machine or os.urandom(32), version)
            if hello:
                self.push(PREFACE + frame(SETTINGS, 0, 0))
        except BaseException:
            self.close()
            raise

    def open(self, hub, machine, version):
        initiation = ctypes.create_string_buffer(101)
        self.noise = lib().raw_noise_new(machine, hub, version, initiation)
        handshake = base64.b64encode(initiation.raw).decode()
        self.push_sealed(request("POST /ts2021", "Upgrade: tailscale-control-protocol\r\nConnection: upgrade\r\nContent-Length: 0\r\n"
                             f"X-Tailscale-Handshake: {handshake}\r\n"))
        head = self.until(b"\r\n\r\n")
        if b" 101 " not in head[:20]:
            raise Closed(head.decode(errors="replace"))
        if lib().raw_noise_finish(ctypes.c_void_p(self.noise), self.exactly(51)) < 0:
            raise Closed("the hub's answer does not open")
        self.sealed, self.got, self.opened = self.got, b"", True

    def push_sealed(self, data, stall=STALL):
        """Bytes as they are: no record is made of them."""
        return super().push(data, stall)

    def seal(self, plain):
        n = ctypes.c_size_t()
        p = lib().raw_noise_seal(ctypes.c_void_p(self.noise), bytes(plain), ctypes.c_size_t(len(plain)), ctypes.byref(n))
        return ctypes.string_at(p, n.value)

    def push(self, plain, stall=STALL):
        """Bytes of records that were taken."""
        return self.push_sealed(self.seal(plain), stall)

    def say(self, plain, stall=STALL):
        sealed = self.seal(plain)
        try:
            return self.push_sealed(sealed, stall) == len(sealed)
        except Closed:
            return False

    def read(self, want=1, timeout=5.0):
        """Plaintext, the early payload first."""
        if not self.opened:
            return super().read(want, timeout)
        out, end = bytearray(), time.monotonic() + timeout
        room, used = ctypes.create_string_buffer(4096), ctypes.c_size_t()
        while len(out) < want:
            n = lib().raw_noise_open(ctypes.c_void_p(self.noise), self.sealed, ctypes.c_size_t(len(self.sealed)), room, ctypes.byref(used))
            if n >= 0:
                out += room.raw[:n]
                self.sealed = self.sealed[used.value:]
                continue
            more = super().read(1, max(0.0, end - time.monotonic())) if n == -1 else b""
            if not more:
                break
            self.sealed += more
        plain, self.got = self.got + bytes(out), b""
        return plain

    def frames(self, want=1, timeout=5.0):
        """[(type, flags, stream, payload)], the early payload skipped."""
        out, data, end = [], b"", time.monotonic() + timeout
        while len(out) < want:
            more = self.read(1, max(0.0, end - time.monotonic()))
            if not more:
                break
            data += more
            while len(data) >= 9:
                early = data.startswith(b"\xff\xff\xffTS")
                n = struct.unpack(">I", data[5:9] if early else b"\0" + data[:3])[0]
                if len(data) < 9 + n:
                    break
                if not early:
                    out.append((data[3], data[4], struct.unpack(">I", data[5:9])[0], data[9:9 + n]))
                data = data[9 + n:]
        self.got = data
        return out

    def answer(self, stream, timeout=5.0):
        """Type and payload of the first frame that answers this request (HEADERS, or RST_STREAM), or None."""
        end = time.monotonic() + timeout
        while (left := end - time.monotonic()) > 0:
            got = self.frames(1, left)
            if not got:
                return None
            for kind, _, of, payload in got:
                if of == stream and kind in (HEADERS, RST_STREAM):
                    return kind, payload
        return None

    def close(self):
        super().close()
        if self.noise:
            lib().raw_noise_free(ctypes.c_void_p(self.noise))
            self.noise = None


class Machine(Session):
    """A device by hand: requests of any content, one at a time, with a node key of its own."""

    def __init__(self, to, hub, source=None, **kw):
        self.node = os.urandom(32)
        self.node_key = "nodekey:" + public(self.node).hex()
        self.stream = -1
        super().__init__(to, hub, source, window=1 << 20, **kw)
        self.push(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0x7fffffff)) + frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 0x7ffeffff)))

    def begin(self, path, body):
        """Sends a request; its stream."""
        self.stream += 2
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.push(post(path, self.stream, text))
        return self.stream

    def ask(self, path, body, timeout=5.0):
        """(status, body); status 0: none came, -1: the stream was reset."""
        of, status, got, end = self.begin(path, body), 0, b"", time.monotonic() + timeout
        while (left := end - time.monotonic()) > 0:
            frames = self.frames(1, left)
            if not frames:
                break
            for kind, flags, stream, payload in frames:
                if stream != of:
                    continue
                if kind == RST_STREAM:
                    return -1, got
                if kind == HEADERS:
                    status = status_of(payload)
                got += payload if kind == DATA else b""
                if flags & END_STREAM and kind in (HEADERS, DATA):
                    return status, got
        return status, got

    def register(self, auth_key="", timeout=5.0, **fields):
        """(status, answer)"""
        status, body = self.ask("/machine/register", {"Version": 148, "NodeKey": self.node_key, "Hostinfo": {"OS": "linux", "Hostname": "m"},
                                                      **({"Auth": {"AuthKey": auth_key}} if auth_key else {}), **fields}, timeout)
        try:
            return status, json.loads(body)
        except ValueError:
            return status, body

    def update(self, timeout=5.0, **fields):
        """A lite update. (status, answer)"""
        return self.ask("/machine/map", {"Version": 148, "NodeKey": self.node_key, "OmitPeers": True, **fields}, timeout)

    def map(self, timeout=5.0, **fields):
        """One whole map, decoded."""
        status, body = self.ask("/machine/map", {"Version": 148, "NodeKey": self.node_key, "Compress": "", **fields}, timeout)
        return json.loads(body[4:]) if status == 200 else (status, body)


# DERP

SERVER_KEY, CLIENT_INFO, SERVER_INFO, SEND_PACKET, RECV_PACKET, KEEP_ALIVE, NOTE_PREFERRED, PEER_GONE = range(1, 9)
FORWARD_PACKET, WATCH_CONNS, CLOSE_PEER, DERP_PING, DERP_PONG = 0x0A, 0x10, 0x11, 0x12, 0x13


def derp_frame(kind, payload=b"", length=None):
    return struct.pack(">BI", kind, len(payload) if length is None else length) + payload


class Derp(Conn):
    """A relay's client, logged in with any node key. login=False: stops behind the relay's key. info: of the login, more than usual."""

    def __init__(self, to, private=None, source=None, tls=False, window=4096, login=True, info=None, before=b"", name=None):
        super().__init__(to, source, tls, window, before=before, name=name)
        self.private = private or os.urandom(32)
        self.key = public(self.private)
        try:
            self.push(request("GET /derp", "Upgrade: DERP\r\nConnection: Upgrade\r\n"))
            head = self.until(b"\r\n\r\n")
            if b" 101 " not in head[:20]:
                raise Closed(head.decode(errors="replace"))
            self.server = self.next()[1][8:40]
            if login:
                self.login(info or {})
        except BaseException:
            self.close()
            raise

    def login(self, info):
        text = json.dumps({"version": 2, "CanAckPings": True, "IsProber": False, **info}).encode()
        self.push(derp_frame(CLIENT_INFO, self.key + box_seal(self.private, self.server, text)))

    def next(self, timeout=5.0):
        """(type, payload) of the next frame."""
        kind, n = struct.unpack(">BI", self.exactly(5, timeout))
        return kind, self.exactly(n, timeout)

    def is_in(self, timeout=5.0):
        """Does the relay take the login?"""
        try:
            return self.next(timeout)[0] == SERVER_INFO
        except Closed:
            return False

    def packet(self, to, data):
        return derp_frame(SEND_PACKET, to + data)
