"""One value in a Modbus table, as the configuration names it. Imports no protocol library."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from pipelines.settings import TagSettings

Table = Literal["coil", "discrete", "input", "holding"]
DataType = Literal[
    "bool", "int16", "uint16", "int32", "uint32", "int64", "uint64", "bcd16", "bcd32", "bcd64",
    "float16", "float32", "float64", "string",
]  # fmt: skip
WordOrder = Literal["ABCD", "CDAB", "BADC", "DCBA"]
ByteOrder = Literal["ABCD", "CDAB", "BADC", "DCBA", "EFGHABCD", "CDABGHEF", "FEHGBADC", "DCBAHGFE"]
Encoding = Literal["utf-8", "cp949", "euc-kr", "ascii", "latin-1"]
Decode = Literal["pf_4q"]
Sentinel = Literal[
    "sensor_open", "sensor_failure", "over_range", "under_range", "device_failure", "out_of_service",
    "no_communication", "not_supported", "not_ready",
]  # fmt: skip

BIT_TABLES: Final = frozenset({"coil", "discrete"})
ADDRESSES: Final = 0x1_0000
"""Number of addresses of one table (Modbus Application Protocol V1.1b3 §4.3)."""
WIDTH: Final[dict[str, int]] = {
    "bool": 1, "int16": 1, "uint16": 1, "bcd16": 1, "float16": 1, "int32": 2, "uint32": 2, "bcd32": 2, "float32": 2,
    "int64": 4, "uint64": 4, "bcd64": 4, "float64": 4,
}  # fmt: skip
"""Registers one value takes; a string takes its `length`."""
LONG_ORDERS: Final = frozenset({"EFGHABCD", "CDABGHEF", "FEHGBADC", "DCBAHGFE"})
"""Byte orders that only a value of four registers can have."""
MODULUS: Final = {"uint16": 2**16, "uint32": 2**32, "uint64": 2**64, "bcd16": 10**4, "bcd32": 10**8, "bcd64": 10**16}
"""Number of states of a counter of each type: it goes on at 0 behind the last."""
_SCALED_BY_DEVICE: Final = frozenset({"int16", "uint16", "int32", "uint32", "bcd16", "bcd32"})


class ModbusTag(TagSettings):
    """One value in a Modbus table."""

    table: Table = "holding"
    """Table: `coil` (FC 1), `discrete` (FC 2), `holding` (FC 3) or `input` (FC 4)."""
    address: Annotated[int, Field(ge=0, lt=ADDRESSES)]
    """Address on the wire, 0-65535: register 40001 of a manual is `holding` 0."""
    datatype: DataType
    """Type of the value. Integers and BCD numbers (4, 8 and 16 digits; a nibble above 9 is
    BadDataEncodingUnsupported) are delivered as int64, uint64 as uint64, floats as float64."""
    bit: Annotated[int, Field(ge=0, le=15)] | None = None
    """Bit of a register, 0 = least significant; only for `bool` in `input` or `holding`. None: register ≠ 0 is true."""
    length: Annotated[int, Field(ge=1, le=125)] | None = None
    """Registers a `string` takes, 1-125 (two bytes each). It ends at the first NUL; trailing spaces are kept."""
    encoding: Encoding | None = None
    """Encoding of a `string`; default: utf-8. Text that is not valid in it is BadDataEncodingUnsupported."""
    byte_order: ByteOrder | None = None
    """Byte order of this tag; default: the connection's. Names of eight letters are for 64-bit types."""
    decode: Decode | None = None
    """`pf_4q`: the four-quadrant power factor of Schneider meters (4Q_FP_PF): x within ±1 stays (lagging), above 1 it
    is 2 - x, below -1 it is -2 - x (both leading), beyond ±2 it is BadOutOfRange. For floats."""
    decimals_from: Annotated[int, Field(ge=0, lt=ADDRESSES)] | None = None
    """Address of the register, in the same table and unit, that says how many decimals the value has (0-6): both are
    read with one request, and the value is divided by 10ⁿ. Any other number there: BadDataEncodingUnsupported."""
    sentinels: dict[int, Sentinel] = Field(default_factory=dict)
    """Raw values that mean no number, before scaling; they become a bad quality: `sensor_open` and `sensor_failure`
    BadSensorFailure, `over_range` and `under_range` BadOutOfRange, `device_failure` BadDeviceFailure, `out_of_service`
    BadOutOfService, `no_communication` BadNoCommunication, `not_supported` BadNotSupported, `not_ready`
    BadWaitingForInitialData."""
    least_magnitude: Annotated[float, Field(gt=0)] | None = None
    """Smallest raw value other than 0 that the device can give, whatever its sign; a smaller one comes of a wrong byte
    order and is BadDataEncodingUnsupported. For floats."""
    max_jump: Annotated[float, Field(gt=0)] | None = None
    """Largest plausible change of the raw value within one period. A larger one is read a second time at once, because
    some devices tear a value of several registers; what the second reading confirms is taken. The first value of
    several registers on a connection, or after ten periods without one, is read twice too. Of a counter: most counts
    of one period."""
    counter: bool = False
    """A counter that begins again at 0, for unsigned integers and BCD: `<name>_total` beside it goes on counting over
    rollovers and resets, and survives a restart."""
    unit: Annotated[int, Field(ge=0, le=255)] | None = None
    """Unit id 0-255; default: the connection's."""
    period_s: Annotated[float, Field(gt=0)] | None = None
    """Time between two reads, seconds; default: the connection's."""

    def width(self) -> int:
        """Addresses the value takes: bits in `coil` and `discrete`, registers elsewhere."""
        return self.length or WIDTH[self.datatype]

    def span(self) -> tuple[int, int]:
        """First address, and the one behind the last, that one request must read: the value's and `decimals_from`."""
        first, end = self.address, self.address + self.width()
        if self.decimals_from is None:
            return first, end
        return min(first, self.decimals_from), max(end, self.decimals_from + 1)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if reason := _misfit(self) or _misuse(self):
            raise ValueError(reason)
        return self


