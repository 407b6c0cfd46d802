"""What a recording holds, for people and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from simulators.replay.contents import Connection, contents_of
from simulators.replay.recording import Recording


def as_json(recording: Recording) -> dict[str, Any]:
    """Everything that is counted."""
    found = contents_of(recording)
    site = recording.header["site"]
    return {
        "company": site["company"],
        "site": site["site"],
        "started": _time(found.started_ns),
        "seconds": round((found.ended_ns - found.started_ns) / 1e9, 3),
        "whole": found.whole,
        "gaps": dict(found.gaps),
        "connections": [_connection(one) for one in found.connections],
    }


def as_text(recording: Recording) -> Iterator[str]:
    """The same in lines."""
    shown = as_json(recording)
    yield f"{shown['company']}/{shown['site']}: {shown['started']}, {shown['seconds']:.1f} s"
    if not shown["whole"]:
        yield "끝이 잘림: cut; it holds everything up to the last second before that"
    for one in shown["connections"]:
        counts = [f"{kind} {number:,}" for kind, number in one["answers"].items()]
        counts += [f"silence ({kind}) {number:,}" for kind, number in one["silences"].items()]
        counts += [f"link {kind} {number:,}" for kind, number in one["losses"].items()]
        what = f"{one['nodes']} nodes" if one["type"] == "opcua" else _registers(one["registers"])
        yield f"{one['name']:<16} {one['type']:<8} {what}; {', '.join(counts) or '응답 없음 no answer'}"
    if shown["gaps"]:
        yield "공백 gaps: " + ", ".join(f"{cause} {number}" for cause, number in shown["gaps"].items())


def _connection(one: Connection) -> dict[str, Any]:
    registers = [{"unit": unit, "fc": fc, "addresses": len(found)} for (unit, fc), found in one.addresses.items()]
    return {
        "name": one.name,
        "type": one.type,
        "answers": dict(one.answers),
        "silences": dict(one.silences),
        "losses": dict(one.losses),
        "registers": registers,
        "nodes": len(one.nodes),
    }


def _registers(found: list[dict[str, int]]) -> str:
    return ", ".join(f"unit {one['unit']} FC{one['fc']} {one['addresses']} addresses" for one in found) or "nothing"


def _time(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns / 1e9, UTC).isoformat(timespec="milliseconds")
