"""Opens the line that a connection's settings describe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from connectors.modbus.endpoint import NUMBERED, SERIAL, ModbusTlsSettings
from connectors.modbus.lines.ascii import AsciiFramer
from connectors.modbus.lines.bus import BusWire, Timing
from connectors.modbus.lines.datagram import open_datagrams
from connectors.modbus.lines.late import Late
from connectors.modbus.lines.numbered import NumberedWire
from connectors.modbus.lines.port import open_port
from connectors.modbus.lines.rtu import RtuFramer
from connectors.modbus.lines.stream import open_stream

if TYPE_CHECKING:
    from connectors.modbus.endpoint import ModbusEndpoint
    from connectors.modbus.wire import Wire
    from pipelines.clock import Clock
    from pipelines.stats import LinkStats

_CHARACTER_BITS: Final = 11
_SILENCE_CHARACTERS: Final = 3.5
_FAST_BAUDRATE: Final = 19200
_FAST_SILENCE_S: Final = 0.00175
"""Silence between frames above 19200 bit/s (Serial Line V1.02 §2.5.1.1)."""
_DRAIN_S: Final = 0.05
"""Silence after trouble: longer than a serial adapter holds characters back (16 ms is usual)."""
_LATE: Final[dict[str, Late]] = {}
"""What may still come, by line: a reply to a link that ended must not be taken for one to the next."""


async def open_wire(
    settings: ModbusEndpoint, clock: Clock, stats: LinkStats, place: str, before: Wire | None = None
) -> Wire:
    """An open line; errors name `place`.

    Args:
        settings: where it is and how its bytes travel.
        clock: for the times of the readings.
        stats: counters of the connection.
        place: `modbus://host:port unit N`.
        before: the line of the same link that this one replaces.

    Raises:
        LinkError: it cannot be opened; see `open_stream`, `open_datagrams` and `open_port`.
    """
    wire = _wire(settings, clock, stats, before)
    if settings.transport in SERIAL:
        assert settings.serial is not None
        wire.pipe = open_port(settings.serial, place, wire)
        return wire
    port, timeout_s = settings.tcp_port(), settings.timeout_s
    if settings.transport == "udp":
        wire.pipe = await open_datagrams(settings.host, port, place, wire, timeout_s)
    else:
        tls = None if settings.transport != "tls" else settings.tls or ModbusTlsSettings()
        wire.pipe = await open_stream(settings.host, port, place, wire, timeout_s, tls)
    return wire


def silence_s(settings: ModbusEndpoint) -> float:
    """Silence before a request, seconds: what RTU needs, or the pause that is asked for."""
    if settings.transport != "rtu":
        return settings.request_delay_s
    assert settings.serial is not None
    baudrate = settings.serial.baudrate
    characters_s = _SILENCE_CHARACTERS * _CHARACTER_BITS / baudrate
    return max(settings.request_delay_s, _FAST_SILENCE_S if baudrate > _FAST_BAUDRATE else characters_s)


def _wire(settings: ModbusEndpoint, clock: Clock, stats: LinkStats, before: Wire | None) -> Wire:
    if settings.transport in NUMBERED:
        transaction = before.transaction if isinstance(before, NumberedWire) else 0
        datagrams = settings.transport == "udp"
        return NumberedWire(clock, stats, settings.timeout_s, transaction, datagrams=datagrams)
    framer = AsciiFramer() if settings.transport.startswith("ascii") else RtuFramer()
    late = _LATE.setdefault(settings.where(), Late(settings.timeout_s))
    quiet_s = silence_s(settings)
    return BusWire(clock, stats, framer, Timing(settings.timeout_s, quiet_s, max(quiet_s, _DRAIN_S)), late)
