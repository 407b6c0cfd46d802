"""Configuration of a Modbus connection and its tags. Imports no protocol library."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Self

from pydantic import Field, model_validator

from connectors.modbus.endpoint import ModbusEndpoint
from connectors.modbus.tag import ADDRESSES, BIT_TABLES, ModbusTag, Table, WordOrder
from pipelines.settings import Advice, ConnectionSettings, Settings


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
    tags: Annotated[tuple[ModbusTag, ...], Field(min_length=1)]
    """What is read."""

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
        for tag in self.tags:
            first, end = tag.span()
            if tag.table not in BIT_TABLES and end - first > self.max_registers:
                msg = f"tag {tag.name} takes {end - first} registers, more than max_registers ({self.max_registers})"
                raise ValueError(msg)
            for one in self.forbidden:
                unit = self.unit if tag.unit is None else tag.unit
                if one.table == tag.table and one.unit in {None, unit} and first <= one.last and one.first < end:
                    msg = f"tag {tag.name} lies in a forbidden range ({one.table} {one.first}-{one.last})"
                    raise ValueError(msg)
        return self
