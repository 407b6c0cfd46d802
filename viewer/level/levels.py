"""The four levels of the programme: what is said of each, what is evidence of it, and what cannot be known here.

The wording is that of the ministry (중소벤처기업부) as public sources quote it; the steps of Lv1 to Lv5 beside the four
old ones are how the two are commonly matched, and no rule of assessment. Nothing here judges: no level has a limit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from viewer.kpi.words import Text

TITLE: Final = Text("수준 자가점검(참고용)", "Level self-check (indicative)")
NO_VERDICT: Final = Text(
    "저장된 기록에서 얻은 근거입니다. 수준을 판정하지 않으며, 수준확인서를 대신하지 않습니다.",
    "This is evidence from what is stored. It is no verdict on a level, and takes the place of no certificate.",
)
UNKNOWABLE: Final = Text("확인 불가", "Cannot be known here")
SOURCES: Final = Text(
    "단계 문구는 중소벤처기업부 설명을 옮긴 공개 자료(ktcb.ktab.kr, 한국경제 2022-03-02)에서 가져왔습니다."
    " Lv1–5는 통용되는 대응이며 판정 기준이 아닙니다.",
    "The wording of the levels is the ministry's as quoted in public (ktcb.ktab.kr; Hankyung, 2022-03-02), translated."
    " Lv1–5 are commonly matched like this; it is no rule of assessment.",
)


@dataclass(frozen=True, slots=True)
class Unknowable:
    """What belongs to a level, and of which nothing is stored here.

    Attributes:
        name: what it is.
        why: why it cannot be known.
    """

    name: Text
    why: Text


@dataclass(frozen=True, slots=True)
class Level:
    """A level.

    Attributes:
        code: as `agent init --level` names it.
        name: what it is called.
        steps: levels of the five-step scale, such as `Lv1–2`.
        wording: what the ministry says of it.
        findings: codes of what is evidence of it, in order.
        unknowable: what else belongs to it.
    """

    code: str
    name: Text
    steps: str
    wording: tuple[Text, ...]
    findings: tuple[str, ...]
    unknowable: tuple[Unknowable, ...]


_NO_WRITING: Final = Text(
    "이 제품은 PLC에 쓰지 않으며, 다른 시스템의 제어 기록을 저장하지 않음",
    "this product never writes to a PLC, and stores no record of what others control",
)

LEVELS: Final = (
    Level(
        "basic",
        Text("기초", "Basic"),
        "Lv1–2",
        (
            Text("생산정보 디지털화", "production information is digital"),
            Text("생산 모니터링이 가능", "production can be monitored"),
        ),
        ("states", "counts", "lots", "standard", "kept", "used"),
        (
            Unknowable(
                Text("일일 보고의 자동 작성과 활용", "Daily reports, made and used"),
                Text("보고서를 누가 언제 썼는지 저장하지 않음", "who used a report, and when, is not stored"),
            ),
        ),
    ),
    Level(
        "mid1",
        Text("중간1", "Intermediate 1"),
        "Lv3",
        (
            Text("생산정보 실시간 수집·분석", "production information is collected and analysed as it comes"),
            Text("수집 정보로 기본적 제어", "basic control by what is collected"),
        ),
        ("connected", "automatic", "rate", "lag", "prompt", "alarms"),
        (Unknowable(Text("수집 정보에 의한 기본 제어", "Basic control by what is collected"), _NO_WRITING),),
    ),
    Level(
        "mid2",
        Text("중간2", "Intermediate 2"),
        "Lv4",
        (
            Text("생산정보 실시간 제어", "control by production information as it comes"),
            Text("시뮬레이션을 통해 공정 최적화", "processes are optimised by simulation"),
        ),
        (),
        (
            Unknowable(Text("실시간 폐루프 제어", "Closed-loop control"), _NO_WRITING),
            Unknowable(
                Text("시뮬레이션에 의한 공정 최적화", "Optimisation by simulation"),
                Text("공정 모델과 최적화의 기록을 저장하지 않음", "no record of models or optimisation is stored"),
            ),
        ),
    ),
    Level(
        "advanced",
        Text("고도화", "Advanced"),
        "Lv5",
        (Text("AI로 자율 운영", "runs by itself with AI"),),
        (),
        (
            Unknowable(
                Text("AI의 판단과 자율 운영", "Decisions of an AI, autonomous operation"),
                Text("AI의 판단 이력을 저장하지 않음", "no record of an AI's decisions is stored"),
            ),
        ),
    ),
)
"""From the lowest to the highest."""
