"""What is left out of a file with faults so that the rest can be looked at, and what follows from leaving it out."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Any, Final

from agent.document import Finding, KeyPath, Node

_NAMED: Final = 2
"""Steps to a machine or a connection."""
_LOOKED_AT: Final = {
    "read": {"tags", "tags_file", "devices", "profile", "prefix", "items", "machine", "name"},
    "type": {"tags", "machine", "name", "class", "datatype", "scale", "offset", "store_as"},
}
"""Keys that a rule across the file compares: which tags there are, and their types."""


class Cuts:
    """Places of faults that are told already, and which other faults are no more than their consequence.

    Attributes:
        places: what is left out.
    """

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.places: set[KeyPath] = set()
        self._extra: dict[KeyPath, set[str]] = {}
        self._rules: set[str] | None = None
        self._above: set[KeyPath] = set()
        for one in findings:
            self.add(one.place, "yaml")

    def add(self, place: KeyPath, kind: str) -> None:
        """Leave out what stands there; of what is missing, the group that lacks it."""
        place = place[:-1] if kind == "missing" and len(place) > 1 else place
        self.places.add(place)
        self._above.update(place[:length] for length in range(len(place)))
        self._rules = None
        if kind == "extra_forbidden":
            self._extra.setdefault(place[:-1], set()).add(str(place[-1]))

    def within(self, place: KeyPath) -> bool:
        """Whether something at this place or below it is left out."""
        return place in self.places or place in self._above

    def inside(self, place: KeyPath) -> bool:
        """Whether this place, or one above it, is left out."""
        return any(place[:length] in self.places for length in range(1, len(place) + 1))

    def extra_in(self, place: KeyPath) -> bool:
        """Whether the group had a key that nobody knows; it may have been meant for another."""
        return place in self._extra

    def names_one(self, place: KeyPath, words: str) -> bool:
        """Whether a sentence about a group speaks of a key that is left out there."""
        return any(self.within((*place, word)) for word in re.findall(r"\w+", words))

    def explain_rule(self, about: str, place: KeyPath, value: Any) -> bool:
        """Whether a rule across models is only broken because of what was left out.

        Args:
            about: what the rule looked at, see `agent.rules.Fault`.
            place: where it is broken.
            value: what stands there.
        """
        if about == "tls":
            return self.within(place[:-1])
        if about == "tags":
            sources = {"tags", "tags_file", "devices", "events"}
            return any(self.within((*place, key)) for key in sources) or self._extra_like(place, sources)
        if about in _LOOKED_AT:
            return about in self._touched()
        if about == "machine" and isinstance(value, str):
            return "machines" in self._touched()
        groups = [place[:length] for length in (2, 4)] if about == "machine" else []
        return any(self._extra_like(group, {"machine"}) or self.within((*group, "machine")) for group in groups)

    def _extra_like(self, group: KeyPath, keys: set[str]) -> bool:
        return any(difflib.get_close_matches(one, keys, 1, 0.6) for one in self._extra.get(group, ()))

    def _touched(self) -> set[str]:
        """Which rules across the file cannot be judged any more: `read`, `type`, or `machines` for its names."""
        if self._rules is None:
            unnamed = any(one[0] == "machines" and len(one) == _NAMED for one in self.places)
            self._rules = {"machines"} if unnamed else set()
            for one in self.places:
                whole = one[0] == "connections" and len(one) in {2, 4}
                group, key = one[:-1], {str(one[-1])}
                for rule, keys in _LOOKED_AT.items():
                    if whole or key & keys or self._extra_like(group, keys):
                        self._rules.add(rule)
        return self._rules


class Rest:
    """A file without what is known to be wrong."""

    def __init__(self, root: Node, cuts: Cuts) -> None:
        self._kept: dict[KeyPath, list[int]] = {}
        self.data = self._copy(root, (), cuts)
        for name in ("company", "site"):
            if (name,) in cuts.places:
                self.data[name] = "left-out"

    def _copy(self, node: Node, place: KeyPath, cuts: Cuts) -> Any:
        if not cuts.within(place):
            return node.data
        kept = {key: below for key, below in node.below.items() if (*place, key) not in cuts.places}
        if isinstance(node.data, dict):
            return {key: self._copy(below, (*place, key), cuts) for key, below in kept.items()}
        self._kept[place] = [key for key in kept if isinstance(key, int)]
        return [self._copy(below, (*place, key), cuts) for key, below in kept.items()]

    def old(self, place: KeyPath) -> KeyPath:
        """A place of what is left as it is in the file."""
        out: KeyPath = ()
        for step in place:
            kept = self._kept.get(out) if isinstance(step, int) else None
            out = (*out, kept[step] if kept and isinstance(step, int) and step < len(kept) else step)
        return out
