"""One line registers a connector. The link module, and with it the protocol library, is imported only when used."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Final

from connectors.base import Connector, LinkContext
from connectors.modbus.config import ModbusConnection
from connectors.mtconnect.config import MtConnectConnection
from connectors.opcua.config import OpcUaConnection
from pipelines.settings import ConnectionSettings


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of connector.

    Attributes:
        settings: its configuration model, with `type: Literal[...]`.
        link: `module:class` of the link.
    """

    settings: type[ConnectionSettings]
    link: str


KINDS: Final[dict[str, Kind]] = {
    "modbus": Kind(ModbusConnection, "connectors.modbus.link:ModbusLink"),
    "mtconnect": Kind(MtConnectConnection, "connectors.mtconnect.link:MtConnectLink"),
    "opcua": Kind(OpcUaConnection, "connectors.opcua.link:OpcUaLink"),
}

AnyConnection = ModbusConnection | MtConnectConnection | OpcUaConnection


def make_link(kind: str, context: LinkContext) -> Connector:
    """An unopened link of `kind` (a key of `KINDS`)."""
    module, _, name = KINDS[kind].link.partition(":")
    link: Connector = getattr(import_module(module), name)(context)
    return link
