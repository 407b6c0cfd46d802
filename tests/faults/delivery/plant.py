"""What the processes of fault tests collect from: a device of ours in the place of a Modbus one, and its site."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any, Self

from agent.site import Site
from connectors import registry
from connectors.base import Connector
from connectors.modbus.config import ModbusConnection


class Plugged(Connector):
    """A device that is there as long as its process."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


def stands_in(device: type[Plugged]) -> None:
    """`device`, of the module that was started, is what every Modbus connection reads."""
    module = sys.modules["__main__"].__spec__
    assert module is not None
    sys.modules[module.name] = sys.modules["__main__"]
    registry.KINDS["modbus"] = registry.Kind(ModbusConnection, f"{module.name}:{device.__name__}")


def one_machine(name: str, tags: int, broker: int, **journal: Any) -> Site:
    """A machine M with integers t0, t1 and so on.

    Args:
        name: of its only connection.
        tags: how many.
        broker: port.
        journal: settings of the journal.
    """
    listed = [{"name": f"t{number}", "address": 4 * number, "datatype": "int64"} for number in range(tags)]
    return Site.model_validate(
        {
            "company": "demo",
            "site": "plant",
            "machines": {"M": {"class": "meter"}},
            "connections": [{"name": name, "type": "modbus", "host": "127.0.0.1", "machine": "M", "tags": listed}],
            "mqtt": {"host": "127.0.0.1", "port": broker},
            "journal": {"min_free_bytes": 0, **journal},
        }
    )
