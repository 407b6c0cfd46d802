"""The judgement: what the plant says it produced against what the store holds, and the line that is printed.

Beside the plant's truth (`simulators.judge`), what the agent says of itself is held against the store
(`agent.simulate.kept`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from agent.config import load_site
from agent.simulate.kept import (
    FOR_EVER,
    Fields,
    Readable,
    lost_after_publishing,
    lost_before_publishing,
    stored_fields,
    where,
)
from agent.simulate.session import Simulation
from connectors.modbus.config import ModbusConnection
from connectors.modbus.plan import Request, plan, split
from connectors.modbus.tag import ModbusTag
from connectors.mtconnect.config import MtConnectTag
from connectors.opcua.config import OpcUaTag
from pipelines.place import Place
from pipelines.point import BAD
from pipelines.settings import TagSettings
from simulators.evidence import POLL, READ, SUBSCRIBE, modbus_key, opcua_key, truth_key
from simulators.excuses import GapPoint
from simulators.excuses import Outage as InjectedOutage
from simulators.judge import StoredPoints, TagOptions, Verdict, judge
from simulators.truth import read_truth
from viewer.stores import base

Key = tuple[Any, ...]
_NO_QUALITY: Final = 0
_CODES: Final = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}
"""Function codes that read each table (MODBUS Application Protocol V1.1b3 §6.1-6.4)."""
SLACK_S: Final = 0.25
"""What a poll's stored time may lie outside of what the plant saw, real seconds, never more than half a period: half of
what request and response wait in the client for a processor, which the plant cannot see. On two cores under two busy
loops and other tests the most was 160 ms."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of a run.

    Attributes:
        verdict: plant against store.
        left_ns: when each matched reading left the plant, int64, shape (n,), ns since 1970 UTC.
        accepted_ns: when the witness first heard that the store has it, int64, shape (n,); it heard of all of these.
        latency_ms: between the two, real milliseconds, shape (n,).
        unjudged: tags whose values no truth can hold, such as arrays.
    """

    verdict: Verdict
    left_ns: NDArray[np.int64]
    accepted_ns: NDArray[np.int64]
    latency_ms: NDArray[np.float64]
    unjudged: int


def judge_run(simulation: Simulation, store: Readable) -> Judged:
    """Everything that can be held against each other once a simulation is over.

    Raises:
        DependencyError: the store cannot be read.
    """
    truth = list(read_truth(simulation.plan.truth))
    truth += [{"k": "stall", "start_ns": start_ns, "end_ns": end_ns} for start_ns, end_ns in simulation.stalls]
    header = next(line for line in truth if line["k"] == "header")
    scales = scales_of(header["signals"])
    beyond = {opcua_key(one["device"], one["node"]) for one in header["signals"] if not one.get("judged", True)}
    frozen_ns = next((line["time"] for line in truth if line["k"] == "freeze"), None)
    mapping: dict[str, Key] = {}
    options: dict[str, TagOptions] = {}
    places: dict[str, tuple[Place, str]] = {}
    unjudged: dict[str, TagOptions] = {}
    for site in map(load_site, simulation.plan.sites):
        for connection in site.connections:
            for index, tag in enumerate(connection.tag_list()):
                place = site.place(connection, tag)
                name = f"{place.machine}/{tag.name}"
                key, expected = _expectation(connection, index, tag, header["rate"])
                places[name] = (place, tag.name)
                if key in beyond:
                    unjudged[name] = expected
                    continue
                scale, offset = scales.get(key, (tag.scale, tag.offset))
                mapping[name], options[name] = key, replace(expected, scale=scale, offset=offset)
    fields = stored_fields(store, places.values(), header["started_ns"])
    stored = {name: _points(fields, where(place), tag) for name, (place, tag) in places.items()}
    gaps = [
        GapPoint(f"{gap.place.machine}/{gap.tag}", gap.cause, gap.start_ns, gap.end_ns)
        for gap in store.gaps(start_ns=header["started_ns"])
    ]
    outages = _outages(simulation, truth)
    overruns = simulation.links("overruns")
    verdict = judge([truth], mapping, options, stored, gaps, outages, frozen_ns, overruns, simulation.shifts)
    verdict.wrong += lost_after_publishing(simulation, fields, header["started_ns"])
    kept = sum(len(points.time_ns) for points in stored.values()) + len(gaps)
    kept += _alarms(store, simulation, header["started_ns"])
    reread = any(one.mode == READ for one in unjudged.values())  # unchanged, and the truth does not tell how often
    verdict.wrong += lost_before_publishing(simulation, truth, kept, undisturbed=not (outages or reread))
    left, accepted = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for name in mapping:
        points = stored[name]
        heard_ns = simulation.witness.accepted_ns(places[name][0].machine, places[name][1], points.time_ns)
        known = (heard_ns != 0) & (verdict.left_ns[name] != 0)
        left.append(verdict.left_ns[name][known])
        accepted.append(heard_ns[known])
    left_ns, accepted_ns = np.concatenate(left), np.concatenate(accepted)
    return Judged(verdict, left_ns, accepted_ns, (accepted_ns - left_ns) / 1e6 / simulation.clock.rate, len(unjudged))


def result(simulation: Simulation, judged: Judged) -> dict[str, Any]:
    """The one line of JSON."""
    total, latency_ms = judged.verdict.total, judged.latency_ms
    points = [50, 95, 99]
    values = np.percentile(latency_ms, points) if len(latency_ms) else [None] * len(points)
    sites = [load_site(path) for path in simulation.plan.sites]
    return {
        "lines": [Path(one).name for one in simulation.plan.lines],
        "tags": sum(len(one.tag_list()) for site in sites for one in site.connections),
        "unjudged": judged.unjudged,
        "produced": total.produced,
        "suppressed": total.suppressed,
        "accepted": simulation.points("accepted"),
        "stored": total.stored,
        "missing": total.missing,
        "gap_explained": total.gap_explained,
        "duplicated": total.duplicated,
        "altered": total.altered,
        "wire_duplicates": simulation.witness.wire_duplicates,
        "latency_ms": {
            f"p{point}": None if value is None else round(float(value), 1)
            for point, value in zip(points, values, strict=True)
        },
        "agent_cpu_s": round(simulation.collector.cpu_s, 2),
        "agent_rss_mib": round(simulation.collector.peak_rss_bytes / 2**20, 1),
    }


def details(verdict: Verdict) -> dict[str, Any]:
    """Per tag, for the folder of the run."""
    return {
        "wrong": verdict.wrong,
        "examples": verdict.examples,
        "tags": {name: asdict(one) for name, one in verdict.tags.items()},
    }


def _expectation(connection: Any, index: int, tag: TagSettings, rate: float) -> tuple[Key, TagOptions]:
    bounds = (tag.range.low, tag.range.high) if tag.range else None
    deadband = 0.0
    if tag.deadband:
        width = tag.range.high - tag.range.low if tag.range else 0.0
        deadband = tag.deadband.value if tag.deadband.type == "absolute" else tag.deadband.value / 100 * width
    if isinstance(tag, ModbusTag):
        assert isinstance(connection, ModbusConnection)
        unit = connection.unit if tag.unit is None else tag.unit
        period_s = connection.period_s if tag.period_s is None else tag.period_s
        # Faster than real time a wait for a processor is longer than a period: order and value alone are judged then.
        slack_ns, period_ns = round(SLACK_S * rate * 1e9), 0 if rate > 1 else round(period_s * 1e9)
        key = modbus_key(connection.name, unit, tag.table, tag.address)
        requests = requests_of(connection, index)
        return key, TagOptions(
            POLL,
            slack_ns=slack_ns,
            deadband=deadband,
            range=bounds,
            period_ns=period_ns,
            requests=requests,
            bit=tag.bit,
            sentinels=bool(tag.sentinels),
            divided=tag.decimals_from is not None,
        )
    if isinstance(tag, MtConnectTag):  # every observation in the agent's buffer, as of a subscription
        return opcua_key(connection.name, tag.data_item), TagOptions(SUBSCRIBE, deadband=deadband, range=bounds)
    assert isinstance(tag, OpcUaTag)
    mode = SUBSCRIBE if tag.mode == "subscribe" else READ
    return opcua_key(connection.name, tag.node or tag.path), TagOptions(mode, deadband=deadband, range=bounds)


def scales_of(signals: Sequence[dict[str, Any]]) -> dict[Key, tuple[float, float]]:
    """Scale and offset of the plant's signals; those of a recording have none, it knows no more than what was sent."""
    return {truth_key(one): (one["scale"], one["offset"]) for one in signals if "scale" in one}


