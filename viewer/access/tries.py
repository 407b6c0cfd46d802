"""How long a log-in waits after others failed: by account and by address, ever longer, never for ever.

The n-th failure beyond those that are free makes the next try wait 2^n seconds, at most `LONGEST_S`. A try is counted
before its password is checked, so that a hundred at once are no way round, and taken back when it was right.
"""

from __future__ import annotations

import ipaddress
from typing import Final

from pipelines.clock import Clock
from viewer.access.users import plain
from viewer.book.book import Book

FREE: Final = {"account": 5, "address": 20}
"""Failures without a wait; a whole company may come from one address."""
LONGEST_S: Final = 60.0
_FORGET_S: Final = 86_400
_NS: Final = 1_000_000_000
_IPV6_NETWORK: Final = 64
"""A household has a network of so many bits, and every address in it."""
_MAX_KEY: Final = 80


def wait_s(kind: str, failures: int) -> float:
    """How long the next try waits after so many failures in a row."""
    over = failures - FREE[kind]
    return min(LONGEST_S, 2.0 ** min(over, 30)) if over >= 0 else 0.0


class Tries:
    """The failures of a book.

    Args:
        book: where they are.
        clock: what "now" is.
    """

    def __init__(self, book: Book, clock: Clock) -> None:
        self._book = book
        self._clock = clock

    def begin(self, name: str, address: str) -> float:
        """Count a try as failed; seconds to wait when it comes too early, which does not count. 0.0 = go on."""
        now_ns, keys = self._clock.now_ns(), _keys(name, address)
        with self._book.write() as cursor:
            cursor.execute("DELETE FROM tries WHERE last_ns < ? OR last_ns > ?", (now_ns - _FORGET_S * _NS, now_ns))
            waits = [0.0]
            for kind, key in keys:
                row = cursor.execute("SELECT failures, last_ns FROM tries WHERE kind = ? AND key = ?", (kind, key))
                if (found := row.fetchone()) is not None:
                    waits.append(wait_s(kind, found["failures"]) - (now_ns - found["last_ns"]) / _NS)
            if max(waits) > 0:
                return max(waits)
            for kind, key in keys:
                cursor.execute(
                    "INSERT INTO tries VALUES (?, ?, 1, ?) ON CONFLICT (kind, key)"
                    " DO UPDATE SET failures = failures + 1, last_ns = excluded.last_ns",
                    (kind, key, now_ns),
                )
        return 0.0

    def right(self, name: str, address: str) -> None:
        """The try was right: the account begins anew; of its address only this try is taken back."""
        (_, account), (_, where) = _keys(name, address)
        with self._book.write() as cursor:
            cursor.execute("DELETE FROM tries WHERE kind = 'account' AND key = ?", (account,))
            cursor.execute(
                "UPDATE tries SET failures = max(0, failures - 1) WHERE kind = 'address' AND key = ?", (where,)
            )

    def forget(self, name: str) -> None:
        """An account begins anew, as after a new password."""
        with self._book.write() as cursor:
            cursor.execute("DELETE FROM tries WHERE kind = 'account' AND key = ?", (_keys(name, "")[0][1],))


def _keys(name: str, address: str) -> tuple[tuple[str, str], tuple[str, str]]:
    return ("account", plain(name).casefold()[:_MAX_KEY]), ("address", network(address))


def network(address: str) -> str:
    """An IPv4 address as it is, of an IPv6 one its network; anything else as it is, cut."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:_MAX_KEY]
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, _IPV6_NETWORK), strict=False))
    return str(found)
