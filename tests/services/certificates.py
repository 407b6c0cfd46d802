"""Certificates for tests: the product's own authority, with files called as the tests want them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from agent.soak import certificates
from agent.soak.certificates import Pair
from tests.services.ports import HOST


class Authority(certificates.Authority):
    """Its own certificate is `file`, in `folder` like all that it signs."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        super().__init__(folder / f"{name}.pem", name)
        self._folder = folder

    def pair(self, name: str, *hosts: str, first_day: int = -1, last_day: int = 10) -> Pair:
        """A certificate for `hosts` (names or addresses), valid from day to day counted from now."""
        files = Pair(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        return self.sign(files, name, hosts, (dt.timedelta(days=first_day), dt.timedelta(days=last_day)))


def make_certificates(folder: Path) -> None:
    """A CA, a server certificate for 127.0.0.1 and localhost, and a client certificate: `ca.crt`, `server.crt`, …."""
    authority = certificates.Authority(folder / "ca.crt", "shopfloor test CA")
    for file, name, hosts in (("server", "localhost", ("localhost", HOST)), ("client", "client", ())):
        authority.sign(Pair(folder / f"{file}.crt", folder / f"{file}.key"), name, hosts)
