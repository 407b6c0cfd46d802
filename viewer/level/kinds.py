"""What is looked at: name, formula and unit of each piece of evidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from viewer.kpi import words
from viewer.kpi.words import Text

MACHINES: Final = Text("대", "machines")
FIGURES: Final = Text("개", "figures")
RULES: Final = Text("개", "rules")
TAGS: Final = Text("개", "tags")
LOTS: Final = Text("개", "lots")
PEOPLE: Final = words.PEOPLE
DAYS: Final = Text("일", "days")
RECORDS: Final = Text("건", "records")
BEATS: Final = Text("건", "heartbeats")
ALARMS: Final = Text("건", "alarms")
PROMPT_S: Final = 10.0
"""Longest delay that counts as real time, seconds."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One piece of evidence.

    Attributes:
        code: short and unique, as in JSON.
        name: what people call it.
        formula: how it is reckoned.
        unit: of the value.
        sampled: what its samples are.
    """

    code: str
    name: Text
    formula: Text
    unit: Text
    sampled: Text


_MACHINE: Final = Text("설비", "machines")
_POINTS: Final = Text("저장된 기록", "stored points")
_BEATS: Final = Text("하트비트", "heartbeats")

_ALL: Final = (
    Kind(
        "states",
        Text("상태 수집 설비 비율", "Machines with stored states"),
        Text(
            "기간 내 상태가 저장된 설비 / 설정 파일의 설비 × 100",
            "machines of which a state was stored in the period / machines in the site files × 100",
        ),
        words.PERCENT, _POINTS,
    ),
    Kind(
        "counts",
        Text("수량 수집 설비 비율", "Machines with stored counts"),
        Text(
            "기간 내 생산수량이 저장된 설비 / 설정 파일의 설비 × 100",
            "machines of which a count was stored in the period / machines in the site files × 100",
        ),
        words.PERCENT, _POINTS,
    ),
    Kind(
        "lots",
        Text("로트 추적", "Lots tracked"),
        Text(
            "기간 내 시작되어 자동 기록된 로트와 기간에 걸친 수기 입력 로트 중 서로 다른 로트의 수",
            "different lots: those recorded that began in the period, and those entered by hand that concern it",
        ),
        LOTS, Text("로트 기록", "records of lots"),
    ),
    Kind(
        "standard",
        Text("표준화", "Standard tags"),
        Text(
            "한글명·단위·출처(source)가 모두 있는 태그 / 설정 파일의 태그 × 100",
            "tags with Korean label, unit and source / tags in the site files × 100",
        ),
        words.PERCENT, Text("태그", "tags"),
    ),
    Kind(
        "kept",
        Text("보관기간", "Time kept"),
        Text(
            "저장된 첫 하트비트의 날부터 오늘까지의 날수 (한국 시간, 양 끝 포함, 10년까지)",
            "days from that of the first stored heartbeat to today (Korean time, both included, ten years at most)",
        ),
        DAYS, _BEATS,
    ),
    Kind(
        "used",
        Text("활용도", "Days of use"),
        Text(
            "기간 내 기업 담당자가 로그인하거나 입력한 서로 다른 날의 수 (한국 시간, 접속 기록)",
            "days in the period on which a user of the company logged in or entered something (audit log, Korean time)",
        ),
        DAYS, Text("접속·입력 기록", "rows of the audit log"),
    ),
    Kind(
        "connected",
        Text("설비연결률", "Machines connected"),
        Text(
            "최근 1분 안에 소식이 있는 설비 / 설정 파일의 설비 × 100",
            "machines heard of in the last minute / machines in the site files × 100",
        ),
        words.PERCENT, _MACHINE,
    ),
    Kind(
        "automatic",
        Text("자동수집률", "Figures made of measured data"),
        Text(
            "필요한 자료가 모두 측정되어 기간 내 저장된 지표 / 설정 파일의 KPI(kpis) × 100",
            "figures with all inputs measured and stored in the period / figures in the site files (kpis) × 100",
        ),
        words.PERCENT, _POINTS,
    ),
    Kind(
        "lag",
        Text("실시간성: 저장 지연 p95", "Delay until stored, p95"),
        Text(
            "하트비트의 lag_s(아직 저장되지 않은 가장 오래된 값의 나이)를 작은 순으로 놓아 95 % 번째의 값",
            "of all heartbeats' lag_s (age of the oldest value not yet stored) the least that 95 % do not exceed",
        ),
        words.SECONDS, _BEATS,
    ),
    Kind(
        "prompt",
        Text("실시간성: 10초 이내 비율", "Delay within 10 s"),
        Text("lag_s가 10초 이하인 하트비트 / 하트비트 × 100", "heartbeats with lag_s up to 10 s / heartbeats × 100"),
        words.PERCENT, _BEATS,
    ),
    Kind(
        "rate",
        Text("수집률", "Collection rate"),
        Text("수집된 표본수 / 기대 표본수 × 100 (DQ-RATE)", "samples collected / samples expected × 100 (DQ-RATE)"),
        words.PERCENT, Text("기대 표본", "samples expected"),
    ),
    Kind(
        "alarms",
        Text("경보 규칙", "Alarm rules"),
        Text(
            "설정 파일의 경보 중 사용 중(in_service)인 규칙의 수. 기간 내 하트비트가 있어야 동작한 것으로 봄",
            "alarms in the site files that are in service; without heartbeats in the period nothing watched them",
        ),
        RULES, _BEATS,
    ),
)  # fmt: skip

KINDS: Final = {one.code: one for one in _ALL}
"""By code."""
