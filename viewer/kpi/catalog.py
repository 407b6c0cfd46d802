"""Every figure: its name, formula, unit, what it needs, and what it says where that lacks.

Codes of the programme (domain areas P Q C D S E) are those a site names under `kpis`; one with a dot is a part of, or
another view on, the one before the dot. Formulas of the programme are the catalogue of the project's KPI forms; those
of OEE are ISO 22400-2:2014 and the Korean TPM practice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from viewer.kpi import words
from viewer.kpi.words import Text

Better = Literal["up", "down"]
"""Which way is better."""


@dataclass(frozen=True, slots=True)
class Definition:
    """What a figure is.

    Attributes:
        code: its code.
        name: as people call it.
        formula: how it is computed.
        unit: of the value.
        better: which way is better.
        inputs: what it is made of.
        lacking: when it says 미수집, and what it then says why.
        source: standard, or where the formula comes from.
        share: whether it is a part of a whole, from none to all of it. What is measured may be more all the same, where
            an ideal time is wrong: that is not clamped.
    """

    code: str
    name: Text
    formula: Text
    unit: Text
    better: Better
    inputs: Text
    lacking: Text
    source: str
    share: bool = False

    @property
    def most(self) -> float | None:
        """All of the whole, in the unit; None of a figure that is no share."""
        return (1e6 if self.unit == words.PPM else 100.0) if self.share else None


_FORM: Final = "KPI form"
_ISO: Final = "ISO 22400-2:2014"
_TPM: Final = "TPM (설비종합효율)"
_STATES: Final = Text("상태, 조업 달력", "states, working calendar")
_COUNTED: Final = Text("생산 계수기", "counters")
_BY_HAND: Final = Text("수기 입력", "entries by hand")
_ORDERS: Final = Text("수주·출하 자료", "orders and shipments")
_METER: Final = Text("전력량계", "energy meter")
_NO_STATE: Final = Text(
    "상태가 없으면 미수집; 부하시간이 없으면 '부하시간 없음'",
    "no states: no data; no planned busy time: it says so",
)
_NOT_COUNTED: Final = Text(
    "상태·계수기·이론 사이클타임 중 하나라도 없으면 미수집", "no states, counter or ideal cycle time: no data"
)
_NO_ROWS: Final = Text("입력이 없으면 미수집", "no entries: no data")
_NO_COUNT: Final = Text(
    "계수기가 없으면 미수집; 생산이 없으면 '생산 없음'", "no counter: no data; nothing made: it says so"
)
_NO_RECORDS: Final = Text("기록이 없으면 미수집", "no records: no data")
_NO_METER: Final = Text("계량값이나 배출계수가 없으면 미수집", "no metered value or no emission factor: no data")
_NO_VALUES: Final = Text(
    "측정값이 없으면 미수집; 규격이 없거나 산포가 0이면 그 사유",
    "no values: no data; no limits, or no spread: it says so",
)
_NO_FAILURE: Final = Text(
    "상태가 없으면 미수집; 기간 내 시작된 고장이 없으면 '고장 없음'", "no states: no data; no failure began: it says so"
)
_SPECS: Final = Text("측정값, 규격 상·하한", "measured values, specification limits")

_ALL: Final = (
    Definition(
        "P-UPH",
        Text("시간당 생산량", "Pieces per hour"),
        Text(
            "생산수량 / 실작업시간(부하시간; 상태가 없는 설비는 계수기가 수집된 조업시간)",
            "pieces / planned busy time (without states: working time in which the counters were collected)",
        ),
        Text("EA/h", "EA/h"), "up",
        Text("생산 계수기, 조업 달력, 상태", "counters, working calendar, states"),
        Text(
            "계수기가 없으면 미수집; 부하시간이 없으면 '부하시간 없음'",
            "no counter: no data; no planned busy time: it says so",
        ),
        _FORM,
    ),
    Definition(
        "P-UTIL",
        Text("설비가동률", "Utilisation"),
        Text("실제가동시간 / 부하시간 × 100", "time running / planned busy time × 100"),
        words.PERCENT, "up", _STATES, _NO_STATE, _FORM, share=True,
    ),
    Definition(
        "P-OEE",
        Text("설비종합효율", "Overall equipment effectiveness"),
        Text(
            "시간가동률 × 성능가동률 × 양품률 (= 가용도 × 유효도 × 품질률)",
            "availability × effectiveness × quality ratio (TPM: availability × performance × quality)",
        ),
        words.PERCENT, "up",
        Text("상태, 생산·불량 계수기, 이론 사이클타임, 조업 달력", "states, counters, ideal cycle time, calendar"),
        Text(
            "상태·계수기·이론 사이클타임·양품수 중 하나라도 없으면 미수집",
            "no states, counter, ideal cycle time or good count: no data",
        ),
        f"{_ISO}; {_TPM}", share=True,
    ),
    Definition(
        "P-OEE.A",
        Text("가용도", "Availability"),
        Text("실제생산시간 APT / 계획가동시간 PBT × 100", "actual production time APT / planned busy time PBT × 100"),
        words.PERCENT, "up", _STATES, _NO_STATE, _ISO, share=True,
    ),
    Definition(
        "P-OEE.E",
        Text("유효도", "Effectiveness"),
        Text("이론CT × 생산수량 / 실제생산시간 APT × 100", "PRI × PQ / APT × 100"),
        words.PERCENT, "up",
        Text("상태, 생산 계수기, 이론 사이클타임", "states, counter, ideal cycle time"), _NOT_COUNTED, _ISO, share=True,
    ),
    Definition(
        "P-OEE.TA",
        Text("시간가동률", "Availability (TPM)"),
        Text("(부하시간 − 정지시간) / 부하시간 × 100", "(loading time − stops) / loading time × 100"),
        words.PERCENT, "up", _STATES, _NO_STATE, _TPM, share=True,
    ),
    Definition(
        "P-OEE.TP",
        Text("성능가동률", "Performance (TPM)"),
        Text("이론CT × 생산수량 / 가동시간(순간정지 포함) × 100", "ideal time × pieces / operating time × 100"),
        words.PERCENT, "up",
        Text("상태, 생산 계수기, 이론 사이클타임", "states, counter, ideal cycle time"), _NOT_COUNTED, _TPM, share=True,
    ),
    Definition(
        "P-OEE.Q",
        Text("양품률", "Quality ratio"),
        Text("양품수량 / 생산수량 × 100", "GQ / PQ × 100"),
        words.PERCENT, "up",
        Text("생산·불량 계수기", "counters of pieces and defects"), _NO_COUNT, f"{_ISO}; {_TPM}", share=True,
    ),
    Definition(
        "P-LT",
        Text("제조리드타임", "Manufacturing lead time"),
        Text("평균(생산완료 − 작업지시(착수))", "mean of (completed − started)"),
        words.HOURS, "down", Text("작업지시·로트", "orders or lots"), _NO_ROWS, _FORM,
    ),
    Definition(
        "P-CT",
        Text("사이클타임", "Cycle time"),
        Text("사이클 시간의 합 / 사이클 수", "mean of the cycles"),
        words.SECONDS, "down", Text("사이클 기록", "cycle records"), _NO_RECORDS, _FORM,
    ),
    Definition(
        "P-QTY",
        Text("생산량 증가율", "Growth of production"),
        Text("(실적 − 기존) / 기존 × 100", "(actual − baseline) / baseline × 100"),
        words.PERCENT, "up", Text("생산 계수기, 기준값", "counters, baseline"),
        Text("생산량이나 기준값이 없으면 미수집", "no pieces counted or no baseline: no data"), _FORM,
    ),
    Definition(
        "P-MTBF",
        Text("평균고장간격", "Mean operating time between failures"),
        Text("Σ가동시간 / 고장건수", "Σ operating time / failures"),
        words.HOURS, "up", _STATES, _NO_FAILURE, _FORM,
    ),
    Definition(
        "P-MTTR",
        Text("평균수리시간", "Mean time to repair"),
        Text("Σ수리시간 / 고장건수", "Σ repair time / failures"),
        words.MINUTES, "down", _STATES, _NO_FAILURE, _FORM,
    ),
    Definition(
        "Q-PDR",
        Text("공정불량률", "Process defect rate"),
        Text("불량수량 / 생산수량 × 100", "defects / pieces × 100"),
        words.PERCENT, "down", Text("생산·불량 계수기", "counters of pieces and defects"), _NO_COUNT, _FORM, share=True,
    ),
    Definition(
        "Q-PDR.ppm",
        Text("공정불량률 (ppm)", "Process defect rate (ppm)"),
        Text("불량수량 / 생산수량 × 1,000,000", "defects / pieces × 1,000,000"),
        words.PPM, "down", Text("생산·불량 계수기", "counters of pieces and defects"), _NO_COUNT, _FORM, share=True,
    ),
    Definition(
        "Q-FDR",
        Text("완제품 불량률", "Final defect rate"),
        Text("최종검사 불량수 / 검사수 × 100", "defects at final inspection / inspected × 100"),
        words.PERCENT, "down", Text("최종검사 (수기)", "final inspection (by hand)"), _NO_ROWS, _FORM, share=True,
    ),
    Definition(
        "Q-CLM",
        Text("반품·클레임률", "Returns and claims"),
        Text("반품·클레임 건수 / 납품건수 × 100", "returns and claims / deliveries × 100"),
        words.PERCENT, "down", _BY_HAND, _NO_ROWS, _FORM,
    ),
    Definition(
        "Q-CPK",
        Text("공정능력지수 Cpk", "Process capability Cpk"),
        Text("min(USL − μ, μ − LSL) / 3σ (σ = R̄/d2)", "min(USL − μ, μ − LSL) / 3σ, σ = R̄/d2"),
        words.NO_UNIT, "up", _SPECS, _NO_VALUES, "ISO 22514-2:2017; ISO 7870-2:2013",
    ),
    Definition(
        "Q-CPK.Cp",
        Text("공정능력지수 Cp", "Process capability Cp"),
        Text("(USL − LSL) / 6σ (σ = R̄/d2)", "(USL − LSL) / 6σ, σ = R̄/d2"),
        words.NO_UNIT, "up", _SPECS, _NO_VALUES, "ISO 22514-2:2017; ISO 7870-2:2013",
    ),
    Definition(
        "Q-CPK.Ppk",
        Text("공정성능지수 Ppk", "Process performance Ppk"),
        Text("min(USL − μ, μ − LSL) / 3s (s: 전체 표준편차)", "min(USL − μ, μ − LSL) / 3s, s over all values"),
        words.NO_UNIT, "up", _SPECS, _NO_VALUES, "ISO 22514-2:2017",
    ),
    Definition(
        "Q-CPK.Pp",
        Text("공정성능지수 Pp", "Process performance Pp"),
        Text("(USL − LSL) / 6s (s: 전체 표준편차)", "(USL − LSL) / 6s, s over all values"),
        words.NO_UNIT, "up", _SPECS, _NO_VALUES, "ISO 22514-2:2017",
    ),
    Definition(
        "C-MH",
        Text("작업공수 (단위당 투입공수)", "Man-hours per piece"),
        Text("총투입공수(인원 × 근무시간) / 생산수량", "Σ(people × working time) / pieces"),
        Text("MH/EA", "MH/EA"), "down",
        Text("투입인원 (수기), 조업 달력, 생산 계수기", "head count (by hand), calendar, counters"),
        Text("투입인원이나 계수기가 없으면 미수집", "no head count or no counter: no data"), _FORM,
    ),
    Definition(
        "C-KWH",
        Text("전력 원단위", "Energy per piece"),
        Text("전력사용량 / 양품수량, 둘 다 계량된 시간", "energy / good pieces, both of metered hours"),
        Text("kWh/EA", "kWh/EA"), "down", Text("전력량계, 생산 계수기", "energy meter, counters"),
        Text("계량값이나 계수기가 없으면 미수집", "no metered value or no counter: no data"),
        f"{_FORM}; {_ISO} (comprehensive energy consumption)",
    ),
    Definition(
        "C-INV",
        Text("재고(재공)비용", "Cost of stock and work in process"),
        Text("재고조사 금액의 평균", "mean value of the stock takes"),
        words.WON, "down", _BY_HAND, _NO_ROWS, _FORM,
    ),
    Definition(
        "C-INV.accuracy",
        Text("재고정확도", "Stock accuracy"),
        Text("장부와 일치한 품목수 / 실사 품목수 × 100", "items that agree with the book / items counted × 100"),
        words.PERCENT, "up", _BY_HAND, _NO_ROWS, _FORM, share=True,
    ),
    Definition(
        "D-OTD",
        Text("납기준수율", "Delivery on time"),
        Text("납기내 출하건수 / 총출하건수 × 100", "shipments on time / shipments × 100"),
        words.PERCENT, "up", _ORDERS, _NO_ROWS, _FORM, share=True,
    ),
    Definition(
        "D-O2S",
        Text("수주출하 리드타임", "Order to shipment"),
        Text("평균(출하시각 − 수주확정시각)", "mean of (shipped − order confirmed)"),
        words.HOURS, "down", _ORDERS, _NO_ROWS, _FORM,
    ),
    Definition(
        "S-ALM",
        Text("안전경보 건수", "Safety alarms"),
        Text("기간 내 발생한 안전경보 수", "safety alarms raised in the period"),
        words.CASES, "down", Text("안전경보, 감시시간", "safety alarms, time watched"),
        Text("감시된 시간이 없으면 미수집", "nothing was watched: no data"), _FORM,
    ),
    Definition(
        "S-ALM.over",
        Text("위험농도 초과시간", "Time above the limit"),
        Text("1분 평균농도가 기준을 넘은 시간", "minutes whose mean is above the limit"),
        words.MINUTES, "down", Text("농도 1분 평균", "one-minute means of the concentration"), _NO_RECORDS, _FORM,
    ),
    Definition(
        "S-INJ",
        Text("재해율", "Accident rate"),
        Text("재해자수 / 근로자수 × 100", "people injured / people employed × 100"),
        words.PERCENT, "down", _BY_HAND, _NO_ROWS, _FORM, share=True,
    ),
    Definition(
        "S-INJ.near",
        Text("아차사고 건수", "Near misses"),
        Text("보고된 아차사고 수의 합", "sum of the near misses reported"),
        words.CASES, "down", _BY_HAND, _NO_ROWS, _FORM,
    ),
    Definition(
        "E-CO2",
        Text("온실가스 배출량", "Greenhouse gas emission"),
        Text("Σ(사용량 × 그 시점의 배출계수) / 1000", "Σ(amount used × factor of that time) / 1000"),
        words.TONNES, "down", Text("전력량계·연료, 배출계수표", "meters, table of emission factors"), _NO_METER, _FORM,
    ),
    Definition(
        "E-CO2.piece",
        Text("온실가스 원단위", "Emission per piece"),
        Text("온실가스 배출량 / 양품수량, 둘 다 계량된 시간", "emission / good pieces, both of metered hours"),
        Text("kgCO2eq/EA", "kgCO2eq/EA"), "down",
        Text("전력량계·연료, 배출계수표, 생산 계수기", "meters, emission factors, counters"),
        Text("배출량이나 계수기가 없으면 미수집", "no emission or no counter: no data"), _FORM,
    ),
    Definition(
        "E-PEAK",
        Text("최대수요전력", "Peak demand"),
        Text("15분 평균전력의 최댓값", "greatest 15-minute mean power"),
        words.KW, "down", _METER,
        Text("95 % 이상 계량된 15분이 없으면 미수집", "no quarter of an hour metered by 95 %: no data"), _FORM,
    ),
    Definition(
        "DQ-RATE",
        Text("수집률", "Collection rate"),
        Text("수집된 표본수 / 기대 표본수 × 100", "samples collected / samples expected × 100"),
        words.PERCENT, "up", Text("표본, 수집주기", "samples, sampling period"),
        Text("기대 표본이 없으면 미수집", "nothing expected: no data"), "–", share=True,
    ),
)  # fmt: skip

CATALOG: Final = {one.code: one for one in _ALL}
"""Definitions by code, in the order in which they are shown."""
