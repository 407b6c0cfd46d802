"""기업 현황: what one screen says of a site of a company today, asked once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from pipelines.calendar import Span
from viewer.catalog import MachineInfo
from viewer.kpi.counted import Made
from viewer.kpi.energy_use import Idle, hourly, idle
from viewer.kpi.figure import figure
from viewer.kpi.period import days, named, until_now
from viewer.kpi.result import Result
from viewer.query.alarm_list import LOOK_BACK_NS, AlarmList, alarm_list
from viewer.query.downtime import Stop, asked_ns, least_stop_s, stood, without_reason
from viewer.query.energy import metered, meters, together
from viewer.query.entered import stops_of, with_reasons
from viewer.query.figures import remarked
from viewer.query.inputs import line_inputs
from viewer.query.needs import needs
from viewer.query.states import StateRun, state_runs
from viewer.query.unit import Unit
from viewer.site_info import SiteInfo
from viewer.stores.base import Store

RATE: Final = "DQ-RATE"
OEE: Final = ("P-OEE", "P-OEE.A", "P-OEE.E", "P-OEE.Q")
REPAIR: Final = ("P-MTBF", "P-MTTR")
ENERGY: Final = ("C-KWH", "E-CO2", "E-PEAK")
_WEEK: Final = 7
MOST_KPIS: Final = 6
"""Cards of key figures; the page of figures has all."""


@dataclass(frozen=True, slots=True)
class Standstill:
    """How several machines stood: the same state for the same reason is one.

    Attributes:
        stops: the longest first.
    """

    stops: tuple[Stop, ...]

    @classmethod
    def of(cls, parts: Iterable[Stop]) -> Standstill:
        """Stops of all machines added up; pure."""
        found: dict[tuple[int, str], Stop] = {}
        for one in parts:
            key = one.code, one.reason
            so_far = found.get(key, Stop(*key, 0, 0))
            sums = (so_far.length_ns + one.length_ns, so_far.count + one.count, so_far.open_ns + one.open_ns)
            found[key] = Stop(*key, *sums)
        return cls(tuple(sorted(found.values(), key=lambda one: (-one.length_ns, one.code, one.reason))))

    @property
    def length_ns(self) -> int:
        """Time of all stops."""
        return sum(one.length_ns for one in self.stops)

    @property
    def without_reason(self) -> float | None:
        """See `viewer.query.downtime.without_reason`."""
        return without_reason(self.stops)

    @property
    def asked_ns(self) -> int:
        """See `viewer.query.downtime.asked_ns`."""
        return asked_ns(self.stops)


@dataclass(frozen=True, slots=True)
class SiteDay:
    """A site today.

    Attributes:
        site: which.
        period: its production day up to now, ns since 1970 UTC.
        figures: by their codes, the site's own KPIs and those of the blocks.
        runs: states of each machine that tells any, by its name.
        pieces: what each machine that counts made, by its name.
        standstill: why machines stood.
        alarms: what was told of alarms.
        idle: electricity while nobody worked, of the last seven production days; None = not metered, or no calendar.
    """

    site: SiteInfo
    period: Span
    figures: Mapping[str, Result]
    runs: Mapping[str, Sequence[StateRun]]
    pieces: Mapping[str, Made]
    standstill: Standstill
    alarms: AlarmList
    idle: Idle | None = None

    def some(self, codes: Iterable[str]) -> list[Result]:
        """Figures by their codes."""
        return [self.figures[code] for code in codes if code in self.figures]

    @property
    def kpis(self) -> list[Result]:
        """The site's own, the first six."""
        return self.some(self.site.kpis[:MOST_KPIS])


def site_day(store: Store, site: SiteInfo, now_ns: int) -> SiteDay:
    """Everything that the screen of a company says of one of its sites.

    Raises:
        DependencyError: the store cannot be reached.
    """
    period = named(site.calendar, "today", now_ns)
    machines = list(site.machines.values())
    codes = dict.fromkeys([*site.kpis[:MOST_KPIS], RATE, *_able(machines)])
    inputs = line_inputs(store, site, machines, period, parts=needs(codes) | {"states", "counts"})
    figures = {code: remarked(figure(code, inputs), inputs, site, Unit()) for code in codes}
    told = [one for one in machines if one.has_state or one.counts]
    pieces = {one.name: of.all_pieces() for one, of in zip(told, inputs.machines, strict=True) if one.counts}
    working = site.calendar.working(*period)
    runs: dict[str, list[StateRun]] = {}
    stops: list[Stop] = []
    for one in machines:
        if one.has_state:
            runs[one.name] = state_runs(store, one, period)
            found = with_reasons(runs[one.name], stops_of(store, site, one, period), site)
            stops += stood(found, working, least_s=least_stop_s(site)).stops
    since_ns = min(period[0], now_ns - LOOK_BACK_NS)
    alarms = alarm_list(store, site, (since_ns, now_ns + 1))
    return SiteDay(site, period, figures, runs, pieces, Standstill.of(stops), alarms, _idle(store, site, now_ns))


def _idle(store: Store, site: SiteInfo, now_ns: int) -> Idle | None:
    found = meters(list(site.machines.values()))
    if not found or not site.has_calendar:
        return None
    today = site.calendar.production_day(now_ns)
    week = until_now(days(site.calendar, today - timedelta(days=_WEEK - 1), today), now_ns)
    used = together([metered(store, one, week)[0] for one in found])
    return idle(hourly(used, week), site.calendar.working(*week))


def _able(machines: Sequence[MachineInfo]) -> list[str]:
    """Codes of the blocks that these machines can have any figure for."""
    found: list[str] = []
    if any(one.has_state for one in machines):
        found += [*OEE, *REPAIR]
    if any(one.energy is not None for one in machines):
        found += ENERGY
    return found
