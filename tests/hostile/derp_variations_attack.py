"""DERP: keys, frames and queues in other shapes, at a relay that stands alone and at the hub's."""
import os

from lib import attack, many


@attack("200 clients that fill each other's queues from 200 networks, nothing read", target="relay")
def derp_unread_many(p):
    clients = []
    many(200, lambda i: clients.append(p.derp(p.source6(i))))
    for i, c in enumerate(clients):
        to = clients[(i + 1) % len(clients)]
        c.say(b"".join(c.packet(to.key, bytes(60000)) for _ in range(40)), 0.02)
    p.hold(1)


@attack("packets to 20,000 keys that are not here, from one client that reads nothing", target="relay")
def derp_nobody(p):
    c = p.derp()
    for _ in range(20):
        if not c.say(b"".join(c.packet(os.urandom(32), b"x" * 40) for _ in range(1000))):
            break
    p.hold(1)


@attack("strangers at the hub's relay: 1000 logins, and packets of 60 KB between them")
def derp_at_hub(p):
    clients = []
    many(1000, lambda i: clients.append(p.derp(p.source(i % 100))))
    for a, b in zip(clients[:200], clients[1:]):
        a.say(b"".join(a.packet(b.key, bytes(60000)) for _ in range(10)), 0.02)
    p.hold(1)


@attack("members at the hub's relay: 30 that fill each other's queues and don't read")
def derp_members(p):
    key, clients = p.auth_key(), []
    for i in range(30):
        m = p.machine(p.source(i))
        if m.register(key)[0] == 200:
            clients.append(p.derp(p.source(i), private=m.node))
    p.expect("members are let in", len(clients) == 30)
    for i, c in enumerate(clients):
        c.say(b"".join(c.packet(clients[(i + 1) % len(clients)].key, bytes(60000)) for _ in range(60)), 0.02)
    p.hold(1.5)


@attack("the relay's TLS port: 1000 DERP logins, 50 clients that are sent to and don't read", target="relay", tls=True)
def derp_tls(p):
    clients = []
    many(1000, lambda i: clients.append(p.derp(p.source(i % 50), tls=True)))
    for c in clients[1:51]:
        clients[0].say(b"".join(clients[0].packet(c.key, bytes(60000)) for _ in range(40)), 0.02)
    p.hold(1)
