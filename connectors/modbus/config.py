"""Configuration of a Modbus connection and its tags. Imports no protocol library."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Annotated, Self

from pydantic import Field, model_validator

from connectors.modbus.device import DeviceSettings, Guard
from connectors.modbus.endpoint import ModbusEndpoint
from connectors.modbus.tag import ADDRESSES, BIT_TABLES, ModbusTag, Table, WordOrder
from pipelines.point import TagFacts
from pipelines.settings import Advice, ConnectionSettings, Settings, TagSettings


class ForbiddenRange(Settings):
    """Addresses that are never read, not even to bridge a gap: some devices hang or clear a value when they are."""

    table: Table = "holding"
    """Table: `coil`, `discrete`, `holding` or `input`."""
    first: Annotated[int, Field(ge=0, lt=ADDRESSES, alias="from")]
    """First address, 0-65535."""
    last: Annotated[int, Field(ge=0, lt=ADDRESSES, alias="to")]
    """Last address, 0-65535; it is forbidden too."""
    unit: Annotated[int, Field(ge=0, le=255)] | None = None
    """Unit id 0-255; default: every unit of the connection."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.first > self.last:
            msg = f"to ({self.last}) must not be below from ({self.first})"
            raise ValueError(msg)
        return self


class ModbusConnection(ModbusEndpoint):
    """A Modbus device over a network or a serial line: a PLC, a meter, or several units on one bus or behind a gateway.

    `byte_order` names where the bytes of a 32-bit value A B C D (A most significant) lie on the wire. It is two
    choices, and both hold for every width:

    ========  ==============  ==================  ====================  ===============
    order     words           bytes in a word     8 bytes A…H           2 bytes A B
    ========  ==============  ==================  ====================  ===============
    ABCD      high first      high first          A B C D E F G H       A B
    CDAB      low first       high first          G H E F C D A B       A B
    BADC      high first      low first           B A D C F E H G       B A
    DCBA      low first       low first           H G F E D C B A       B A
    ========  ==============  ==================  ====================  ===============

    A 64-bit value has two choices more for its words, and so a tag of such a type has four further orders, named by
    how its bytes A B C D E F G H (A most significant) follow each other on the wire:

    ========  ==================================  ==================
    order     halves, words in a half             bytes in a word
    ========  ==================================  ==================
    EFGHABCD  low half first, high word first     high first
    CDABGHEF  high half first, low word first     high first
    FEHGBADC  low half first, high word first     low first
    DCBAHGFE  high half first, low word first     low first
    ========  ==================================  ==================

    Characters of a string always ascend with the register; only the bytes in a word follow the order. A `bit` counts
    from the least significant bit of the word after that.
    """

    unit: Annotated[int, Field(ge=0, le=255)] = 1
    """Unit id of tags that name none, 0-255."""
    period_s: Annotated[float, Field(gt=0)] = 1.0
    """Time between two reads of tags that name none, seconds."""
    byte_order: WordOrder = "ABCD"
    """Byte order of tags that name none."""
    max_registers: Annotated[int, Field(ge=1, le=125)] = 125
    """Most registers in one request, 1-125 (V1.1b3 §6.3); some devices take fewer."""
    max_bits: Annotated[int, Field(ge=1, le=2000)] = 2000
    """Most coils or discrete inputs in one request, 1-2000 (V1.1b3 §6.1)."""
    max_gap: Annotated[int, Field(ge=0, le=124)] = 8
    """Registers nobody asked for that one request may read to reach the next tag; in bit tables 16 times as many."""
    forbidden: tuple[ForbiddenRange, ...] = ()
    """Addresses that are never read."""
    devices: tuple[DeviceSettings, ...] = ()
    """Devices that are read by their profile, for example `{profile: sdm630, unit: 3, machine: MTR-03}`."""
    tags: Annotated[tuple[ModbusTag, ...], Field(min_length=1)] = ()
    """What else is read, address by address."""

    def tag_list(self) -> tuple[ModbusTag, ...]:
        """`tags`, then those of `devices`."""
        return self._rows if self.devices else self.tags

    def tag_place(self, index: int) -> tuple[str | int, ...]:
        """Where a tag is written: `tags` and a position, `devices` and a position, or the `tags` below that."""
        if index < len(self.tags):
            return super().tag_place(index)
        return self._places[index - len(self.tags)]

    def machine_place(self, index: int) -> tuple[str | int, ...]:
        """Where the machine of a tag is written: a tag of a device has its device's unless it says another."""
        match self.tag_place(index):
            case ("devices", int(device), "tags", int(tag)) if self.devices[device].tags[tag].machine is None:
                return ("devices", device) if self.devices[device].machine else ()
        return super().machine_place(index)

    def most_registers(self, unit: int) -> int:
        """Most registers in one request to a unit, by the connection and by the profiles of that unit."""
        return min(self.max_registers, self._most.get(unit, self.max_registers)) if self.devices else self.max_registers

    def walls(self, unit: int, table: Table) -> list[tuple[int, int]]:
        """Ascending (first, last) of the ranges that no request to this table of this unit may touch."""
        mine = (one for one in self.forbidden if one.table == table and one.unit in {None, unit})
        return sorted((one.first, one.last) for one in mine)

    def facts(self) -> dict[int, TagFacts]:
        """What the profiles say of their tags, by row."""
        told = (one.expanded.facts for one in self.devices)
        return dict(enumerate((fact for facts in told for fact in facts), len(self.tags)))

    def guards(self) -> Iterator[Guard]:
        """What proves that a device is the one its profile means."""
        first = len(self.tags)
        for one in self.devices:
            end = first + len(one.expanded.tags)
            if one.expanded.check is not None and one.map.check is not None:
                row, check = first + one.expanded.check, one.map.check
                told = f"unit {self.unit if one.unit is None else one.unit} is no {one.profile}: {check.item} is {{}}, "
                yield Guard(row, range(first, end), check.equals, told + check.remedy)
            first = end

    @cached_property
    def _most(self) -> dict[int, int]:
        most: dict[int, int] = {}
        for one in self.devices:
            unit = self.unit if one.unit is None else one.unit
            most[unit] = min(most.get(unit, one.map.max_registers), one.map.max_registers)
        return most

    @cached_property
    def _rows(self) -> tuple[ModbusTag, ...]:
        return (*self.tags, *(tag for one in self.devices for tag in one.expanded.tags))

    @cached_property
    def _places(self) -> tuple[tuple[str | int, ...], ...]:
        return tuple(
            ("devices", position, *place) for position, one in enumerate(self.devices) for place in one.expanded.places
        )

    def polled_s(self, tag: TagSettings) -> float:
        """How often a tag is read, seconds."""
        own: float | None = getattr(tag, "period_s", None)
        return own or self.period_s

    def advice(self, before: Sequence[ConnectionSettings]) -> Iterable[Advice]:
        """Lines used twice, how busy the line is, devices that are set otherwise."""
        from connectors.modbus.advice import advice  # noqa: PLC0415 - it plans requests, and a plan needs this model

        return advice(self, before)

    def moved(self, host: str, port: int) -> Self:
        """The same server elsewhere.

        Raises:
            ValueError: it is on a serial port.
        """
        if not self.host:
            msg = f"{self.name} is on a serial port ({self.where()}), not at host:port"
            raise ValueError(msg)
        return self.model_copy(update={"host": host, "port": port})

    @model_validator(mode="after")
    def _readable(self) -> Self:
        for tag in self.tag_list():
            first, end = tag.span()
            unit = self.unit if tag.unit is None else tag.unit
            if tag.table not in BIT_TABLES and end - first > (most := self.most_registers(unit)):
                msg = f"tag {tag.name} takes {end - first} registers, more than max_registers ({most})"
                raise ValueError(msg)
            for low, high in self.walls(unit, tag.table):
                if first <= high and low < end:
                    msg = f"tag {tag.name} lies in a forbidden range ({tag.table} {low}-{high})"
                    raise ValueError(msg)
        return self
