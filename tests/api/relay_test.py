#!/usr/bin/env python3
"""warren-relay as a process: hostile bytes at every listener, and it still serves; its key survives a restart.

Usage: relay_test.py PATH-OF-WARREN-RELAY. Prints TAP."""
import os, random, signal, socket, stat, subprocess, sys, tempfile
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
from ports import own_port  # noqa: E402
from tap import check, results  # noqa: E402

STUN_REQUEST = bytes.fromhex("000100142112a4420102030405060708090a0b0c802200087461696c6e6f646580280004b32c370f")
UPGRADE = b"GET /derp HTTP/1.1\r\nHost: x\r\nUpgrade: DERP\r\nConnection: Upgrade\r\n\r\n"
UPGRADE_ANSWER = (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: DERP\r\nConnection: Upgrade\r\nDerp-Version: 2\r\n"
                  b"Derp-Public-Key: ")
running = None


def start(binary, state, tcp, udp):
    global running
    p = running = subprocess.Popen([binary, "--plain", "--listen", f"127.0.0.1:{tcp}", "--stun", f"127.0.0.1:{udp}",
                          "--state-dir", state], stdout=subprocess.PIPE)
    assert p.stdout.readline() == b"warren-relay: ready\n"
    return p


def stop(p):
    p.send_signal(signal.SIGTERM)
    return p.wait(10)


def exchange(port, data, want=1):
    """What the relay says to these bytes, until it has said `want` bytes, closed, or been silent for a while."""
    got = b""
    with socket.create_connection(("127.0.0.1", port), 5) as s:
        s.settimeout(0.5 if want == 1 else 5)
        try:
            s.sendall(data)
            while len(got) < want:
                more = s.recv(4096)
                if not more:
                    break
                got += more
        except OSError:
            pass
    return got


def status(port, request):
    return exchange(port, request.encode() + b" HTTP/1.1\r\nHost: x\r\n\r\n", 12)[9:12]


def server_key(port):
    # The key comes behind the head, perhaps in a segment of its own.
    head_len = len(UPGRADE_ANSWER) + 64 + 4
    return exchange(port, UPGRADE, head_len + 45)[head_len + 13:]


def ask_stun(s):
    """The first answer. Asks again, as clients do: a flood before may have filled the socket's buffer."""
    for _ in range(10):
        s.send(STUN_REQUEST)
        try:
            return s.recv(100)
        except TimeoutError:
            pass
    return b""


def hostile(rng):
    yield b"\0" * 20000
    yield b"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
    yield b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 5000
    yield b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n"
    yield UPGRADE + b"\x02\xff\xff\xff\xff"
    yield UPGRADE + b"\x02\x00\x00\x00\x60" + bytes(96)
    for _ in range(40):
        yield rng.choice([b"", UPGRADE, b"GET "]) + rng.randbytes(rng.randrange(1, 3000)) + b"\r\n\r\n"


def main():
    rng = random.Random(1)
    tcp, udp = own_port(), own_port()
    with tempfile.TemporaryDirectory() as state:
        p = start(sys.argv[1], state, tcp, udp)
        check("pages answer with the status of the original", [status(tcp, r) for r in (
            "GET /", "HEAD /derp/probe", "GET /derp/latency-check", "POST /derp/probe", "GET /derp", "GET /generate_204",
        )] == [b"200", b"200", b"200", b"405", b"426", b"204"])
        check("/metrics counts", b"\nwarren_relay_accepted_total 0\n" in exchange(tcp, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 4000))
        key = server_key(tcp)
        check("upgrade is followed by the relay's key", len(key) == 32)
        for data in hostile(rng):
            exchange(tcp, data)
        check("relay lives after hostile bytes over TCP", p.poll() is None and server_key(tcp) == key)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.5)
            s.connect(("127.0.0.1", udp))
            for i in range(500):
                s.send(STUN_REQUEST[:i % 40] + rng.randbytes(rng.randrange(100)))
            answer = ask_stun(s)
            check("STUN answers only the real request", answer[:4] == b"\x01\x01\x00\x0c" and
                  answer[26:28] == (s.getsockname()[1] ^ 0x2112).to_bytes(2, "big"))
        path = os.path.join(state, "relay.key")
        check("key file is for its owner only", stat.S_IMODE(os.stat(path).st_mode) == 0o600)
        check("SIGTERM ends it with status 0", stop(p) == 0)
        p = start(sys.argv[1], state, tcp, udp)
        check("key is the same after a restart", server_key(tcp) == key)
        stop(p)
    print(f"1..{len(results)}")
    return 0 if all(results) else 1


try:
    code = main()
finally:
    if running and running.poll() is None:  # a failed check must not leave it behind
        running.kill()
sys.exit(code)
