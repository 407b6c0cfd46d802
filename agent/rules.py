"""What no single model can see: names used twice, tags of nobody, fields that a store would refuse."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from agent.alarm_faults import alarm_faults
from agent.derived import number_refs, refs_of
from agent.document import KeyPath
from agent.meters import bad_tables, wrong_units
from agent.serving import LOOPBACK
from agent.shares import misnamed
from connectors.modbus.config import ModbusConnection
from connectors.modbus.tag import ModbusTag
from pipelines.errors import ConfigError
from pipelines.place import MOVED_CLASSES, OWN_MEASUREMENTS, measurement_of
from viewer.access.mode import is_loopback

if TYPE_CHECKING:
    from agent.site import Site
    from pipelines.delivery.mqtt_settings import MqttSettings
    from pipelines.settings import TagSettings

OWN_COLUMNS: Final = {"company", "line", "machine", "site", "time"}
_HOST: Final = re.compile(r"[\w.\-]+")


class Fault(NamedTuple):
    """A rule that a site breaks.

    Attributes:
        place: where it stands: keys and positions from the top of the file.
        reason: what is wrong and what to do.
        about: which parts of the file it looked at, as far as a fault there would make this one its consequence.
    """

    place: KeyPath
    reason: str
    about: str = ""


class PlacedError(ConfigError, ValueError):
    """Faults found across models.

    Attributes:
        faults: every one of them, at least one.
    """

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__(None, None, faults[0].reason)


def check(site: Site) -> None:
    """Hold a site to the rules that span its models.

    Raises:
        PlacedError: the rules it breaks.
    """
    rules = (
        _hosts,
        _certificates,
        _machines,
        _connections,
        _totals,
        _alarms,
        _derived,
        _numbers,
        _types,
        _among,
        _shares,
        _meters,
        _orders,
        _serve,
    )
    _raise([fault for rule in rules for fault in rule(site)])


def check_together(first: Site, other: Site) -> None:
    """Hold two files of one site to what they share.

    Raises:
        PlacedError: the clashes; the places are in the other file.
    """
    _raise(list(_clashes(first, other)))


def _raise(faults: list[Fault]) -> None:
    if faults:
        raise PlacedError(list(dict.fromkeys(faults)))


def _clashes(first: Site, other: Site) -> Iterator[Fault]:
    for level in ("company", "site"):
        if getattr(first, level) != getattr(other, level):
            yield Fault((level,), f"is {getattr(first, level)!r} in the first file; files of one site agree")
    for part in ("site_label", "calendar", "kpis", "share", "serve", "agent", "mqtt", "journal"):
        if part in other.model_fields_set and getattr(first, part) != getattr(other, part):
            yield Fault((part,), "differs from the first file; write it in the first file only")
    for name in other.machines:
        if name in first.machines:
            yield Fault(("machines", name), "stands in another file too; name one of them otherwise")
    names = {one.name for one in first.connections}
    for position, one in enumerate(other.connections):
        if one.name in names:
            place = ("connections", position, "name")
            yield Fault(place, f"{one.name!r} is used in another file too; name one of them otherwise")


def _brokers(site: Site) -> Iterator[tuple[KeyPath, MqttSettings]]:
    """The own broker and those of destinations, each with where it is written."""
    yield ("mqtt",), site.mqtt
    yield from ((("share", name, "mqtt"), one.mqtt) for name, one in site.share.items() if one.mqtt is not None)


def _hosts(site: Site) -> Iterator[Fault]:
    hosts: list[tuple[KeyPath, str]] = [((*place, "host"), one.host) for place, one in _brokers(site)]
    for position, one in enumerate(site.connections):
        if isinstance(one, ModbusConnection) and one.host:
            hosts.append((("connections", position, "host"), one.host))
    for place, host in hosts:
        if not _HOST.fullmatch(host) and not _is_address(host):
            yield Fault(place, "must be a host name or an IP address alone; no scheme, user, port or path")


def _certificates(site: Site) -> Iterator[Fault]:
    for place, broker in _brokers(site):
        tls = broker.tls
        if tls is not None and (tls.cert_file is None) != (tls.key_file is None):
            key = "key_file" if tls.cert_file is None else "cert_file"
            yield Fault((*place, "tls", key), "cert_file and key_file belong together; name both or none", "tls")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _machines(site: Site) -> Iterator[Fault]:
    for name, machine in site.machines.items():
        if machine.machine_class in OWN_MEASUREMENTS - MOVED_CLASSES:
            place = ("machines", name, "class")
            yield Fault(place, f"{machine.machine_class!r} is a measurement of the product; name another")


def _connections(site: Site) -> Iterator[Fault]:
    names: set[str] = set()
    seen: dict[tuple[str, str], str] = {}
    for position, connection in enumerate(site.connections):
        here = ("connections", position)
        if connection.name in names:
            yield Fault((*here, "name"), f"{connection.name!r} is used twice; name one of them otherwise")
        names.add(connection.name)
        if not connection.tag_list() and not connection.event_list():
            yield Fault(here, "reads nothing; list its tags, or remove it", "tags")
        for index, event in enumerate(connection.event_list()):
            yield from _event(site, (*here, "events", index), event.machine or connection.machine)
        homeless = False
        for index, tag in enumerate(connection.tag_list()):
            place = (*here, *connection.tag_place(index))
            machine = tag.machine or connection.machine
            if machine is None:
                if not homeless:  # one line for all of them: most lack the connection's machine
                    yield Fault(place, "belongs to no machine; set machine here or for the connection", "machine")
                homeless = True
                continue
            if machine not in site.machines:
                listed = (*here, *connection.machine_place(index), "machine")
                reason = f"{machine!r} is not in machines; add it there (there are {_few(site.machines)})"
                yield Fault(listed, reason, "machine")
            if other := seen.get((machine, tag.name)):
                yield _twice(place, machine, tag.name, other)
            seen[machine, tag.name] = connection.name
            yield from _tag(place, tag)


def _twice(place: KeyPath, machine: str, name: str, other: str) -> Fault:
    """One fault for all tags of a device, which names none of them: the same fault is told once."""
    if place[-2] == "tags":
        return Fault(_key(place, "name"), f"{machine} has a tag {name!r} in connection {other!r} already; rename one")
    remedy = "give this device a machine of its own, or set its prefix"
    return Fault(place, f"{machine} has tags of the same names in connection {other!r} already; {remedy}")


def _event(site: Site, place: KeyPath, machine: str | None) -> Iterator[Fault]:
    if machine is None:
        yield Fault(place, "belongs to no machine; set machine here or for the connection", "machine")
    elif machine not in site.machines:
        reason = f"{machine!r} is not in machines; add it there (there are {_few(site.machines)})"
        yield Fault((*place, "machine"), reason, "machine")


def _among(site: Site) -> Iterator[Fault]:
    """What a connection itself finds wrong with itself beside the others."""
    for position, one in enumerate(site.connections):
        for found in one.advice(site.connections[:position]):
            if found.level == "fault":
                yield Fault(("connections", position, *found.key), found.words)


def _totals(site: Site) -> Iterator[Fault]:
    """The total of a counter is a field of its own."""
    rows = [
        (position, connection, index, tag)
        for position, connection in enumerate(site.connections)
        for index, tag in enumerate(connection.tag_list())
    ]
    read = {(tag.machine or connection.machine, tag.name) for _, connection, _, tag in rows}
    for position, connection, index, tag in rows:
        machine, name = tag.machine or connection.machine, f"{tag.name}_total"
        if isinstance(tag, ModbusTag) and tag.counter and (machine, name) in read:
            place = ("connections", position, *connection.tag_place(index))
            yield Fault(_key(place, "counter"), f"makes a field {name!r}, a tag of {machine} already; rename one")


def _key(place: KeyPath, key: str) -> KeyPath:
    """Where a key of a tag is written; a device whose profile makes the tag stands for all of them."""
    return (*place, key) if place[-2] == "tags" else place


def _tag(place: KeyPath, tag: TagSettings) -> Iterator[Fault]:
    if tag.name in OWN_COLUMNS:
        yield Fault(_key(place, "name"), f"{tag.name!r} is a column of every series; name the tag otherwise")
    if isinstance(tag, ModbusTag) and tag.datatype in {"string", "bool"}:
        used = {"scale": tag.scale != 1, "offset": tag.offset != 0, "range": tag.range, "deadband": tag.deadband}
        for key in (key for key, value in used.items() if value):
            yield Fault(_key(place, key), f"needs a number, and datatype is {tag.datatype}; remove {key}")


def _alarms(site: Site) -> Iterator[Fault]:
    yield from (Fault(*one) for one in alarm_faults(site))


def _derived(site: Site) -> Iterator[Fault]:
    """What is derived needs its tags; a part of a tag, such as an element, is known when the device gave it."""
    read = {
        (tag.machine or connection.machine, tag.name)
        for connection in site.connections
        for tag in connection.tag_list()
    }
    adrift = {tag for machine, tag in read if machine not in site.machines}  # told already: of no machine there is
    for place, (machine, tag) in refs_of(site):
        if (machine, tag) in read or tag in adrift:
            continue
        if not any(machine == other and tag.startswith(f"{name}_") for other, name in read):
            reason = f"no connection reads a tag {tag!r} of {machine}; add it to one, or remove {place[2]}"
            yield Fault(place, reason, "read")


def _numbers(site: Site) -> Iterator[Fault]:
    """Nothing can be counted, integrated or compared with a limit in a text."""
    texts = {
        (tag.machine or connection.machine, tag.name)
        for connection in site.connections
        for tag in connection.tag_list()
        if _kind(tag) == "string"
    }
    for place, ref in number_refs(site):
        if ref in texts:
            yield Fault(place, f"needs a number, and {ref.tag!r} of {ref.machine} is a text; name another tag")


def _shares(site: Site) -> Iterator[Fault]:
    """Who shares by name means a tag there is: one that is misspelt would stay at home, or leave it, unseen."""
    for place, reason in misnamed(site):
        yield Fault(place, f"{reason}; correct the name, or remove it", "read")


def _meters(site: Site) -> Iterator[Fault]:
    """Energy and batteries need their tables, and meters that say what they are taken for."""
    for place, reason in (*bad_tables(site), *wrong_units(site)):
        yield Fault(place, reason)


def _orders(site: Site) -> Iterator[Fault]:
    """Whoever may write to the broker could silence an alarm, where the broker does not ask who it is."""
    if site.agent.alarm_orders == "mqtt" and (why := no_orders_from(site.mqtt)):
        yield Fault(("agent", "alarm_orders"), f"{why}; or remove it: `serve` on this PC needs no broker for that")


def no_orders_from(mqtt: MqttSettings) -> str:
    """Why no order is taken from a broker, and the remedy; empty when it may be."""
    if mqtt.user is None and (mqtt.tls is None or mqtt.tls.cert_file is None):
        return "mqtt needs a broker that asks who it is: set mqtt.user and password_file, or mqtt.tls.cert_file"
    if mqtt.tls is None and mqtt.host not in LOOPBACK:
        return f"mqtt needs TLS on the way to {mqtt.host}, or anybody on the network could forge an order: set mqtt.tls"
    return ""


def _serve(site: Site) -> Iterator[Fault]:
    """The site server brings a broker of its own, on loopback and without TLS."""
    mqtt = site.mqtt
    if site.serve is not None and (mqtt.host not in LOOPBACK or mqtt.tls is not None or mqtt.user is not None):
        yield Fault(("serve",), f"brings a broker on this PC, and mqtt names {mqtt.endpoint}; remove one of the two")
    if site.serve is not None and site.serve.access == "open" and not is_loopback(site.serve.host):
        reason = f"open, and host {site.serve.host} is not this PC alone: everybody who reaches it would see everything"
        yield Fault(("serve", "access"), f"{reason}; remove it, so that a log-in is asked for, or say open-to-all")


def _types(site: Site) -> Iterator[Fault]:
    """A store keeps one type per measurement and field; InfluxDB refuses the points that come second."""
    kinds: dict[tuple[str, str], tuple[str, str]] = {}
    seen: set[tuple[str, str]] = set()
    for position, connection in enumerate(site.connections):
        for index, tag in enumerate(connection.tag_list()):
            kind = _kind(tag)
            machine = tag.machine or connection.machine or ""
            if not kind or machine not in site.machines or (machine, tag.name) in seen:
                continue
            seen.add((machine, tag.name))
            series = measurement_of(site.machines[machine].machine_class)
            first, other = kinds.setdefault((series, tag.name), (kind, machine))
            if first != kind:
                place = ("connections", position, *connection.tag_place(index))
                what = "" if place[-2] == "tags" else f"tag {tag.name!r} "
                both = f"{what}is stored as {kind}, the same tag of {other} as {first}"
                reason = f"{both}; in one class ({series}) they must agree: rename one, or change its class"
                yield Fault(place, reason, "type")


def _kind(tag: TagSettings) -> str:
    """Type a tag is stored as; empty when only the device knows."""
    if tag.store_as == "string":
        return "string"
    if not isinstance(tag, ModbusTag):
        return ""
    if tag.datatype in {"string", "bool"}:
        return tag.datatype
    scaled = tag.scale != 1 or tag.offset != 0 or tag.decimals_from is not None
    return "float" if tag.datatype.startswith("float") or scaled else "int"


def _few(names: object) -> str:
    known = sorted(names)  # type: ignore[call-overload]
    return ", ".join(known[:6]) + (", …" if len(known) > 6 else "")  # noqa: PLR2004 - what a line holds
