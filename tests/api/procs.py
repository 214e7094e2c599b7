"""Any program as a process with its log, and one HTTP request as it goes over the wire; beside hub_process."""
import os
import signal
import socket
import ssl
import subprocess

from hub_process import children


class Program:
    """Started, and ready when it has printed that line. Its stderr is in a file."""

    def __init__(self, directory, argv, ready, **kw):
        os.makedirs(directory, exist_ok=True)
        self.log = os.path.join(directory, "log")
        with open(self.log, "ab") as log:
            self.p = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=log, text=True, **kw)
        children.append(self.p)
        if ready not in iter(self.p.stdout.readline, ""):
            raise RuntimeError(f"ended before it was ready: {self.said()}")

    def said(self):
        with open(self.log, errors="replace") as f:
            return f.read()

    def stop(self, sig=signal.SIGTERM):
        self.p.send_signal(sig)
        return self.p.wait(20)


def unverified():
    ctx = ssl.create_default_context()
    ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
    return ctx


def ask(port, request, headers="", source="127.0.0.1", before=b"", tls=False, timeout=10):
    """Status and body of one request on a fresh connection from this address; before: bytes in front of it all. (0, "") if none."""
    with socket.create_connection(("127.0.0.1", port), timeout, (source, 0)) as s:
        try:
            s.sendall(before)
            if tls:
                s = unverified().wrap_socket(s)
            s.sendall(f"{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n".encode())
            got = b""
            while more := s.recv(65536):
                got += more
        except OSError:
            return 0, ""
        head, _, body = got.decode(errors="replace").partition("\r\n\r\n")
        return (int(head[9:12]) if head else 0), body
