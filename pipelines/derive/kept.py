"""The states of rules in the journal: all of them now and then, and with each record those that are others since.

A record that held the state of every rule that changed would be larger than its readings: keys and JSON of many small
states, over and over. So they are packed together, and a state is written when it is another than in the last whole
set. What a record holds leads to exactly the states behind it, whichever record is the last one.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from dataclasses import astuple
from typing import Final

import orjson

from pipelines.place import Place

WHOLE: Final = "derived"
"""Key of all states."""
SINCE: Final = "derived+"
"""Key of those that are others since; an empty one = none."""
_TIMES: Final = 8
"""A whole set is written when what was written since is so many times as large: it costs an eighth at most."""
_PLACES: Final = "places"
_LENGTHS: Final = struct.Struct("<HI")


class Kept:
    """States of rules by name, as of the newest record.

    Args:
        resume: resume state of the journal.
    """

    def __init__(self, resume: Mapping[str, bytes]) -> None:
        self._since: dict[str, bytes] = _unpacked(resume.get(SINCE, b""))
        self._states = _unpacked(resume.get(WHOLE, b"")) | self._since
        self._whole_bytes = self._since_bytes = 0
        self._changed = False

    def __getitem__(self, name: str) -> bytes:
        """The state of a rule; empty = there is none."""
        return self._states.get(name, b"")

    def __setitem__(self, name: str, state: bytes) -> None:
        """The state of a rule from the next record on; empty = it is forgotten."""
        if self[name] != state:
            self._states[name] = self._since[name] = state
            self._changed = True

    @property
    def places(self) -> dict[str, Place]:
        """Where machines stand, those of an earlier configuration included: what was told of them may have to end."""
        return {name: Place(*place) for name, place in orjson.loads(self[_PLACES] or b"{}").items()}

    @places.setter
    def places(self, places: Mapping[str, Place]) -> None:
        self[_PLACES] = orjson.dumps({name: astuple(place) for name, place in sorted(places.items())})

    def names(self) -> list[str]:
        """Rules that have a state, those that are gone included."""
        return sorted(name for name, state in self._states.items() if state and name != _PLACES)

    def resume(self) -> dict[str, bytes]:
        """What the next record must hold; nothing when no state changed since the last call."""
        if not self._changed:
            return {}
        self._changed = False
        packed = _packed(self._since)
        self._since_bytes += len(packed)
        if self._since_bytes <= _TIMES * self._whole_bytes:
            return {SINCE: packed}
        self._states = {name: state for name, state in self._states.items() if state}
        whole = _packed(self._states)
        self._since, self._whole_bytes, self._since_bytes = {}, len(whole), 0
        return {WHOLE: whole, SINCE: b""}


def _packed(states: Mapping[str, bytes]) -> bytes:
    parts: list[bytes] = []
    for name, state in sorted(states.items()):
        called = name.encode()
        parts += (_LENGTHS.pack(len(called), len(state)), called, state)
    return zlib.compress(b"".join(parts), 1)


def _unpacked(data: bytes) -> dict[str, bytes]:
    """The inverse of `_packed`; the journal has checked that these are the bytes that were written."""
    data = zlib.decompress(data) if data else b""
    found, at = {}, 0
    while at < len(data):
        called, size = _LENGTHS.unpack_from(data, at)
        middle = at + _LENGTHS.size + called
        found[data[at + _LENGTHS.size : middle].decode()] = data[middle : middle + size]
        at = middle + size
    return found