def _misfit(tag: ModbusTag) -> str:
    """What does not go together of table, type and place; empty = all does."""
    bits = tag.table in BIT_TABLES
    if bits and tag.datatype != "bool":
        return f"datatype must be bool in table {tag.table}, not {tag.datatype}"
    if tag.bit is not None and (bits or tag.datatype != "bool"):
        return "bit needs datatype bool and table input or holding"
    if (tag.datatype == "string") != (tag.length is not None):
        return "length (in registers) belongs to datatype string, and string needs it"
    if tag.address + tag.width() > ADDRESSES:
        return f"address {tag.address} + {tag.width()} goes beyond 65535"
    if tag.byte_order in LONG_ORDERS and WIDTH.get(tag.datatype) != WIDTH["uint64"]:
        return f"byte_order {tag.byte_order} is for 64-bit types, and datatype is {tag.datatype}"
    return ""


def _misuse(tag: ModbusTag) -> str:
    """Which key does not suit the type; empty = all do."""
    floats = tag.datatype.startswith("float")
    suits = {
        "encoding": (tag.encoding is None or tag.datatype == "string", "datatype string"),
        "decode": (tag.decode is None or floats, "a float"),
        "least_magnitude": (tag.least_magnitude is None or floats, "a float"),
        "decimals_from": (tag.decimals_from is None or tag.datatype in _SCALED_BY_DEVICE, "a number of 16 or 32 bits"),
        "counter": (not tag.counter or tag.datatype in MODULUS, "an unsigned integer or BCD"),
        "sentinels": (not tag.sentinels or tag.datatype not in {"bool", "string"}, "a number"),
        "max_jump": (tag.max_jump is None or tag.datatype not in {"bool", "string"}, "a number"),
    }
    for key, (suited, needs) in suits.items():
        if not suited:
            return f"{key} needs {needs}, and datatype is {tag.datatype}"
    low, high = _range(tag.datatype)
    if wrong := [raw for raw in tag.sentinels if not low <= raw <= high]:
        return f"sentinels holds {wrong[0]}, which no {tag.datatype} can be ({low} to {high})"
    if tag.counter and tag.decimals_from is not None:
        return "counter needs a plain number; remove decimals_from"
    return ""


def _range(datatype: DataType) -> tuple[int, int]:
    """Whole numbers a type can give."""
    if datatype in MODULUS:
        return 0, MODULUS[datatype] - 1
    bits = min(63, 16 * WIDTH.get(datatype, 4) - 1)
    return -(2**bits), 2**bits - 1
