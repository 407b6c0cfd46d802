"""Rows of a tag table for the parts of structured values: elements of an array, fields of a structure, a text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from pipelines.settings import is_field_name

if TYPE_CHECKING:
    from pipelines.settings import TagSettings

MOST_PER_TAG: Final = 1024
"""Parts one tag may have; what goes beyond is refused by the connector, with a status that says so."""
_ELEMENT: Final = re.compile(r"(_\d+)+")
_TOTAL: Final = "_total"


class Parts:
    """Rows behind the configured tags, numbered as they are first met.

    It lives as long as the process and outlives its connection's links, so that a row means the same to each of them.

    Args:
        tags: number of configured tags; the first part gets this number.
        names: `machine/tag` of each of them; a part is refused that would be called like one. Empty: nothing is known.

    Attributes:
        first: number of configured tags.
    """

    def __init__(self, tags: int, names: Sequence[str] = ()) -> None:
        self.first = tags
        self._names = names
        self._taken = set(names)
        self._rows: dict[tuple[int, str], int] = {}
        self._parts: list[tuple[int, str]] = []
        self._count: dict[int, int] = {}

    def __len__(self) -> int:
        """Number of parts."""
        return len(self._parts)

    def row(self, tag: int, suffix: str) -> int | None:
        """Row of the part of `tag` whose field name ends in `suffix`, for example `_3` or `_speed`; new when unknown.

        Returns:
            The row; None when the tag has `MOST_PER_TAG` others already, or the name is taken or cannot be a field's.
        """
        known = self._rows.get((tag, suffix))
        if known is not None:
            return known
        count = self._count.get(tag, 0)
        name = (self._names[tag] if self._names else f"{tag}/tag") + suffix
        if count >= MOST_PER_TAG or name in self._taken or not is_field_name(name.partition("/")[2]):
            return None
        self._taken.add(name)
        self._count[tag] = count + 1
        row = self._rows[tag, suffix] = self.first + len(self._parts)
        self._parts.append((tag, suffix))
        return row

    def since(self, known: int) -> list[tuple[int, str]]:
        """(tag, suffix) of the parts behind the first `known` ones, in row order."""
        return self._parts[known:]


def part_settings(tag: TagSettings, suffix: str) -> TagSettings:
    """The settings of a part of `tag`.

    An element (`_3`, `_0_1`) is measured like its array and a `_total` is scaled like its counter; a field of a
    structure or a text has only its place.
    """
    update: dict[str, object] = {"name": tag.name + suffix, "stale_after_s": None}
    if _ELEMENT.fullmatch(suffix):
        return tag.model_copy(update=update)
    update |= {"range": None, "deadband": None, "offset": 0.0}
    if suffix != _TOTAL:
        update |= {"scale": 1.0, "engineering_unit": "", "store_as": "source"}
    return tag.model_copy(update=update)


def new_rows(tags: Sequence[TagSettings], parts: Parts) -> list[tuple[int, TagSettings]]:
    """(configured tag, settings) of each part that is not among the rows of `tags` yet, in row order."""
    return [(tag, part_settings(tags[tag], suffix)) for tag, suffix in parts.since(len(tags) - parts.first)]
