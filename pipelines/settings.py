"""Bases and common pieces of every configuration model: frozen, nothing extra, documented by field docstrings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

_NAME: Final = re.compile(r"[\w][\w.\-]*", re.UNICODE)
_HOST: Final = re.compile(r"[\w.\-]+|\[[0-9A-Fa-f:.]+\]")
_MAX_PORT: Final = 65535
_MAX_NAME: Final = 128
RESERVED_ENDINGS: Final = ("_quality", "_source_time")
MAX_SKEW_S: Final = 3.2e9
"""About a century: in ns it still fits an int64."""


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        msg = "must start with a letter, digit or underscore and hold only letters, digits, '_', '.' and '-'"
        raise ValueError(msg)
    return text


def _field_name(text: str) -> str:
    _name(text)
    if text.endswith(RESERVED_ENDINGS):
        msg = f"must not end in {' or '.join(RESERVED_ENDINGS)}: these names carry a reading's quality and source time"
        raise ValueError(msg)
    return text


def words_of(fault: Any) -> str:
    """What pydantic says of one fault, without what it puts in front of a validator's own words."""
    return str(fault["msg"]).removeprefix("Value error, ")


def first_fault(error: ValidationError) -> str:
    """The first fault that pydantic found: where, and what."""
    fault = error.errors(include_url=False)[0]
    where = ".".join(map(str, fault["loc"]))
    return f"{where}: {words_of(fault)}" if where else words_of(fault)


def is_field_name(text: str) -> bool:
    """Whether `text` can be a field of the time series, for names that are met at run time."""
    return 0 < len(text) <= _MAX_NAME and bool(_NAME.fullmatch(text)) and not text.endswith(RESERVED_ENDINGS)


Name = Annotated[str, Field(min_length=1, max_length=_MAX_NAME), AfterValidator(_name)]
"""A name that is safe in an MQTT topic level and needs no escaping in line protocol. Hangul is a letter."""
FieldName = Annotated[str, Field(min_length=1, max_length=_MAX_NAME), AfterValidator(_field_name)]
"""A tag's name: it becomes a field of the time series."""


class Settings(BaseModel):
    """Base of every configuration model: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)


class Labels(Settings):
    """What people see, Korean first."""

    ko: str = ""
    """Korean label; empty = the name."""
    en: str = ""
    """English label; empty = the name."""


class Deadband(Settings):
    """Changes smaller than this are not stored."""

    type: Literal["absolute", "percent"]
    """`absolute`: in the tag's engineering unit. `percent`: of the tag's range (needs `range`)."""
    value: Annotated[float, Field(gt=0)]
    """Smallest change that is stored: engineering units, or percent 0–100 of the range."""


class Range(Settings):
    """Physically possible values; a reading outside becomes `BadOutOfRange`."""

    low: float
    """Lowest possible value, engineering units."""
    high: float
    """Highest possible value, engineering units."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low >= self.high:
            msg = f"low ({self.low:g}) must be below high ({self.high:g})"
            raise ValueError(msg)
        return self


class TagSettings(Settings):
    """What every tag has, whatever its protocol."""

    name: FieldName
    """Name of the tag; it becomes the field name and is unique within its machine."""
    machine: Name | None = None
    """Machine the tag belongs to (a key of `machines`); default: the connection's `machine`."""
    label: Labels = Labels()
    """What people see."""
    engineering_unit: str = ""
    """Unit of the scaled value, for example `℃`, `kW`, `spm`."""
    scale: float = 1.0
    """Factor applied to the raw value; 10⁻ⁿ divides by 10ⁿ, so that the last digit is right."""
    offset: float = 0.0
    """Added after scaling, engineering units."""
    range: Range | None = None
    """Physically possible values."""
    deadband: Deadband | None = None
    """Report by exception; default: every reading is stored."""
    store_as: Literal["source", "string"] = "source"
    """Type in the store. `source`: the device's own, a scaled value is a float. `string`: text, which holds every digit
    of a 64-bit unsigned integer above 2⁶³−1."""
    max_skew_s: Annotated[float, Field(gt=0, le=MAX_SKEW_S)] | None = None
    """A source time off by more than this is replaced by the agent's own; default: the connection's `max_skew_s`."""
    source: str = ""
    """Where it comes from, for people: the table and row of a manual, or a browse name."""
    stale_after_s: Annotated[float, Field(gt=0)] | None = None
    """Longest time without a reading although the link is up, seconds; after it the tag becomes
    `UncertainLastUsableValue`. For tags that must change, such as a life-beat counter; default: unchanged is fine."""

    def tells_changes_alone(self) -> bool:
        """Whether what the device said of it holds until it says otherwise, also over a link that was lost."""
        return False

    def device_has_range(self) -> bool:
        """Whether the device itself holds back changes by its own range: a percent deadband then needs no `range`."""
        return False

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.scale == 0:
            msg = "scale must not be 0"
            raise ValueError(msg)
        percent = self.deadband is not None and self.deadband.type == "percent"
        if percent and self.range is None and not self.device_has_range():
            msg = "a percent deadband needs a range"
            raise ValueError(msg)
        numeric = self.scale != 1 or self.offset or self.range is not None or self.deadband is not None
        if self.store_as == "string" and numeric:
            msg = "store_as: string stores text; remove scale, offset, range and deadband"
            raise ValueError(msg)
        return self


