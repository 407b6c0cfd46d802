"""The broker's access list as deploy/ ships it, with sites that add-site.sh added by the real mosquitto_passwd."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

from tests.services.mosquitto import binary

_SHIPPED: Final = Path(__file__).parents[2] / "deploy/mosquitto"


def shipped_acl(folder: Path, *users: str) -> str:
    """`shopfloor.acl` with these users, each COMPANY.SITE; written to `folder` too, as `acl` and `passwd`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "acl").write_text((_SHIPPED / "shopfloor.acl").read_text())
    for user in users:
        add_site(folder, user, check=True)
    return (folder / "acl").read_text()


def add_site(folder: Path, user: str, *, check: bool) -> subprocess.CompletedProcess[str]:
    """Run add-site.sh on the files of `folder`."""
    fake = folder / "bin"  # mosquitto_passwd reads the password from the terminal: answer with -b instead
    fake.mkdir(exist_ok=True)
    real = binary("mosquitto_passwd", "mosquitto")
    (fake / "mosquitto_passwd").write_text(f'#!/bin/sh\nexec {real} -b "$1" "$2" secret\n')
    (fake / "mosquitto_passwd").chmod(0o755)
    environment = os.environ | {
        "ACL": str(folder / "acl"),
        "PASSWD": str(folder / "passwd"),
        "PATH": f"{fake}:{os.environ['PATH']}",
    }
    script = str(_SHIPPED / "add-site.sh")
    return subprocess.run(
        [script, *user.split(".")], env=environment, check=check, capture_output=True, text=True, timeout=30
    )
