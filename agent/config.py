"""Loading a configuration file: YAML with the line of every key, so that each error names `file:line: what, remedy`."""

from __future__ import annotations

import difflib
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import BaseModel, ValidationError

from agent.site import PlacedError, Site
from pipelines.errors import ConfigError

Place = tuple[str | int, ...]
_PLAIN: Final = {
    "missing": "is missing",
    "string_type": "must be text; put it in quotes",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "model_type": "must be a group of keys",
    "model_attributes_type": "must be a group of keys",
    "dict_type": "must be a group of keys",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
}


class _Loader(yaml.SafeLoader):
    """YAML without duplicate keys, remembering the line of every key and item."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.lines: dict[int, dict[Hashable, int]] = {}

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = True) -> dict[Hashable, Any]:
        """A mapping; a key that stands twice is an error."""
        del deep
        lines: dict[Hashable, int] = {}
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            line = key_node.start_mark.line + 1
            if key in lines:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key!r} stands twice (first in line {lines[key]})", key_node.start_mark
                )
            lines[key] = line
        mapping = super().construct_mapping(node, deep=True)
        self.lines[id(mapping)] = lines
        return mapping

    def construct_sequence(self, node: yaml.SequenceNode, deep: bool = True) -> list[Any]:
        """A list."""
        del deep
        items = super().construct_sequence(node, deep=True)
        self.lines[id(items)] = {index: item.start_mark.line + 1 for index, item in enumerate(node.value)}
        return items


def _construct(loader: _Loader, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node)
    assert isinstance(node, yaml.SequenceNode)
    return loader.construct_sequence(node)


_Loader.add_constructor("tag:yaml.org,2002:map", _construct)
_Loader.add_constructor("tag:yaml.org,2002:seq", _construct)


def load_site(path: Path) -> Site:
    """The site in a configuration file.

    Raises:
        ConfigError: unreadable, not YAML, or not a valid site; names file and line.
    """
    data, lines = _read(path)
    if not isinstance(data, dict):
        raise ConfigError(path, 1, "the file must hold keys such as company, site, machines and connections")
    try:
        return Site.model_validate(data)
    except ValidationError as error:
        raise _explain(path, data, lines, error) from None


def _read(path: Path) -> tuple[Any, dict[int, dict[Hashable, int]]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(path, None, f"byte {error.start} is not UTF-8; save the file as UTF-8") from error
    except OSError as error:
        raise ConfigError(path, None, f"cannot read: {error.strerror}") from error
    loader = _Loader(text)
    try:
        return loader.get_single_data(), loader.lines
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ConfigError(path, mark.line + 1 if mark else None, f"{error.problem or error}") from error
    except yaml.YAMLError as error:
        raise ConfigError(path, None, str(error)) from error
    finally:
        loader.dispose()


def _explain(path: Path, data: Any, lines: dict[int, dict[Hashable, int]], error: ValidationError) -> ConfigError:
    """The first fault in file order, in words."""
    found = error.errors()
    extra = {fault["loc"][:-1] for fault in found if fault["type"] == "extra_forbidden"}
    faults = []
    for fault in found:
        place: Place = fault["loc"]
        deeper = any(len(other["loc"]) > len(place) and other["loc"][: len(place)] == place for other in found)
        if deeper or (fault["type"] == "missing" and place[:-1] in extra):
            continue  # the consequence of another fault: a misspelt key is missing under its right name
        cause = fault.get("ctx", {}).get("error")
        line, shown = _locate(data, lines, cause.place if isinstance(cause, PlacedError) else place)
        faults.append((line, len(shown), shown, fault))
    line, _, shown, fault = min(faults, key=lambda one: (one[0], -one[1]))
    return ConfigError(path, line, _words(shown, fault))


def _locate(data: Any, lines: dict[int, dict[Hashable, int]], place: Place) -> tuple[int, list[str | int]]:
    """Line of the deepest part of `place` that stands in the file, and the place as written there."""
    line, shown = 1, []
    node: Any = data
    for step in place:
        if isinstance(node, dict | list):
            known = lines.get(id(node), {})
            if step in known:
                line = known[step]
                shown.append(step)
                node = node[step]  # type: ignore[index]
                continue
            if isinstance(node, dict) and node.get("type") == step:
                continue  # pydantic names the member of a union by its tag
            shown.append(step)
            node = None
    return line, shown


def _words(shown: list[str | int], fault: Any) -> str:
    where = ".".join(str(step) for step in shown) or "file"
    kind = fault["type"]
    if kind == "extra_forbidden":
        return f"{where}: unknown key{_suggest(shown)}"
    if kind == "union_tag_not_found":
        return f"{where}.type: is missing; one of {', '.join(_kinds())}"
    if kind == "union_tag_invalid":
        return f"{where}.type: {fault['ctx']['tag']!r} is none of {', '.join(_kinds())}"
    text = _PLAIN.get(kind) or str(fault["msg"]).removeprefix("Value error, ")
    given = fault.get("input")
    if isinstance(given, str | int | float) and kind not in {"missing", "value_error"}:
        return f"{where}: {text[0].lower()}{text[1:]}, not {given!r}"
    return f"{where}: {text[0].lower()}{text[1:]}"


def _kinds() -> list[str]:
    from connectors.registry import KINDS  # noqa: PLC0415 - only for an error

    return sorted(KINDS)


def _suggest(shown: list[str | int]) -> str:
    """`; did you mean …?` from all keys that exist anywhere in the models."""
    close = difflib.get_close_matches(str(shown[-1]), sorted(_known_keys()), 1, 0.6)
    return f"; did you mean {close[0]!r}?" if close else "; remove it"


def _known_keys() -> set[str]:
    schema = Site.model_json_schema(by_alias=True)
    models: list[Mapping[str, Any]] = [schema, *schema.get("$defs", {}).values()]
    return {key for model in models for key in model.get("properties", {})}


def model_schema(model: type[BaseModel] = Site) -> dict[str, Any]:
    """JSON Schema of the configuration, for editors."""
    return model.model_json_schema(by_alias=True)


def load_sites(paths: Sequence[Path]) -> Site:
    """Several files of one site, joined.

    Raises:
        ConfigError: one of them is not valid, or they clash.
    """
    site = load_site(paths[0])
    for path in paths[1:]:
        other = load_site(path)
        try:
            site = site.joined(other)
        except ValueError as error:
            raise ConfigError(path, None, f"cannot be joined with {paths[0]}: {error}") from error
    return site
