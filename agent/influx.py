"""The InfluxDB an address stands for, to read from."""

from __future__ import annotations

from pathlib import Path

from pipelines.secret import read_secret
from pipelines.sinks.influx_address import InfluxAddress, influx_token
from viewer.stores.influx import InfluxStore


def influx_store(
    url: str, user: str | None = None, password_file: Path | None = None, company: str = ""
) -> InfluxStore:
    """A store to read from; `?db=NAME`, or `?bucket=NAME` with the token from the file or `INFLUX_TOKEN`.

    Args:
        url: its address; `{company}` in the name of the database or bucket stands for the company's.
        user: of 1.x.
        password_file: its password, or the token.
        company: whose.

    Raises:
        ConfigError: the URL names neither, or holds a secret.
    """
    address = InfluxAddress.parse(url)
    if address.database:
        secret = read_secret(password_file) if password_file else ""
        return InfluxStore(address.url, address.database.replace("{company}", company), username=user, password=secret)
    return InfluxStore(address.url, address.bucket.replace("{company}", company), token=influx_token(password_file))
