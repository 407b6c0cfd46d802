"""What figures say in words, Korean and English: units, reasons, remarks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple


class Text(NamedTuple):
    """The same in two languages."""

    ko: str
    en: str


def called(label: Mapping[str, str], name: str) -> Text:
    """What people call it: a label by language, and its name in a language in which it has none."""
    return Text(label.get("ko") or name, label.get("en") or name)


class Amount(NamedTuple):
    """A number with its name, for what a figure was made of and for what was left out of it.

    Attributes:
        what: its name.
        value: None = not collected.
        unit: of the value.
    """

    what: Text
    value: float | None
    unit: Text


PIECES: Final = Text("EA", "EA")
PERCENT: Final = Text("%", "%")
PPM: Final = Text("ppm", "ppm")
HOURS: Final = Text("h", "h")
MINUTES: Final = Text("min", "min")
SECONDS: Final = Text("s", "s")
CASES: Final = Text("건", "cases")
PEOPLE: Final = Text("명", "people")
WON: Final = Text("원", "KRW")
KWH: Final = Text("kWh", "kWh")
KW: Final = Text("kW", "kW")
KG: Final = Text("kgCO2eq", "kgCO2eq")
TONNES: Final = Text("tCO2eq", "tCO2eq")
MAN_HOURS: Final = Text("MH", "MH")
NO_UNIT: Final = Text("–", "–")
NO_NAME: Final = Text("", "")

MISSING: Final = Text("미수집", "No data")
"""What stands in the place of a figure that there is not; never 0."""
INDICATIVE: Final = Text("참고치", "Indicative")
PARTIAL: Final = Text("일부 제외", "Partial")
MANUAL: Final = Text("수기", "Entered by hand")

NO_SAMPLES: Final = Text("기간 내 표본 없음", "no samples in the period")
NO_PART: Final = Text("일부 입력 없음: {}", "an input is missing: {}")
NOTHING_BELOW: Final = Text("분모가 0", "the denominator is 0")
NO_WORK: Final = Text("기간 내 부하시간 없음", "no planned busy time in the period")
NO_FAILURE: Final = Text("기간 내 시작된 고장 없음", "no failure began in the period")
NO_BASELINE: Final = Text("기존 생산량 없음", "no pieces of a time before are known")
NO_PIECES: Final = Text("기간 내 생산 없음", "nothing was made in the period")
OTHER_PROFILE: Final = Text("다른 프로파일의 요소", "a factor of the other profile")
NO_VALUE: Final = Text("값이 없는 사이클", "cycles without a value")
UNPLACED: Final = Text("미수집 중 생산", "made while nothing was collected")
"""Pieces that are left out, since the time in which they were made is not known."""
NO_SPREAD: Final = Text("산포가 0", "the values do not vary")
NO_LIMITS: Final = Text("규격 없음", "no specification limits")
CHECK_IDEAL: Final = Text(
    "성능이 105 %를 넘음: 이론 사이클타임 확인", "performance above 105 %: check the ideal cycle time"
)
MUCH_UNKNOWN: Final = Text("미수집시간이 5 %를 넘음", "more than 5 % of the time is unknown")
UNVERIFIED: Final = Text("배출계수 확인 필요", "an emission factor is to be confirmed")
FEW_SAMPLES: Final = Text("표본 25개 미만", "fewer than 25 samples")
WITHOUT: Final = Text(
    "제외: {} (상태·계수기·이론 사이클타임 설정 없음)", "without: {} (no states, counter or ideal time configured)"
)
"""Machines of a line that a figure leaves out."""
SUMMED: Final = Text("설비 {}대의 시간과 수량을 더한 값", "times and pieces of {} machines added up")
"""What a figure of a line is."""
NO_ENTRIES: Final = Text("수기 입력 없음", "nothing was entered by hand")
