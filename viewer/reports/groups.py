"""By what companies are put next to each other: their cluster, town, trade or programme, as somebody entered it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from viewer.book.facts import Facts
from viewer.kpi.words import Text
from viewer.reports.cell import LANGUAGES
from viewer.words import Words

_SAID: Final = [Words(language) for language in LANGUAGES]


@dataclass(frozen=True, slots=True)
class Grouping:
    """A way to put companies into groups.

    Attributes:
        title: what the groups are.
        of: the group of a company; None = not known.
    """

    title: Text
    of: Callable[[Facts], Text | None]


def _same(text: str) -> Text | None:
    return Text(text, text) if text else None


def _trade(facts: Facts) -> Text | None:
    return Text(*(one.trade(facts.division) for one in _SAID)) if facts.division else None


GROUPINGS: Final = {
    "cluster": Grouping(Text("클러스터", "cluster"), lambda facts: _same(facts.cluster)),
    "town": Grouping(Text("시·군", "town"), lambda facts: _same(facts.town)),
    "trade": Grouping(Text("업종", "trade"), _trade),
    "programme": Grouping(Text("사업유형", "programme"), lambda facts: _same(facts.programme)),
}
"""By their names in addresses and on the command line, the first one where none is asked for."""
