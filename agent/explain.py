"""A fault that pydantic found, in words: where it stands in the file, what is wrong, and the remedy."""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from pydantic import ValidationError

from agent.cuts import Cuts
from agent.document import Finding, KeyPath, Node, cut, path_step
from agent.rules import PlacedError
from agent.site import Site
from connectors.registry import KINDS
from pipelines.settings import words_of

_SECRET: Final = re.compile(r"pass|secret|token|credential|api_?key|^pw$|^pwd$", re.IGNORECASE)
_FEW: Final = 12
_LITERAL: Final = re.compile(r"'([^']*)'")
_NUMBER: Final = re.compile(r"[-+]?\d+(\.\d+)?")
_PLAIN: Final = {
    "string_type": "must be text; put it in quotes",
    "path_type": "must be the name of a file",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "float_type": "must be a number",
    "model_type": "must be a group of keys",
    "model_attributes_type": "must be a group of keys",
    "dict_type": "must be a group of keys",
    "tuple_type": "must be a list, each item after a '-'",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
    "string_too_long": "must not be longer than {max_length} characters",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
}
_NUMBERS: Final = {"int_type", "float_type", "bool_type"}
_LISTS: Final = {"tuple_type"}
_GROUPS: Final = {"model_type", "model_attributes_type", "dict_type"}


def explain(root: Node, error: ValidationError, old: Callable[[KeyPath], KeyPath], cuts: Cuts) -> list[Finding]:
    """Every fault that is no consequence of another; adds what has to be left out to look further.

    Args:
        root: the file.
        error: what pydantic found in the file without `cuts`.
        old: the place in the file of a place in what pydantic saw.
        cuts: faults told already; those told now are added.
    """
    found = [(old(_plain_place(fault["loc"])), fault) for fault in error.errors(include_url=False)]
    above = {place[:length] for place, _ in found for length in range(len(place))}
    extra = {place for place, fault in found if fault["type"] == "extra_forbidden"}
    told: list[Finding] = []
    new: list[tuple[KeyPath, str]] = []
    for place, fault in found:
        if isinstance(cause := fault.get("ctx", {}).get("error"), PlacedError):
            told += _rules_broken(root, cause, old, cuts)
            continue
        if place in above:
            continue
        new.append((place, fault["type"]))
        if not _follows(place, fault, extra, cuts):
            told.append(_finding(root, place, fault))
    for place, kind in new:
        cuts.add(place, kind)
    return told


def _rules_broken(root: Node, error: PlacedError, old: Callable[[KeyPath], KeyPath], cuts: Cuts) -> Iterator[Finding]:
    for fault in error.faults:
        place = old(fault.place)
        named = locate(root, place)[1]
        if not cuts.explain_rule(fault.about, place, named.data if named else None):
            yield Finding(locate(root, place)[0], f"{path_of(root, place)}: {fault.reason}", place)


def _follows(place: KeyPath, fault: Any, extra: set[KeyPath], cuts: Cuts) -> bool:
    """Whether a fault is no more than the consequence of another."""
    if fault["type"] == "missing":
        others = [str(one[-1]) for one in extra if one[:-1] == place[:-1]] if extra else []
        return cuts.within(place) or any(_close(one, [str(place[-1])]) for one in others)
    if fault["type"] == "value_error":
        return cuts.inside(place) or cuts.extra_in(place) or cuts.names_one(place, str(fault["msg"]))
    return cuts.inside(place) or cuts.within(place)


def _finding(root: Node, place: KeyPath, fault: Any) -> Finding:
    line, place = _refine(root, place, fault)
    if fault["loc"][-1:] == ("[key]",):
        key = Node(line, place[-1], str(place[-1]))
        return Finding(line, f"{path_of(root, place)}: the key {_words(root, place, key, fault)}", place)
    node = locate(root, place)[1]
    words = _words(root, place, node, fault)
    if node is not None and isinstance(node.data, dict | list) and place:
        words = words.removeprefix(f"{place[-1]}: ")  # the path says it; before a value it stands as the file has it
    return Finding(line, f"{path_of(root, place)}: {words}", place)


