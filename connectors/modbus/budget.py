"""How busy a serial line is, and which devices are set otherwise than the line. Pure.

A request and its reply take ``(8 + 5 + 2n)·11/baud + 2·3.5·11/baud + turnaround`` seconds for n registers: 8 bytes
there, 5 and the data back, 11 bits a character, 3.5 characters of silence around each frame (Modbus over Serial Line
V1.02 §2.5.1.1), and the time the device takes to answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from connectors.modbus.plan import plan
from connectors.modbus.tag import BIT_TABLES

if TYPE_CHECKING:
    from connectors.modbus.config import ModbusConnection
    from connectors.modbus.endpoint import SerialSettings

BUSY: Final = 0.7
"""Share of the time above which a line has no room left for repeats and units that do not answer."""
_RTU_BITS: Final = 11
_RTU_BYTES: Final = 8 + 5
_RTU_SILENCE: Final = 2 * 3.5
_ASCII_CHARACTERS: Final = 17 + 11


class Load(NamedTuple):
    """What the planned requests take of a line.

    Attributes:
        share: part of the time, 1 = all of it; above 1 the periods cannot be kept.
        requests_per_s: requests in a second.
        longest_s: time of the longest request and its reply, seconds.
    """

    share: float
    requests_per_s: float
    longest_s: float


class Delivered(Protocol):
    """How a maker delivers a device's serial line."""

    @property
    def baud(self) -> int:
        """Bits per second."""

    @property
    def parity(self) -> str:
        """`none`, `even` or `odd`."""

    @property
    def stop_bits(self) -> int:
        """1 or 2."""


def transaction_s(serial: SerialSettings, data_bytes: int, *, ascii_frames: bool) -> float:
    """Time of the line that one read takes, seconds; `data_bytes` = data of its reply."""
    if ascii_frames:
        bits = 1 + serial.byte_size + (serial.parity != "none") + serial.stop_bits
        characters = _ASCII_CHARACTERS + 2.0 * data_bytes
    else:
        bits, characters = _RTU_BITS, _RTU_BYTES + data_bytes + _RTU_SILENCE
    return characters * bits / serial.baudrate + serial.turnaround_s


def load_of(connection: ModbusConnection) -> Load | None:
    """How busy the line of a connection is; None where no serial line is known."""
    if connection.serial is None:
        return None
    ascii_frames = connection.transport.startswith("ascii")
    share = rate = longest_s = 0.0
    for request in plan(connection):
        size = (request.count + 7) // 8 if request.table in BIT_TABLES else 2 * request.count
        spent_s = transaction_s(connection.serial, size, ascii_frames=ascii_frames)
        share += (spent_s + connection.request_delay_s) / request.period_s
        rate += 1 / request.period_s
        longest_s = max(longest_s, spent_s)
    return Load(share, rate, longest_s)


def otherwise(serial: SerialSettings, device: Delivered) -> str:
    """In which settings a device is delivered otherwise than the line has it, such as `9600 8N2`; empty if in none."""
    same = (device.baud, device.parity, device.stop_bits) == (serial.baudrate, serial.parity, serial.stop_bits)
    return "" if same else f"{device.baud} 8{device.parity[0].upper()}{device.stop_bits}"
