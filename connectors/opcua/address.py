"""Addresses of nodes as people write them: node ids and browse paths."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import AfterValidator

_NODE: Final = re.compile(
    r"(?:(?:ns=(?P<index>\d{1,5})|nsu=(?P<uri>[^;]+));)?(?:i=(?P<i>\d{1,10})|s=(?P<s>.+)"
    r"|g=(?P<g>[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})|b=(?P<b>[A-Za-z0-9+/]*={0,2}))",
    re.DOTALL,
)
_STEP: Final = re.compile(r"/(?:nsu=(?P<uri>[^;]+);|(?P<index>\d{1,5}):)?(?P<name>(?:[^/&]|&.)+)", re.DOTALL)
_MAX_INDEX: Final = 0xFFFF
_MAX_NUMERIC: Final = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class Step:
    """One browse name of a path.

    Attributes:
        namespace: URI, or index on the server.
        name: the name itself.
    """

    namespace: str | int
    name: str


def steps(path: str) -> tuple[Step, ...]:
    """The browse names of a path; one without a namespace has that of the name before it, the first one has 0.

    Raises:
        ValueError: it is none.
    """
    found: list[Step] = []
    at = 0
    namespace: str | int = 0
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None or int(match["index"] or 0) > _MAX_INDEX:
            break
        namespace = match["uri"] or (namespace if match["index"] is None else int(match["index"]))
        found.append(Step(namespace, re.sub(r"&(.)", r"\1", match["name"], flags=re.DOTALL)))
        at = match.end()
    if not found or at < len(path):
        msg = "must be a browse path such as /Objects/nsu=urn:vendor:plc;Press1/Force, with & before a / or & in a name"
        raise ValueError(msg)
    return tuple(found)


def checked_node(text: str) -> str:
    """`text`, when it is a node id.

    Raises:
        ValueError: it is none.
    """
    match = _NODE.fullmatch(text)
    if not match:
        msg = "must be a node id such as ns=2;s=Press1.Force, nsu=urn:vendor:plc;i=1001, g=… or b=…"
        raise ValueError(msg)
    if int(match["index"] or 0) > _MAX_INDEX or int(match["i"] or 0) > _MAX_NUMERIC:
        msg = "the namespace index must fit 16 bits and a numeric identifier 32 bits (OPC 10000-6 §5.2.2.9)"
        raise ValueError(msg)
    return text


def _path(text: str) -> str:
    steps(text)
    return text


NodeAddress = Annotated[str, AfterValidator(checked_node)]
"""A node id in the text form of OPC 10000-6 §5.3.1.10, with `ns=` or `nsu=`."""
BrowsePath = Annotated[str, AfterValidator(_path)]
"""Browse names from the root folder, each behind a `/`, with `nsu=URI;` or `index:` before a name."""
