"""Talking to a running plant: which one it is, and what it is asked for."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from agent.control.address import reach
from pipelines.errors import ConfigError, DependencyError

_PROC: Final = Path("/proc")
_OPTION: Final = b"--control"
_START: Final = 19
"""Position of a process's start time behind its name in /proc/PID/stat (proc(5), field 22)."""
_PATIENCE_S: Final = 5.0


def only_plant(found: Sequence[Path]) -> Path:
    """The one plant of those that run.

    Raises:
        ConfigError: several run.
        DependencyError: none runs.
    """
    if not found:
        raise DependencyError("agent simulate", "no simulation runs here; start one with `agent simulate`")
    if len(found) > 1:
        works = ", ".join(str(one.parent) for one in found)
        raise ConfigError(None, None, f"{len(found)} simulations run here; say which with --work: {works}")
    return found[0]


def running_plants() -> list[Path]:
    """The control sockets of this user's plants, the newest first."""
    found: list[tuple[int, Path]] = []
    for entry in _PROC.iterdir():
        try:
            if not entry.name.isdecimal() or entry.stat().st_uid != os.getuid():
                continue
            words = (entry / "cmdline").read_bytes().split(b"\0")
            began = int((entry / "stat").read_bytes().rpartition(b")")[2].split()[_START])
        except OSError:  # it ended while we looked
            continue
        if b"simulators" in words and _OPTION in words[:-1]:
            path = Path(os.fsdecode(words[words.index(_OPTION) + 1]))
            if path.is_socket():
                found.append((began, path))
    return [path for _, path in sorted(found, reverse=True)]


def tell_plant(path: Path, **said: Any) -> dict[str, Any]:
    """What the plant at that socket answers to an order (`simulators.control`).

    Raises:
        ConfigError: it refuses.
        DependencyError: it does not run any more, or does not answer.
    """
    try:
        with socket.socket(socket.AF_UNIX) as channel, reach(path) as address:
            channel.settimeout(_PATIENCE_S)
            channel.connect(address)
            channel.sendall(orjson.dumps(said, option=orjson.OPT_APPEND_NEWLINE))
            with channel.makefile("rb") as lines:
                answer: dict[str, Any] = orjson.loads(lines.readline())
    except (OSError, orjson.JSONDecodeError) as error:
        raise DependencyError(
            str(path), f"the plant does not answer ({error}); does the simulation still run?"
        ) from error
    if "refused" in answer:
        raise ConfigError(None, None, answer["refused"])
    return answer
