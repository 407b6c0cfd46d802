"""What the site files say of a site as a whole: its working time, what it is judged by, its alarms and gases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from pipelines.calendar import Calendar, Span
from pipelines.derive.exposure_limits import Limits, limits_table
from pipelines.derive.settings import CalendarSettings
from pipelines.holidays import Holidays, load
from viewer.entries.settings import EntrySettings

if TYPE_CHECKING:
    from viewer.catalog import MachineInfo, MachineKey

_ALWAYS: Final = CalendarSettings.model_validate(
    {
        "day_start": "00:00",
        "shifts": [{"name": "24h", "from": "00:00", "to": "24:00"}],
        "days": [0, 1, 2, 3, 4, 5, 6],
    }
)


@dataclass(frozen=True, slots=True)
class AlarmInfo:
    """An alarm that is configured.

    Attributes:
        machine: it belongs to.
        name: unique in its machine.
        tags: machine and tag of everything it watches.
        safety: whether it is a safety alarm.
        priority: `urgent`, `important`, `caution` or `info`; empty = not known.
        label: what people see, by language.
        action: what to do when it comes, by language.
        ccp: whether it watches a critical control point (중요관리점).
        limit: when it comes, such as `product_t < 95, 5 s`.
        in_service: whether it may come at all.
        only_while: machine and tag that is 0 while the alarm means nothing; None = it always means something.
        above: it comes when its one tag is above this; None = not by that.
        below: it comes when its one tag is below this.
        fault: machine and tag that is not 0 while the sensor is out of order; None = nothing says so.
    """

    machine: str
    name: str
    tags: tuple[tuple[str, str], ...]
    safety: bool = False
    priority: str = ""
    label: Mapping[str, str] = field(default_factory=dict)
    action: Mapping[str, str] = field(default_factory=dict)
    ccp: bool = False
    limit: str = ""
    in_service: bool = True
    only_while: tuple[str, str] | None = None
    above: float | None = None
    below: float | None = None
    fault: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class GasInfo:
    """A gas that is watched.

    Attributes:
        machine: of the detector.
        tag: the concentration.
        substance: what it is, of the table of limits.
        table: limits of that substance, with their source.
        own_twa: the site's own limit of the 8-hour mean; None = the table's holds.
        own_stel: the site's own limit of the 15-minute mean.
    """

    machine: str
    tag: str
    substance: str
    table: Limits
    own_twa: float | None = None
    own_stel: float | None = None

    @property
    def twa(self) -> float:
        """Limit of the 8-hour mean that holds."""
        return self.own_twa or self.table.twa

    @property
    def stel(self) -> float | None:
        """Limit of the 15-minute mean that holds; None = there is none."""
        return self.own_stel or self.table.stel

    @property
    def limit(self) -> float:
        """Never above this, or not for 15 minutes, or not for 8 hours: the first of these that there is."""
        return self.table.ceiling or self.stel or self.twa


@dataclass(frozen=True, slots=True)
class SiteInfo:
    """A site as people see it.

    Attributes:
        company: it belongs to.
        name: of the site.
        calendar: working time with the holidays; without settings every hour of every day, from midnight to midnight.
        has_calendar: whether the site says when it works.
        kpis: codes of what it is judged by.
        alarms: that are configured.
        gases: that are watched.
        machines: by name, in the order of the site files.
        entry: what people choose from who enter something; None = the file says nothing of it.
        label: what people see in place of its name, by language; empty = the name.
    """

    company: str
    name: str
    calendar: Calendar
    has_calendar: bool = False
    kpis: tuple[str, ...] = ()
    alarms: tuple[AlarmInfo, ...] = ()
    gases: tuple[GasInfo, ...] = ()
    machines: Mapping[str, MachineInfo] = field(default_factory=dict)
    entry: EntrySettings | None = None
    label: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str]:
        """Company and site."""
        return self.company, self.name

    def knows_holidays(self, period: Span) -> bool:
        """Whether the table of holidays knows every production day that a period touches."""
        first, last = (self.calendar.production_day(one) for one in (period[0], period[1] - 1))
        return holidays().knows(first, last)

    @property
    def lines(self) -> tuple[str, ...]:
        """Production lines, in the order of their machines; one without a name is none."""
        return tuple(dict.fromkeys(one.line for one in self.machines.values() if one.line))


def sites_of(
    files: Iterable[Mapping[str, Any]], machines: Mapping[MachineKey, MachineInfo]
) -> dict[tuple[str, str], SiteInfo]:
    """Sites by company and name; several files of one site make one.

    Args:
        files: site files as plain mappings.
        machines: all that they name.
    """
    found: dict[tuple[str, str], SiteInfo] = {}
    for file in files:
        key = (file.get("company") or "", file.get("site") or "")
        own = {machine.name: machine for machine in machines.values() if machine.key[:2] == key}
        one, other = _site(key, file, own), found.get(key)
        found[key] = one if other is None else _joined(other, one)
    return found


def _site(key: tuple[str, str], file: Mapping[str, Any], machines: Mapping[str, MachineInfo]) -> SiteInfo:
    said = file.get("calendar")
    settings = CalendarSettings.model_validate(said) if said else _ALWAYS
    calendar = Calendar(settings, holidays() if said else frozenset())
    alarms = tuple(_alarm(one) for one in file.get("alarms") or ())
    gases = tuple(_gas(one) for one in file.get("exposure") or ())
    entry = EntrySettings.model_validate(file["entry"]) if file.get("entry") else None
    label = {language: text for language, text in (file.get("site_label") or {}).items() if text}
    return SiteInfo(*key, calendar, bool(said), tuple(file.get("kpis") or ()), alarms, gases, machines, entry, label)


def _joined(one: SiteInfo, other: SiteInfo) -> SiteInfo:
    return replace(
        one if one.has_calendar else other,
        kpis=tuple(dict.fromkeys(one.kpis + other.kpis)),
        alarms=one.alarms + other.alarms,
        gases=one.gases + other.gases,
        entry=_entries(one.entry, other.entry),
        label=one.label or other.label,
    )


def _entries(one: EntrySettings | None, other: EntrySettings | None) -> EntrySettings | None:
    """What people choose from on every line of a site; of a name that two files have, the first one's words."""
    if one is None or other is None:
        return one or other
    reasons = one.stop_reasons | {
        name: words for name, words in other.stop_reasons.items() if name not in one.stop_reasons
    }
    defects = one.defect_types | {
        name: words for name, words in other.defect_types.items() if name not in one.defect_types
    }
    return one.model_copy(update={"stop_reasons": reasons, "defect_types": defects})


