"""Loading a configuration file: every fault is one line, `file:line: where it stands, what is wrong, the remedy`."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from agent.alarm_faults import unconfirmed
from agent.cuts import Cuts, Rest
from agent.document import Finding, Node, read_document
from agent.explain import explain, locate, path_of
from agent.rules import PlacedError
from agent.site import Site
from agent.tags.table import add_tag_lists, file_of
from pipelines.errors import ConfigError
from pipelines.place import MOVED_CLASSES, measurement_of

_SCHEMA: Final = "https://json-schema.org/draft/2020-12/schema"
_ROUNDS: Final = 12
"""Times a file is looked at without what was found; each takes out at least one more level."""
_SECRETS: Final = ("password_file", "key_file", "user_private_key_file", "private_key_file")
_PLACEHOLDER: Final = re.compile(r"\.invalid\b")
_FILL_IN: Final = "stands for an address of yours; write it here"
_DEMO: Final = "demo"
_OF_A_TEMPLATE: Final = "company: still `demo`, as a template has it; what is stored bears this name"
_BELOW: Final = ("tls", "security")


@dataclass(frozen=True, slots=True)
class Remark:
    """A fault, or a note, and the file it is about."""

    path: Path
    line: int | None
    message: str

    def __str__(self) -> str:
        """`FILE:LINE: message`, as editors and problem matchers read it."""
        return f"{self.path}: {self.message}" if self.line is None else f"{self.path}:{self.line}: {self.message}"


class ConfigFaults(ConfigError):
    """Everything that is wrong with configuration files; the message is the first, and how many more there are.

    Attributes:
        faults: every independent fault, by file and line.
    """

    def __init__(self, faults: Sequence[Remark]) -> None:
        self.faults = tuple(faults)
        first, *others = faults
        files = " ".join(dict.fromkeys(str(one.path) for one in faults))
        more = f" (and {len(others)} more; agent check {files} lists all)" if others else ""
        super().__init__(first.path, first.line, f"{first.message}{more}")


def load_site(path: Path) -> Site:
    """The site in a configuration file.

    Raises:
        ConfigFaults: unreadable, not YAML, or not a valid site; names file and line.
    """
    return load_sites([path])


def load_sites(paths: Sequence[Path]) -> Site:
    """Several files of one site, joined.

    Raises:
        ConfigFaults: one of them is not valid, or they clash.
    """
    return _load_all(paths)[0]


def secrets_not_there(paths: Sequence[Path]) -> list[Remark]:
    """A note for every secret file that valid files name and that is not there now, or open to everybody.

    Raises:
        ConfigFaults: as `load_sites`.
    """
    absent = [
        sorted(_absent(*one), key=lambda note: note.line or 0) for one in zip(paths, _load_all(paths)[1], strict=True)
    ]
    return [remark for one in absent for remark in one]


def worth_a_look(paths: Sequence[Path]) -> list[Remark]:
    """A note for what valid files leave to be filled in, what connections find in themselves, and exposure limits.

    Raises:
        ConfigFaults: as `load_sites`.
    """
    site, roots = _load_all(paths)
    remarks, first, gases = [], 0, iter(site.exposure)
    for path, root in zip(paths, roots, strict=True):
        remarks += [
            Remark(path, below.line, f"{path_of(root, place)}: {_FILL_IN}") for place, below in _open_ends(root)
        ]
        remarks += _moved_classes(site, path, root)
        if site.company == _DEMO and "company" in root.below:
            remarks.append(Remark(path, root.below["company"].line, _OF_A_TEMPLATE))
        count = len(root.below["connections"].below)
        for position in range(count):
            one = site.connections[first + position]
            for found in one.advice(site.connections[: first + position]):
                if found.level == "note":
                    place = ("connections", position, *found.key)
                    remarks.append(Remark(path, locate(root, place)[0], f"{path_of(root, place)}: {found.words}"))
        first += count
        for position in range(len(root.below["exposure"].below) if "exposure" in root.below else 0):
            place = ("exposure", position, "substance")
            if words := unconfirmed(next(gases)):
                remarks.append(Remark(path, locate(root, place)[0], f"{path_of(root, place)}: {words}"))
    return remarks


def _moved_classes(site: Site, path: Path, root: Node) -> Iterator[Remark]:
    """Machines of this file whose readings are not stored under the name of their class."""
    for name, machine in site.machines.items():
        called, place = machine.machine_class, ("machines", name, "class")
        if called in MOVED_CLASSES and name in root.below["machines"].below:
            stored = f"what it reads is stored as {measurement_of(called)!r}"
            words = f"{path_of(root, place)}: {stored}, since the agent makes points called {called!r}"
            yield Remark(path, locate(root, place)[0], words)


def model_schema(model: type[BaseModel] = Site) -> dict[str, Any]:
    """JSON Schema of the configuration, for editors."""
    return {"$schema": _SCHEMA} | model.model_json_schema(by_alias=True)


def _load_all(paths: Sequence[Path]) -> tuple[Site, list[Node]]:
    sites, roots, faults = [], [], []
    for path in paths:
        site, root, findings = _examine(path)
        faults += [_remark(path, root, one) for one in _in_order(findings)]
        sites.append(site)
        roots.append(root)
    if faults:
        raise ConfigFaults(faults)
    joined: Site | None = None
    for path, site, root in zip(paths, sites, roots, strict=True):
        assert site is not None
        assert root is not None
        try:
            joined = joined.joined(site) if joined else site
        except PlacedError as error:
            clashes = [
                Finding(locate(root, one.place)[0], f"{path_of(root, one.place)}: {one.reason}", one.place)
                for one in error.faults
            ]
            raise ConfigFaults([_remark(path, root, one) for one in _in_order(clashes)]) from error
    assert joined is not None
    return joined, [root for root in roots if root is not None]


def _remark(path: Path, root: Node | None, one: Finding) -> Remark:
    """A fault and the file it stands in: a row of a tag list stands in its own."""
    file = one.path or (file_of(root, one.place) if root else None)
    return Remark(file or path, one.line, one.message)


def _in_order(findings: Sequence[Finding]) -> list[Finding]:
    """By line, the deepest first, and each once."""
    return sorted(dict.fromkeys(findings), key=lambda one: (one.line or 0, -len(one.place)))


def _examine(path: Path) -> tuple[Site | None, Node | None, list[Finding]]:
    """The site if there is no fault, what the file holds, and every independent fault."""
    root, findings = read_document(path)
    if root is None:
        return None, None, findings
    if root.data is None:
        return None, root, [Finding(1, "the file is empty; `agent init` writes one to begin with")]
    if not isinstance(root.data, dict):
        return (
            None,
            root,
            [
                *findings,
                Finding(root.line, "the file must hold keys: company, site, machines and connections"),
            ],
        )
    if unread := add_tag_lists(root, path):  # without its tags, little else can be said of a connection
        return None, root, [*findings, *unread]
    cuts = Cuts(findings)
    site = None
    for _ in range(_ROUNDS):
        if () in cuts.places or ("machines",) in cuts.places or ("connections",) in cuts.places:
            break
        left = Rest(root, cuts)
        before = len(cuts.places)
        try:
            # As JSON, because strict then means: text is no number and true is no 1, yet a list may be a tuple.
            site = Site.model_validate_json(json.dumps(left.data), strict=True)
            break
        except ValidationError as error:
            findings = [*findings, *explain(root, error, left.old, cuts)]
        if len(cuts.places) == before:
            break
    return None if findings else site, root, _once(root, findings)


def _once(root: Node, findings: Sequence[Finding]) -> list[Finding]:
    """Without repeats of what an alias puts in several places of the file."""
    seen: dict[Any, Finding] = {}
    for one in findings:
        node = locate(root, one.place)[1]
        seen.setdefault((one.line, id(node) if node else one.place, one.message.rpartition(": ")[2]), one)
    return list(seen.values())


def _open_ends(node: Node, place: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Node]]:
    """Addresses under `.invalid`, which no network has (RFC 6761 §6.4), and where they stand."""
    for step, below in node.below.items():
        if isinstance(below.data, str) and _PLACEHOLDER.search(below.data):
            yield (*place, step), below
        elif step != "tags":
            yield from _open_ends(below, (*place, step))


def _absent(path: Path, root: Node) -> Iterator[Remark]:
    groups = [root.below["mqtt"]] if "mqtt" in root.below else []
    if "share" in root.below:
        groups += [one.below["mqtt"] for one in root.below["share"].below.values() if "mqtt" in one.below]
    groups += root.below["connections"].below.values()
    groups += [one.below[key] for one in groups for key in _BELOW if key in one.below]
    for group in groups:
        for key in _SECRETS:
            name = group.below[key].data if key in group.below else None
            if isinstance(name, str) and (why := _unfit(key, Path(name))):
                yield Remark(path, group.key_lines[key], f"{key} {name} {why}")


def _unfit(key: str, name: Path) -> str:
    """What is to say of a secret's file that is not there, or open to everybody; empty when it is well."""
    looked_up = key != "key_file" and name.parent == Path()
    folder = os.environ.get("CREDENTIALS_DIRECTORY") if looked_up else None
    try:
        found = (Path(folder) / name if folder else name).stat()
    except OSError:
        where = "is looked up in $CREDENTIALS_DIRECTORY" if looked_up else "is read"
        return f"is not there now; it {where} when the service runs"
    return "can be read by every user of this machine: chmod o-r it" if found.st_mode & stat.S_IROTH else ""
