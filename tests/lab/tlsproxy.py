#!/usr/bin/env python3
"""A proxy that ends TLS and passes bytes on, for labs: no nginx needed, and nothing of HTTP is touched.

    tlsproxy.py LISTEN-ADDR:PORT TO-ADDR:PORT CERT KEY
"""
import socket
import ssl
import sys
import threading

BUFFER = 65536


def address(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


def pass_on(a, b):
    try:
        while data := a.recv(BUFFER):
            b.sendall(data)
    except OSError:
        pass
    for s in a, b:
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def serve(plain, ctx, to):
    try:
        client, server = ctx.wrap_socket(plain, server_side=True), socket.create_connection(to)
    except OSError:
        plain.close()
        return
    threading.Thread(target=pass_on, args=(server, client), daemon=True).start()
    pass_on(client, server)


def main():
    listen, to, cert, key = sys.argv[1:]
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.load_cert_chain(cert, key)
    with socket.create_server(address(listen)) as s:
        print("ready", flush=True)
        while True:
            threading.Thread(target=serve, args=(s.accept()[0], ctx, address(to)), daemon=True).start()


main()
