"""The machine's mosquitto with a private configuration. For a broker that others reach, see deploy/mosquitto/."""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_PLACES: Final = ("/usr/local/sbin", "/usr/sbin", "/usr/local/bin", "/usr/bin")
_MIB: Final = 1 << 20


def find() -> Path | None:
    """The mosquitto binary, also where a user's PATH does not look (Debian: `/usr/sbin`); None when absent."""
    path = os.pathsep.join([os.environ.get("PATH", ""), *_PLACES])
    found = shutil.which("mosquitto", path=path)
    return Path(found) if found else None


def command(state_dir: Path, host: str, port: int, more: Sequence[str] = ()) -> list[str]:
    """Write the configuration into `state_dir` and return the command that runs it.

    Args:
        state_dir: an existing folder.
        host: loopback address to listen on.
        port: TCP port, 1–65535.
        more: further lines of its configuration, such as a second listener.
    """
    config = state_dir.absolute() / "mosquitto.conf"
    config.write_text(configuration(host, port) + "".join(f"{line}\n" for line in more), encoding="utf-8")
    return [str(find()), "-c", str(config)]


def configuration(host: str, port: int) -> str:
    """The private configuration: anonymous, because only this machine reaches it; nothing kept on disk.

    The limits hold a backlog of 100 kB records in memory while the bridge is away: mosquitto's own defaults (1,000
    queued messages, 20 in flight) drop or stall one. Field meanings: mosquitto.conf(5).
    """
    lines = [
        f"listener {port} {host}",
        "allow_anonymous true",
        "persistence false",
        "max_inflight_messages 1000",
        "max_queued_messages 100000",
        f"max_queued_bytes {256 * _MIB}",
        f"message_size_limit {16 * _MIB}",
        "set_tcp_nodelay true",
        "log_dest stderr",
        "log_type error",
        "log_type warning",
        "connection_messages false",
    ]
    if os.geteuid() == 0:  # a change of user would make it outlive a killed parent (child.py)
        lines.append(f"user {pwd.getpwuid(0).pw_name}")
    return "\n".join(lines) + "\n"
