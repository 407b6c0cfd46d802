"""Sizes of a company, and what of a template each of them needs: how many machines, which store, how large a buffer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, Literal, get_args

from agent.document import KeyPath
from agent.site import Site
from agent.templates.draft import Draft
from agent.templates.numbering import numbered, renamed_machines
from agent.templates.prune import without_machines

Scale = Literal["workshop", "small", "medium"]
SCALES: Final[tuple[Scale, ...]] = get_args(Scale)
SCALE_LABELS: Final[dict[Scale, str]] = {
    "workshop": "소공인 workshop",
    "small": "소기업 small company",
    "medium": "중기업 medium company",
}
COPIES: Final = 3
"""How often a line stands in a medium company, to begin with."""
_NAMING: Final = ("machines", "alarms", "exposure", "connections")
_ABOUT_THE_PC: Final = ("serve", "mqtt", "journal")
_HOST: Final = re.compile(r"(?<=//)[^:/]+")
_NUMBER: Final = re.compile(r"\d+")
_BUFFER_S: Final = 72 * 3600
_POINT_BYTES: Final = 80
"""Of one point in the journal."""
_MIB: Final = 1 << 20
_LEAST_MIB: Final = 128
_OWN: Final = """\
serve: {port: 8080}                               # broker, store and screen on this PC: agent run starts them
"""
_SERVER: Final = """\
mqtt:                                             # the plant's broker; on that server: agent bridge … --influx …
  host: broker.invalid
  port: 8883
  user: COMPANY.SITE
  password_file: agent_mqtt-password
  tls: {ca_file: /etc/shopfloor/ca.crt}
"""


def at_scale(draft: Draft, scale: Scale) -> Draft:
    """A template as a company of some size needs it: `small` has each machine as often as the template."""
    draft = draft.without((key,) for key in _ABOUT_THE_PC if draft.has((key,)))
    site, lines = draft.site, COPIES if scale == "medium" else 1
    if scale == "workshop" and (more := _siblings(site)):
        draft = without_machines(draft, more)
        site = draft.site
    points = lines * points_per_s(site)
    size = f"journal: {{max_bytes: {buffer_bytes(points)}}}"
    journal = f"{size:<49} # 72 h without the store, at about {points:.3g} points a second\n"
    store = _SERVER.replace("COMPANY.SITE", f"{site.company}.{site.site}") if scale == "medium" else _OWN
    return _multiplied(draft, lines).added(store).added(journal)


def points_per_s(site: Site) -> float:
    """Points a second if each poll of a tag is stored; a tag that reports by exception counts for one."""
    return sum(1 / (one.polled_s(tag) or 1) for one in site.connections for tag in one.tag_list())


def buffer_bytes(points_a_second: float) -> int:
    """Size of the buffer that holds 72 h, a power of two of MiB."""
    mib = points_a_second * _BUFFER_S * _POINT_BYTES / _MIB
    size = _LEAST_MIB
    while size < mib:
        size *= 2
    return size * _MIB


def _siblings(site: Site) -> set[str]:
    """Machines that are one of several of a kind: the same class, and the same label but for its number."""
    seen: set[tuple[str, str]] = set()
    found = set()
    for name, one in site.machines.items():
        kind = (one.machine_class, _NUMBER.sub("", one.label.ko or name))
        if kind in seen:
            found.add(name)
        seen.add(kind)
    return found


def _multiplied(draft: Draft, number: int) -> Draft:
    """The line several times: machines go on counting, and the addresses of further devices are to be filled in."""
    return draft if number == 1 else draft.multiplied(_NAMING, number, lambda copy: dict(_of_copy(draft, copy)))


def _of_copy(draft: Draft, copy: int) -> Iterator[tuple[KeyPath, str]]:
    site = draft.site
    names = renamed_machines(list(site.machines), copy)
    connections = {one.name: f"{one.name}-{copy:02d}" for one in site.connections}
    for name, new in names.items():
        yield ("machines", name, ""), new
    for place, text in draft.scalars(_NAMING):
        value = _value(place, text, names, connections, site, copy)
        if value != text:
            yield place, value


def _value(
    place: KeyPath, text: str, names: Mapping[str, str], connections: Mapping[str, str], site: Site, copy: int
) -> str:
    """What a value of the template is in a copy."""
    if place[0] == "machines" and place[2] == "label":
        return numbered(text, names[str(place[1])], copy)
    if place[0] == "connections" and place[2:] in {("name",), ("host",), ("endpoint",)}:
        name = connections[site.connections[int(place[1])].name]
        return {"name": name, "host": f"{name}.invalid"}.get(str(place[2])) or _HOST.sub(f"{name}.invalid", text)
    machine, slash, tag = text.partition("/")
    return names.get(machine, machine) + slash + tag
