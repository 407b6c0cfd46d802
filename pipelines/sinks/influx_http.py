"""HTTP as a store needs it: an answer has a last moment, and what it asked to wait is understood.

A time-out of urllib3 is one between two pieces, so a server that sends a byte now and then would hold a request, and
its thread, for ever. Here the connection is cut when the whole answer is late.
"""

from __future__ import annotations

import logging
import math
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.utils import parsedate_to_datetime
from typing import Any, Final

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

LONGEST_WAIT_S: Final = 3600.0
"""Most that is waited because a server asked for it, seconds."""
_here = threading.local()
logging.getLogger("urllib3.connection").setLevel(logging.ERROR)  # an answer that was cut is told by its error


class Deadline:
    """Cuts the connection of the request that runs in a thread when its time is over.

    Attributes:
        over: whether it was.
    """

    def __init__(self) -> None:
        self.over = False
        self._connection: HTTPConnection | None = None

    def watch(self, connection: HTTPConnection) -> None:
        """The request goes over this connection."""
        self._connection = connection

    def cut(self) -> None:
        """The time is over."""
        self.over = True
        link = getattr(self._connection, "sock", None)
        if link is not None:
            with suppress(OSError):
                # Not the method of ssl.SSLSocket, which lets go of what another thread reads with.
                socket.socket.shutdown(link, socket.SHUT_RDWR)


@contextmanager
def deadline(seconds: float) -> Iterator[Deadline]:
    """Requests of this thread within the block are cut after `seconds`."""
    one = _here.deadline = Deadline()
    timer = threading.Timer(seconds, one.cut)
    timer.daemon = True
    timer.start()
    try:
        yield one
    finally:
        timer.cancel()
        _here.deadline = None


def _watch(connection: HTTPConnection) -> None:
    one: Deadline | None = getattr(_here, "deadline", None)
    if one is not None:
        one.watch(connection)


class _Connection(HTTPConnection):
    def request(self, *args: Any, **kwargs: Any) -> None:
        _watch(self)
        super().request(*args, **kwargs)


class _SecureConnection(HTTPSConnection):
    def request(self, *args: Any, **kwargs: Any) -> None:
        _watch(self)
        super().request(*args, **kwargs)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


def with_deadlines(manager: urllib3.PoolManager) -> urllib3.PoolManager:
    """The same manager, whose requests `deadline` can cut."""
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
    return manager


def wait_s(retry_after: str | None, date: str | None) -> float | None:
    """What a Retry-After header asks for, in seconds from the answer on, at most `LONGEST_WAIT_S`.

    RFC 9110 §10.2.3: seconds, or a date. A date is taken against the Date header of the same answer, so that nobody's
    clock has to be right; without one, or when it is nonsense, None.
    """
    said = (retry_after or "").strip()
    try:
        seconds = float(said)
    except ValueError:
        seconds = _between(date, said)
    return min(seconds, LONGEST_WAIT_S) if math.isfinite(seconds) and seconds >= 0 else None


def _between(date: str | None, until: str) -> float:
    """Seconds between two dates of HTTP, 0 when the second one is over; not finite when one of them is none."""
    try:
        asked, now = parsedate_to_datetime(until), parsedate_to_datetime(date or "")
        return max(0.0, (asked - now).total_seconds())
    except (ValueError, TypeError):
        return math.nan
