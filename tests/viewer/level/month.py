"""A site of four machines and a month of points, with what comes out of it by hand.

Now is 2026-09-30 14:00 in Korea; thirty production days, which begin at 08:00, began on 2026-09-01 08:00.

| | state | count | lot | now |
|---|---|---|---|---|
| PRS-01 | 4 points in the period, 1 before | 5 points | L1 twice, L2; L0 before | 30 s ago |
| PRS-02 | before the period only | 2 points | – | 5 min ago |
| MTR-01 | – | – | – | nothing ever |
| DOOR | – | – | – | told on change, 3 h ago; the agent lives |

Connected 2 of 4; states 1 of 4; counts 2 of 4; different lots 2.
Heartbeats of the last day: 90 with a lag of 0.4 s, 5 of 6 s, 2 of 10 s, 3 of 60 s: the 95th of 100 is 6 s, 97 are
within 10 s. Others on 21 August (the first), on 10 September with no device connected, and 25 h ago, 500 s late.
From 21 August to 30 September are 41 days; heartbeats on 21 August, 10, 29 and 30 September; a device on 3 of them.
Of the figures P-UTIL and P-MTBF are made of the four states, Q-FDR is entered by hand, for C-KWH no energy is stored:
2 of 4. Tags: 7, of which all three are said of temp and kwh; 4 have a label, 3 a unit, 3 a source.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from pipelines.derive.signals import RUN

SECOND = 10**9
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
COMPANY = "한국금속"
SITE_YAML = """
company: 한국금속
site: A
line: L1
calendar: {day_start: "08:00", shifts: [{name: 종일, from: "08:00", to: "20:00"}], days: [0, 1, 2, 3, 4, 5, 6]}
kpis: [P-UTIL, P-MTBF, Q-FDR, C-KWH]
machines:
  PRS-01:
    class: press
    label: {ko: 프레스 1호기, en: Press 1}
    state: {tag: mode}
    count: {total: shots}
    energy: {kwh: MTR-01/kwh, lot: lot}
  PRS-02: {class: press, state: {tag: shots2}, count: {total: shots2}}
  MTR-01: {class: meter, label: {ko: 전력량계}}
  DOOR: {class: door, label: {ko: 출입문}}
alarms:
  - {name: hot, machine: PRS-01, tag: temp, above: 90, priority: important}
  - {name: cold, machine: PRS-01, tag: temp, below: 5, priority: caution}
  - {name: old, machine: PRS-01, tag: temp, above: 99, priority: caution, in_service: false}
connections:
  - name: press
    type: modbus
    host: 127.0.0.1
    port: 1
    period_s: 10
    machine: PRS-01
    tags:
      - {name: mode, table: holding, address: 0, datatype: uint16, label: {ko: 모드}}
      - {name: shots, table: holding, address: 1, datatype: uint32, label: {ko: 타수}, engineering_unit: EA}
      - {name: temp, table: holding, address: 3, datatype: uint16, label: {ko: 온도}, engineering_unit: ℃, source: D3}
      - {name: lot, table: holding, address: 4, datatype: uint16, source: D4}
      - {name: shots2, table: holding, address: 5, datatype: uint32, machine: PRS-02}
      - name: kwh
        table: holding
        address: 7
        datatype: uint32
        machine: MTR-01
        label: {ko: 전력량}
        engineering_unit: kWh
        source: D7
      - {name: open, table: holding, address: 9, datatype: uint16, machine: DOOR, deadband: {type: absolute, value: 1}}
"""


def at(text: str) -> int:
    """A Korean time, ns since 1970 UTC."""
    return round(datetime.fromisoformat(f"{text}+09:00").timestamp()) * SECOND


NOW = at("2026-09-30T14:00")
BEGIN = at("2026-09-01T08:00")


def tags(machine: str, line: str = "L1") -> str:
    """Tags of a machine's series."""
    return f"company={COMPANY},site=A,line={line},machine={machine}"


def lines() -> Iterator[str]:
    """Line protocol of the month."""
    yield from _readings()
    yield from _derived()
    yield from _heartbeats()


def _readings() -> Iterator[str]:
    yield f"press,{tags('PRS-01')} mode=1i,shots=500i,temp=71i,lot=12i {NOW - 30 * SECOND}"
    yield f"press,{tags('PRS-02')} shots2=70i {NOW - 5 * MINUTE}"
    yield f"door,{tags('DOOR')} open=1i {NOW - 3 * HOUR}"


def _derived() -> Iterator[str]:
    press = tags("PRS-01")
    working = at("2026-09-15T10:00")
    for time_ns in (BEGIN - HOUR, *(working + n * MINUTE for n in range(4))):
        yield f'state,{press} code={RUN}i,reason="1",since={time_ns}i {time_ns}'
    yield f'state,{tags("PRS-02")} code={RUN}i,reason="1",since={BEGIN}i {BEGIN - DAY}'
    for n in range(5):
        yield f"count,{press} total={100 + n}i,epoch=0i {BEGIN + n * DAY}"
    for n in range(2):
        yield f"count,{tags('PRS-02')} total={60 + n}i,epoch=0i {BEGIN + n * DAY}"
    for time_ns, lot in ((BEGIN - 1, "L0"), (BEGIN, "L1"), (BEGIN + DAY, "L2"), (BEGIN + 2 * DAY, "L1")):
        yield f'energy,{press},per=lot cover=100,lot="{lot}",end={time_ns + HOUR}i {time_ns}'
    for time_ns, event in ((BEGIN - HOUR, "raised"), (working, "raised"), (working + MINUTE, "cleared")):
        yield f'alarm,{press},alarm=hot event="{event}" {time_ns}'


def _heartbeats() -> Iterator[str]:
    lags = [0.4] * 90 + [6.0] * 5 + [10.0] * 2 + [60.0] * 3
    for n, lag_s in enumerate(lags):
        yield _beat(NOW - 10 * SECOND - n * 14 * MINUTE, lag_s, 1)
    yield _beat(at("2026-08-21T00:00"), 0.0, 1)
    yield _beat(at("2026-09-10T23:59:59"), 0.0, 0)
    yield _beat(NOW - 25 * HOUR, 500.0, 1)


def _beat(time_ns: int, lag_s: float, connected: int) -> str:
    own = tags("edge-1").replace(",line=L1", "")
    return f"agent,{own} connections=1i,connected={connected}i,lag_s={lag_s} {time_ns}"
