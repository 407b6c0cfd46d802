"""Evidence of the agents' heartbeats: how fast values are stored, since when, and whether alarm rules are watched."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.calendar import KST_NS, Span
from viewer.kpi import words
from viewer.kpi.words import Amount, Text
from viewer.level.finding import NO_BEATS, Finding, percent
from viewer.level.kinds import ALARMS, BEATS, DAYS, PROMPT_S, RULES

HEARTBEAT_S: Final = 10.0
"""An agent tells so often that it lives."""
DAY_NS: Final = 86_400 * 10**9
_P: Final = 0.95
_NO_LAG: Final = Text("기간 내 저장 지연(lag_s)을 알린 하트비트 없음", "no heartbeat in the period says lag_s")


def lag(lag_s: NDArray[np.float64], agents: int, period: Span) -> Finding:
    """실시간성: p95 of the delay until values are stored.

    Args:
        lag_s: `lag_s` of every heartbeat in the period, seconds, shape (n,).
        agents: how many told them.
        period: start and end, ns since 1970 UTC.
    """
    parts = _beats(len(lag_s), agents, period)
    if not len(lag_s):
        return Finding("lag", None, 0, period, parts, _NO_LAG)
    value = float(np.quantile(lag_s, _P, method="inverted_cdf"))
    longest = Amount(Text("최대", "longest"), float(lag_s.max()), words.SECONDS)
    return Finding("lag", value, len(lag_s), period, (longest, *parts))


def prompt(lag_s: NDArray[np.float64], agents: int, period: Span) -> Finding:
    """실시간성: how often values are stored within ten seconds; see `lag`."""
    quick, told, *rest = int(np.count_nonzero(lag_s <= PROMPT_S)), *_beats(len(lag_s), agents, period)
    part = Amount(Text("10초 이내", "within 10 s"), quick, BEATS)
    return percent("prompt", part, told, len(lag_s), period, why=_NO_LAG, further=tuple(rest))


def _beats(told: int, agents: int, period: Span) -> tuple[Amount, Amount]:
    """How many came, and how many would have from agents that lived all the time."""
    expected = agents * (period[1] - period[0]) / 1e9 / HEARTBEAT_S
    return Amount(Text("수신", "received"), told, BEATS), Amount(Text("기대", "expected"), expected, BEATS)


def kept(day_ns: NDArray[np.int64], beats: NDArray[np.int64], live: NDArray[np.bool_], now_ns: int) -> Finding:
    """보관기간: since when anything is stored, and on how many days.

    Args:
        day_ns: beginning of each Korean day with a heartbeat, ascending, ns since 1970 UTC, shape (n,).
        beats: heartbeats of that day, shape (n,).
        live: whether a device was connected on it, shape (n,).
        now_ns: ns since 1970 UTC.
    """
    today_ns = midnight(now_ns)
    if not len(day_ns):
        return Finding("kept", None, 0, (today_ns, now_ns), why=Text("저장된 하트비트 없음", "no heartbeat is stored"))
    first_ns = int(day_ns[0])
    parts = (
        Amount(Text("기기 연결", "with a device connected"), int(np.count_nonzero(live)), DAYS),
        Amount(Text("하트비트", "with heartbeats"), len(day_ns), DAYS),
    )
    first = date(1970, 1, 1) + timedelta(days=(first_ns + KST_NS) // DAY_NS)
    note = Text(f"첫 기록 {first}", f"first record {first}")
    days = (today_ns - first_ns) // DAY_NS + 1
    return Finding("kept", days, int(beats.sum()), (first_ns, now_ns), parts, notes=(note,))


def midnight(time_ns: int) -> int:
    """The beginning of a moment's day in Korea, ns since 1970 UTC."""
    return time_ns - (time_ns + KST_NS) % DAY_NS


def alarms(in_service: Sequence[bool], raised: int, beats: int, period: Span) -> Finding:
    """경보: rules that are watched.

    Args:
        in_service: of each alarm of the site files, whether it is in service.
        raised: how often one of them came in the period.
        beats: heartbeats of the site's agents in the period.
        period: start and end, ns since 1970 UTC.
    """
    parts = (
        Amount(Text("설정", "configured"), len(in_service), RULES),
        Amount(Text("기간 내 발생", "raised in the period"), raised if beats else None, ALARMS),
    )
    if not in_service:
        none = Text("설정에 경보(alarms)가 없음", "no alarm is configured")
        return Finding("alarms", None, beats, period, parts, none)
    if not beats:
        return Finding("alarms", None, 0, period, parts, NO_BEATS)
    return Finding("alarms", sum(in_service), beats, period, parts)