def requests_of(connection: ModbusConnection, index: int) -> tuple[tuple[int, int, int], ...]:
    """(function code, address, count) of the planned request that reads a tag, then of its parts when it is divided.

    Args:
        connection: its settings.
        index: the tag's position in the connection's tags.
    """
    found: list[tuple[int, int, int]] = []
    parts: tuple[Request, ...] = plan(connection)
    while parts:
        mine = next((part for part in parts if index in part.tags), None)
        if mine is None:
            break
        found.append((_CODES[mine.table], mine.address, mine.count))
        parts = split(connection, mine) if len(mine.tags) > 1 else ()
    return tuple(found)


def _points(fields: Fields, place: base.Place, tag: str) -> StoredPoints:
    """Values and qualities of one tag as readings: a time with a bad quality has no value.

    A quality that is not bad and stands alone is the agent's word that a quality before it is over, not a reading.
    """
    values, marks = fields[place, tag], fields[place, tag + base.QUALITY]
    status = marks.value.astype(np.int64).astype(np.uint32)
    readings = (status >= BAD) | np.isin(marks.time_ns, values.time_ns)
    marked_ns, status = marks.time_ns[readings], status[readings]
    times = np.union1d(values.time_ns, marked_ns)
    quality = np.full(len(times), _NO_QUALITY, dtype=np.uint32)
    quality[np.searchsorted(times, marked_ns)] = status
    value = np.zeros(len(times), dtype=values.value.dtype)
    value[np.searchsorted(times, values.time_ns)] = values.value
    return StoredPoints(times, value, quality)


