"""InfluxDB: `/write` for 1.x, `/api/v2/write` for 2.x and 3.x (docs/decisions/0008).

One database or bucket per company when its name holds `{company}`, else one for all.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from abc import abstractmethod
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn
from urllib.parse import urlencode

import structlog
import urllib3
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

from pipelines.clock import clock_from_environment
from pipelines.errors import ConfigError, RecordRejected, RecordTooLarge, SinkUnavailable
from pipelines.secret import read_secret
from pipelines.sinks.base import Sink
from pipelines.sinks.influx_address import InfluxAddress, influx_token
from pipelines.sinks.influx_http import Deadline, deadline, wait_s, with_deadlines
from pipelines.sinks.influxql import InfluxQl, authorization
from pipelines.sinks.touched import marks, touch_of

_OK: Final = range(200, 300)
_TOO_LARGE: Final = 413
_REFUSED: Final = {400, 422}
_UNTRUSTED: Final = {401, 403}
_NOT_FOUND: Final = 404
_TIMEOUT_S: Final = 30.0
_WHOLE: Final = 1.5
"""Time-outs that a whole answer may take, however often a piece of it comes."""
_AT_ONCE: Final = 16
"""Requests at the same time: each has a thread while it waits for its answer."""
_REASON_CHARS: Final = 400
log = structlog.get_logger()


class InfluxSink(Sink):
    """What both versions share: a blocking request in a worker thread, and answers turned into errors."""

    def __init__(self, url: str, database: str, ca_file: Path | None, timeout_s: float) -> None:
        self.name = url
        self._database = database
        self._timeout_s = timeout_s
        ca_certs = str(ca_file) if ca_file else None
        self._http = with_deadlines(urllib3.PoolManager(timeout=timeout_s, retries=False, ca_certs=ca_certs))
        self.databases = set() if "{company}" in database else {database}
        self._known = False
        self._marking = True
        self._clock = clock_from_environment()
        self._under_way: set[Deadline] = set()
        self._free = asyncio.Semaphore(_AT_ONCE)
        self._workers = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="influx")

    async def write(self, company: str, body: bytes) -> None:
        """Store line protocol, and mark the hours it touches; returns once the server has both.

        Raises:
            SinkUnavailable: unreachable, overloaded, or credentials refused: keep and send again.
            RecordRejected: the server refuses something in the body.
        """
        database = self._database.replace("{company}", company)
        try:
            async with asyncio.timeout(2 * self._timeout_s):
                await self._free.acquire()
        except TimeoutError:
            raise SinkUnavailable(self.name, f"{_AT_ONCE} requests wait for an answer; is it overloaded?") from None
        try:
            await asyncio.get_running_loop().run_in_executor(self._workers, self._request, database, body)
        finally:
            self._free.release()

    async def close(self) -> None:
        """Cut what is under way and close idle connections."""
        for limit in tuple(self._under_way):
            limit.cut()
        self._workers.shutdown(wait=False)
        self._http.clear()

    @abstractmethod
    def asking(self) -> InfluxQl:
        """The same server, to ask as the same user."""

    @abstractmethod
    def _write(self, database: str, body: bytes) -> None:
        """The blocking request."""

    def put(self, database: str, body: bytes) -> None:
        """Store line protocol that touches no hour of readings; blocks.

        Raises:
            SinkUnavailable: as `write`.
            RecordRejected: as `write`.
        """
        self._in_time(lambda: self._write(database, body))

    def _request(self, database: str, body: bytes) -> None:
        self._in_time(lambda: self._write_and_mark(database, body))
        self.databases.add(database)
        if not self._known:
            self._recognise()

    def _write_and_mark(self, database: str, body: bytes) -> None:
        """The mark comes after the points and before anybody hears that they are stored: it is there when they are."""
        self._write(database, body)
        if not self._marking:
            return
        now_ns = self._clock.now_ns()
        for lines in marks(body, touch_of(now_ns), now_ns):
            try:
                self._write(database, lines)
            except RecordTooLarge:
                if b"\n" in lines:
                    raise
            except RecordRejected as error:  # of an hour of which all but the last points are older than what is kept
                log.debug("hours_not_marked", sink=self.name, reason=error.reason)

    def _in_time(self, work: Callable[[], None]) -> None:
        whole_s = _WHOLE * self._timeout_s
        late = f"no whole answer within {whole_s:g} s"
        with deadline(whole_s) as limit:
            self._under_way.add(limit)
            try:
                work()
            except (urllib3.exceptions.HTTPError, OSError) as error:
                raise SinkUnavailable(self.name, late if limit.over else self._trouble(error)) from error
            finally:
                self._under_way.discard(limit)
        if limit.over:  # http.client takes headers that were cut off for whole ones
            raise SinkUnavailable(self.name, late)

    def _recognise(self) -> None:
        """Warn, once, of a store that alters what it confirms."""
        self._known = True
        with suppress(urllib3.exceptions.HTTPError, OSError), deadline(self._timeout_s):
            headers = self._http.request("GET", f"{self.name}/ping").headers
            if "X-Server-Hostname" in headers and "X-Influxdb-Build" not in headers:
                reason = (
                    "VictoriaMetrics keeps ms, no ns and no text: `confirm: stored` does not mean stored as it was read"
                )
                self._marking = False
                log.warning("store_alters_values", sink=self.name, reason=reason, remedy="store in InfluxDB or DuckDB")

    def _answer(self, status: int, body: bytes | str, headers: Mapping[str, str]) -> None:
        """Nothing for a success, else the error an HTTP answer stands for."""
        if status in _OK:
            return
        reason, spoken = _reason(body)
        if status == _TOO_LARGE:
            raise RecordTooLarge(self.name, reason or "the body is too large")
        if status in _REFUSED and spoken:
            raise RecordRejected(self.name, reason)
        self._wait(status, reason, headers)

    def _wait(self, status: int, reason: str, headers: Mapping[str, str]) -> NoReturn:
        if status in _UNTRUSTED:
            reason = f"credentials refused ({status}): {reason}; check user, password or token and their rights"
        elif status == _NOT_FOUND:
            reason = f"HTTP 404: {reason}; make the database or bucket, or check the address"
        else:
            reason = f"HTTP {status}: {reason}"
        raise SinkUnavailable(self.name, reason, wait_s(headers.get("Retry-After"), headers.get("Date")))

    def _trouble(self, error: BaseException) -> str:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, ssl.SSLCertVerificationError):
                return f"its certificate is not trusted: {cause.verify_message}; check the CA file and the name"
            late = isinstance(cause, urllib3.exceptions.TimeoutError | TimeoutError)
            if late and not isinstance(cause, urllib3.exceptions.NewConnectionError):
                return f"no answer within {self._timeout_s:g} s"
            if isinstance(cause, OSError) and cause.strerror:
                return f"{cause.strerror}; is the database running?"
            cause = cause.__cause__ or cause.__context__
        return " ".join(str(error).split())[:_REASON_CHARS]


class InfluxV1Sink(InfluxSink):
    """InfluxDB 1.x.

    Args:
        url: `http://host:port`, without secrets.
        database: name, may hold `{company}`; created when it does not exist and the user may.
        user: user name, or None.
        password: its password.
        ca_file: PEM of the authorities to trust for https; default: the system's.
        timeout_s: longest wait for an answer.
    """

    def __init__(
        self,
        url: str,
        database: str,
        user: str | None = None,
        password: str = "",
        ca_file: Path | None = None,
        timeout_s: float = _TIMEOUT_S,
    ) -> None:
        super().__init__(url, database, ca_file, timeout_s)
        self._secret = authorization(username=user, password=password)
        self._ca_file = ca_file
        self._http.headers = self._secret

    def asking(self) -> InfluxQl:
        """With the same user and password."""
        return InfluxQl(self.name, self._secret, self._ca_file, _WHOLE * self._timeout_s)

    def _write(self, database: str, body: bytes) -> None:
        answer = self._post("/write", {"db": database, "precision": "ns"}, body)
        if answer.status == _NOT_FOUND and b"database not found" in answer.data:
            quoted = database.replace("\\", "\\\\").replace('"', '\\"')
            made = self._post("/query", {"q": f'CREATE DATABASE "{quoted}"'}, b"")
            if made.status not in _OK:
                reason = f"database {database} does not exist and this user may not create it ({_reason(made.data)[0]})"
                raise SinkUnavailable(self.name, f'{reason}; as an administrator: CREATE DATABASE "{quoted}"')
            answer = self._post("/write", {"db": database, "precision": "ns"}, body)
        self._answer(answer.status, answer.data, answer.headers)

    def _post(self, path: str, fields: dict[str, str], body: bytes) -> urllib3.BaseHTTPResponse:
        return self._http.request("POST", f"{self.name}{path}?{urlencode(fields)}", body=body)


class InfluxV2Sink(InfluxSink):
    """InfluxDB 2.x and 3.x through influxdb-client.

    Args:
        url: `http://host:port`, without secrets.
        org: organisation.
        bucket: name, may hold `{company}`.
        token: API token.
        ca_file: PEM of the authorities to trust for https; default: the system's.
        timeout_s: longest wait for an answer.
    """

    def __init__(
        self,
        url: str,
        org: str,
        bucket: str,
        token: str,
        ca_file: Path | None = None,
        timeout_s: float = _TIMEOUT_S,
    ) -> None:
        super().__init__(url, bucket, ca_file, timeout_s)
        self._client = InfluxDBClient(
            url,
            token,
            org=org,
            timeout=round(timeout_s * 1000),
            retries=False,
            ssl_ca_cert=str(ca_file) if ca_file else None,
        )
        self._secret, self._ca_file = authorization(token=token), ca_file
        with_deadlines(self._client.api_client.rest_client.pool_manager)
        self._api = self._client.write_api(write_options=SYNCHRONOUS)

    def asking(self) -> InfluxQl:
        """With the same token."""
        return InfluxQl(self.name, self._secret, self._ca_file, _WHOLE * self._timeout_s)

    def _write(self, database: str, body: bytes) -> None:
        try:
            self._api.write(database, record=body, write_precision="ns")  # type: ignore[arg-type]
        except ApiException as error:
            if not error.status:  # influxdb-client puts TLS errors in its own
                raise SinkUnavailable(self.name, self._trouble(error)) from error
            headers = {str(key).title(): str(value) for key, value in (error.headers or {}).items()}
            self._answer(error.status, error.body or b"", headers)

    async def close(self) -> None:
        """Close the client."""
        self._client.close()  # type: ignore[no-untyped-call]
        await super().close()


def influx_sink(
    url: str, user: str | None = None, password_file: Path | None = None, ca_file: Path | None = None
) -> InfluxSink:
    """The sink an URL stands for: `http://host:8086?db=NAME` (1.x) or `?org=NAME&bucket=NAME` (2.x, 3.x).

    The token of 2.x and 3.x comes from `password_file` or the environment variable `INFLUX_TOKEN`.

    Raises:
        ConfigError: the URL names neither a database nor a bucket, or holds a secret; a file cannot be used.
    """
    address = InfluxAddress.parse(url)
    if ca_file and not ca_file.is_file():
        raise ConfigError(ca_file, None, "no such file; --influx-ca-file is a PEM of the database's authority")
    if not address.database:
        return InfluxV2Sink(address.url, address.org, address.bucket, influx_token(password_file), ca_file)
    if password_file and not user:
        raise ConfigError(None, None, "--influx-password-file needs --influx-user for InfluxDB 1.x")
    secret = read_secret(password_file) if password_file else ""
    return InfluxV1Sink(address.url, address.database, user, secret, ca_file)


def _reason(body: bytes | str) -> tuple[str, bool]:
    """The server's words, and whether they are InfluxDB's own: JSON with `error` (1.x) or `message` (2.x, 3.x).

    A 400 of a proxy in between is HTML: it says nothing about the data.
    """
    text = body.decode(errors="replace") if isinstance(body, bytes) else body
    try:
        said = json.loads(text)
    except ValueError:
        said = None
    told = (said.get("error") or said.get("message")) if isinstance(said, dict) else None
    words = " ".join(str(told or text).split())
    if len(words) > _REASON_CHARS:  # the end says how many points were dropped
        words = f"{words[: _REASON_CHARS // 2]} … {words[-_REASON_CHARS // 2 :]}"
    return words, bool(told)
