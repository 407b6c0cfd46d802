"""The faults a plan can name; one line registers one."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

from agent.soak.fault import Fault

FAULTS: Final = {
    "kill": "kill:Kill",
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
