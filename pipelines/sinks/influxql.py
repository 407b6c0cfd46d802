"""Asking InfluxDB by InfluxQL over HTTP: 1.x, 3.x, and 2.x where the bucket has a DBRP mapping.

Times are asked for in ns and integers stay integers in the JSON answer. Credentials travel in a header, never in a URL.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import orjson
import urllib3

from pipelines.errors import DependencyError, ServerAway
from pipelines.sinks.influx_http import Deadline, deadline, with_deadlines

STATEMENTS_PER_REQUEST: Final = 200
_TIMEOUT: Final = urllib3.Timeout(connect=10.0, read=30.0)


@dataclass(frozen=True, slots=True)
class Table:
    """One series of an answer.

    Attributes:
        statement: which statement of the query it answers, from 0.
        measurement: its name.
        tags: those it was grouped by; an empty text where the series has not the tag.
        columns: their names; the first is the time where points are asked for.
        rows: a value for each column.
    """

    statement: int
    measurement: str
    tags: dict[str, str]
    columns: list[str]
    rows: list[list[Any]]


def identifier(name: str) -> str:
    """A name quoted for InfluxQL."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def literal(text: str) -> str:
    """A string quoted for InfluxQL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"


def at(tags: Mapping[str, str]) -> str:
    """The condition that picks these tags; an empty value matches only series without the tag."""
    return " AND ".join(f"{identifier(tag)} = {literal(value)}" for tag, value in tags.items())


def authorization(*, username: str | None = None, password: str = "", token: str | None = None) -> dict[str, str]:
    """The header that says who asks: a token (2.x, 3.x), or a user with a password (1.x; RFC 7617 §2.1: UTF-8)."""
    if token is not None:
        return {"Authorization": f"Token {token}"}
    if username:
        return {"Authorization": "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()}
    return {}


class InfluxQl:
    """A server to ask.

    Args:
        url: `http://host:8086`.
        headers: of `authorization`.
        ca_file: PEM of the authorities to trust for https; default: the system's.
        whole_s: longest time for a whole answer; inf = none, only that between two pieces is limited.
    """

    def __init__(
        self, url: str, headers: Mapping[str, str], ca_file: Path | None = None, whole_s: float = math.inf
    ) -> None:
        self.name = f"InfluxDB {url}"
        self._url = url.rstrip("/") + "/query"
        self._headers = {"Content-Type": "application/x-www-form-urlencoded", **headers}
        ca_certs = str(ca_file) if ca_file else None
        self._pool = with_deadlines(urllib3.PoolManager(maxsize=4, timeout=_TIMEOUT, retries=False, ca_certs=ca_certs))
        self._whole_s = whole_s
        self._under_way: set[Deadline] = set()

    def close(self) -> None:
        """Cut what is under way and close the connections."""
        for limit in tuple(self._under_way):
            limit.cut()
        self._pool.clear()

    def ask(self, database: str, query: str, *, floats: bool = False) -> Iterator[Table]:
        """The tables that statements, parted by semicolons, are answered with.

        Args:
            database: name, or that of a bucket with a DBRP mapping.
            query: the statements.
            floats: every value is a float: Go writes a negative zero as -0, which JSON readers take for the integer 0.

        Raises:
            ServerAway: it does not answer.
            DependencyError: it answers with an error.
        """
        body = urlencode({"db": database, "epoch": "ns", "chunked": "true", "q": query})
        try:
            answer = self._post(body)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise ServerAway(self.name, f"does not answer ({type(error).__name__}); is it running?") from error
        for text in answer.data.splitlines():
            yield from self._tables(text.replace(b",-0]", b",-0.0]") if floats else text, answer.status)
        if answer.status >= 400 and not answer.data:  # noqa: PLR2004 - HTTP errors begin there
            raise DependencyError(self.name, f"HTTP {answer.status}")

    def _post(self, body: str) -> urllib3.BaseHTTPResponse:
        if math.isinf(self._whole_s):
            return self._pool.request("POST", self._url, body=body, headers=self._headers)
        with deadline(self._whole_s) as limit:
            self._under_way.add(limit)
            try:
                return self._pool.request("POST", self._url, body=body, headers=self._headers)
            finally:
                self._under_way.discard(limit)

    def _tables(self, text: bytes, status: int) -> Iterator[Table]:
        try:
            found = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise DependencyError(self.name, f"HTTP {status}, and its answer is no JSON; is this InfluxDB?") from error
        if status >= 400 and "message" in found:  # noqa: PLR2004 - as 2.x says it
            raise DependencyError(self.name, f"HTTP {status}: {found.get('code', '')}: {found['message']}")
        for result in [found, *found.get("results", [])]:
            if "error" in result:
                raise DependencyError(self.name, f"HTTP {status}: {result['error']}")
            for one in result.get("series", []):
                yield Table(
                    int(result.get("statement_id", 0)),
                    one["name"],
                    one.get("tags") or {},
                    one["columns"],
                    one.get("values") or [],
                )
