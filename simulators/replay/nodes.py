"""Addresses of OPC UA nodes as text: which recorded node a configuration means, and where it stands in a tree. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from simulators.replay.contents import Connection
from simulators.replay.seen import Seen

_NODE: Final = re.compile(r"(?:ns=(\d+);|nsu=([^;]+);)?(.+)", re.DOTALL)
_STEP: Final = re.compile(r"/(?:nsu=([^;]+);|(\d+):)?((?:[^/&]|&.)+)", re.DOTALL)

Step = tuple[str, str]
"""Namespace URI and name."""


def identity(node: str, namespaces: Sequence[str]) -> tuple[str, str]:
    """Namespace URI and identifier (`s=…`, `i=…`) of a node id with `ns=`, `nsu=` or neither."""
    match = _NODE.fullmatch(node)
    assert match is not None
    return match[2] or _uri(int(match[1] or 0), namespaces), match[3]


def steps(path: str, namespaces: Sequence[str]) -> tuple[Step, ...]:
    """The browse names of a path from the root; one without a namespace has that of the name before it."""
    found: list[Step] = []
    uri = _uri(0, namespaces)
    for match in _STEP.finditer(path):
        uri = match[1] or (_uri(int(match[2]), namespaces) if match[2] else uri)
        found.append((uri, re.sub(r"&(.)", r"\1", match[3], flags=re.DOTALL)))
    return tuple(found)


def rows_of(seen: Iterable[Seen], recorded: Connection) -> Mapping[int, list[Seen]]:
    """What is seen of each recorded row; what was never recorded is nowhere."""
    names = recorded.namespaces
    by_node = {identity(node, names): row for row, (node, _) in recorded.nodes.items()}
    by_path = {steps(path, names): row for row, (_, path) in recorded.nodes.items() if path}
    found: dict[int, list[Seen]] = {}
    for one in seen:
        row = by_path.get(steps(one.path, names)) if one.path else None
        if row is None and one.node:
            row = by_node.get(identity(one.node, names))
        if row is not None:
            found.setdefault(row, []).append(one)
    return found


def _uri(index: int, namespaces: Sequence[str]) -> str:
    return namespaces[index] if index < len(namespaces) else f"#{index}"
