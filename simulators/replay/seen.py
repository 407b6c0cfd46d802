"""What a client says it reads of a recorded device, and what the recorded bytes mean in the types it names. Pure.

`seen.json` is a list, one entry for each address or node that a configuration reads:

- {device, name, unit, table, address, registers, datatype, order, encoding?, decode?, decimals_from?}: `datatype` is
  one of `simulators.words.FORMATS`, `bool`, `float16`, `bcd16`, `bcd32`, `bcd64` or `string`; `order` one of
  `simulators.words.ORDERS` or, for 64 bits, eight letters that say which byte (A most significant) stands where.
- {device, name, node, path, timed}: OPC UA; `node` a node id with `ns=` or `nsu=`, empty where `path` has it. `timed`:
  a new source time alone is a change.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from simulators.device import Signal
from simulators.words import ORDERS, from_bytes, ordered

BAD_DATA_ENCODING: Final = 0x8039_0000
"""BadDataEncodingUnsupported: the registers cannot be a value of that type."""
BAD_OUT_OF_RANGE: Final = 0x803C_0000
MOST_DECIMALS: Final = 6
_TWO: Final = 2.0
_BYTES_SWAPPED: Final = frozenset({"BADC", "DCBA"})


@dataclass(frozen=True, slots=True)
class Seen(Signal):
    """A signal as the client's configuration has it.

    Attributes:
        registers: it takes.
        encoding: of a string.
        decode: `pf_4q`: four-quadrant power factor, 2 - x above 1 and -2 - x below -1 (Schneider, 4Q_FP_PF).
        decimals_from: address of the register that says how many decimals the value has, -1 = none.
        path: OPC UA: browse path, empty where `node` is a node id.
        timed: OPC UA: a new source time alone is a change.
        judged: its values are plain, so that a truth log can hold them.
    """

    registers: int = 1
    encoding: str = "utf-8"
    decode: str = ""
    decimals_from: int = -1
    path: str = ""
    timed: bool = True
    judged: bool = True

    def header(self) -> dict[str, Any]:
        """Its line in the truth log's header."""
        shared = {"id": self.id, "device": self.device, "name": self.name, "datatype": self.datatype}
        if not self.table:
            return shared | {"node": key_of(self.node or self.path), "judged": self.judged}
        where = {"unit": self.unit, "table": self.table, "address": self.address, "registers": self.registers}
        return shared | where | {"decimals": 0}


def key_of(node: str) -> str:
    """A node as the truth log calls it: a string identifier alone, else the whole."""
    return node.rpartition(";s=")[2]


def seen_of(entries: Iterable[Mapping[str, Any]]) -> list[Seen]:
    """The signals of a parsed `seen.json`, numbered from 0."""
    return [
        Seen(number, of="", datatype=one.get("datatype", ""), words=one.get("order", "ABCD"), **_rest(one))
        for number, one in enumerate(entries)
    ]


def _rest(one: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in one.items() if key not in {"datatype", "order"}}


def meaning(signal: Seen, words: Mapping[int, int]) -> Any:
    """The value of a signal in registers by address; {"status": code} where they mean none."""
    data = b"".join(words[signal.address + at].to_bytes(2, "big") for at in range(signal.registers))
    value = _value(data, signal)
    if signal.decimals_from >= 0 and not isinstance(value, dict):
        swapped = signal.words in _BYTES_SWAPPED
        decimals = int.from_bytes(words[signal.decimals_from].to_bytes(2, "big"), "little" if swapped else "big")
        return value / 10**decimals if decimals <= MOST_DECIMALS else {"status": BAD_DATA_ENCODING}
    return value


def _value(data: bytes, signal: Seen) -> Any:
    datatype = signal.datatype
    if datatype == "bool":
        return any(data)
    if datatype == "string":
        return _text(ordered(data, "BADC") if signal.words in _BYTES_SWAPPED else data, signal.encoding)
    plain = _in_order(data, signal.words)
    if datatype.startswith("bcd"):
        digits = plain.hex()
        return int(digits) if digits.isdecimal() else {"status": BAD_DATA_ENCODING}
    value = struct.unpack(">e", plain)[0] if datatype == "float16" else from_bytes(plain, datatype)
    return _power_factor(value) if signal.decode == "pf_4q" else value


def _text(data: bytes, encoding: str) -> Any:
    try:
        return data.partition(b"\0")[0].decode(encoding)
    except UnicodeDecodeError:
        return {"status": BAD_DATA_ENCODING}


def _power_factor(x: float) -> Any:
    if abs(x) > _TWO:
        return {"status": BAD_OUT_OF_RANGE}
    return _TWO - x if x > 1 else -_TWO - x if x < -1 else x


def _in_order(data: bytes, order: str) -> bytes:
    """Wire bytes with the most significant first."""
    return ordered(data, order) if order in ORDERS else bytes(data[order.index(letter)] for letter in "ABCDEFGH")
