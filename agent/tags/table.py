"""Tag lists in CSV, as Excel writes them: UTF-8 with or without its mark, or CP949; comma, semicolon or tab.

The first line names keys of a tag, nested ones with a dot (`range.low`); a column whose heading begins with `#`, or has
none, is for people. An empty cell leaves the key out. Faults carry file and line like those of the YAML file.
"""

from __future__ import annotations

import csv
import difflib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from agent.document import Finding, Node, plain
from agent.tags.export import REMARK
from connectors.registry import KINDS

_DELIMITERS: Final = ",;\t"
_NUMBERS: Final = {"integer", "number", "boolean"}
_GROUPS: Final = {"object", "array"}


def add_tag_lists(root: Node, path: Path) -> list[Finding]:
    """Put the rows of every `tags_file` behind the `tags` of its connection.

    Args:
        root: a configuration file; it is changed.
        path: where it stands; a `tags_file` is looked up beside it.

    Returns:
        Why lists could not be read.
    """
    found: list[Finding] = []
    connections = root.below.get("connections")
    done: set[int] = set()
    for position, one in (connections.below if connections else {}).items():
        written = one.below.get("tags_file")
        if written is None or not isinstance(written.data, str) or id(one) in done:
            continue
        done.add(id(one))
        file = path.parent / written.data
        rows, faults = _rows(file, str(one.data.get("type")))
        line, place = one.key_lines["tags_file"], ("connections", position, "tags_file")
        found += [Finding(each.line or line, each.message, place, each.path) for each in faults]
        if not rows and not faults:
            found.append(Finding(1, "no row below the headings", place, file))
        tags = one.below.get("tags") or Node(line, [])
        if isinstance(tags.data, list):
            for row in rows:
                tags.put(len(tags.below), row.line, row)
            one.put("tags", one.key_lines.get("tags", line), tags)
    return found


def file_of(root: Node, place: tuple[str | int, ...]) -> Path | None:
    """The CSV file that a place of the configuration stands in; None for the file itself."""
    node, file = root, None
    for step in place:
        if step not in node.below:
            break
        node = node.below[step]
        file = node.file or file
    return file


def _rows(file: Path, kind: str) -> tuple[list[Node], list[Finding]]:
    """A node for each row."""
    try:
        raw = file.read_bytes()
    except OSError as error:
        return [], [Finding(None, f"tags_file: cannot read {file}: {error.strerror}")]
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        try:
            text = raw.decode("cp949")
        except UnicodeDecodeError:
            line = raw.count(b"\n", 0, error.start) + 1
            return [], [Finding(line, "neither UTF-8 nor CP949; save the list again as CSV UTF-8", path=file)]
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    rows: list[Node] = []
    faults: list[Finding] = []
    try:
        heading = [one.strip() for one in next(lines, [])]
        columns = list(_columns(heading, kind, file, faults))
        line = lines.line_num + 1
        for cells in lines:
            if any(one.strip() for one in cells):
                if any(one.strip() for one in cells[len(heading) :]):
                    faults.append(
                        Finding(line, f"has {len(cells)} cells, and there are {len(heading)} headings", path=file)
                    )
                rows.append(_row(file, line, cells, columns))
            line = lines.line_num + 1
    except csv.Error as error:
        faults.append(Finding(lines.line_num, f"not CSV: {error}", path=file))
    return rows, faults


def _delimiter(text: str) -> str:
    first = text.partition("\n")[0]
    return max(_DELIMITERS, key=first.count)


def _columns(
    heading: list[str], kind: str, file: Path, faults: list[Finding]
) -> Iterator[tuple[int, list[str], set[str]]]:
    """Position, key and types of each column that is a key of a tag."""
    known = _keys(kind)
    seen: set[str] = set()
    for position, name in enumerate(heading):
        if not name or name.startswith(REMARK):
            continue
        if name in seen:
            faults.append(Finding(1, f"the column {name!r} stands twice; remove one", path=file))
        elif known and name not in known:
            close = difflib.get_close_matches(name.lower(), known, 1, 0.6)
            remedy = f"did you mean {close[0]!r}?" if close else f"begin its heading with '{REMARK}' if it is a remark"
            faults.append(Finding(1, f"the column {name!r} is no key of a tag; {remedy}", path=file))
        else:
            yield position, name.split("."), known.get(name, set())
        seen.add(name)
    if "name" not in seen:
        faults.append(Finding(1, "has no column 'name'; the first line names the keys of a tag", path=file))


def _row(file: Path, line: int, cells: list[str], columns: list[tuple[int, list[str], set[str]]]) -> Node:
    row = Node(line, {}, file=file)
    for position, keys, types in columns:
        text = cells[position].strip() if position < len(cells) else ""
        if not text:
            continue
        node = row
        for key in keys[:-1]:
            if key not in node.below:
                node.put(key, line, Node(line, {}))
            node = node.below[key]
        node.put(keys[-1], line, _cell(line, text, types))
    return row


def _cell(line: int, text: str, types: set[str]) -> Node:
    """A cell as the type of its key asks for it: text stays text where it may be, so a name can be 007."""
    if types & _GROUPS and text[0] in "[{":
        try:
            return _node(line, json.loads(text), text)
        except ValueError:
            return Node(line, text, text)
    if types & _NUMBERS or not types:
        value = {"true": True, "false": False}.get(text.lower()) if "boolean" in types else plain(text)
        return Node(line, text if value is None else value, text)
    return Node(line, text, text)


def _node(line: int, data: Any, text: str) -> Node:
    node = Node(line, type(data)() if isinstance(data, dict | list) else data, text)
    for key, value in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        node.put(key, line, _node(line, value, str(value)))
    return node


def _keys(kind: str) -> dict[str, set[str]]:
    """Keys of a tag of this kind of connection, nested ones with a dot, and the JSON types they take."""
    if kind not in KINDS:
        return {}
    schema = KINDS[kind].settings.model_json_schema(by_alias=True)
    tag = schema["properties"]["tags"]["items"]
    return dict(_flat(schema, _resolved(schema, tag), ""))


def _resolved(schema: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in part:
        part = schema["$defs"][part["$ref"].rpartition("/")[2]]
    return part


def _flat(schema: dict[str, Any], model: dict[str, Any], before: str) -> Iterator[tuple[str, set[str]]]:
    for name, one in model["properties"].items():
        parts = [_resolved(schema, each) for each in one.get("anyOf", [one])]
        yield f"{before}{name}", {each["type"] for each in parts if "type" in each and each["type"] != "null"}
        for each in parts:
            if "properties" in each:
                yield from _flat(schema, each, f"{before}{name}.")
