"""What a recording holds, in one pass over it: memory grows with what was asked for, not with how often."""

from __future__ import annotations

from base64 import b64decode
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from simulators.replay.recording import Recording
from simulators.replay.values import moved

LOSSES: Final = frozenset({"refused", "timeout", "closed", "untrusted"})
"""Events of a link that did not come up, or ended."""
_HAS_VALUE: Final = 0x01
_TYPE: Final = 0x3F


@dataclass
class Connection:
    """One connection.

    Attributes:
        answers: what its devices said, by kind: `values` (of OPC UA), `answers` and `exceptions` (of Modbus).
        silences: requests without an answer, by kind.
        losses: events of the link that are losses, by event.
        addresses: (unit, function code) → addresses that were read once at least.
        units: unit ids that were asked.
        nodes: row → (node id, browse path), as they were first.
        namespaces: of the server, as they were first.
        first_ns: row → source time of its first value, or its arrival where it has none, ns since 1970 UTC.
        types: row → type of the first value that had one, by its number (OPC 10000-6 §5.1.2) with the array bits.
    """

    name: str
    type: str
    answers: Counter[str] = field(default_factory=Counter)
    silences: Counter[str] = field(default_factory=Counter)
    losses: Counter[str] = field(default_factory=Counter)
    addresses: dict[tuple[int, int], set[int]] = field(default_factory=dict)
    units: set[int] = field(default_factory=set)
    nodes: dict[int, tuple[str, str]] = field(default_factory=dict)
    namespaces: list[str] = field(default_factory=list)
    first_ns: dict[int, int] = field(default_factory=dict)
    types: dict[int, int] = field(default_factory=dict)

    def take(self, line: dict[str, Any]) -> None:
        """Count a line."""
        kind = line["k"]
        if kind == "link" and line["event"] in LOSSES:
            self.losses[line["event"]] += 1
        elif kind == "modbus":
            self._modbus(line)
        elif kind == "nodes":
            self.namespaces = self.namespaces or line["namespaces"]
            self.nodes |= {row: (node, path) for row, node, path in line["nodes"] if row not in self.nodes}
        elif kind == "opcua":
            self.answers["values"] += len(line["items"])
            for row, text in line["items"]:
                if row not in self.first_ns:
                    self.first_ns[row] = moved(b64decode(text), 0, line["t"])[1]
                if row not in self.types:
                    head = b64decode(text[:4])
                    if head[0] & _HAS_VALUE and head[1] & _TYPE:
                        self.types[row] = head[1]

    def _modbus(self, line: dict[str, Any]) -> None:
        self.units.add(line["unit"])
        if "silence" in line:
            self.silences[line["silence"]] += 1
            return
        self.answers["exceptions" if "exception" in line else "answers"] += 1
        if "data" in line:
            span = range(line["at"], line["at"] + line["n"])
            self.addresses.setdefault((line["unit"], line["fc"]), set()).update(span)


@dataclass
class Contents:
    """The whole.

    Attributes:
        connections: in the order of the header.
        started_ns: when it began, ns since 1970 UTC.
        ended_ns: time of the last line.
        ahead_ns: most by which what a line tells of began before the line was written.
        whole: whether it was ended in order.
        gaps: how many, by cause.
    """

    connections: list[Connection]
    started_ns: int
    ended_ns: int
    ahead_ns: int = 0
    whole: bool = False
    gaps: Counter[str] = field(default_factory=Counter)


def contents_of(recording: Recording) -> Contents:
    """Read it through."""
    head = recording.header
    found = Contents([Connection(one["name"], one["type"]) for one in head["connections"]], head["started"], 0)
    found.ended_ns = found.started_ns
    for line in recording.lines():
        if "t" in line:
            found.ended_ns = max(found.ended_ns, line["t"])
            found.ahead_ns = max(found.ahead_ns, line["t"] - began_ns(line))
        if line["k"] == "gap":
            found.gaps[line["cause"]] += 1
        elif line["k"] == "end":
            found.whole = True
        elif "c" in line:
            found.connections[line["c"]].take(line)
    return found


def began_ns(line: dict[str, Any]) -> int:
    """From when on a line holds: when a request was sent, or when a value came."""
    at: int = line.get("q", line["t"])
    return at
