"""The lines of all companies, kept beside the pages: a page reads what is there and asks the store nothing.

Every half minute the newest values become lines anew; each company's own questions (`detail`) take turns, the oldest
first, every ten minutes where time allows. A page that finds lines older than two minutes has them made at once: then
nobody turns the board, as in tests and in programs without a server.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from pipelines.clock import Clock
from viewer.catalog import Catalog
from viewer.fleet.detail import Snapshot, detail
from viewer.fleet.summary import Detail, Summary, by_company, catalogs, summary
from viewer.site_info import SiteInfo
from viewer.stores.base import Latest, Store

FOLD_S: Final = 30.0
DETAIL_S: Final = 600.0
OLD_S: Final = 120.0
TURN_S: Final = 10.0
"""Longest time in which no line is made anew."""
_NS: Final = 10**9


@dataclass(frozen=True, slots=True)
class Board:
    """All companies at one time.

    Attributes:
        at_ns: of the newest values, ns since 1970 UTC.
        lines: by company.
    """

    at_ns: int
    lines: Mapping[str, Summary]


class Fleet:
    """Keeps the board.

    Args:
        store: of all companies; what a user sees of the board is for the page to choose.
        catalog: of all companies.
        clock: what "now" is.
    """

    def __init__(self, store: Store, catalog: Catalog, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._catalogs = catalogs(catalog)
        self._catalog = catalog
        self._sites: dict[str, list[SiteInfo]] = {}
        for site in catalog.sites.values():
            self._sites.setdefault(site.company, []).append(site)
        self._board = Board(0, {})
        self._latest: dict[str, list[Latest]] = {}
        self._details: dict[str, Detail] = {}
        self._making = threading.Lock()
        self._turning = threading.Lock()
        self._stopped = threading.Event()

    def board(self) -> Board:
        """The board, two minutes old at most.

        Raises:
            DependencyError: there is none yet, or an old one, and the store cannot be reached.
        """
        if self._age_s() > OLD_S:
            with self._making:
                if self._age_s() > OLD_S:
                    self._fold()
        return self._board

    def turn(self, longest_s: float = TURN_S) -> None:
        """Bring the board up to date; called again and again.

        Args:
            longest_s: no further company is asked for after this time; the next turn goes on there.

        Raises:
            DependencyError: the store cannot be reached.
        """
        with self._turning:
            self._turn(time.monotonic() + longest_s)
            with self._making:
                self._board = self._with_details(self._board)

    def stop(self) -> None:
        """Turn no more; returns when the turn that is under way has ended, which is after one company at most."""
        self._stopped.set()
        with self._turning:
            pass

    def _turn(self, until_s: float) -> None:
        if self._stopped.is_set():
            return
        with self._making:
            if self._age_s() > FOLD_S:
                self._fold()
            latest = self._latest
        due_ns = self._clock.now_ns() - int(DETAIL_S * _NS)
        for company in sorted(latest, key=self._asked_ns):
            if self._asked_ns(company) > due_ns or self._stopped.is_set() or time.monotonic() > until_s:
                return
            begun = time.monotonic()
            part = Snapshot(self._store, company, latest[company])
            self._details[company] = detail(part, company, self._sites.get(company, []), self._clock.now_ns())
            # Pages are answered by the same interpreter: they have half of its time at least.
            self._stopped.wait(time.monotonic() - begun)

    def _age_s(self) -> float:
        return abs(self._clock.now_ns() - self._board.at_ns) / _NS

    def _asked_ns(self, company: str) -> int:
        found = self._details.get(company)
        return found.at_ns if found else 0

    def _fold(self) -> None:
        now_ns, nothing = self._clock.now_ns(), Catalog({})
        found = by_company(self._store.latest(), self._catalog)
        lines = {one: summary(one, own, self._catalogs.get(one, nothing), now_ns) for one, own in found.items()}
        self._latest, self._board = found, self._with_details(Board(now_ns, lines))

    def _with_details(self, board: Board) -> Board:
        details = self._details
        return Board(board.at_ns, {one: replace(own, detail=details.get(one)) for one, own in board.lines.items()})
