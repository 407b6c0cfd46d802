"""Talking to a running plant: which one it is, and what it is asked for."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import orjson

from agent.control.address import reach
from agent.control.client import SOCKET
from agent.output import say
from agent.paths import STATE_DIR
from pipelines.errors import ConfigError, DependencyError

_PROC: Final = Path("/proc")
_OPTION: Final = b"--control"
_PLAYED: Final = {b"--line", b"--replay"}
AGENT: Final = "agent"
"""Name of the collector's state folder in the work folder of a simulation."""
_START: Final = 19
"""Position of a process's start time behind its name in /proc/PID/stat (proc(5), field 22)."""
_PATIENCE_S: Final = 5.0


def only_plant(found: Mapping[Path, str]) -> Path:
    """The one plant of those that run, which are told with what they play.

    Raises:
        ConfigError: several run.
        DependencyError: none runs.
    """
    if not found:
        raise DependencyError("agent simulate", "no simulation runs here; start one with `agent simulate`")
    if len(found) > 1:
        works = ", ".join(f"{one.parent} ({played})" for one, played in found.items())
        raise ConfigError(None, None, f"{len(found)} simulations run here; say which with --work: {works}")
    return next(iter(found))


def running_plants() -> dict[Path, str]:
    """The control sockets of this user's plants, the newest first, and the lines, or the recording, that each plays."""
    found: list[tuple[int, Path, str]] = []
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
                found.append((began, path, _played(words)))
    return {path: played for _, path, played in sorted(found, reverse=True)}


def _played(words: Sequence[bytes]) -> str:
    """Lines or recording, as a plant's command line names them."""
    return ", ".join(Path(os.fsdecode(name)).name for option, name in pairwise(words) if option in _PLAYED)


def state_of(state_dir: Path | None, work: Path | None) -> Path:
    """State folder of the agent that is meant.

    Args:
        state_dir: as named, or None.
        work: folder of a simulation, or None.

    Without either it is that of `agent run`; where no agent has one, that of the one simulation that runs.

    Raises:
        ConfigError: several simulations run.
    """
    if state_dir is not None:
        return state_dir
    if work is not None:
        return work / AGENT
    plants = {} if (STATE_DIR / SOCKET).is_socket() else running_plants()
    if not plants:
        return STATE_DIR
    found = only_plant(plants).parent
    say(f"시뮬레이션 / simulation: {found}")
    return found / AGENT


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
