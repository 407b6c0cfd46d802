"""The states of a machine as stretches of time, with the words of what told them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.calendar import Span
from pipelines.derive.signals import DOWN, PLANNED, UNKNOWN
from viewer.catalog import STATES, MachineInfo
from viewer.kpi.spans import Spans
from viewer.overview import CODE, HOLDS_S, NS, STATE
from viewer.query.pieces import LOOK_BACK_NS
from viewer.states import runs
from viewer.stores.base import Points, Store

_HOLDS_NS: Final = int(HOLDS_S * NS)
_HOUR_NS: Final = 3600 * NS
_WIDER_NS: Final = (_HOUR_NS, 24 * _HOUR_NS, 8 * 24 * _HOUR_NS, LOOK_BACK_NS)
"""How far back is looked, step by step, for what was before a failure, a break or a silence."""


@dataclass(frozen=True, slots=True)
class StateRun:
    """A stretch of one state.

    Attributes:
        start_ns: its beginning, ns since 1970 UTC.
        end_ns: its end.
        code: canonical state, 0 to 8.
        reason: what told it, in a word of the source: the raw state, a lamp, PackML's name; empty = nothing.
    """

    start_ns: int
    end_ns: int
    code: int
    reason: str


def state_runs(store: Store, machine: MachineInfo, period: Span) -> list[StateRun]:
    """States told in a period, oldest first, each cut at another reason; between them nothing was told."""
    place = machine.place(STATE)
    codes, reasons = store.readings([(place, CODE), (place, "reason")], period[0] - _HOLDS_NS, period[1])
    at = np.searchsorted(reasons.time_ns, codes.time_ns)
    said = dict(zip(reasons.time_ns.tolist(), reasons.value.tolist(), strict=True))
    words = {"": 0}
    pairs = np.empty(len(at), dtype=np.int64)
    for row, (time_ns, code) in enumerate(zip(codes.time_ns.tolist(), _known(codes).tolist(), strict=True)):
        number = words.setdefault(str(said.get(time_ns, "")), len(words))
        pairs[row] = number * len(STATES) + code
    names = list(words)
    found = runs(Points(codes.time_ns, pairs), *period)
    return [
        StateRun(begin, end, pair % len(STATES), names[pair // len(STATES)])
        for begin, end, pair in found
        if begin < end
    ]


def spans(store: Store, machine: MachineInfo, period: Span, since_ns: int | None = None) -> Spans | None:
    """States of a period, and of the time before it that its figures need.

    These are the time from `since_ns` on, where the first piece of the period may have been begun, and the last state
    that is no failure, unknown or a planned stop: a failure that stood in working time before is not one of the period.

    Args:
        store: holds them.
        machine: whose they are.
        period: start and end, ns since 1970 UTC.
        since_ns: time of the last count before the period; None = there is none.

    Returns:
        None of a machine whose state is not configured.
    """
    if not machine.has_state:
        return None
    begin_ns = min(period[0], period[0] if since_ns is None else since_ns)
    told = _told(store, machine, (begin_ns, period[1]))
    if (_saying(told)[:1] == DOWN).any():
        for wider_ns in _WIDER_NS:
            before = _told(store, machine, (begin_ns - wider_ns, begin_ns))
            if wider_ns == _WIDER_NS[-1] or (_saying(before) != DOWN).any():
                columns = zip(_columns(before), _columns(told), strict=True)
                return Spans(*(np.concatenate(pair) for pair in columns))
    return told


def told_spans(codes: Points, start_ns: int, end_ns: int) -> Spans:
    """What `viewer.states.runs` says, of many points at once: each holds until the next, `HOLDS_S` at most. Pure.

    Args:
        codes: canonical codes, from `HOLDS_S` before the start on.
        start_ns: of the period.
        end_ns: nothing holds beyond it.
    """
    code = _known(codes)
    begin = np.maximum(codes.time_ns, start_ns)
    until = np.minimum(np.append(codes.time_ns[1:], end_ns)[: len(code)], codes.time_ns + _HOLDS_NS)
    there = until > begin
    begin, until, code = begin[there], until[there], code[there]
    fresh = np.ones(len(code), dtype=np.bool_)
    fresh[1:] = (code[1:] != code[:-1]) | (begin[1:] != until[:-1])
    return Spans(begin[fresh], until[np.append(fresh[1:], True)[: len(code)]], code[fresh])


def _told(store: Store, machine: MachineInfo, period: Span) -> Spans:
    return told_spans(store.points(machine.place(STATE), CODE, period[0] - _HOLDS_NS, period[1]), *period)


def _saying(spans: Spans) -> NDArray[np.int64]:
    """States that say whether a failure goes on."""
    return spans.code[~np.isin(spans.code, (UNKNOWN, PLANNED))]


def _columns(spans: Spans) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    return spans.start_ns, spans.end_ns, spans.code


def _known(codes: Points) -> NDArray[np.int64]:
    """Codes; one that means nothing is unknown."""
    found = codes.value.astype(np.int64)
    return np.where((found >= UNKNOWN) & (found < len(STATES)), found, UNKNOWN)
