"""What an InfluxDB address on the command line says; secrets never stand in it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from pipelines.errors import ConfigError
from pipelines.secret import read_secret


@dataclass(frozen=True, slots=True)
class InfluxAddress:
    """What `http://host:8086?db=NAME` or `?org=NAME&bucket=NAME` says.

    Attributes:
        url: without the query.
        database: of 1.x; empty for 2.x and 3.x.
        org: of 2.x and 3.x.
        bucket: of 2.x and 3.x; empty for 1.x.
    """

    url: str
    database: str
    org: str
    bucket: str

    @classmethod
    def parse(cls, url: str) -> InfluxAddress:
        """The parts of an address.

        Raises:
            ConfigError: it names neither a database nor a bucket, or holds a secret.
        """
        parts = urlsplit(url)
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        if parts.password or parts.username or query.keys() & {"u", "p", "password", "token"}:
            raise ConfigError(
                None, None, "--influx: no user and no secret in the URL; use --influx-user and --influx-password-file"
            )
        try:
            fit = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
        except ValueError:
            fit = False
        if not fit:
            raise ConfigError(None, None, f"--influx {url}: expected http://host:port or https://host:port")
        if not query.get("db") and not query.get("bucket"):
            reason = "--influx: say ?db=NAME for InfluxDB 1.x or ?org=NAME&bucket=NAME for 2.x and 3.x"
            raise ConfigError(None, None, reason)
        base = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
        return cls(base, query.get("db", ""), query.get("org", ""), query.get("bucket", ""))


def influx_token(password_file: Path | None) -> str:
    """The token of 2.x and 3.x: from the file, or the environment variable `INFLUX_TOKEN`.

    Raises:
        ConfigError: there is none.
    """
    token = read_secret(password_file) if password_file else os.environ.get("INFLUX_TOKEN", "").strip()
    if not token:
        raise ConfigError(None, None, "--influx ?bucket=…: needs a token; use --influx-password-file or INFLUX_TOKEN")
    return token
