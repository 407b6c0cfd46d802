"""A YAML file as plain data that remembers where everything stands. Scalars are read by the core schema of YAML 1.2.

So `NO`, `12:30` and `2026-01-31` are text and `0100` is one hundred: YAML 1.1 would make them false, 750, a date and
64. Left out of that schema: infinity and NaN, which no setting can mean.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from pipelines.errors import ShopfloorError
from pipelines.yaml_text import PARSER

KeyPath = tuple[str | int, ...]
"""Keys and positions from the top of a file."""
_MAX_DEPTH: Final = 40
_MAX_ITEMS: Final = 2_000_000
"""Values once every alias is written out; a file of nine lines can stand for a billion."""
_MAX_DIGITS: Final = 400
_SHOWN: Final = 60
_NULL: Final = {"", "~", "null", "Null", "NULL"}
_BOOL: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT: Final = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_TEXT_TAG: Final = "tag:yaml.org,2002:str"
_WORDS: Final = (
    ("cannot start any token", "\\t", "a tab cannot indent; use spaces"),
    ("cannot start any token", "", "a value cannot begin with this character; put the text in quotes"),
    ("mapping values are not allowed", "", "a ':' is not expected here; check the indentation, or put text in quotes"),
    ("could not find expected ':'", "", "a key without ':'; write `key: value`"),
    ("expected <block end>", "", "the indentation does not fit the lines above"),
    ("but got '<stream end>'", "", "a '[' or '{' is never closed"),
    ("expected ',' or", "", "expected ',' or the closing bracket; put text that holds ':' or ',' in quotes"),
    ("expected the node content", "", "a value is missing or out of place; check commas and brackets"),
    ("unexpected end of stream", "", "a quote is never closed"),
    ("tag handle", "", "tags (!) are not supported; put text that begins with '!' in quotes"),
    ("unknown escape character", "", "a '\\' in double quotes; use single quotes, or write '\\\\'"),
)
"""What PyYAML says, a further word of it, and what it means."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault in a file, or a remark about it.

    Attributes:
        line: 1-based line, or None when it has no place.
        message: what is wrong and what to do.
        place: keys and positions from the top of the file; empty when the whole file is meant.
        path: the file, when it is another than the one that is read.
    """

    line: int | None
    message: str
    place: tuple[str | int, ...] = ()
    path: Path | None = None


@dataclass(slots=True, eq=False)
class Node:
    """A value in the file.

    Attributes:
        line: 1-based line it begins in.
        data: as plain data; shared by all aliases of it.
        written: a scalar as it stands in the file.
        below: its values by key or index.
        key_lines: line of each key or item.
        items: values in it, aliases written out.
        file: the file it stands in, when it is another than the one that is read.
    """

    line: int
    data: Any
    written: str = ""
    below: dict[str | int, Node] = field(default_factory=dict)
    key_lines: dict[str | int, int] = field(default_factory=dict)
    items: int = 1
    file: Path | None = None

    def put(self, key: str | int, line: int, node: Node) -> None:
        """Add a value."""
        self.below[key] = node
        self.key_lines[key] = line
        self.items += node.items
        if isinstance(self.data, dict):
            self.data[key] = node.data
        else:
            self.data.append(node.data)


def read_document(path: Path) -> tuple[Node | None, list[Finding]]:
    """The one document of a YAML file, and every fault in it as YAML.

    No document: it cannot be read, is not UTF-8, or is not YAML that this product takes; the last fault says why.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        return None, [Finding(None, f"cannot read: {error.strerror}")]
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        return None, [Finding(line, "not UTF-8; save the file again with the encoding UTF-8")]
    builder = _Builder(text, PARSER)
    try:
        return builder.document(), builder.found
    except _HaltError as error:
        return None, [*builder.found, error.finding]
    except yaml.YAMLError:
        pass  # PyYAML's own parser tells faults better than libyaml
    builder = _Builder(text, yaml.SafeLoader)
    try:
        return builder.document(), builder.found
    except _HaltError as error:
        last = error.finding
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        last = Finding(line, f"the character {text[error.position]!a} is not allowed; remove it")
    except yaml.MarkedYAMLError as error:
        last = Finding(*_in_words(error))
    return None, [*builder.found, last]