@cache
def holidays() -> Holidays:
    """The product's own table."""
    return load()


def _alarm(alarm: Mapping[str, Any]) -> AlarmInfo:
    machine = alarm.get("machine") or ""
    tags = [alarm.get("tag"), alarm.get("minus"), *(alarm.get("tags") or ())]
    tags = [one for one in tags if one]
    refs = (_ref(machine, str(one)) for one in tags)
    return AlarmInfo(
        machine,
        alarm.get("name") or "",
        tuple(refs),
        bool(alarm.get("safety")),
        alarm.get("priority") or "",
        alarm.get("label") or {},
        alarm.get("action") or {},
        bool(alarm.get("ccp")),
        _limit(alarm),
        alarm.get("in_service") is not False,
        _ref(machine, str(alarm["only_while"])) if alarm.get("only_while") else None,
        above=alarm.get("above") if len(tags) == 1 else None,
        below=alarm.get("below") if len(tags) == 1 else None,
        fault=_ref(machine, str(alarm["fault"])) if alarm.get("fault") else None,
    )


def _ref(machine: str, tag: str) -> tuple[str, str]:
    """Machine and tag of a reference, which may name another machine's tag."""
    owner, _, name = tag.rpartition("/")
    return owner or machine, name


def _limit(alarm: Mapping[str, Any]) -> str:
    """When an alarm comes, in signs."""
    signs = {"above": ">", "below": "<", "outside": "|x| >", "equals": "=", "rises_by": "Δ ≥"}
    what = alarm.get("tag") or alarm.get("of") or ""
    what = f"{what} − {alarm['minus']}" if alarm.get("minus") else what
    found = next(
        (f"{what} {sign} {_said(alarm[key])}" for key, sign in signs.items() if alarm.get(key) is not None), ""
    )
    return f"{found}, {alarm['delay_s']:g} s" if found and alarm.get("delay_s") else found


def _said(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def _gas(exposure: Mapping[str, Any]) -> GasInfo:
    substance = exposure["substance"]
    own = exposure.get("twa"), exposure.get("stel")
    return GasInfo(exposure["machine"], exposure["tag"], substance, limits_table()[substance], *own)
