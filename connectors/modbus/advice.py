"""What `agent check` tells of Modbus connections: ports used twice, busy lines, register numbers as addresses."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any, Final

from connectors.modbus.budget import BUSY, load_of, otherwise
from connectors.modbus.endpoint import NUMBERED, SERIAL, ModbusEndpoint
from pipelines.settings import Advice

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from connectors.modbus.config import ModbusConnection
    from pipelines.settings import ConnectionSettings

_NUMBERS: Final = {"discrete": range(10001, 20000), "input": range(30001, 40000), "holding": range(40001, 50000)}
"""Register numbers of manuals by table: the first digit names the table, the rest counts from 1."""


def advice(connection: ModbusConnection, before: Sequence[ConnectionSettings]) -> Iterator[Advice]:
    """Faults, notes and facts; `before` = the connections that stand before it."""
    yield from _shared(connection, before)
    yield from _numbered(connection)
    load = load_of(connection)
    if load is None or connection.serial is None:
        return
    wiring = connection.serial.wiring()
    yield Advice("fact", (), f"line {wiring} busy {load.share:.0%} ({load.requests_per_s:.3g} requests/s)")
    if load.share > BUSY:
        remedy = "longer periods, fewer registers or a second line make room for repeats"
        yield Advice("note", ("serial",), f"the line is busy {load.share:.0%} of the time; {remedy}")
    if load.longest_s > connection.timeout_s:
        what = f"a request and its reply take up to {load.longest_s:.2g} s at {wiring}, timeout_s is "
        remedy = "every such reply would come too late; raise timeout_s, or lower max_registers"
        yield Advice("note", ("timeout_s",), f"{what}{connection.timeout_s:g}: {remedy}")
    devices: Any = getattr(connection, "devices", ())
    for position, device in enumerate(devices):
        delivered = device.map.serial
        if delivered is not None and (usual := otherwise(connection.serial, delivered)):
            what = f"{device.profile} is delivered with {usual}, the line has {wiring}"
            yield Advice("note", ("devices", position), f"{what}; set the device so, or change the line")


def _numbered(connection: ModbusConnection) -> Iterator[Advice]:
    """Addresses that look like register numbers; only the first is told, the others will be alike."""
    found = [(at, tag) for at, tag in enumerate(connection.tags) if tag.address in _NUMBERS.get(tag.table, ())]
    if found:
        at, tag = found[0]
        meant = tag.address - _NUMBERS[tag.table].start
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        words = f"{tag.address} is an address on the wire; the manual's register {tag.address} is at {meant}{more}"
        yield Advice("note", ("tags", at, "address"), words)


def _shared(connection: ModbusConnection, before: Sequence[ConnectionSettings]) -> Iterator[Advice]:
    """A line has one master, and one connection can poll all its units; a port may have several names."""
    place = _line(connection)
    other = next((one for one in before if isinstance(one, ModbusEndpoint) and place and _line(one) == place), None)
    if other is None:
        return
    key = ("serial", "device") if connection.transport in SERIAL else ("host",)
    ours, theirs = _wiring(connection), _wiring(other)
    if ours != theirs:
        reason = f"{place} has {theirs} in connection {other.name!r}, and {ours} here; one line has one setting"
        yield Advice("fault", key, f"{reason}: set the devices alike, or give these a line of their own")
    else:
        reason = f"{place} is used by connection {other.name!r} too"
        yield Advice("fault", key, f"{reason}; merge the tags into one connection")


def _line(one: ModbusEndpoint) -> str:
    """The serial line of a connection by name; empty where several connections do no harm."""
    if one.transport in SERIAL:
        assert one.serial is not None
        return posixpath.realpath(one.serial.device)
    return "" if one.transport in NUMBERED else f"{one.host.lower()}:{one.tcp_port()}"


def _wiring(one: ModbusEndpoint) -> str:
    kind = one.transport.removesuffix("_over_tcp").upper()
    return kind if one.serial is None else f"{kind} {one.serial.wiring()}"
