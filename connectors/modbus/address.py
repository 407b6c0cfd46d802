"""A Modbus address as people write it on the command line, as settings of a connection. Imports no protocol library."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, urlsplit

from pydantic import ValidationError

from connectors.modbus.config import ModbusConnection
from connectors.modbus.endpoint import SERIAL
from pipelines.errors import ConfigError
from pipelines.settings import words_of

_TRANSPORTS: Final = {
    "modbus": "tcp", "modbus+tcp": "tcp", "modbus+udp": "udp", "modbus+tls": "tls", "modbus+rtu": "rtu",
    "modbus+ascii": "ascii", "modbus+rtu+tcp": "rtu_over_tcp", "modbus+rtu-over-tcp": "rtu_over_tcp",
    "modbus+ascii+tcp": "ascii_over_tcp", "modbus+ascii-over-tcp": "ascii_over_tcp",
}  # fmt: skip
SCHEMES: Final = tuple(_TRANSPORTS)
"""What such an address begins with."""
_LINE: Final = ("baudrate", "parity", "stop_bits", "byte_size")
_TLS: Final = ("ca_file", "cert_file", "key_file", "server_name")
_PARITY: Final = {"N": "none", "E": "even", "O": "odd"}
_ANY_TAG: Final = {"name": "any", "address": 0, "datatype": "uint16"}
"""A connection reads at least one tag; what is really read, the caller decides."""


def settings_of(endpoint: str, **more: Any) -> ModbusConnection:
    """The connection behind an address.

    `modbus://host[:port]`, `modbus+udp://…`, `modbus+tls://…?ca_file=…`, `modbus+rtu:///dev/ttyUSB0?baudrate=9600&parity=N`,
    `modbus+ascii://…`, `modbus+rtu+tcp://host:port`, `modbus+ascii+tcp://…`; what follows `?` are keys of `serial` or
    `tls`.

    Args:
        endpoint: the address.
        more: further settings of the connection, by key.

    Raises:
        ConfigError: not such an address.
    """
    try:
        parts = urlsplit(endpoint)
        place = _place(endpoint, parts, parts.port)
    except ValueError as error:
        raise ConfigError(None, None, f"{endpoint}: the port must be 1-65535") from error
    fields: dict[str, Any] = {"type": "modbus", "name": "device", "tags": [_ANY_TAG], **more, **place}
    for group, keys in (("serial", _LINE), ("tls", _TLS)):
        if asked := _asked(parts, keys):
            fields[group] = fields.get(group, {}) | asked
    unknown = [key for key, _ in parse_qsl(parts.query, keep_blank_values=True) if key not in _LINE + _TLS]
    if unknown:
        raise ConfigError(None, None, f"{endpoint}: unknown {unknown[0]!r}; there are {', '.join(_LINE + _TLS)}")
    try:
        return ModbusConnection.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        where = "".join(f"{one}: " for one in first["loc"])
        raise ConfigError(None, None, f"{endpoint}: {where}{words_of(first)}") from None


def _place(endpoint: str, parts: SplitResult, port: int | None) -> dict[str, Any]:
    """Transport and whom to reach by it."""
    transport = _TRANSPORTS.get(parts.scheme, "")
    if not transport or parts.username or parts.fragment:
        raise ConfigError(None, None, f"{endpoint}: expected modbus://host:port or modbus+rtu:///dev/ttyUSB0")
    if transport in SERIAL:
        if parts.netloc or not parts.path:
            reason = f"expected three slashes and the port, such as {parts.scheme}:///dev/ttyUSB0"
            raise ConfigError(None, None, f"{endpoint}: {reason}")
        return {"transport": transport, "serial": {"device": parts.path}}
    if not parts.hostname or parts.path.strip("/"):
        raise ConfigError(None, None, f"{endpoint}: expected {parts.scheme}://host:port")
    network: dict[str, Any] = {"host": parts.hostname} if port is None else {"host": parts.hostname, "port": port}
    return network if transport == "tcp" else network | {"transport": transport}


def _asked(parts: SplitResult, keys: tuple[str, ...]) -> dict[str, Any]:
    """Keys of one group behind the `?`; numbers as numbers."""
    found: dict[str, Any] = {}
    for key, value in parse_qsl(parts.query, keep_blank_values=True):
        if key in keys:
            found[key] = int(value) if value.isdecimal() else _PARITY.get(value.upper(), value)
    return found
