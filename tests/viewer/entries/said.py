"""Entries of the tests."""

from __future__ import annotations

from typing import Any

from pipelines.settings import Labels
from viewer.entries.check import checked
from viewer.entries.model import Entry, fresh_id
from viewer.entries.settings import EntrySettings
from viewer.entries.site import EntrySite
from viewer.entries.times import moment_ns
from viewer.entries.written import Written

KEY = ("대한정밀", "포항1공장")
NOW_NS = moment_ns("2026-11-22 12:00")
SITE = EntrySite(
    *KEY,
    {"PRS-01": "프레스라인", "PRS-02": "프레스라인", "CNC-01": "가공라인"},
    {},
    EntrySettings(stop_reasons={"die": Labels(ko="금형 교체", en="Die change"), "material": Labels(ko="자재 대기")}),
)
DEFECT = {"kind": "defect", "machine": "PRS-01", "value": "3", "start": "2026-11-22 10:00", "author": "김"}
STOP = {"kind": "stop", "machine": "PRS-01", "reason": "die", "start": "2026-11-22 09:00", "end": "2026-11-22 09:30"}
STOP |= {"author": "김"}


def entry(base: dict[str, Any] = DEFECT, **more: Any) -> Entry:
    """A valid entry, fields changed."""
    return checked({"id": fresh_id(), **base, **more}, SITE, NOW_NS)


def written(one: Entry, time_ns: int = NOW_NS) -> Written:
    """As if it had been entered then."""
    return Written(one, *KEY, time_ns, time_ns, "web")
