"""One line registers a connector. The link module, and with it the protocol library, is imported only when used."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import Final

from connectors.base import Connector, LinkContext, Probeable, ProbeOptions
from connectors.modbus.address import SCHEMES as MODBUS
from connectors.modbus.config import ModbusConnection
from connectors.mtconnect.config import MtConnectConnection
from connectors.opcua.config import OpcUaConnection
from pipelines.clock import Clock
from pipelines.settings import ConnectionSettings


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of connector.

    Attributes:
        settings: its configuration model, with `type: Literal[...]`.
        link: `module:class` of the link.
        schemes: what an address of it begins with on the command line.
        doctor: `module:class` of its `Probeable`; empty = the device tells itself what it has.
    """

    settings: type[ConnectionSettings]
    link: str
    schemes: tuple[str, ...] = ()
    doctor: str = ""


KINDS: Final[dict[str, Kind]] = {
    "modbus": Kind(
        ModbusConnection, "connectors.modbus.link:ModbusLink", MODBUS, doctor="connectors.modbus.probe.doctor:Doctor"
    ),
    "mtconnect": Kind(MtConnectConnection, "connectors.mtconnect.link:MtConnectLink", ("http", "https")),
    "opcua": Kind(OpcUaConnection, "connectors.opcua.link:OpcUaLink", ("opc.tcp",)),
}

AnyConnection = ModbusConnection | MtConnectConnection | OpcUaConnection


def load(kinds: Iterable[str]) -> None:
    """Import the links of these kinds and their protocol libraries now; later it would eat the others' deadlines."""
    for kind in sorted(set(kinds)):
        import_module(KINDS[kind].link.partition(":")[0])


def make_link(kind: str, context: LinkContext) -> Connector:
    """An unopened link of `kind` (a key of `KINDS`)."""
    module, _, name = KINDS[kind].link.partition(":")
    link: Connector = getattr(import_module(module), name)(context)
    return link


def kind_of(endpoint: str) -> str:
    """The kind of connector (a key of `KINDS`) that an address on the command line means; empty = none."""
    scheme = endpoint.partition("://")[0].lower()
    return next((name for name, kind in KINDS.items() if scheme in kind.schemes), "")


def make_doctor(kind: str, endpoint: str, options: ProbeOptions, clock: Clock) -> Probeable:
    """The doctor of `kind`, which has one.

    Raises:
        ConfigError: endpoint or options mean nothing to it.
    """
    module, _, name = KINDS[kind].doctor.partition(":")
    doctor: Probeable = getattr(import_module(module), name)(endpoint, options, clock)
    return doctor
