"""The one validation of every entry: shape, then what its kind asks for, then what its site knows. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from pydantic import ValidationError

from viewer.entries.faults import EntryRefused, Fault, of_pydantic
from viewer.entries.kinds import CONTEXT, FIELDS, KINDS, Kind
from viewer.entries.model import Entry
from viewer.entries.site import EntrySite
from viewer.entries.times import NS

_DAY_NS: Final = 86_400 * NS
_FIRST_NS: Final = 946_684_800 * NS
"""2000-01-01 UTC."""
_SOON_NS: Final = 600 * NS
"""A tablet's clock may be ahead by this."""
FAR_DAYS: Final = 400
"""How far ahead an order or a lot may lie, and how long one may take."""
SHORT_DAYS: Final = 31
"""The same of everything else that may lie ahead or take a time."""
_MOMENTS: Final = ("start", "end", "confirmed", "due", "shipped")
_ALWAYS: Final = {"id", "kind", "author", "replaces", "withdrawn"}
_HAPPENED: Final = {"shipped"}
"""Never in the future, whatever the kind."""


def checked(
    raw: Mapping[str, Any], site: EntrySite, now_ns: int, known: Callable[[str], Entry | None] = lambda _: None
) -> Entry:
    """An entry of what somebody wrote.

    Args:
        raw: fields as text, or as JSON has them; empty ones count as not said.
        site: what it is about.
        now_ns: the time now, ns since 1970 UTC.
        known: an earlier entry of this site by its id; None = not known here. One with the id of this entry that says
            something else refuses it: what is kept stays, and nobody is told that the other was saved.

    Raises:
        EntryRefused: names everything that is wrong.
    """
    said = {
        key: value
        for key, value in raw.items()
        if not (value is None or (isinstance(value, str) and not value.strip()))
    }
    if "reason" in said and isinstance(said["reason"], str):
        said["reason"] = _code_of(said["reason"].strip(), str(said.get("kind")), site)
    try:
        entry = Entry.model_validate(said)
    except ValidationError as error:
        raise EntryRefused(of_pydantic(error)) from error
    if entry.line is None and entry.machine and (line := site.machines.get(entry.machine)):
        entry = entry.model_copy(update={"line": line})
    if faults := [*_of_kind(entry, KINDS[entry.kind]), *_of_times(entry, now_ns), *_of_site(entry, site, known)]:
        raise EntryRefused(faults)
    return entry


def content_of(entry: Entry) -> dict[str, Any]:
    """What it says, whoever says it again; the line of a machine is the site file's."""
    return entry.model_dump(exclude={"author", "line"} if entry.machine else {"author"})


def _code_of(reason: str, kind: str, site: EntrySite) -> str:
    """The code of a reason that was written by its label."""
    listed = site.reasons(kind)
    return next((code for code, label in listed.items() if reason in {label.ko, label.en}), reason)


def _of_kind(entry: Entry, kind: Kind) -> Iterator[Fault]:
    said = {field for field in FIELDS if getattr(entry, field) not in {None, ""}} - _ALWAYS
    place = {"line"} if entry.machine else set()  # the machine's line is told along with it
    yield from (Fault(field, "needed") for field in kind.needs if field not in said)
    yield from (Fault(field, "not_for_kind") for field in sorted(said - {*kind.fields} - place))
    if kind.name == "order" and not said & {*_MOMENTS}:
        yield Fault("", "no_moment")
    if entry.value is not None and entry.of is not None and kind.part and entry.value > entry.of:
        yield Fault("value", "part", {"of": entry.of})
    if "of" in kind.needs and entry.of == 0:
        yield Fault("of", "nothing")


def _of_times(entry: Entry, now_ns: int) -> Iterator[Fault]:
    planned = KINDS[entry.kind].planned
    days = FAR_DAYS if KINDS[entry.kind].measurement == CONTEXT else SHORT_DAYS
    for field in _MOMENTS:
        at_ns = getattr(entry, field)
        if at_ns is None:
            continue
        if at_ns < _FIRST_NS:
            yield Fault(field, "early")
        elif at_ns > now_ns + _SOON_NS and (not planned or field in _HAPPENED):
            yield Fault(field, "future")
        elif at_ns > now_ns + days * _DAY_NS:
            yield Fault(field, "far", {"days": days})
    if entry.start is not None and entry.end is not None:
        if entry.end <= entry.start:
            yield Fault("end", "order")
        elif entry.end - entry.start > days * _DAY_NS:
            yield Fault("end", "span", {"days": days})


def _of_site(entry: Entry, site: EntrySite, known: Callable[[str], Entry | None]) -> Iterator[Fault]:
    if entry.machine and site.machines:
        if entry.machine not in site.machines:
            yield Fault("machine", "unknown", {"known": ", ".join(site.machines)})
        elif (line := site.machines[entry.machine]) and entry.line != line:
            yield Fault("machine", "elsewhere", {"line": entry.line})
    elif entry.line and site.lines and entry.line not in site.lines:
        yield Fault("line", "unknown", {"known": ", ".join(site.lines)})
    listed = site.reasons(entry.kind)
    if entry.reason and listed and entry.reason not in listed:
        names = [label.ko or code for code, label in listed.items()]
        yield Fault("reason", "unknown", {"known": ", ".join(names)})
    if entry.replaces == entry.id:
        yield Fault("replaces", "own")
    elif (same := known(entry.id)) is not None and content_of(same) != content_of(entry):
        yield Fault("id", "taken")
    elif entry.replaces and (before := known(entry.replaces)) is not None and before.kind != entry.kind:
        yield Fault("replaces", "other_kind")
    if entry.withdrawn and not entry.replaces:
        yield Fault("replaces", "needed")
