"""Levels of a smart factory, and what of a template each of them needs.

The four steps of the Korean programme: 기초 (production is monitored), 중간1 (data are collected and analysed as they
come), 중간2 (processes are improved, energy included), 고도화 (data for models, shared). What is safety or a critical
control point stays at every level.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

from agent.derived import refs_of
from agent.document import KeyPath
from agent.templates.draft import Draft
from agent.templates.prune import tag_rows, without_tags
from pipelines.derive.alarm_settings import AlarmSettings
from pipelines.derive.rule import Ref

Level = Literal["basic", "mid1", "mid2", "advanced"]
LEVELS: Final[tuple[Level, ...]] = get_args(Level)
LEVEL_LABELS: Final[dict[Level, str]] = {
    "basic": "기초 basic",
    "mid1": "중간1 intermediate 1",
    "mid2": "중간2 intermediate 2",
    "advanced": "고도화 advanced",
}
_BASIC: Final = {"P-UPH", "P-UTIL", "P-QTY", "P-LT", "Q-PDR", "Q-FDR", "S-ALM", "S-INJ", "D-OTD"}
_OF_ENERGY: Final = {"C-KWH", "E-CO2", "E-PEAK"}
_FASTEST_S: Final = 1.0
SHARE: Final = """\
share:
  technopark:                                     # one-minute aggregates; write its broker and user, or remove this
    label: {ko: 테크노파크, en: Technopark}
    default: aggregate
    mqtt: {host: technopark.invalid, port: 8883, tls: {}}
"""


def at_level(draft: Draft, level: Level) -> Draft:
    """A template as a level needs it; `mid2` is the whole template."""
    if level == "mid2":
        return draft
    if level == "advanced":
        faster = draft.changed(dict.fromkeys(_slow(draft), f"{_FASTEST_S:g}"))
        return faster.without({("share",)} if faster.has(("share",)) else ()).added(SHARE)
    return _lower(draft, level)


def _lower(draft: Draft, level: Level) -> Draft:
    site = draft.site
    doomed: set[KeyPath] = set()
    energy = not any(one.count for one in site.machines.values())  # it is then what the line is about
    if not energy:
        doomed |= {("machines", name, "energy") for name, one in site.machines.items() if one.energy}
    wanted = (_BASIC if level == "basic" else set(site.kpis) - _OF_ENERGY) | (_OF_ENERGY if energy else set())
    doomed |= {("kpis", index) for index, one in enumerate(site.kpis) if one not in wanted}
    if level == "mid1":
        return draft.without(doomed)
    doomed |= {("machines", name, "cycle") for name, one in site.machines.items() if one.cycle}
    doomed |= {("alarms", index) for index, one in enumerate(site.alarms) if not _must_be_told(one)}
    lots = {
        Ref.of(name, text)
        for name, one in site.machines.items()
        if one.energy
        for text in (one.energy.lot, one.energy.product)
        if text
    }
    less = draft.without(doomed)
    needed = lots | {ref for _, ref in refs_of(less.site)}
    return without_tags(less, lambda ref: _is_read(ref, needed))


def _must_be_told(alarm: AlarmSettings) -> bool:
    return alarm.safety or alarm.ccp or alarm.priority == "urgent"


def _is_read(tag: Ref, needed: set[Ref]) -> bool:
    """Whether a rule names the tag, or a part of it, such as an element."""
    parts = (one for one in needed if one.machine == tag.machine)
    return any(one.tag == tag.tag or one.tag.startswith(f"{tag.tag}_") for one in parts)


def _slow(draft: Draft) -> list[KeyPath]:
    """Periods above a second of tags that rules read, but for connections to several units: these are serial buses."""
    site = draft.site
    needed = {ref for _, ref in refs_of(site)}
    found = []
    for place, ref in tag_rows(site):
        connection = site.connections[int(place[1])]
        units = {getattr(tag, "unit", None) for tag in connection.tag_list()}
        period = (*place, "period_s")
        if len(units) == 1 and _is_read(ref, needed) and draft.has(period):
            tag = next(one for at, one in enumerate(connection.tag_list()) if connection.tag_place(at) == place[2:])
            if (connection.polled_s(tag) or 0) > _FASTEST_S:
                found.append(period)
    return found
