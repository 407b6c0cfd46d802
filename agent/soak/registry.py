"""The faults a plan can name; one line registers one."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

from agent.soak.fault import Fault

FAULTS: Final = {
    "bad_certificate": "broker:BadCertificate",
    "black_hole": "network:BlackHole",
    "bridge_storm": "storm:BridgeStorm",
    "broker_kill": "broker:BrokerKill",
    "broker_restart": "broker:BrokerRestart",
    "clock_jump": "clock:ClockJump",
    "full_disk": "full_disk:FullDisk",
    "kill": "kill:Kill",
    "network_down": "network:NetworkDown",
    "power_cut": "power_cut:PowerCut",
    "reset": "network:Reset",
    "slow": "network:Slow",
    "store_errors": "store:StoreErrors",
    "store_kill": "store:StoreKill",
    "store_refuses": "store:StoreRefuses",
    "sync_error": "sync_error:SyncError",
}
"""Name → module under `agent.soak.faults` and class in it."""


def fault_class(name: str) -> type[Fault]:
    """The class behind a name.

    Raises:
        KeyError: there is no such fault.
    """
    module, _, kind = FAULTS[name].partition(":")
    found: Any = getattr(import_module(f"agent.soak.faults.{module}"), kind)
    cls: type[Fault] = found
    return cls
