"""When a log-in is asked for. Configuration knows this module; it needs no library."""

from __future__ import annotations

import ipaddress
from enum import StrEnum


class Mode(StrEnum):
    """When a log-in is asked for."""

    AUTO = "auto"
    """Not on this PC alone (loopback) while there is no user; else always."""
    LOGIN = "login"
    """Always."""
    OPEN = "open"
    """Never, for browsers on this PC."""
    OPEN_TO_ALL = "open-to-all"
    """Never, whoever reaches the address."""


def is_loopback(host: str) -> bool:
    """Whether a name or address is this PC's own."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"
