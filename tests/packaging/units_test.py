#!/usr/bin/env python3
"""systemd reads our units, and the drop-ins that the documents show, without a complaint.

    units_test.py UNIT=PROGRAM ...      UNIT: a built .service file; PROGRAM: what it starts, as built

Prints TAP."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))
from examples import example  # noqa: E402
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "helpers"))
from tap import check, results  # noqa: E402

DROP_INS = ("/etc/systemd/system/warren-hub.service.d/tls.conf", "/etc/systemd/system/warren-hub.service.d/credentials.conf")


def complaints(unit, program, drop_in=None):
    """What systemd-analyze says of the unit, alone or with a drop-in."""
    with tempfile.TemporaryDirectory() as d:
        name = os.path.basename(unit)
        with open(unit) as f:
            text = re.sub(rf"^(Exec\w+=-?)\S*/{name[:-8]}\b", rf"\g<1>{os.path.abspath(program)}", f.read(), flags=re.M)
        with open(os.path.join(d, name), "w") as f:
            f.write(text)
        if drop_in:
            os.mkdir(os.path.join(d, name + ".d"))
            with open(os.path.join(d, name + ".d", "10-it.conf"), "w") as f:
                f.write(drop_in)
        r = subprocess.run(["systemd-analyze", "verify", "--man=no", os.path.join(d, name)], capture_output=True, text=True, timeout=60,
                           env={**os.environ, "SYSTEMD_UNIT_PATH": d + ":"})
        return "" if r.returncode == 0 and not r.stderr else f"status {r.returncode}: {r.stderr}"


def main():
    units = dict(a.split("=", 1) for a in sys.argv[1:])
    if not shutil.which("systemd-analyze"):
        print("1..0 # SKIP no systemd-analyze here")
        return 0
    for unit, program in units.items():
        said = complaints(unit, program)
        check(f"{os.path.basename(unit)} is without a fault", not said, said)
        with open(unit) as f:
            check(f"{os.path.basename(unit)} is reloaded by SIGHUP", re.search(r"^ExecReload=\S*kill -HUP \$MAINPID$", f.read(), re.M))
    hub = next(u for u in units if u.endswith("warren-hub.service"))
    for path in DROP_INS:
        said = complaints(hub, units[hub], example(path))
        check(f"the documents' {os.path.basename(path)} is without a fault", not said, said)
    check("a faulty one would be seen", "NoSuchSetting" in complaints(hub, units[hub], "[Service]\nNoSuchSetting=1\n"))
    print(f"1..{len(results)}")
    return 0 if all(results) else 1


sys.exit(main())
