"""InfluxDB: `/write` for 1.x, `/api/v2/write` for 2.x and 3.x.

One database or bucket per company when its name holds `{company}`, else one for all.
"""

from __future__ import annotations

import asyncio
import os
from abc import abstractmethod
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlencode, urlsplit

import urllib3
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

from pipelines.errors import ConfigError, RecordRejected, SinkUnavailable
from pipelines.secret import read_secret
from pipelines.sinks.base import Sink

_REFUSED: Final = {400, 413, 422}
_TIMEOUT_S: Final = 30.0


class _InfluxSink(Sink):
    """What both versions share: a blocking request in a worker thread, and answers turned into errors."""

    def __init__(self, url: str, database: str) -> None:
        self.name = url
        self._database = database

    async def write(self, company: str, body: bytes) -> None:
        """Store line protocol; returns once the server has it.

        Raises:
            SinkUnavailable: unreachable, overloaded, or credentials refused: keep and send again.
            RecordRejected: the server refuses something in the body.
        """
        await asyncio.to_thread(self._write, self._database.format(company=company), body)

    @abstractmethod
    def _write(self, database: str, body: bytes) -> None:
        """The blocking request."""

    def _answer(self, status: int, reason: str, retry_after: str | None) -> None:
        """Nothing for a success, else the error an HTTP answer stands for."""
        if status < 300:  # noqa: PLR2004 - HTTP success
            return
        if status in _REFUSED:
            raise RecordRejected(self.name, reason)
        if status in {401, 403}:
            raise SinkUnavailable(self.name, f"credentials refused ({status}): {reason}")
        wait_s = float(retry_after) if retry_after and retry_after.isdigit() else None
        raise SinkUnavailable(self.name, f"HTTP {status}: {reason}", wait_s)


class InfluxV1Sink(_InfluxSink):
    """InfluxDB 1.x.

    Args:
        url: `http://host:port`, without secrets.
        database: name, may hold `{company}`; created when it does not exist and the user may.
        user: user name, or None.
        password: its password.
        ca_file: PEM of the authorities to trust for https; default: the system's.
    """

    def __init__(
        self, url: str, database: str, user: str | None = None, password: str = "", ca_file: Path | None = None
    ) -> None:
        super().__init__(url, database)
        headers = urllib3.make_headers(basic_auth=f"{user}:{password}") if user else {}
        self._http = urllib3.PoolManager(headers=headers, timeout=_TIMEOUT_S, retries=False, ca_certs=_text(ca_file))

    def _write(self, database: str, body: bytes) -> None:
        answer = self._post("/write", {"db": database, "precision": "ns"}, body)
        if answer.status == 404 and b"database not found" in answer.data:  # noqa: PLR2004 - HTTP not found
            made = self._post("/query", {"q": f'CREATE DATABASE "{database}"'}, b"")
            if made.status >= 300:  # noqa: PLR2004 - HTTP success
                reason = f"database {database} does not exist and this user may not create it"
                raise SinkUnavailable(self.name, reason)
            answer = self._post("/write", {"db": database, "precision": "ns"}, body)
        self._answer(answer.status, _reason(answer.data), answer.headers.get("Retry-After"))

    def _post(self, path: str, fields: dict[str, str], body: bytes) -> urllib3.BaseHTTPResponse:
        try:
            return self._http.request("POST", f"{self.name}{path}?{urlencode(fields)}", body=body)
        except urllib3.exceptions.HTTPError as error:
            raise SinkUnavailable(self.name, str(error)) from error

    async def close(self) -> None:
        """Close idle connections."""
        self._http.clear()


class InfluxV2Sink(_InfluxSink):
    """InfluxDB 2.x and 3.x through influxdb-client.

    Args:
        url: `http://host:port`, without secrets.
        org: organisation.
        bucket: name, may hold `{company}`.
        token: API token.
        ca_file: PEM of the authorities to trust for https; default: the system's.
    """

    def __init__(self, url: str, org: str, bucket: str, token: str, ca_file: Path | None = None) -> None:
        super().__init__(url, bucket)
        self._client = InfluxDBClient(
            url, token, org=org, timeout=round(_TIMEOUT_S * 1000), retries=False, ssl_ca_cert=_text(ca_file)
        )
        self._api = self._client.write_api(write_options=SYNCHRONOUS)

    def _write(self, database: str, body: bytes) -> None:
        try:
            self._api.write(database, record=body, write_precision="ns")  # type: ignore[arg-type]
        except ApiException as error:
            headers: dict[str, str] = dict(error.headers or {})
            self._answer(error.status or 500, _reason(error.body or b""), headers.get("Retry-After"))
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise SinkUnavailable(self.name, str(error)) from error

    async def close(self) -> None:
        """Close the client."""
        self._client.close()  # type: ignore[no-untyped-call]


def influx_sink(
    url: str, user: str | None = None, password_file: Path | None = None, ca_file: Path | None = None
) -> Sink:
    """The sink an URL stands for: `http://host:8086?db=NAME` (1.x) or `?org=NAME&bucket=NAME` (2.x, 3.x).

    The token of 2.x and 3.x comes from `password_file` or the environment variable `INFLUX_TOKEN`.

    Raises:
        ConfigError: the URL names neither a database nor a bucket, or holds a secret.
    """
    parts = urlsplit(url)
    query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigError(None, None, f"--influx {parts.scheme or '?'}://…: expected http:// or https:// and a host")
    if parts.password or parts.username or query.keys() & {"p", "password", "token"}:
        raise ConfigError(None, None, "--influx: no secrets in the URL; use --influx-user and --influx-password-file")
    base = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
    secret = read_secret(password_file) if password_file else ""
    if "db" in query:
        return InfluxV1Sink(base, query["db"], user, secret, ca_file)
    if "bucket" in query:
        token = secret or os.environ.get("INFLUX_TOKEN", "")
        return InfluxV2Sink(base, query.get("org", ""), query["bucket"], token, ca_file)
    raise ConfigError(None, None, "--influx: say ?db=NAME for InfluxDB 1.x or ?org=NAME&bucket=NAME for 2.x and 3.x")


def _reason(body: bytes | str) -> str:
    text = body.decode(errors="replace") if isinstance(body, bytes) else body
    return text.strip()[:1000]


def _text(path: Path | None) -> str | None:
    return str(path) if path else None
