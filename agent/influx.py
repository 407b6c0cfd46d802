"""The InfluxDB an address stands for, to read from."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from pipelines.errors import ConfigError
from pipelines.secret import read_secret
from viewer.stores.influx import InfluxStore


def influx_store(url: str, user: str | None = None, password_file: Path | None = None) -> InfluxStore:
    """A store to read from; `?db=NAME`, or `?bucket=NAME` with the token from the file or `INFLUX_TOKEN`.

    Raises:
        ConfigError: the URL names neither.
    """
    parts = urlsplit(url)
    query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    secret = read_secret(password_file) if password_file else ""
    base = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
    if "db" in query:
        return InfluxStore(base, query["db"], username=user, password=secret)
    if "bucket" in query:
        return InfluxStore(base, query["bucket"], token=secret or os.environ.get("INFLUX_TOKEN", ""))
    raise ConfigError(None, None, "--influx: say ?db=NAME for InfluxDB 1.x or ?org=NAME&bucket=NAME for 2.x and 3.x")
