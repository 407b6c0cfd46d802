"""From the settings of machines to their rules: states, counts, cycles."""

from __future__ import annotations

from collections.abc import Mapping

from pipelines.calendar import Calendar
from pipelines.derive.activity import Activity
from pipelines.derive.count import CountRule
from pipelines.derive.cycle import CycleRule
from pipelines.derive.rule import Ref, Rule
from pipelines.derive.settings import CalendarSettings, DerivedSettings, StateSettings
from pipelines.derive.signals import Counting, Lamps, PackMl, Power, Signal, Word
from pipelines.derive.state import StateRule


def machine_rules(
    machines: Mapping[str, DerivedSettings], working: CalendarSettings | None, moduli: Mapping[Ref, int]
) -> list[Rule]:
    """The rules of all machines.

    Args:
        machines: settings by name.
        working: working time of the site; None = nothing is planned.
        moduli: number of states of the counters of which it is known.
    """
    calendar = Calendar(working) if working else None
    return [
        rule
        for name, machine in machines.items()
        for rule in (_state(name, machine, calendar), _count(name, machine, moduli), _cycle(name, machine, moduli))
        if rule is not None
    ]


def _state(name: str, machine: DerivedSettings, calendar: Calendar | None) -> Rule | None:
    if machine.state is None:
        return None
    signal, count, activity = _signal(name, machine.state), machine.count, None
    if machine.state.counter is not None and machine.state.ideal_s is not None:
        activity = Activity(Ref.of(name, machine.state.counter), machine.state.ideal_s)
    elif count is not None and count.ideal_s is not None and (tag := count.total or count.good) is not None:
        activity = Activity(Ref.of(name, tag), count.ideal_s)
    return StateRule(name, signal, activity, calendar)


def _signal(name: str, state: StateSettings) -> Signal:
    """What says the state; settings have exactly one."""

    def ref(text: str | None) -> Ref | None:
        return None if text is None else Ref.of(name, text)

    if state.lamps is not None:
        return Lamps(Ref.of(name, state.lamps.green), ref(state.lamps.amber), ref(state.lamps.red))
    if state.power is not None and state.rated_kw is not None:
        return Power(Ref.of(name, state.power), state.rated_kw)
    if state.counter is not None:
        return Counting(Ref.of(name, state.counter))
    assert state.tag is not None
    if state.packml is not None:
        return PackMl(Ref.of(name, state.tag), state.packml, ref(state.mode))
    return Word(Ref.of(name, state.tag), state.map)


def _count(name: str, machine: DerivedSettings, moduli: Mapping[Ref, int]) -> Rule | None:
    count = machine.count
    if count is None:
        return None
    named = {"total": count.total, "good": count.good, "ng": count.ng}
    tags = {key: Ref.of(name, text) for key, text in named.items() if text is not None}
    return CountRule(name, tags, count.ideal_s, moduli)


def _cycle(name: str, machine: DerivedSettings, moduli: Mapping[Ref, int]) -> Rule | None:
    cycle = machine.cycle
    if cycle is None:
        return None
    at, values = Ref.of(name, cycle.at), [Ref.of(name, one) for one in cycle.values]
    return CycleRule(name, at, values, machine.count.ideal_s if machine.count else None, moduli.get(at))
