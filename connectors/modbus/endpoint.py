"""Where a Modbus device is and how its bytes travel. Imports no protocol library."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from pipelines.settings import ConnectionSettings, Settings, authority

Transport = Literal["tcp", "udp", "tls", "rtu", "ascii", "rtu_over_tcp", "ascii_over_tcp"]

SERIAL: Final = frozenset({"rtu", "ascii"})
"""Transports on a serial port of this machine."""
NUMBERED: Final = frozenset({"tcp", "udp", "tls"})
"""Transports whose frames carry a transaction id (Messaging on TCP/IP V1.0b §3.1.3)."""
STREAMS: Final = frozenset({"tcp", "tls", "rtu_over_tcp", "ascii_over_tcp"})
"""Transports over a TCP connection."""
_SCHEME: Final = {
    "tcp": "modbus", "udp": "modbus+udp", "tls": "modbus+tls", "rtu": "modbus+rtu", "ascii": "modbus+ascii",
    "rtu_over_tcp": "modbus+rtu+tcp", "ascii_over_tcp": "modbus+ascii+tcp",
}  # fmt: skip
_PORT: Final = 502
_TLS_PORT: Final = 802
_MOST_UNITS: Final = 247
_RTU_BITS: Final = 8


class SerialSettings(Settings):
    """A serial line: the port of this machine, or what a gateway behind `host` has."""

    device: Annotated[str, Field(min_length=1)] = ""
    """Port, such as `/dev/ttyUSB0` or, better, its name that stays: `/dev/serial/by-id/…`. Only one connection may have
    it; behind a gateway there is none."""
    baudrate: Annotated[int, Field(ge=50, le=4_000_000)] = 9600
    """Bits per second."""
    parity: Literal["none", "even", "odd"] = "none"
    """Parity bit. The standard's default is `even`, most meters come with `none`."""
    stop_bits: Literal[1, 2] = 1
    """Stop bits; the standard asks for 2 where there is no parity, many devices have 1."""
    byte_size: Literal[7, 8] = 8
    """Data bits: 8 for RTU, 7 or 8 for ASCII."""
    turnaround_s: Annotated[float, Field(ge=0, le=10)] = 0.03
    """Time the devices take to answer, seconds, by their manuals; only for the bus-time budget of `agent check`."""

    def wiring(self) -> str:
        """Such as `9600 8N1`."""
        return f"{self.baudrate} {self.byte_size}{self.parity[0].upper()}{self.stop_bits}"


class ModbusTlsSettings(Settings):
    """TLS 1.2 or later (Modbus/TCP Security V36 §8); the device's certificate and name are always verified."""

    ca_file: Path | None = None
    """PEM of the authorities to trust; default: the system's."""
    cert_file: Path | None = None
    """PEM of our own certificate, which the standard asks for; its role must only allow reading."""
    key_file: Path | None = None
    """PEM of its private key."""
    server_name: Annotated[str, Field(min_length=1)] | None = None
    """Name in the device's certificate; default: `host`."""

    @model_validator(mode="after")
    def _pair(self) -> Self:
        if (self.cert_file is None) != (self.key_file is None):
            msg = "cert_file and key_file belong together; name both or none"
            raise ValueError(msg)
        return self


