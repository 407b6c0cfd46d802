"""What the channels of battery cyclers do now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from pipelines.derive.battery.channel import kind_of
from pipelines.derive.battery.settings import BatterySettings
from pipelines.derive.battery.steps import KINDS
from pipelines.point import BAD_NO_COMMUNICATION, GOOD
from viewer.catalog import Catalog, MachineInfo, MachineKey
from viewer.kpi.freshness import Freshness
from viewer.overview import MachineView, TagView, overview
from viewer.query.battery_curve import tags_of
from viewer.stores.base import Latest, Place, Store

_HOUR_NS: Final = 3600 * 10**9
_BACK_NS: Final = (_HOUR_NS, 4 * _HOUR_NS, 24 * _HOUR_NS)
"""Since when a channel does what it does is looked for so far back."""
_LONG_NS: Final = 72 * _HOUR_NS
"""Tests that take longer are not known to be one."""


@dataclass(frozen=True, slots=True)
class ChannelNow:
    """One channel.

    Attributes:
        machine: its cycler.
        name: of the channel.
        kind: what it does, as in docs/battery.md; None = it is not known.
        tags: newest of each role that has a tag, those of temperatures under `t`, the hottest.
        freshness: of its cycler.
        step_ns: since when it is in this step, ns since 1970 UTC; None = not known, or none runs.
        test_ns: since when this test runs.
    """

    machine: MachineInfo
    name: str
    kind: str | None
    tags: Mapping[str, TagView]
    freshness: Freshness
    step_ns: int | None = None
    test_ns: int | None = None

    @property
    def running(self) -> bool:
        """Whether a test is in progress."""
        return self.kind in KINDS


def channels_now(
    store: Store, machines: Sequence[MachineInfo], catalog: Catalog, latest: Sequence[Latest], now_ns: int
) -> list[ChannelNow]:
    """Channels of these machines, in the order of the settings.

    Args:
        store: of their tests.
        machines: cyclers.
        catalog: all that whoever asks may see.
        latest: newest of every tag.
        now_ns: ns since 1970 UTC.
    """
    stored = {(one.place, one.field): one for one in latest}
    by_key = {view.info.key: _held(view, stored) for view in overview(latest, catalog, now_ns)}
    found = []
    for machine in machines:
        view = by_key.get(machine.key)
        if machine.battery is None or view is None:
            continue
        past = _past(store, machine, now_ns)
        found += [
            _channel(store, machine, machine.battery, name, by_key, past, now_ns) for name in machine.battery.channels
        ]
    return found


def _channel(
    store: Store,
    machine: MachineInfo,
    battery: BatterySettings,
    name: str,
    views: Mapping[MachineKey, MachineView],
    past: Mapping[str, tuple[int, list[tuple[int, int]]]],
    now_ns: int,
) -> ChannelNow:
    tags: dict[str, TagView] = {}
    for role, ref in tags_of(machine, battery.channels[name]).items():
        view = views.get((*machine.key[:2], ref.machine))
        one = next((tag for tag in view.tags if tag.info.name == ref.tag), None) if view else None
        if one is None:
            continue
        slot = "t" if role[0] == "t" else role
        if slot not in tags or _number(one) > _number(tags[slot]):
            tags[slot] = one
    state = tags.get("state")
    kind = None if state is None or state.value is None else kind_of(state.value, battery.states)
    now = ChannelNow(machine, name, kind, tags, views[machine.key].freshness)
    if not now.running or state is None or state.place is None:
        return now
    ended_ns, steps = past.get(name, (0, []))
    began_ns = _since(store, state, battery, kind, now_ns)
    step_ns = max([*([began_ns] if began_ns else []), *(end for _, end in steps)], default=None)
    test_ns = min([*([step_ns] if step_ns else []), *(start for start, _ in steps if start >= ended_ns)], default=None)
    return ChannelNow(machine, name, kind, tags, now.freshness, step_ns, test_ns)


def _held(view: MachineView, stored: Mapping[tuple[Place, str], Latest]) -> MachineView:
    """A machine with values that still hold although the store knows no better than that their link was lost.

    It says so of a tag that is told on change until the value changes; see `viewer.query.recalled`.
    """
    good_ns = max((tag.told_ns or 0 for tag in view.tags if tag.value is not None), default=0)

    def tag_of(tag: TagView) -> TagView:
        lost = tag.status == BAD_NO_COMMUNICATION and tag.info.period_s is None and (tag.told_ns or 0) < good_ns
        one = stored.get((tag.place, tag.info.name)) if lost and tag.place is not None else None
        return tag if one is None else replace(tag, value=one.value, status=GOOD)

    return replace(view, tags=tuple(tag_of(tag) for tag in view.tags))


def _past(store: Store, machine: MachineInfo, now_ns: int) -> dict[str, tuple[int, list[tuple[int, int]]]]:
    """Of each channel: when its last test ended, and beginning and end of each step since."""
    series = store.tagged(machine.place("battery"), ("end",), now_ns - _LONG_NS, now_ns + 1)
    ended = {
        one.tags.get("channel", ""): int(one.fields["end"].value.max())
        for one in series
        if one.tags.get("kind") == "test"
    }
    found = {channel: (end_ns, list[tuple[int, int]]()) for channel, end_ns in ended.items()}
    for one in series:
        if one.tags.get("kind") == "step":
            points = one.fields["end"]
            last_ns, steps = found.setdefault(one.tags.get("channel", ""), (0, []))
            spans = zip(points.time_ns.tolist(), points.value.tolist(), strict=True)
            steps += [(start, int(end)) for start, end in spans if start >= last_ns]
    return found


def _since(store: Store, state: TagView, battery: BatterySettings, kind: str | None, now_ns: int) -> int | None:
    """Since when the state says this; None = for longer than it is looked back."""
    assert state.place is not None
    for back_ns in _BACK_NS:
        points = store.points(state.place, state.info.name, now_ns - back_ns, now_ns + 1)
        times, values = points.time_ns.tolist(), points.value.tolist()
        since = None
        for at, value in zip(reversed(times), reversed(values), strict=True):
            if kind_of(value, battery.states) != kind:
                return since
            since = at
    return None


def _number(tag: TagView) -> float:
    return float(tag.value) if isinstance(tag.value, int | float) else float("-inf")
