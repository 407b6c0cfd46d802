"""Faults injected into the plant, each in the truth log with its start and end.

Commands are JSON lines on stdin: ``{"fault": "comm_loss", "device": "prs", "for_s": 5}``; `how` is `close` (default:
connections are reset and the port is shut), `silent` (Modbus, MTConnect: connections stay, nothing is answered) or
`restart` (MTConnect: the agent itself is gone meanwhile, and what it remembered with it).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import orjson

from simulators.clock import SimClock
from simulators.truth import TruthLog

FAULTS: Final = ("comm_loss",)
"""Faults that can be injected."""


class Server(Protocol):
    """What a fault needs of a device's server."""

    can_be_silent: bool
    silent: bool

    async def start(self, port: int = 0) -> None:
        """Listen again on the port it had."""
        ...

    async def stop(self) -> None:
        """Close the port and every connection."""
        ...


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: what, where, for how long (plant seconds)."""

    fault: str
    device: str
    for_s: float
    how: str = "close"


def parse_fault(text: bytes | str, devices: Mapping[str, Server]) -> Fault:
    """The fault that a command line names.

    Raises:
        ValueError: not JSON, an unknown fault or device, or no duration.
    """
    command = orjson.loads(text)
    if not isinstance(command, dict):
        raise ValueError("a fault is a JSON object")  # noqa: TRY004 — one error for a bad command
    fault = Fault(
        str(command.get("fault")),
        str(command.get("device")),
        float(command.get("for_s", 0)),
        command.get("how", "close"),
    )
    if fault.fault not in FAULTS:
        raise ValueError(f"no fault {fault.fault!r}; there is {', '.join(FAULTS)}")
    if fault.device not in devices:
        raise ValueError(f"no device {fault.device!r}; there are {', '.join(devices)}")
    if fault.for_s <= 0 or fault.how not in {"close", "silent", "restart"}:
        raise ValueError("for_s must be above 0 and how one of close, silent, restart")
    if fault.how == "restart" and not getattr(devices[fault.device], "can_restart", False):
        raise ValueError(f"{fault.device} cannot restart, only close")
    if fault.how == "silent" and not devices[fault.device].can_be_silent:
        raise ValueError(f"{fault.device} cannot be silent, only close")
    return fault


async def inject(fault: Fault, server: Server, truth: TruthLog, clock: SimClock) -> None:
    """Do it, wait its time, undo it."""
    start_ns = clock.now_ns()
    where = {"fault": fault.fault, "device": fault.device, "how": fault.how, "start_ns": start_ns}
    truth.write("fault", **where, end_ns=start_ns + int(fault.for_s * 1e9))
    if fault.how == "silent":
        server.silent = True
    else:
        await server.stop()
    if fault.how == "restart":
        server.forget()  # type: ignore[attr-defined]  # `can_restart` says that it is there
    try:
        await asyncio.sleep(clock.real_s(fault.for_s))
    finally:
        server.silent = False
        if fault.how != "silent":
            await server.start()
        truth.write("fault", **where, end_ns=clock.now_ns(), ended=True)
