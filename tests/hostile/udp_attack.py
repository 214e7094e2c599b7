"""Datagrams of strangers: at a node's port, from a host of the same network, and at the STUN port of hub and relay."""
import os
import random
import socket
import struct
import time

from lib import HUB4, attack, in_ns

NODE = ("198.51.100.21", 41641)
STUN = bytes.fromhex("000100142112a4420102030405060708090a0b0c802200087461696c6e6f646580280004b32c370f")
DISCO = b"TS\xf0\x9f\x92\xac"


def stranger(p, n):
    import topologies
    host = topologies.public_host(p.lab, f"stranger{n}", n)
    return in_ns(host.ns, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))


def flood(p, make, seconds=1.5):
    """Bytes sent and heard."""
    s = stranger(p, 60 + len(p.lab.net.hosts))
    s.setblocking(False)
    sent = heard = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for d in [make() for _ in range(64)]:
            try:
                sent += s.sendto(d, NODE)
            except BlockingIOError:
                pass
        while True:
            try:
                heard += len(s.recv(65536))
            except OSError:
                break
    s.close()
    return sent, heard


def quiet(p, make):
    sent, heard = flood(p, make)
    p.expect("strangers hear no more than they send", heard <= sent, (heard, sent))
    p.expect("strangers are not answered", heard == 0, f"{heard} bytes for {sent}")


ANSWER = b"\1\1\0\x0c\x21\x12\xa4\x42" + bytes(12) + b"\0\x20\0\x08\0\1" + bytes(6)


@attack("WireGuard initiations, responses, cookies and data of random bytes, as fast as they go", target="node")
def udp_wireguard(p):
    kinds = [lambda: b"\2\0\0\0" + os.urandom(88), lambda: b"\3\0\0\0" + os.urandom(60), lambda: b"\4\0\0\0" + os.urandom(1200),
             lambda: b"\4\0\0\0" + os.urandom(28)]
    quiet(p, lambda: b"\1\0\0\0" + os.urandom(144))
    quiet(p, lambda: random.choice(kinds)())


@attack("disco of ever new keys and of no length, STUN requests and answers, Geneve, empty and 64 KB datagrams", target="node")
def udp_others(p):
    key = os.urandom(32)
    disco = [lambda: DISCO + os.urandom(32 + 24 + 60), lambda: DISCO + key + os.urandom(24 + 60), lambda: DISCO, lambda: DISCO + os.urandom(60)]
    others = [lambda: STUN, lambda: ANSWER, lambda: b"\0\0\x7a\x11" + os.urandom(60), lambda: b"", lambda: os.urandom(60000), lambda: os.urandom(3)]
    quiet(p, lambda: random.choice(disco)())
    quiet(p, lambda: random.choice(others)())


def stun_flood(p):
    s = p.keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    s.bind((p.source(0), 0))
    s.connect((HUB4, 3478))
    s.setblocking(False)
    end, sent, heard = time.monotonic() + 1.5, 0, 0
    odd = [STUN, STUN[:30], STUN + bytes(1000), os.urandom(40), b"", struct.pack(">HH", 1, 0xFFFF) + STUN[4:]]
    while time.monotonic() < end:
        for d in odd * 10:
            try:
                sent += s.send(d)
            except OSError:
                pass
        try:
            while True:
                heard += len(s.recv(65536))
        except OSError:
            pass
    p.expect("STUN answers with less than it got", 0 < heard < sent, (heard, sent))


@attack("STUN requests, whole, cut, long and random, as fast as they go")
def stun_at_hub(p):
    stun_flood(p)


@attack("the same at a relay", target="relay")
def stun_at_relay(p):
    stun_flood(p)
