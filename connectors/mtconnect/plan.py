"""Which data items feed which tags, and how their values are to be read. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import quote, urlencode

from connectors.mtconnect.decode import DataItem
from pipelines.point import BAD_CONFIGURATION_ERROR, BAD_DATA_ENCODING_UNSUPPORTED, BAD_NODE_ID_UNKNOWN, TagFacts

if TYPE_CHECKING:
    from connectors.mtconnect.config import MtConnectConnection

_T = TypeVar("_T")
_COUNTS: Final = frozenset(
    {"PART_COUNT", "LINE_NUMBER", "BLOCK_COUNT", "CYCLE_COUNT", "ACTIVATION_COUNT", "LOAD_COUNT"}
)
"""Events whose value is a whole number (Part 2, EVENT types)."""
_UNITS: Final = {
    "AMPERE": "A", "CELSIUS": "°C", "COUNT": "", "DECIBEL": "dB", "DEGREE": "°", "DEGREE/SECOND": "°/s", "HERTZ": "Hz",
    "JOULE": "J", "KILOGRAM": "kg", "LITER": "L", "LITER/SECOND": "L/s", "MILLIMETER": "mm", "MILLIMETER_3D": "mm",
    "MILLIMETER/SECOND": "mm/s", "MILLIMETER/SECOND^2": "mm/s²", "NEWTON": "N", "NEWTON_METER": "N·m", "OHM": "Ω",
    "PASCAL": "Pa", "PERCENT": "%", "REVOLUTION/MINUTE": "rpm", "SECOND": "s", "VOLT": "V", "VOLT_AMPERE": "VA",
    "VOLT_AMPERE_REACTIVE": "var", "WATT": "W", "WATT_SECOND": "W·s",
}  # fmt: skip
"""Units of the standard (Part 2, units) as people write them; any other stays as the agent names it."""


class Kind(Enum):
    """How the text of an observation is read."""

    FLOAT = "float64"
    INT = "int64"
    TEXT = "string"
    LEVEL = "level of a condition"
    SPACE = "position in space"
    SET = "entries"


@dataclass(frozen=True, slots=True)
class Bound:
    """A tag and how it is read."""

    row: int
    kind: Kind


@dataclass(frozen=True, slots=True)
class Plan:
    """What to take out of the agent's answers.

    Attributes:
        tags: by id of the data item, who wants it.
        alarms: by id of a condition: (index into the connection's events, name of the alarm).
        refused: StatusCode by row of tags that nothing can be read for.
        unknown: data items of `events` that no condition has.
        facts: what the agent says of each tag, by row.
    """

    tags: Mapping[str, tuple[Bound, ...]]
    alarms: Mapping[str, tuple[tuple[int, str], ...]]
    refused: Mapping[int, int]
    unknown: tuple[str, ...] = ()
    facts: Mapping[int, TagFacts] = field(default_factory=dict)


def plan(connection: MtConnectConnection, items: Sequence[DataItem]) -> Plan:
    """Tags and alarms by data item.

    A name that is no id must be unique. A tag without a data item gets BadNodeIdUnknown, an ambiguous name
    BadConfigurationError, a time series BadDataEncodingUnsupported (its samples have no times of their own).
    """
    tags: dict[str, list[Bound]] = {}
    refused: dict[int, int] = {}
    facts: dict[int, TagFacts] = {}
    for row, tag in enumerate(connection.tags):
        found = _matching(tag.data_item, items)
        if len(found) != 1:
            refused[row] = BAD_CONFIGURATION_ERROR if found else BAD_NODE_ID_UNKNOWN
            continue
        item = found[0]
        facts[row] = _facts(item)
        if item.representation == "TIME_SERIES":
            refused[row] = BAD_DATA_ENCODING_UNSUPPORTED
            continue
        tags.setdefault(item.id, []).append(Bound(row, kind_of(item, tag.datatype)))
    conditions = [item for item in items if item.category == "CONDITION"]
    alarms: dict[str, list[tuple[int, str]]] = {}
    unknown = []
    for index, event in enumerate(connection.events):
        wanted = conditions if event.data_item is None else _matching(event.data_item, conditions)
        if event.data_item is not None and not wanted:
            unknown.append(event.data_item)
        for item in wanted:
            alarms.setdefault(item.id, []).append((index, item.name or item.id))
    return Plan(_frozen(tags), _frozen(alarms), refused, tuple(unknown), facts)


def kind_of(item: DataItem, datatype: str) -> Kind:
    """How a data item is read, `datatype` of its tag considered."""
    if item.category == "CONDITION":
        return Kind.LEVEL
    if item.representation in {"DATA_SET", "TABLE"}:
        return Kind.SET
    if item.units.endswith("_3D"):
        return Kind.SPACE
    if datatype != "auto":
        return Kind(datatype)
    if item.type in _COUNTS:
        return Kind.INT
    return Kind.FLOAT if item.category == "SAMPLE" or item.units else Kind.TEXT


def url(connection: MtConnectConnection, request: str, **query: int) -> str:
    """Address of `probe`, `current` or `sample` (Part 1, Request and Response)."""
    device = f"/{quote(connection.device, safe='')}" if connection.device else ""
    words = f"?{urlencode({key.rstrip('_'): value for key, value in query.items()})}" if query else ""
    return f"{connection.endpoint}{device}/{request}{words}"


def unit_of(item: DataItem) -> str:
    """The unit as people write it; empty when the agent names none."""
    return _UNITS.get(item.units, item.units)


def _matching(name: str, items: Iterable[DataItem]) -> list[DataItem]:
    by_id = [item for item in items if item.id == name]
    return by_id[:1] or [item for item in items if item.name == name]


def _facts(item: DataItem) -> TagFacts:
    description = " ".join(word for word in (item.type, item.sub_type) if word)
    return TagFacts(unit_of(item), item.low, item.high, description, item.category)


def _frozen(lists: dict[str, list[_T]]) -> dict[str, tuple[_T, ...]]:
    return {key: tuple(one) for key, one in lists.items()}
