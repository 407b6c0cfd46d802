"""Ports for servers that cannot take port 0 themselves."""

from __future__ import annotations

import secrets
import socket
from pathlib import Path
from typing import Final

HOST: Final = "127.0.0.1"
_RANGE: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
_FIRST: Final = 20_000
_LAST: Final = 32_000
_LEAST: Final = 1_000
_TRIES: Final = 100


def _candidates() -> range:
    """Outside what the kernel hands to outgoing connections, which may take a port between a look at it and its use."""
    try:
        first, last = (int(word) for word in _RANGE.read_text().split())
    except (OSError, ValueError):
        return range(_FIRST, _LAST)
    if first - _FIRST >= _LEAST:
        return range(_FIRST, first)
    return range(last + 1, 65_536) if 65_535 - last >= _LEAST else range(_FIRST, _LAST)


def free_port() -> int:
    """A port of loopback that nobody has now and no outgoing connection will be given."""
    for _ in range(_TRIES):
        port = secrets.choice(_candidates())  # not `random`: test processes may share its seed
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        return port
    message = f"no free port in {_candidates()}"
    raise RuntimeError(message)
