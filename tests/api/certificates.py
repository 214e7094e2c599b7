"""A certificate authority for tests: certificates for any name and time, by openssl."""
import os
import subprocess

CONFIG = """[ca]
default_ca = it
[it]
dir = {dir}
database = {dir}/index
new_certs_dir = {dir}
rand_serial = yes
default_md = sha256
policy = any
copy_extensions = copy
unique_subject = no
[any]
commonName = supplied
"""


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, capture_output=True)


class CA:
    def __init__(self, directory):
        self.dir = directory
        os.makedirs(directory, exist_ok=True)
        self.cert, self.key, self.config = (os.path.join(directory, f) for f in ("ca.pem", "ca.key", "ca.cnf"))
        with open(self.config, "w") as f:
            f.write(CONFIG.format(dir=directory))
        open(os.path.join(directory, "index"), "w").close()
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=test", "-days", "9",
                "-keyout", self.key, "-out", self.cert)
        self.n = 0

    def issue(self, name, begin="20200101000000Z", end="20990101000000Z"):
        """Paths of a certificate for a host name or address, and of its key."""
        self.n += 1
        base = os.path.join(self.dir, f"{self.n}")
        kind = "IP" if name.replace(".", "").isdigit() or ":" in name else "DNS"
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=x", "-addext",
                f"subjectAltName={kind}:{name}", "-keyout", base + ".key", "-out", base + ".csr")
        openssl("ca", "-batch", "-notext", "-config", self.config, "-cert", self.cert, "-keyfile", self.key, "-startdate", begin, "-enddate", end,
                "-in", base + ".csr", "-out", base + ".pem")
        return base + ".pem", base + ".key"