def _refine(root: Node, place: KeyPath, fault: Any) -> tuple[int, KeyPath]:
    """Line and place of the key that is to be changed, where the fault tells it."""
    line, node = locate(root, place)
    keys = ["type"] if fault["type"].startswith("union_tag") else []
    if fault["type"] == "value_error":
        cause = fault.get("ctx", {}).get("error")
        keys = re.findall(r"\w+", str(cause))  # the first word that is one of the group's keys
    for key in keys:
        if node is not None and key in node.below and isinstance(node.data, dict):
            return node.key_lines[key], (*place, key)
    return line, place


def _plain_place(loc: KeyPath) -> KeyPath:
    """Without what pydantic adds: the kind of a connection, and `[key]` for the name of an item."""
    if len(loc) > 2 and loc[0] == "connections" and loc[2] in KINDS:  # noqa: PLR2004 - connections, position, kind
        loc = (*loc[:2], *loc[3:])
    return loc[:-1] if loc[-1:] == ("[key]",) else loc


def locate(root: Node, place: KeyPath) -> tuple[int, Node | None]:
    """Line of the deepest part of a place that stands in the file; its node if all of it does."""
    node, line = root, 1
    for step in place:
        if step not in node.below:
            return line, None
        line, node = node.key_lines[step], node.below[step]
    return line, node


def path_of(root: Node, place: KeyPath) -> str:
    """A place as people write it: `connections[press].tags[spm].scale`."""
    out, node = "", root
    for step in place:
        node = node.below.get(step, Node(0, None))
        out += path_step(step, node.data)
    return out.removeprefix(".") or "the file"


def _words(root: Node, place: KeyPath, node: Node | None, fault: Any) -> str:
    kind = fault["type"]
    if kind == "missing":
        return "is missing; add it"
    if kind == "extra_forbidden":
        return _unknown(root, place)
    if kind.startswith("union_tag"):
        return _kind_of_connection(place, node)
    if kind == "literal_error":
        return f"must be {_choice(_LITERAL.findall(fault['ctx']['expected']), node)}"
    return _plain(place, node, fault) if kind in _PLAIN else _own_words(fault)


def _own_words(fault: Any) -> str:
    """What a model's own check says."""
    text = " ".join(words_of(fault).split())
    return f"{text[0].lower()}{text[1:]}"


def _kind_of_connection(place: KeyPath, node: Node | None) -> str:
    known = sorted(KINDS)
    if place[-1] == "type":
        return f"must be {_choice(known, node)}"
    if node and (close := _close("type", [str(key) for key in node.below])):
        return f"has no type; did you mean 'type' by {close!r}?"
    return f"has no type; add {' or '.join(f'`type: {one}`' for one in known)}"


def _plain(place: KeyPath, node: Node | None, fault: Any) -> str:
    kind = fault["type"]
    words = _PLAIN[kind]
    if kind in _GROUPS | _NUMBERS | _LISTS | {"string_type"} and node is not None and node.data is None:
        return f"is empty; give it {re.split('[;,]', words)[0].removeprefix('must be ')}, or remove the key"
    if kind in _NUMBERS and node is not None and isinstance(node.data, str) and _NUMBER.fullmatch(node.data):
        words += " without quotes"
    if kind in _GROUPS and node is not None and ":" in node.written:
        words += ", with a space after each ':'"
    bounds = {
        name: f"{bound:.15g}" if isinstance(bound, float) else bound for name, bound in fault.get("ctx", {}).items()
    }
    return words.format(**bounds) + _not(place, node)


def _not(place: KeyPath, node: Node | None) -> str:
    """`, not 'value'`, unless it could be a secret."""
    if node is None or isinstance(node.data, dict | list) or not node.written:
        return ""
    if any(isinstance(step, str) and _SECRET.search(step) for step in place) or "@" in node.written:
        return ""
    return f", not {_given(node)}"