def _host_port(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not _HOST.fullmatch(host) or not port.isdecimal() or not 0 < int(port) <= _MAX_PORT:
        msg = "must be host:port, for example 192.168.0.12:502"
        raise ValueError(msg)
    return text


HostPort = Annotated[str, AfterValidator(_host_port)]
"""`host:port`; an IPv6 address stands in brackets."""


def authority(host: str, port: int) -> str:
    """`host:port` as a URL writes it: an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class EventSettings(Settings):
    """A source of alarms and events, whatever its protocol."""

    machine: Name | None = None
    """Machine the events belong to (a key of `machines`); default: the connection's `machine`."""


class Advice(NamedTuple):
    """What a check tells of a connection.

    Attributes:
        level: `fault`: it cannot run so. `note`: worth a look. `fact`: worth knowing.
        key: keys and positions below the connection that it is about.
        words: what is wrong and what to do, or what is so.
    """

    level: Literal["fault", "note", "fact"]
    key: tuple[str | int, ...]
    words: str


class ConnectionSettings(Settings):
    """What every connection has. Protocol models add `type: Literal[...]`, their endpoint and their `tags`."""

    name: Name
    """Name of the connection, unique in the file; its resume state is kept under it."""
    machine: Name | None = None
    """Machine of the tags that name none."""
    tags_file: Path | None = None
    """CSV file with further tags, looked up beside this file; see "Tag lists in CSV"."""
    max_skew_s: Annotated[float, Field(gt=0, le=MAX_SKEW_S)] = 3600.0
    """A source time off by more than this many seconds is replaced by the agent's own and marked Uncertain."""

    backups: tuple[HostPort, ...] = ()
    """`host:port` of devices that give the same: a redundant server, a second gateway. One after the other is tried
    while the one before does not answer, or says by its OPC UA ServiceLevel that it cannot serve."""

    def where(self) -> str:
        """Address as people write it, without secrets; protocol models say more."""
        return self.name

    def alternatives(self) -> tuple[Self, ...]:
        """This connection, and the same one at each of its backups."""
        places = [one.rpartition(":") for one in self.backups]
        return (self, *(self.moved(host.strip("[]"), int(port)) for host, _, port in places))

    def moved(self, host: str, port: int) -> Self:
        """The same connection to a device elsewhere.

        Raises:
            ValueError: this kind of connection has no host and port.
        """
        msg = f"connection {self.name} cannot be moved to {host}:{port}: it has no host and port"
        raise ValueError(msg)

    @model_validator(mode="after")
    def _backups_are_places(self) -> Self:
        self.alternatives()
        return self

    def tag_list(self) -> tuple[TagSettings, ...]:
        """Every tag in table order: the index a `Scan.tag` refers to."""
        tags: Any = getattr(self, "tags", ())
        return tuple(tags)

    def polled_s(self, tag: TagSettings) -> float | None:
        """How often a tag of this connection is read, seconds; None = it comes when it changes."""
        del tag
        return None

    def tag_place(self, index: int) -> tuple[str | int, ...]:
        """Where a tag of `tag_list()` is written, below the connection; a model that makes tags says what makes it."""
        return ("tags", index)

    def machine_place(self, index: int) -> tuple[str | int, ...]:
        """Where the machine of a tag of `tag_list()` is written, below the connection; empty = at the connection."""
        return self.tag_place(index) if self.tag_list()[index].machine else ()

    def event_list(self) -> tuple[EventSettings, ...]:
        """Every source of events: the index an `AlarmEvent.source` refers to."""
        events: Any = getattr(self, "events", ())
        return tuple(events)

    def advice(self, before: Sequence[ConnectionSettings]) -> Iterable[Advice]:
        """What `agent check` tells of it; `before` = the connections that stand before it in the files."""
        del before
        return ()
