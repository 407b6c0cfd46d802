"""Names of tags out of paths: valid, unique, and as short as that allows. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from agent.rules import OWN_COLUMNS
from pipelines.settings import RESERVED_ENDINGS

_MOST: Final = 128
_UNFIT: Final = re.compile(r"[^\w.\-]+")


def tag_names(paths: Sequence[str]) -> list[str]:
    """A name for each path: its last part, with as many parts before it as tell it from the others.

    Args:
        paths: parts joined by `/`.
    """
    parts = [[one for one in path.split("/") if one] or ["tag"] for path in paths]
    used = [1] * len(parts)
    names = [_fit(one[-1:]) for one in parts]
    while True:
        same: defaultdict[str, list[int]] = defaultdict(list)
        for index, name in enumerate(names):
            same[name].append(index)
        longer = [i for group in same.values() if len(group) > 1 for i in group if used[i] < len(parts[i])]
        if not longer:
            break
        for index in longer:
            used[index] += 1
            names[index] = _fit(parts[index][-used[index] :])
    return _numbered(names)


def _fit(parts: Sequence[str]) -> str:
    """Parts as a valid name."""
    name = _UNFIT.sub("_", "_".join(parts)).strip("_")[-_MOST:].lstrip("-._") or "tag"
    if name.endswith(RESERVED_ENDINGS) or name in OWN_COLUMNS:
        name = f"{name[: _MOST - 1]}_"
    return name


def _numbered(names: Sequence[str]) -> list[str]:
    """Names that are still equal, told apart by a number."""
    taken = set(names)
    seen: set[str] = set()
    out = []
    for name in names:
        one, number = name, 1
        while one in seen or (number > 1 and one in taken):
            number += 1
            one = f"{name[: _MOST - 8]}_{number}"
        seen.add(one)
        out.append(one)
    return out
