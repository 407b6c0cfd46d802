"""Configuration of a Modbus TCP connection and its tags. Imports no protocol library."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from pipelines.settings import ConnectionSettings, TagSettings

Table = Literal["coil", "discrete", "input", "holding"]
DataType = Literal[
    "bool", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64", "string"
]  # fmt: skip
ByteOrder = Literal["ABCD", "CDAB", "BADC", "DCBA"]

BIT_TABLES: Final = frozenset({"coil", "discrete"})
ADDRESSES: Final = 0x1_0000
"""Number of addresses of one table (Modbus Application Protocol V1.1b3 §4.3)."""
WIDTH: Final[dict[str, int]] = {
    "bool": 1, "int16": 1, "uint16": 1, "int32": 2, "uint32": 2, "float32": 2, "int64": 4, "uint64": 4, "float64": 4,
}  # fmt: skip
"""Registers one value takes; a string takes its `length`."""


class ModbusTag(TagSettings):
    """One value in a Modbus table."""

    table: Table = "holding"
    """Table: `coil` (FC 1), `discrete` (FC 2), `holding` (FC 3) or `input` (FC 4)."""
    address: Annotated[int, Field(ge=0, lt=ADDRESSES)]
    """Address on the wire, 0-65535: register 40001 of a manual is `holding` 0."""
    datatype: DataType
    """Type of the value. Integers of 16 and 32 bits are delivered as int64, floats as float64."""
    bit: Annotated[int, Field(ge=0, le=15)] | None = None
    """Bit of a register, 0 = least significant; only for `bool` in `input` or `holding`. None: register ≠ 0 is true."""
    length: Annotated[int, Field(ge=1, le=125)] | None = None
    """Registers a `string` takes, 1-125 (two bytes each). It ends at the first NUL; trailing spaces are kept."""
    byte_order: ByteOrder | None = None
    """Byte order of this tag; default: the connection's."""
    unit: Annotated[int, Field(ge=0, le=255)] | None = None
    """Unit id 0-255; default: the connection's."""
    period_s: Annotated[float, Field(gt=0)] | None = None
    """Time between two reads, seconds; default: the connection's."""

    def width(self) -> int:
        """Addresses the value takes: bits in `coil` and `discrete`, registers elsewhere."""
        return self.length or WIDTH[self.datatype]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        bits = self.table in BIT_TABLES
        if bits and self.datatype != "bool":
            msg = f"datatype must be bool in table {self.table}, not {self.datatype}"
            raise ValueError(msg)
        if self.bit is not None and (bits or self.datatype != "bool"):
            msg = "bit needs datatype bool and table input or holding"
            raise ValueError(msg)
        if (self.datatype == "string") != (self.length is not None):
            msg = "length (in registers) belongs to datatype string, and string needs it"
            raise ValueError(msg)
        if self.address + self.width() > ADDRESSES:
            msg = f"address {self.address} + {self.width()} goes beyond 65535"
            raise ValueError(msg)
        return self


class ModbusConnection(ConnectionSettings):
    """A Modbus TCP server: a PLC, a meter, or a gateway with several units behind it.

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

    Characters of a string always ascend with the register; only the bytes in a word follow the order. A `bit` counts
    from the least significant bit of the word after that.
    """

    type: Literal["modbus"]
    """Kind of connection."""
    host: Annotated[str, Field(min_length=1)]
    """Host name or IP address of the server."""
    port: Annotated[int, Field(ge=1, le=65535)] = 502
    """TCP port."""
    unit: Annotated[int, Field(ge=0, le=255)] = 1
    """Unit id of tags that name none, 0-255."""
    period_s: Annotated[float, Field(gt=0)] = 1.0
    """Time between two reads of tags that name none, seconds."""
    timeout_s: Annotated[float, Field(gt=0, le=60)] = 1.0
    """Longest wait for a connection or a reply, seconds. Behind a serial gateway: longer than the gateway's own."""
    byte_order: ByteOrder = "ABCD"
    """Byte order of tags that name none."""
    max_registers: Annotated[int, Field(ge=1, le=125)] = 125
    """Most registers in one request, 1-125 (V1.1b3 §6.3); some devices take fewer."""
    max_bits: Annotated[int, Field(ge=1, le=2000)] = 2000
    """Most coils or discrete inputs in one request, 1-2000 (V1.1b3 §6.1)."""
    max_gap: Annotated[int, Field(ge=0, le=124)] = 8
    """Registers nobody asked for that one request may read to reach the next tag; in bit tables 16 times as many."""
    in_flight: Annotated[int, Field(ge=1, le=16)] = 1
    """Requests sent before the first is answered; above 1 only where the device's manual allows it."""
    tags: Annotated[tuple[ModbusTag, ...], Field(min_length=1)]
    """What is read."""

    def where(self) -> str:
        """`modbus://host:port`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"modbus://{host}:{self.port}"

    @model_validator(mode="after")
    def _readable(self) -> Self:
        for tag in self.tags:
            if tag.table not in BIT_TABLES and tag.width() > self.max_registers:
                msg = f"tag {tag.name} takes {tag.width()} registers, more than max_registers ({self.max_registers})"
                raise ValueError(msg)
        return self