class _HaltError(ShopfloorError):
    """A fault behind which the file cannot be read on."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        super().__init__(finding.message)


def _in_words(error: yaml.MarkedYAMLError) -> tuple[int | None, str]:
    problem = error.problem or str(error)
    unclosed = "end of stream" in problem or "<stream end>" in problem
    mark = (error.context_mark if unclosed else None) or error.problem_mark or error.context_mark
    found = [words for said, further, words in _WORDS if said in problem and further in problem]
    begun = ""
    if mark and error.context_mark and "flow" in (error.context or "") and error.context_mark.line != mark.line:
        begun = f" (begun in line {error.context_mark.line + 1})"
    return mark.line + 1 if mark else None, f"not YAML: {found[0] if found else problem}{begun}"


def plain(text: str) -> int | float | bool | str:
    """What text without quotes means: a number, true or false, or itself."""
    if text in _BOOL:
        return _BOOL[text]
    if len(text) <= _MAX_DIGITS and _INT.fullmatch(text):
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    if len(text) <= _MAX_DIGITS and _FLOAT.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    return text


def path_step(step: str | int, inner: Any) -> str:
    """One step of a place as people write it: `.key`, `[name]`, or `[#1]` for the first item without a name."""
    if isinstance(step, str):
        return f".{cut(step)}"
    name = inner.get("name") if isinstance(inner, dict) else None
    return f"[{cut(name) if isinstance(name, str) and name else f'#{step + 1}'}]"


def cut(text: str, most: int = _SHOWN) -> str:
    """Text of the file, short and printable enough for a message of one line."""
    shown = text if len(text) <= most else f"{text[: most - 1]}…"
    return shown if shown.isprintable() else ascii(shown)


def _line(event: Any) -> int:
    line: int = event.start_mark.line
    return line + 1


class _Builder:
    """Nodes from the parser's events: duplicate keys, foreign tags and endless aliases are errors."""

    def __init__(self, text: str, parser: Any) -> None:
        self.found: list[Finding] = []
        self._events: Iterator[Any] = yaml.parse(text, Loader=parser)
        self._anchors: dict[str, Node | None] = {}
        self._open: list[tuple[Node, str | int]] = []

    def document(self) -> Node:
        """The only document; an empty file holds null."""
        root: Node | None = None
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    raise self._fault(event, "a second document begins ('---'); keep one in a file")
                root = self._node(next(self._events), 0)
        return root or Node(1, None)

    def _finding(self, event: Any, reason: str) -> Finding:
        where = cut("".join(self._steps()).removeprefix("."), 2 * _SHOWN)
        place = tuple(step for _, step in self._open)
        return Finding(_line(event), f"{where}: {reason}" if where else reason, place)

    def _fault(self, event: Any, reason: str) -> _HaltError:
        return _HaltError(self._finding(event, reason))

    def _note(self, event: Any, reason: str) -> None:
        """A fault that does not keep the rest from being read."""
        self.found.append(self._finding(event, reason))

    def _steps(self) -> Iterator[str]:
        for index, (_, step) in enumerate(self._open):
            inner = self._open[index + 1][0].data if index + 1 < len(self._open) else None
            yield path_step(step, inner)

    def _node(self, event: Any, depth: int) -> Node:
        if depth > _MAX_DEPTH:
            raise self._fault(event, f"nested deeper than {_MAX_DEPTH} levels; no setting is")
        if isinstance(event, yaml.AliasEvent):
            node = self._anchors.get(event.anchor or "")
            if node is None:
                self._note(event, "this alias (*) has no anchor (&) above; put text that begins with '*' in quotes")
                return Node(_line(event), None)
            return node
        if event.anchor:
            self._anchors[event.anchor] = None
        if isinstance(event, yaml.ScalarEvent):
            node = self._scalar(event)
        elif event.tag not in {None, "!"}:
            raise self._fault(event, "tags (!) are not supported; put text that begins with '!' in quotes")
        elif isinstance(event, yaml.MappingStartEvent):
            node = self._mapping(event, depth)
        else:
            node = self._sequence(event, depth)
        if node.items > _MAX_ITEMS:
            raise self._fault(event, f"aliases make more than {_MAX_ITEMS} values of this file; write less")
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _sequence(self, start: Any, depth: int) -> Node:
        node = Node(_line(start), [])
        for event in self._events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            self._open.append((node, len(node.below)))
            node.put(len(node.below), _line(event), self._node(event, depth + 1))
            self._open.pop()
        return node

    def _mapping(self, start: Any, depth: int) -> Node:
        node = Node(_line(start), {})
        merged: list[Node] = []
        for event in self._events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            if not isinstance(event, yaml.ScalarEvent):
                raise self._fault(
                    event, "a key must be plain text; put text that begins with '{', '[' or '*' in quotes"
                )
            key, line = self._text(event, event.value), _line(event)
            self._open.append((node, key))
            value = self._node(next(self._events), depth + 1)
            if key == "<<" and event.implicit[0]:
                merged += self._merge(event, value)
            elif key in node.below:
                first = node.key_lines[key]
                self._note(event, f"stands twice, first in line {first}; remove one")
            else:
                node.put(key, line, value)
            self._open.pop()
        for one in merged:
            for name, below in one.below.items():
                if name not in node.below:
                    node.put(name, one.key_lines[name], below)
        return node

    def _merge(self, event: Any, value: Node) -> list[Node]:
        """The mappings of a merge key (yaml.org/type/merge); the first to hold a key wins."""
        found = list(value.below.values()) if isinstance(value.data, list) else [value]
        if self.found and self.found[-1].place == tuple(step for _, step in self._open):
            raise _HaltError(self.found.pop())  # an alias of nothing: which keys are missing here cannot be known
        if not all(isinstance(one.data, dict) for one in found):
            raise self._fault(event, "'<<' takes a group of keys from an alias, such as `<<: *common`")
        return found

    def _text(self, event: Any, text: str) -> str:
        if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
            raise self._fault(event, "text holds a character that is none (NUL or half a surrogate pair); remove it")
        return text

    def _scalar(self, event: Any) -> Node:
        text = self._text(event, event.value)
        line = _line(event)
        if event.tag not in {None, "!", _TEXT_TAG}:
            self._note(event, "tags (!) are not supported; put text that begins with '!' in quotes")
        if not event.implicit[0] or event.tag is not None:
            return Node(line, text, text)
        if text in _NULL:
            return Node(line, None, text)
        if text in _BOOL:
            return Node(line, _BOOL[text], text)
        if _INT.fullmatch(text) or _FLOAT.fullmatch(text):
            return Node(line, self._number(event, text), text)
        return Node(line, text, text)

    def _number(self, event: Any, text: str) -> int | float | str:
        """What a number means; the text of one that is none of ours."""
        if len(text) > _MAX_DIGITS:
            self._note(event, f"a number of {len(text)} characters; put it in quotes if it is text")
        elif _INT.fullmatch(text):
            return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
        elif math.isfinite(float(text)):
            return float(text)
        else:
            self._note(event, "a number too large to be one; put it in quotes if it is text")
        return text
