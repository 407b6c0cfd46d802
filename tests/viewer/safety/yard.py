"""A small chemical yard for tests of pages: two gas detectors, a tank, a kettle with a CCP, and what they told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipelines.derive.chain import Chain
from tests.viewer import one_shop
from tests.viewer.one_shop import HOUR, MINUTE, SECOND, T0
from viewer.catalog import Catalog
from viewer.stores.base import Store

NOW = T0 + 2 * HOUR
COMPANY = "한국금속"
"""The one whose store the fixtures fill."""


def alarm(name: str, machine: str, tag: str, **more: Any) -> dict[str, Any]:
    """An alarm as a site file has it."""
    label = {"ko": f"{name} 경보", "en": f"{name} alarm"}
    return {"name": name, "machine": machine, "tag": tag, "priority": "urgent", "label": label, **more}


SITE: dict[str, Any] = {
    "company": COMPANY,
    "site": "Y",
    "line": "L1",
    "calendar": {"day_start": "08:00", "shifts": [{"name": "주간", "from": "08:00", "to": "20:00"}]},
    "machines": {
        "GD-02": {
            "class": "gas_detector",
            "label": {"ko": "암모니아 감지기", "en": "NH3 detector"},
            "calibration": {"every_days": 180, "last": "2026-03-01", "certificate": "C-7"},
        },
        "GD-05": {"class": "gas_detector", "label": {"ko": "산소 감지기", "en": "O2 detector"}},
        "T-101": {"class": "tank", "label": {"ko": "염산 탱크", "en": "Acid tank"}, "state": {"tag": "state"}},
        "T-102": {"class": "tank", "label": {"ko": "용제 탱크", "en": "Solvent tank"}},
        "KET-01": {"class": "kettle", "label": {"ko": "가열솥", "en": "Kettle"}},
    },
    "exposure": [{"machine": "GD-02", "tag": "nh3", "substance": "NH3", "stel": 35}],
    "alarms": [
        alarm("nh3_warn", "GD-02", "nh3", above=25, safety=True, fault="fault", priority="important"),
        alarm("nh3_alarm", "GD-02", "nh3", above=50, safety=True, fault="fault"),
        alarm("o2_low", "GD-05", "o2", below=19.5, safety=True, fault="fault"),
        alarm("level_high", "T-101", "level", above=90, safety=True),
        alarm("ccp_boil", "KET-01", "product_t", below=95, delay_s=5, only_while="holding", ccp=True),
    ],
    "connections": [
        {
            "name": "plc",
            "period_s": 10,
            "tags": [
                {"name": "nh3", "machine": "GD-02", "engineering_unit": "ppm", "scale": 0.1},
                {"name": "fault", "machine": "GD-02"},
                {"name": "o2", "machine": "GD-05", "engineering_unit": "%", "scale": 0.1},
                {"name": "fault", "machine": "GD-05"},
                {"name": "level", "machine": "T-101", "engineering_unit": "%", "scale": 0.1},
                {"name": "level", "machine": "T-102", "engineering_unit": "%", "scale": 0.1},
                {"name": "product_t", "machine": "KET-01", "engineering_unit": "℃", "scale": 0.1},
                {"name": "holding", "machine": "KET-01"},
            ],
        }
    ],
}
CATALOG = Catalog.of([SITE])
YARD = CATALOG.sites[COMPANY, "Y"]
CLASSES = {"GD-02": "gas_detector", "GD-05": "gas_detector", "T-101": "tank", "T-102": "tank", "KET-01": "kettle"}


def tags(machine: str, **more: str) -> str:
    """Tags of a machine's series."""
    return f"company={COMPANY},site=Y,line=L1,machine={machine}" + "".join(f",{key}={one}" for key, one in more.items())


def event(machine: str, name: str, at: int, event: str, state: str, *, active: bool, more: str = "") -> str:
    """A point of an agent's alarm."""
    told = f'active={active},acknowledged={state != "UNACK"},priority="urgent",event="{event}",state="{state}"'
    return f'alarm,{tags(machine, alarm=name)} {told},message="{name} 경보"{more} {at}'


def quiet(since_ns: int = NOW - 2 * MINUTE, **last: str) -> Iterator[str]:
    """An agent that lives and values that are well, until now; `last` are the newest ones by machine and tag."""
    usual = {
        "GD-02": {"nh3": "2.0", "fault": "false"},
        "GD-05": {"o2": "20.9", "fault": "false"},
        "T-101": {"level": "73.6"},
        "T-102": {"level": "38.7"},
        "KET-01": {"product_t": "96.0", "holding": "true"},
    }
    for at in range(since_ns, NOW + 1, 10 * SECOND):
        yield f"agent,{tags('edge-1')} connections=1i,connected=1i {at}"
        for machine, values in usual.items():
            told = {tag: last.get(f"{machine}/{tag}", one) if at == NOW else one for tag, one in values.items()}
            yield f"{CLASSES[machine]},{tags(machine)} {','.join(f'{tag}={one}' for tag, one in told.items())} {at}"


def means() -> Iterator[str]:
    """A STEL mean each minute, one of them above 35 ppm, and a TWA each quarter."""
    for minute in range(15, 121):
        stel = 38.5 if minute == 60 else 7.0
        told = f"stel={stel},stel_coverage=1,stel_of_limit={stel / 35!r}"
        if minute % 15 == 0:
            told += ",twa_coverage=0.8,twa=5.0,twa_of_limit=0.2,twa_at_least=4.0"
        yield f"exposure,{tags('GD-02', tag='nh3', substance='NH3')} {told} {T0 + minute * MINUTE}"


def log(count: int, altered: int = 0) -> Iterator[str]:
    """Entries of the chained log, one a minute; that of the number `altered` says something else than was hashed."""
    chain = Chain()
    for number in range(1, count + 1):
        at = T0 + number * MINUTE
        said = {"machine": "GD-02", "alarm": "nh3_warn", "time_ns": str(at), "event": "raised", "by": "안전담당 1"}
        entry = chain.add(said)
        text = (
            entry.canonical().decode().replace("raised", "cleared") if number == altered else entry.canonical().decode()
        )
        quoted = text.replace("\\", "\\\\").replace('"', '\\"')
        told = f'seq={entry.seq}i,hash="{entry.hash}",prev="{entry.prev}",entry="{quoted}"'
        yield f"event_log,{tags('GD-02', alarm='nh3_warn')} {told} {at}"


def page(store: Store, path: str, now_ns: int = NOW, catalog: Catalog = CATALOG, **query: str) -> str:
    """A page as text."""
    return one_shop.page(store, path, now_ns, catalog, **query)
