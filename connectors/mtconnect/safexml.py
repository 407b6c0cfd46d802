"""XML of a device that nobody vouches for: no document type, so no entities; bounded depth and number of parts.

Its bytes are bounded before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

MAX_DEPTH: Final = 64
"""Elements inside each other; MTConnect documents need about 20."""
MAX_NODES: Final = 1_000_000
"""Elements and attributes in one document: each takes some 100 bytes of memory, and as few as four on the wire."""


class _Builder(TreeBuilder):
    """Builds the tree and refuses what an MTConnect document never has."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = 0
        self._nodes = 0

    def start(self, tag: Any, attrs: dict[Any, Any], /) -> Element:
        """Open an element, `{namespace}` taken off its name."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            msg = f"more than {MAX_DEPTH} elements inside each other"
            raise ValueError(msg)
        self._nodes += 1 + len(attrs)
        if self._nodes > MAX_NODES:
            msg = f"more than {MAX_NODES} elements and attributes; ask for less with count"
            raise ValueError(msg)
        return super().start(local(tag), attrs)

    def end(self, tag: Any, /) -> Element:
        """Close it."""
        self._depth -= 1
        return super().end(local(tag))

    def doctype(self, *_: str | None) -> None:
        """A document type could define entities: refused before any of it is read."""
        msg = "a DOCTYPE, which no MTConnect document has"
        raise ValueError(msg)


def local(name: str) -> str:
    """Name without `{namespace}`: the version in it is of no matter, the documents only grew."""
    return name.rpartition("}")[2]


def parse(body: bytes) -> Element:
    """The root element; names are without namespace.

    Raises:
        ValueError: not well-formed, has a DOCTYPE, is nested too deeply or has too many parts.
    """
    parser: Any = XMLParser(target=_Builder())  # noqa: S314 - expat loads nothing, and _Builder refuses every DOCTYPE
    close: Callable[[], Element] = parser.close
    try:
        parser.feed(body)
        return close()
    except (ParseError, LookupError) as error:
        raise ValueError(f"not XML: {error}") from error
