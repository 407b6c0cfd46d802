"""The lines of all companies, kept beside the pages: a page reads what is there and asks the store nothing.

Every half minute the newest values become lines anew; what is asked of each company (`detail`) takes turns, many
companies in one question, the oldest first, every ten minutes where time allows; so do their goals, every six hours and
when they were changed. A page that finds lines older than two minutes has them made at once: then nobody turns the
board, as in tests and in programs without a server.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeVar

from pipelines.clock import Clock
from viewer.catalog import Catalog
from viewer.fleet.detail import detail
from viewer.fleet.promised import Promised, promised
from viewer.fleet.summary import Detail, Summary, by_company, catalogs, summary
from viewer.fleet.together import Answered, Answers, Noting, Snapshot
from viewer.goals.book import GoalBook, Held
from viewer.site_info import SiteInfo
from viewer.stores.base import Latest, Store

FOLD_S: Final = 30.0
DETAIL_S: Final = 600.0
GOALS_S: Final = 6 * 3600.0
OLD_S: Final = 120.0
TURN_S: Final = 10.0
"""Longest time in which no line is made anew, beside that of the companies that are asked for at once."""
MANY: Final = 50
"""Companies that are asked for at once."""
_NS: Final = 10**9
_T = TypeVar("_T")


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
        goals: of all companies.
    """

    def __init__(self, store: Store, catalog: Catalog, clock: Clock, goals: GoalBook) -> None:
        self._store, self._clock, self._goals = store, clock, goals
        self._catalogs = catalogs(catalog)
        self._catalog = catalog
        self._sites: dict[str, list[SiteInfo]] = {}
        for site in catalog.sites.values():
            self._sites.setdefault(site.company, []).append(site)
        self._board = Board(0, {})
        self._latest: dict[str, list[Latest]] = {}
        self._details: dict[str, Detail] = {}
        self._promised: dict[str, Promised] = {}
        self._held: Mapping[str, tuple[Held, ...]] = {}
        self._stamp: object = None
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
        """Turn no more; returns when the turn that is under way has ended, which is after one question at most."""
        self._stopped.set()
        with self._turning:
            pass

    def _turn(self, until_s: float) -> None:
        if self._stopped.is_set():
            return
        with self._making:
            if self._age_s() > FOLD_S:
                self._fold()
        self._learn_goals()
        while time.monotonic() <= until_s and not self._stopped.is_set():
            now_ns = self._clock.now_ns()
            if due := self._due(self._latest, self._details, now_ns - int(DETAIL_S * _NS)):
                self._details |= self._together(due, partial(self._detail, now_ns))
            elif due := self._due(self._held, self._promised, now_ns - int(GOALS_S * _NS)):
                self._promised |= self._together(due, partial(self._measure, now_ns))
            else:
                return

    def _detail(self, now_ns: int, store: Snapshot, company: str) -> Detail:
        return detail(store, company, self._sites.get(company, []), now_ns)

    def _measure(self, now_ns: int, store: Snapshot, company: str) -> Promised:
        return promised(store, self._held[company], self._sites[company], now_ns)

    @staticmethod
    def _due(companies: Mapping[str, object], known: Mapping[str, Detail | Promised], old_ns: int) -> list[str]:
        """Those that were asked for longest ago, as many as are asked for at once."""
        times = {one: known[one].at_ns if one in known else 0 for one in companies}
        return sorted((one for one, at_ns in times.items() if at_ns <= old_ns), key=times.__getitem__)[:MANY]

    def _together(self, companies: Sequence[str], ask: Callable[[Snapshot, str], _T]) -> Iterator[tuple[str, _T]]:
        """What is asked of each company; pages are answered by the same interpreter and have half of its time."""
        answers, latest = Answers(), self._latest
        begun = time.monotonic()
        for one in companies:
            ask(Noting(answers, self._store, one, latest.get(one, [])), one)
        answers.ask(self._store, stopped=self._stopped.is_set)
        self._stopped.wait(time.monotonic() - begun)
        for one in companies:
            if self._stopped.is_set():
                return
            begun = time.monotonic()
            yield one, ask(Answered(answers, self._store, one, latest.get(one, [])), one)
            self._stopped.wait(time.monotonic() - begun)

    def _learn_goals(self) -> None:
        """Goals as they are now; where they were changed they are measured again, where there are none, forgotten."""
        stamp = self._goals.stamp()
        if stamp != self._stamp:
            held = {one: own for one, own in self._goals.everybodys().items() if one in self._sites}
            self._promised = {one: known for one, known in self._promised.items() if known.held == held.get(one)}
            self._held, self._stamp = held, stamp

    def _age_s(self) -> float:
        return abs(self._clock.now_ns() - self._board.at_ns) / _NS

    def _fold(self) -> None:
        now_ns, nothing = self._clock.now_ns(), Catalog({})
        found = by_company(self._store.latest(), self._catalog)
        lines = {one: summary(one, own, self._catalogs.get(one, nothing), now_ns) for one, own in found.items()}
        self._latest, self._board = found, self._with_details(Board(now_ns, lines))

    def _with_details(self, board: Board) -> Board:
        details, kept = self._details, self._promised
        lines = {one: replace(own, detail=details.get(one), promised=kept.get(one)) for one, own in board.lines.items()}
        return Board(board.at_ns, lines)
