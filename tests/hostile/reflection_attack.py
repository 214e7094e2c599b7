"""A member with valid keys makes a node send to somebody else, by the source of its packets."""
from lib import attack


@attack("handshakes and pings in a stranger's name, during a download through the relay", target="node")
def forged_source(p):
    import topologies
    from forging import FACTOR, Download, count, forge, watch
    from nodes import WarrenNode, wait_for
    node = p.node.host
    at = "198.51.100.21"
    evil_host, stranger = (topologies.public_host(p.lab, name, n) for name, n in (("evil", 23), ("stranger", 99)))
    forge(evil_host, at, disco=True)
    watch(stranger, at)
    evil = WarrenNode(evil_host, "evil").start()
    try:
        evil.up(p.lab_hub.url, p.lab_hub.auth_key())
        download = p.keep(Download(node, p.node.ip(), evil_host))
        wait_for("the download begins", download.bytes, 15)
        p.hold(4)
        got, sent = count(stranger, "watch", "got")["bytes"], count(evil_host, "forge", "sent")["bytes"]
        p.expect("packets were sent in the stranger's name", sent > 0)
        p.expect("the stranger gets at most three times of it", got <= FACTOR * sent, f"{got} bytes for {sent}")
        download.close()
    finally:
        evil.close()
