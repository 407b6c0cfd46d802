"""A Modbus address as people write it on the command line, as settings of a connection."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import ValidationError

from connectors.modbus.config import ModbusConnection
from pipelines.errors import ConfigError

SCHEMES: Final = ("modbus",)
"""What such an address begins with."""
_ANY_TAG: Final = {"name": "any", "address": 0, "datatype": "uint16"}
"""A connection reads at least one tag; what is really read, the caller decides."""


def settings_of(endpoint: str, **more: Any) -> ModbusConnection:
    """The connection behind `modbus://host[:port]`; the port is 502 when none is given.

    Args:
        endpoint: the address.
        more: further settings of the connection, by key.

    Raises:
        ConfigError: not such an address.
    """
    parts = urlsplit(endpoint)
    try:
        port = parts.port
    except ValueError as error:
        raise ConfigError(None, None, f"{endpoint}: the port must be 1-65535") from error
    if parts.scheme not in SCHEMES or not parts.hostname or parts.path.strip("/") or parts.username:
        raise ConfigError(None, None, f"{endpoint}: expected modbus://host:port")
    fields = {"type": "modbus", "name": "device", "host": parts.hostname, "tags": [_ANY_TAG], **more}
    if port is not None:
        fields["port"] = port
    try:
        return ModbusConnection.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(None, None, f"{endpoint}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
