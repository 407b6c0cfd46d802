"""GET with a deadline and a bound; every failure is a `LinkError` that names the agent."""

from __future__ import annotations

import asyncio
import logging
import ssl
from typing import Final

import httpx

from connectors.mtconnect.config import MtConnectConnection
from pipelines.errors import LinkClosed, LinkRefused, LinkTimeout, LinkUntrusted
from pipelines.stats import LinkStats

_ACCEPT: Final = {"Accept": "text/xml, application/xml", "Accept-Encoding": "identity", "User-Agent": "shopfloor-agent"}
_DENIED: Final = frozenset({401, 403, 407})
_ANSWERS: Final = frozenset({200, 400, 404, 405, 406, 416, 422})
"""Codes whose body is an MTConnect document: newer agents send errors with a 4xx (Part 1, HTTP Status Codes)."""

logging.getLogger("httpx").setLevel(logging.WARNING)  # a line per poll is none of our log
logging.getLogger("httpcore").setLevel(logging.WARNING)


class Http:
    """One kept connection to one agent. It reads with GET, and nothing else exists here.

    No proxy of the environment is used and no redirection followed: an agent stands where the configuration says.
    """

    def __init__(self, settings: MtConnectConnection, stats: LinkStats) -> None:
        self._settings = settings
        self._stats = stats
        self._client: httpx.AsyncClient | None = None

    def open(self) -> None:
        """Make ready; nothing is sent.

        Raises:
            LinkUntrusted: `ca_file` cannot be used.
        """
        settings = self._settings
        verify: ssl.SSLContext | bool = False
        if settings.endpoint.startswith("https:"):
            try:
                verify = ssl.create_default_context(cafile=settings.ca_file)
            except (OSError, ssl.SSLError) as error:
                raise LinkUntrusted(settings.where(), f"ca_file {settings.ca_file}: {error}") from error
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=1)
        self._client = httpx.AsyncClient(
            verify=verify,
            headers=_ACCEPT,
            timeout=settings.timeout_s,
            limits=limits,
            trust_env=False,
            follow_redirects=False,
        )

    async def close(self) -> None:
        """Close the socket."""
        if self._client is not None:
            await self._client.aclose()

    async def get(self, url: str) -> bytes:
        """The body of the answer, at most `max_bytes`.

        Raises:
            LinkTimeout: not complete within `timeout_s`.
            LinkRefused: nobody listens, or the answer is none of an agent.
            LinkUntrusted: the certificate, or the agent, says no.
            LinkClosed: the connection broke, or the answer is too long.
        """
        where, seconds = self._settings.where(), self._settings.timeout_s
        assert self._client is not None
        self._stats.requests += 1
        try:
            async with asyncio.timeout(seconds), self._client.stream("GET", url) as answer:
                return await self._body(answer)
        except TimeoutError as error:
            raise LinkTimeout(where, f"no complete answer within {seconds:g} s") from error
        except httpx.TimeoutException as error:
            raise LinkTimeout(where, f"no answer within {seconds:g} s") from error
        except httpx.ConnectError as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise LinkUntrusted(where, f"its certificate is not trusted: {error}; see ca_file") from error
            raise LinkRefused(where, f"cannot connect: {error}") from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise LinkClosed(where, f"the connection broke: {error or type(error).__name__}") from error

    async def _body(self, answer: httpx.Response) -> bytes:
        where, limit = self._settings.where(), self._settings.max_bytes
        if answer.status_code in _DENIED:
            raise LinkUntrusted(where, f"the agent wants a login (HTTP {answer.status_code}); MTConnect has none")
        if answer.status_code not in _ANSWERS:
            raise LinkRefused(where, f"answered HTTP {answer.status_code}; is this an MTConnect agent?")
        if answer.headers.get("content-encoding", "identity") != "identity":
            raise LinkRefused(where, "sends compressed answers, which nobody asked for")
        body = bytearray()
        async for piece in answer.aiter_raw():
            body += piece
            if len(body) > limit:
                raise LinkClosed(where, f"an answer is longer than max_bytes ({limit}); ask for less with count")
        return bytes(body)