def _given(node: Node) -> str:
    """What stands in the file; only text is quoted."""
    return repr(cut(node.written)) if isinstance(node.data, str) else cut(node.written)


def _choice(known: Sequence[str], given: Node | None) -> str:
    """What may stand there, what does, and what was probably meant."""
    words = " or ".join([", ".join(known[:-1]), known[-1]]) if len(known) > 1 else known[0]
    if given is None or isinstance(given.data, dict | list) or not given.written:
        return words
    close = _close(given.written, known)
    return f"{words}, not {_given(given)}" + (f"; did you mean {close!r}?" if close else "")


def _close(text: str, known: Sequence[str]) -> str | None:
    small = {one.lower(): one for one in known}
    return next((small[one] for one in difflib.get_close_matches(text.lower(), small, 1, 0.6)), None)


def _unknown(root: Node, place: KeyPath) -> str:
    """What to do about a key that this model does not have."""
    key = str(place[-1])
    schema = _schema()
    known = sorted(_keys_at(schema, root, place[:-1]))
    if _SECRET.search(key) and key not in known:
        files = [one for one in known if one.endswith("_file") and _SECRET.search(one)]
        remedy = f"; write it into a file of its own and name that in {files[0]}" if files else ""
        return f"unknown key, and no secret stands in this file{remedy}"
    if close := _close(key, [one for one in known if one not in locate(root, place[:-1])[1].below]):  # type: ignore[union-attr]
        return f"unknown key; did you mean {close!r}?"
    if elsewhere := _places_of_keys().get(key):
        return f"unknown key here; it belongs {' or '.join(elsewhere[:3])}"
    if len(known) > _FEW:
        return "unknown key; remove it (docs/configuration.md lists all keys)"
    return f"unknown key; remove it (known here: {', '.join(known)})"


@functools.cache
def _schema() -> dict[str, Any]:
    return Site.model_json_schema(by_alias=True)


@functools.cache
def _places_of_keys() -> dict[str, list[str]]:
    """Where each key belongs, in words."""
    found: dict[str, set[str]] = {}
    for path, key in _all_keys(_schema(), _schema(), ""):
        found.setdefault(key, set()).add(path)
    return {key: sorted(paths, key=lambda path: (path.count("."), path)) for key, paths in found.items()}


def _resolve(schema: dict[str, Any], part: dict[str, Any], data: Any) -> dict[str, Any]:
    """The object schema behind references, optional values and the choice by `type`."""
    while True:
        if "$ref" in part:
            part = schema["$defs"][part["$ref"].rpartition("/")[2]]
        elif "anyOf" in part:
            part = next((one for one in part["anyOf"] if one.get("type") != "null"), {})
        elif "discriminator" in part:
            kind = data.get("type") if isinstance(data, dict) else None
            part = {"$ref": part["discriminator"]["mapping"][kind]} if kind in KINDS else {}
        else:
            return part


def _keys_at(schema: dict[str, Any], root: Node, place: KeyPath) -> Iterator[str]:
    part, node = _resolve(schema, schema, root.data), root
    for step in place:
        node = node.below[step]
        inner = part.get("items") if isinstance(step, int) else part.get("properties", {}).get(step)
        part = _resolve(schema, inner or part.get("additionalProperties") or {}, node.data)
    yield from part.get("properties", {})


def _all_keys(schema: dict[str, Any], part: dict[str, Any], path: str) -> Iterator[tuple[str, str]]:
    """Every key there is, after where it belongs."""
    for kind in KINDS if "discriminator" in part else [""]:
        one = _resolve(schema, part, {"type": kind})
        for key, below in one.get("properties", {}).items():
            yield f"under {path}" if path else "at the top of the file", key
            yield from _all_keys(schema, below, f"{path}.{key}" if path else key)
        for name in ("items", "additionalProperties"):
            if isinstance(one.get(name), dict):
                yield from _all_keys(schema, one[name], f"{path}[]" if name == "items" else f"{path}.NAME")
