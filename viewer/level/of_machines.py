"""Evidence of machines: which are in touch, and of which states and counts are stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pipelines.calendar import Span
from viewer.kpi.freshness import FRESHNESS_S, Freshness
from viewer.kpi.words import Amount, Text
from viewer.level.finding import Finding, listed, percent
from viewer.level.kinds import MACHINES

_TOUCH_NS: Final = int(FRESHNESS_S[0][0] * 1e9)
_LISTED: Final = Text("설정 파일", "in the site files")
_SAID: Final = {
    "states": Text("상태 저장", "state stored"),
    "counts": Text("수량 저장", "count stored"),
}
_NOT_CONFIGURED: Final = {
    "states": Text("설정에 상태(state)가 없음", "no state is configured"),
    "counts": Text("설정에 생산 계수기(count)가 없음", "no counter (count) is configured"),
}


@dataclass(frozen=True, slots=True)
class Touch:
    """A machine of the site files, and whether it is in touch.

    Attributes:
        name: what people call it.
        freshness: by its newest usable value.
        stored: whether the store holds any value of it.
    """

    name: Text
    freshness: Freshness
    stored: bool


def connected(machines: Sequence[Touch], now_ns: int) -> Finding:
    """설비연결률, now.

    Args:
        machines: all of the site files.
        now_ns: ns since 1970 UTC.
    """
    in_touch = [one for one in machines if one.freshness is Freshness.OK]
    rest = [one.name for one in machines if one.freshness is not Freshness.OK]
    samples = sum(one.stored for one in machines)
    return percent(
        "connected",
        Amount(Text("연결", "in touch"), len(in_touch), MACHINES),
        Amount(_LISTED, len(machines), MACHINES),
        samples,
        (now_ns - _TOUCH_NS, now_ns),
        why=Text("저장된 값이 없음", "no value was ever stored"),
        notes=listed(Text("연결되지 않은 설비", "not in touch"), rest) if samples else (),
    )


@dataclass(frozen=True, slots=True)
class Told:
    """A machine of the site files, and how much of one thing was stored of it.

    Attributes:
        name: what people call it.
        configured: whether the site says where it comes from.
        points: stored points in the period.
    """

    name: Text
    configured: bool
    points: int


def storing(code: str, machines: Sequence[Told], period: Span) -> Finding:
    """상태·수량 수집 설비 비율.

    Args:
        code: `states` or `counts`.
        machines: all of the site files.
        period: start and end, ns since 1970 UTC.
    """
    configured = [one for one in machines if one.configured]
    stored = [one for one in configured if one.points]
    return percent(
        code,
        Amount(_SAID[code], len(stored), MACHINES),
        Amount(_LISTED, len(machines), MACHINES),
        sum(one.points for one in configured),
        period,
        why=None if configured else _NOT_CONFIGURED[code],
        further=(Amount(Text("수집 설정", "configured to be"), len(configured), MACHINES),),
        notes=listed(
            Text("설정되었으나 저장되지 않음", "configured, and nothing was stored"),
            [one.name for one in configured if not one.points],
        ),
    )