class ModbusEndpoint(ConnectionSettings):
    """The part of a Modbus connection that says where the device is and how its bytes travel."""

    type: Literal["modbus"]
    """Kind of connection."""
    transport: Transport = "tcp"
    """How the bytes travel. `tcp`, `udp`, `tls`: a Modbus TCP frame over a network. `rtu`, `ascii`: on the serial port
    that `serial` names. `rtu_over_tcp`, `ascii_over_tcp`: serial frames through a gateway that passes bytes on."""
    host: Annotated[str, Field(min_length=1)] = ""
    """Host name or IP address; needed by every transport but `rtu` and `ascii`."""
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """TCP or UDP port; default: 502, with `tls` 802."""
    serial: SerialSettings | None = None
    """Serial line; needed by `rtu` and `ascii`, and worth telling behind a gateway: `agent check` then knows how busy
    the line is."""
    tls: ModbusTlsSettings | None = None
    """Certificates; only with `tls`."""
    timeout_s: Annotated[float, Field(gt=0, le=60)] = 1.0
    """Longest wait for a connection or a reply, seconds. Behind a serial gateway: longer than the gateway's own."""
    request_delay_s: Annotated[float, Field(ge=0, le=10)] = 0.0
    """Pause between a reply and the next request, seconds, for devices that need one. A serial RTU line keeps at least
    the 3.5 characters of the standard."""
    connect_per_poll: bool = False
    """Open a connection for each round of requests and close it after, for devices that want it so."""
    in_flight: Annotated[int, Field(ge=1, le=16)] = 1
    """Requests sent before the first is answered; above 1 only where the device's manual allows it."""
    dead_unit_share: Annotated[float, Field(gt=0, le=0.5)] = 0.2
    """Largest share of the line's time that a unit may cost which does not answer; it is asked less and less often, at
    least once a minute."""

    def where(self) -> str:
        """`modbus://host:port`, `modbus+tls://host:port`, `modbus+rtu:///dev/ttyUSB0` and so on."""
        if self.transport in SERIAL:
            assert self.serial is not None
            return f"{_SCHEME[self.transport]}://{self.serial.device}"
        return f"{_SCHEME[self.transport]}://{authority(self.host, self.tcp_port())}"

    def tcp_port(self) -> int:
        """TCP or UDP port, the usual one where none is named."""
        return self.port or (_TLS_PORT if self.transport == "tls" else _PORT)

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if reason := _serial_fault(self) if self.transport in SERIAL else _network_fault(self):
            raise ValueError(reason)
        if self.tls is not None and self.transport != "tls":
            msg = f"tls needs transport tls, not {self.transport}; remove tls, or change transport"
            raise ValueError(msg)
        if self.in_flight > 1 and self.transport not in NUMBERED:
            msg = f"in_flight above 1 needs transaction ids, and transport {self.transport} has none; remove in_flight"
            raise ValueError(msg)
        if self.connect_per_poll and self.transport not in STREAMS:
            msg = f"connect_per_poll needs a TCP connection, and transport {self.transport} has none; remove it"
            raise ValueError(msg)
        if self.transport not in NUMBERED:
            units = [getattr(self, "unit", None), *(getattr(tag, "unit", None) for tag in self.tag_list())]
            if wrong := [unit for unit in units if unit is not None and not 1 <= unit <= _MOST_UNITS]:
                msg = f"unit {wrong[0]} does not answer on a serial line; there it is 1-{_MOST_UNITS}"
                raise ValueError(msg)
        return self


def _serial_fault(one: ModbusEndpoint) -> str:
    """What a connection on a serial port lacks or has too much; empty if nothing."""
    if one.serial is None or not one.serial.device:
        return f"serial: device is missing, and transport {one.transport} needs it, such as /dev/ttyUSB0"
    for key in ("host", "port"):
        if getattr(one, key):
            return f"{key} needs a network, and transport {one.transport} has the port serial.device; remove {key}"
    if one.transport == "rtu" and one.serial.byte_size != _RTU_BITS:
        return "serial: byte_size must be 8 with transport rtu; 7 is for ascii"
    return ""


def _network_fault(one: ModbusEndpoint) -> str:
    """What a connection over a network lacks or has too much; empty if nothing."""
    if not one.host:
        return f"host is missing; add it, since transport {one.transport} goes over a network"
    if one.serial is not None and one.transport in NUMBERED:
        return f"serial needs a transport rtu, ascii, rtu_over_tcp or ascii_over_tcp, not {one.transport}; remove it"
    if one.serial is not None and one.serial.device:
        return f"serial: device needs transport rtu or ascii; remove it, since {one.transport} goes to host"
    return ""