def _alarms(store: Readable, simulation: Simulation, start_ns: int) -> int:
    """Stored alarm events; each has the field `event`."""
    sites = [load_site(path) for path in simulation.plan.sites]
    places = {place for site in sites for one in site.connections for place in site.event_places(one)}
    wanted = {(replace(where(one), measurement="alarm"), "event") for one in places}
    return sum(len(points.time_ns) for points in store.readings(list(wanted), start_ns, FOR_EVER))


def _outages(simulation: Simulation, truth: Sequence[dict[str, Any]]) -> list[InjectedOutage]:
    """Deaths of the collector, faults of the plant, and what else was injected."""
    found = [InjectedOutage(one.start_ns, one.end_ns, "kill") for one in simulation.outages if one.name == "collector"]
    found += [InjectedOutage(one.start_ns, one.end_ns, one.name) for one in simulation.injected]
    return found + cuts_of(truth)


def cuts_of(truth: Sequence[dict[str, Any]]) -> list[InjectedOutage]:
    """Faults of the plant that kept values of a device from being read."""
    cuts = {}
    for line in truth:
        if line.get("cuts"):  # told at its start, and again at its end
            kind = "restart" if line.get("how") == "restart" else line["fault"]
            cuts[line["device"], kind, line["start_ns"]] = line["end_ns"]
    return [InjectedOutage(start_ns, end_ns, kind, device) for (device, kind, start_ns), end_ns in cuts.items()]
