"""A configuration as text whose parts can be taken out, changed and added by place: comments and layout stay."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import yaml

from agent.document import KeyPath, plain
from agent.site import Site
from pipelines.yaml_text import PARSER

_BLANKS: Final = re.compile(r"\n{3,}")
Edit = tuple[int, int, str]
"""Begin and end of a piece of the text, in characters, and what stands there instead."""


class _Loader(PARSER):  # type: ignore[misc, valid-type]
    """Nodes without the types of YAML 1.1, which are half of the work and not ours."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> str:
        """No type."""
        del kind, value, implicit
        return ""


@dataclass(frozen=True)
class Draft:
    """A configuration of this product's own, without anchors and tag lists; every change makes a new one."""

    text: str

    @cached_property
    def site(self) -> Site:
        """What it says.

        Raises:
            ValidationError: it is not valid.
        """
        return Site.model_validate_json(json.dumps(_data(self._nodes[()])), strict=True)

    def has(self, place: KeyPath) -> bool:
        """Whether something stands there."""
        return place in self._nodes

    def scalars(self, top: Iterable[str]) -> Iterator[tuple[KeyPath, str]]:
        """Every single value below some sections, and where it stands."""
        wanted = set(top)
        for place, node in self._nodes.items():
            if place and place[0] in wanted and isinstance(node, yaml.ScalarNode):
                yield place, node.value

    def below(self, place: KeyPath) -> list[KeyPath]:
        """Entries of a collection."""
        node = self._nodes.get(place)
        return [] if node is None else [(*place, step) for step, _, _ in _entries(node)]

    def without(self, places: Iterable[KeyPath]) -> Draft:
        """The text without these; a collection that loses its last entry goes too."""
        doomed = set(places)
        while emptied := {one[:-1] for one in doomed if len(one) > 1 and {*self.below(one[:-1])} <= doomed} - doomed:
            doomed |= emptied
        kept = {one for one in doomed if not any(one[:length] in doomed for length in range(1, len(one)))}
        by_parent: dict[KeyPath, set[str | int]] = defaultdict(set)
        for one in kept:
            by_parent[one[:-1]].add(one[-1])
        return self._edited(edit for parent, steps in by_parent.items() for edit in self._cuts(parent, steps))

    def changed(self, values: Mapping[KeyPath, str]) -> Draft:
        """The text with other values in these places, in the quotes that stand there."""
        return self._edited(self._changes(values))

    def multiplied(self, sections: Iterable[str], number: int, values: Callable[[int], Mapping[KeyPath, str]]) -> Draft:
        """The text with further copies of all entries of some sections, each behind the first.

        Args:
            sections: top-level keys whose entries stand on lines of their own.
            number: how often all is there then.
            values: what copy 2 … `number` has otherwise, keys of mappings as the place with `""` at its end.
        """
        changes = [list(self._changes(values(copy))) for copy in range(2, number + 1)]
        edits = []
        for node in filter(None, (self._nodes.get((section,)) for section in sections)):
            entries = _entries(node)
            first, last = self._lines(entries[0][1], entries[-1][2])
            for one in changes:
                inside = [(begin - first, end - first, text) for begin, end, text in one if first <= begin < last]
                edits.append((last, last, _apply(self.text[first:last], inside)))
        return self._edited(reversed(edits))

    def added(self, text: str) -> Draft:
        """The text with a section at its end."""
        return Draft(f"{self.text.rstrip()}\n\n{text.rstrip()}\n")

    @cached_property
    def _nodes(self) -> dict[KeyPath, Any]:
        found: dict[KeyPath, Any] = {}

        def walk(place: KeyPath, node: Any) -> None:
            found[place] = node
            for step, _, value in _entries(node):
                walk((*place, step), value)

        walk((), yaml.compose(self.text, Loader=_Loader))
        return found

    @cached_property
    def _starts(self) -> list[int]:
        starts = [0]
        for line in self.text.split("\n"):
            starts.append(starts[-1] + len(line) + 1)
        return starts

    def _at(self, mark: Any) -> int:
        return int(self._starts[mark.line] + mark.column)

    def _lines(self, first: Any, last: Any) -> tuple[int, int]:
        """From the first line of a node, with comments right above it, to behind the last one of another."""
        top = first.start_mark.line
        while top and self.text[self._starts[top - 1] : self._starts[top]].lstrip().startswith("#"):
            top -= 1
        return self._starts[top], min(self._starts[_end(last).line + 1], len(self.text))

    def _cuts(self, parent: KeyPath, steps: set[str | int]) -> Iterator[Edit]:
        node = self._nodes[parent]
        entries = _entries(node)
        if not node.flow_style:
            yield from ((*self._lines(first, last), "") for step, first, last in entries if step in steps)
            return
        one_kept = False
        for index, (step, first, last) in enumerate(entries):
            if step not in steps:
                one_kept = True
            elif one_kept:
                yield self._at(_end(entries[index - 1][2])), self._at(_end(last)), ""
            else:
                yield self._at(first.start_mark), self._at(entries[index + 1][1].start_mark), ""

    def _changes(self, values: Mapping[KeyPath, str]) -> Iterator[Edit]:
        for place, value in values.items():
            node = self._key(place[:-1]) if place[-1] == "" else self._nodes[place]
            yield self._at(node.start_mark), self._at(node.end_mark), _quoted(value, node.style)

    def _key(self, place: KeyPath) -> Any:
        return next(first for step, first, _ in _entries(self._nodes[place[:-1]]) if step == place[-1])

    def _edited(self, edits: Iterable[Edit]) -> Draft:
        return Draft(_BLANKS.sub("\n\n", _apply(self.text, edits)))


def _entries(node: Any) -> list[tuple[str | int, Any, Any]]:
    """Key or position, the node it begins with, and the node it ends with."""
    if isinstance(node, yaml.MappingNode):
        return [(key.value, key, value) for key, value in node.value]
    if isinstance(node, yaml.SequenceNode):
        return [(index, one, one) for index, one in enumerate(node.value)]
    return []


def _data(node: Any) -> Any:
    """A node as plain data, by the schema of configuration files; a template leaves no value empty."""
    if isinstance(node, yaml.MappingNode):
        return {key: _data(value) for key, _, value in _entries(node)}
    if isinstance(node, yaml.SequenceNode):
        return [_data(one) for one in node.value]
    return node.value if node.style else plain(node.value)


def _end(node: Any) -> Any:
    """Where its last character stands; a block's own end mark is at what comes next."""
    entries = _entries(node)
    return (
        node.end_mark if node.__class__ is yaml.ScalarNode or node.flow_style or not entries else _end(entries[-1][2])
    )


def _quoted(text: str, style: str | None) -> str:
    return json.dumps(text, ensure_ascii=False) if style == '"' else text


def _apply(text: str, edits: Iterable[Edit]) -> str:
    for begin, end, new in sorted(edits, reverse=True):
        text = text[:begin] + new + text[end:]
    return text
