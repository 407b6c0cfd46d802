"""A small made-up site for the viewer's tests and for looking at its pages: a catalog and readings over some hours."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

NS = 1_000_000_000
COMPANY = "대한정밀"

SITE: dict[str, Any] = {
    "company": COMPANY,
    "site": "포항1공장",
    "line": "프레스라인",
    "kpis": ["P-UTIL", "P-OEE"],
    "machines": {
        "PRS-01": {"class": "press", "label": {"ko": "프레스 1호기", "en": "Press 1"}, "state": {"tag": "state"}},
        "PRS-02": {
            "class": "press",
            "label": {"ko": "프레스 2호기", "en": "Press 2"},
            "state": {"tag": "mode", "map": {0: 7, 1: 1, 2: 2, 3: 4}},
        },
        "CNC-01": {"class": "cnc", "label": {"ko": "가공기 1호기", "en": "CNC 1"}, "state": {"tag": "state"}},
        "FUR-01": {"class": "furnace", "label": {"ko": "열처리로", "en": "Furnace"}, "state": {"tag": "state"}},
        "MTR-01": {"class": "meter", "label": {"ko": "전력량계", "en": "Power meter"}},
    },
    "connections": [
        {
            "name": "press1",
            "machine": "PRS-01",
            "period_s": 1,
            "tags": [
                {"name": "state", "label": {"ko": "설비상태", "en": "State"}},
                {"name": "spm", "label": {"ko": "분당 타수", "en": "Strokes/min"}, "engineering_unit": "spm"},
                {"name": "shot_total", "label": {"ko": "총타수", "en": "Total shots"}, "engineering_unit": "EA"},
                {
                    "name": "ton_peak",
                    "label": {"ko": "최대 하중", "en": "Peak load"},
                    "engineering_unit": "t",
                    "scale": 0.1,
                },
                {
                    "name": "air_p",
                    "label": {"ko": "공압", "en": "Air"},
                    "engineering_unit": "MPa",
                    "scale": 0.01,
                },
                {"name": "estop", "label": {"ko": "비상정지", "en": "E-stop"}},
                {"name": "oil_temp", "label": {"ko": "유온", "en": "Oil temp."}, "engineering_unit": "℃"},
            ],
        },
        {
            "name": "rest",
            "period_s": 1,
            "tags": [
                {"name": "mode", "machine": "PRS-02", "label": {"ko": "모드", "en": "Mode"}},
                {"name": "spm", "machine": "PRS-02", "label": {"ko": "분당 타수"}, "engineering_unit": "spm"},
                {"name": "state", "machine": "CNC-01", "label": {"ko": "설비상태"}},
                {"name": "spindle_rpm", "machine": "CNC-01", "label": {"ko": "주축"}, "engineering_unit": "rpm"},
                {"name": "program", "machine": "CNC-01", "label": {"ko": "프로그램"}},
                {"name": "state", "machine": "FUR-01", "label": {"ko": "설비상태"}},
                {"name": "z1_pv", "machine": "FUR-01", "label": {"ko": "1존 온도"}, "engineering_unit": "℃"},
                {"name": "kw", "machine": "MTR-01", "label": {"ko": "전력", "en": "Power"}, "engineering_unit": "kW"},
                {"name": "kwh", "machine": "MTR-01", "label": {"ko": "전력량"}, "engineering_unit": "kWh"},
            ],
        },
    ],
}


def series(machine: str, measurement: str) -> str:
    """Measurement and tags of a machine of the site."""
    return f"{measurement},company={COMPANY},site={SITE['site']},line={SITE['line']},machine={machine}"


def readings(start_ns: int, end_ns: int, step_s: float = 2.0) -> Iterator[bytes]:
    """Line protocol of the site, a body per ten minutes; the furnace stops sending three minutes before the end."""
    press, furnace, meter = series("PRS-01", "press"), series("FUR-01", "furnace"), series("MTR-01", "meter")
    lines: list[str] = []
    for n in range(int((end_ns - start_ns) / NS / step_s)):
        t = start_ns + int(n * step_s * NS)
        s = t / NS
        ton = 125 + 3 * math.sin(s / 47) + 1.5 * math.sin(s / 3.1)
        spm = 52 + round(4 * math.sin(s / 211))
        lines.append(
            f"{press} state=1i,spm={spm}i,shot_total={int(s * 0.9) % 10_000_000}i,ton_peak={ton:.1f},"
            f"air_p={0.55 + 0.02 * math.sin(s / 90):.2f},estop=f {t}"
        )
        if n % 30 == 0:
            lines.append(f'{series("PRS-01", "state")} code=1i,reason="1",since={start_ns}i {t}')
        if n % 30 == 0 and t < end_ns - 180 * NS:
            lines.append(f'{series("FUR-01", "state")} code=1i,reason="1",since={start_ns}i {t}')
        if t < end_ns - 180 * NS:
            lines.append(f"{furnace} state=1i,z1_pv={840 + 6 * math.sin(s / 400) + math.sin(s / 7):.1f} {t}")
        lines.append(f"{meter} kw={140 + 25 * math.sin(s / 600) + 8 * math.sin(s / 5):.2f},kwh={s * 0.04:.1f} {t}")
        if len(lines) > 900:
            yield "\n".join(lines).encode()
            lines = []
    last = end_ns - NS
    lines += [
        f"{series('PRS-02', 'press')} mode=3i,spm=0i {last}",
        f'{series("PRS-02", "state")} code=4i,reason="3",since={last}i {last}',
        f'{series("CNC-01", "state")} code=2i,reason="2",since={last}i {last}',
        f"{series('CNC-01', 'cnc')} spindle_rpm=6200i {last - 3600 * NS}",
        f'{series("CNC-01", "cnc")} state=2i,program="O1234 <BRKT>",spindle_rpm_quality={0x80310000}i {last}',
        f"{press} oil_temp_quality={0x808C0000}i {last}",
        f'{series("PRS-01", "gap")},tag=ton_peak cause="no_communication",end={end_ns - 200 * NS}i {end_ns - 260 * NS}',
    ]
    yield "\n".join(lines).encode()
