#!/usr/bin/env python3
"""The least of DNS that tests need: one question by UDP, and a server that has one address for every name.

    smalldns.py ask SERVER NAME [TYPE]     prints the answer's code and its addresses: "0 203.0.113.7", "3", or "silent"
    smalldns.py serve ADDRESS ANSWER       answers A questions at ADDRESS port 53 with ANSWER, all others with nothing; a label "all-nx",
                                           "all-servfail" or "all-refused" in the name is that code
"""
import ipaddress
import os
import socket
import struct
import sys

TYPES = {"A": 1, "AAAA": 28}
CODES = {b"\6all-nx": 3, b"\x0call-servfail": 2, b"\x0ball-refused": 5}


def name_bytes(name):
    return b"".join(bytes([len(part)]) + part.encode() for part in name.rstrip(".").split(".") if part) + b"\0"


def skip_name(data, at):
    while data[at]:
        if data[at] & 0xc0 == 0xc0:
            return at + 2
        at += data[at] + 1
    return at + 1


def ask(server, name, kind="A", timeout=2.0):
    """(rcode, [address]), or None: nobody answered."""
    number = os.urandom(2)
    with socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(timeout)
        s.connect((server, 53))
        try:
            s.send(number + struct.pack(">HHHHH", 0x100, 1, 0, 0, 0) + name_bytes(name) + struct.pack(">HH", TYPES[kind], 1))
            data = s.recv(4096)
        except OSError:
            return None
    if data[:2] != number:
        return None
    flags, n_questions, n_answers = struct.unpack(">HHH", data[2:8])
    at, found = 12, []
    for _ in range(n_questions):
        at = skip_name(data, at) + 4
    for _ in range(n_answers):
        at = skip_name(data, at)
        got, _, _, length = struct.unpack(">HHIH", data[at:at + 10])
        at += 10
        if got in TYPES.values():
            found.append(str(ipaddress.ip_address(data[at:at + length])))
        at += length
    return flags & 15, found


def serve(address, answer):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((address, 53))
    while True:
        data, who = s.recvfrom(4096)
        end = skip_name(data, 12) + 4
        code = next((n for label, n in CODES.items() if label in data[12:end].lower()), 0)
        is_a = struct.unpack(">H", data[end - 4:end - 2])[0] == 1 and not code
        head = data[:2] + struct.pack(">HHHHH", data[2] << 8 & 0x7900 | 0x8080 | code, 1, int(is_a), 0, 0)
        record = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 1, 4) + socket.inet_aton(answer) if is_a else b""
        s.sendto(head + data[12:end] + record, who)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(*sys.argv[2:4])
    got = ask(*sys.argv[2:])
    print("silent" if got is None else " ".join([str(got[0]), *got[1]]))
