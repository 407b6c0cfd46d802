"""What a server says of its variables: unit, range, description, type (OPC 10000-8 §5.3.2, OPC 10000-3 §5.6.2).

It informs and changes nothing: the configured unit and range hold.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from typing import Any, Final

from connectors.base import LinkContext
from connectors.opcua.identity import Identity
from connectors.opcua.library import NodeId, ua
from connectors.opcua.session import OpcUaSession, link_errors
from connectors.ticker import ticks
from pipelines.errors import LinkClosed, LinkError
from pipelines.point import TagFacts
from pipelines.settings import TagSettings

PIECE: Final = 50
"""Nodes asked about at once."""
TICK_S: Final = 0.2
"""Time between two pieces, so that a start with many tags is not slowed."""
REFRESH_S: Final = 6 * 3600.0
"""How often it is asked again."""
_UNIT, _RANGE, _INSTRUMENT = _NAMES = ("EngineeringUnits", "EURange", "InstrumentRange")
_UNANSWERED: Final = "facts_unanswered"
_MOST_UNANSWERED: Final = 3
"""Links in a row that ended over such a request: a server that cannot bear it is left alone."""
_MOST_TEXT: Final = 200
"""Characters of a description."""
_NAMED: Final = 3
"""Tags named in the notice about units."""


async def properties(session: OpcUaSession, nodes: Sequence[NodeId]) -> list[TagFacts]:
    """What the server says of `nodes`, in their order; empty facts where it says nothing.

    Args:
        session: an open session.
        nodes: variables; as many as one request may hold (`PIECE` is a good number).

    Raises:
        LinkError: the server refused the request or the link ended.
    """
    if not nodes:
        return []
    found = await _property_values(session, nodes)
    descriptions = await session.read_attribute(nodes, ua.AttributeIds.Description)
    types = [_value(one) for one in await session.read_attribute(nodes, ua.AttributeIds.DataType)]
    names = await _type_names(session, [one for one in types if isinstance(one, ua.NodeId)])
    out = []
    for index in range(len(nodes)):
        unit = getattr(found.get((index, _UNIT)), "DisplayName", None)
        low, high = _ends(found.get((index, _RANGE))) or _ends(found.get((index, _INSTRUMENT))) or (None, None)
        description = getattr(_value(descriptions[index]), "Text", None)
        out.append(TagFacts(_text(unit), low, high, str(description or "")[:_MOST_TEXT], names.get(types[index], "")))
    return out


class Facts:
    """Keeps `LinkStats.facts` of one link.

    Args:
        session: an open session.
        context: what the link was opened with.
        identity: nodes of the tags.
    """

    def __init__(self, session: OpcUaSession, context: LinkContext, identity: Identity) -> None:
        self._session = session
        self._context = context
        self._identity = identity
        self._tags: Sequence[TagSettings] = session.settings.tags
        self._size = PIECE

    async def run(self) -> None:
        """Ask piece by piece, and again every few hours, until the link ends.

        Raises:
            LinkError: the connection ended.
        """
        if self._context.stats.rejected[_UNANSWERED] >= _MOST_UNANSWERED:
            return
        left = list(range(len(self._tags)))
        again_s = self._context.clock.monotonic_s() + REFRESH_S
        async for _ in ticks([TICK_S], self._context.clock):
            now_s = self._context.clock.monotonic_s()
            if not left and now_s >= again_s:
                left, again_s = list(range(len(self._tags))), now_s + REFRESH_S
            if left:
                piece, left = left[: self._size], left[self._size :]
                try:
                    await self._ask([tag for tag in piece if tag in self._identity.nodes])
                except LinkError as error:
                    if isinstance(error, LinkClosed) and isinstance(error.__cause__, OSError | ua.UaStatusCodeError):
                        raise
                    left = self._smaller(piece + left)

    def _smaller(self, left: list[int]) -> list[int]:
        """After a refusal: less at once, and nothing more when that was one tag."""
        del self._context.stats.rejected[_UNANSWERED]
        again = left if self._size > 1 else []
        self._size = max(1, self._size // 4)
        return again

    async def _ask(self, tags: list[int]) -> None:
        self._context.stats.requests += 4
        self._context.stats.rejected[_UNANSWERED] += 1
        found = await properties(self._session, [self._identity.nodes[tag] for tag in tags])
        del self._context.stats.rejected[_UNANSWERED]
        for tag, facts in zip(tags, found, strict=True):
            if facts == TagFacts():
                self._context.stats.facts.pop(tag, None)
            else:
                self._context.stats.facts[tag] = facts
        self._notice()

    def _notice(self) -> None:
        """A configured unit that is not the server's is said, and holds."""
        other = [
            f"{self._tags[tag].name} is in {self._tags[tag].engineering_unit} in the file and in "
            f"{facts.engineering_unit} at the server"
            for tag, facts in sorted(self._context.stats.facts.items())
            if tag < len(self._tags) and differ(self._tags[tag], facts)
        ]
        more = f" and {len(other) - _NAMED} more" if len(other) > _NAMED else ""
        if other:
            self._context.stats.notices["engineering_units"] = "; ".join(other[:_NAMED]) + more
        else:
            self._context.stats.notices.pop("engineering_units", None)


def differ(tag: TagSettings, facts: TagFacts) -> bool:
    """Whether the configured unit is another one than the server's; a scaled value may well have another."""
    both = tag.engineering_unit and facts.engineering_unit and tag.scale == 1
    return bool(both) and _plain(tag.engineering_unit) != _plain(facts.engineering_unit)


def _plain(unit: str) -> str:
    """`℃`, `°C` and `° c` are one unit."""
    return "".join(unicodedata.normalize("NFKC", unit).split()).casefold().replace("μ", "µ")


async def _property_values(session: OpcUaSession, nodes: Sequence[NodeId]) -> dict[tuple[int, str], Any]:
    """Values of the properties there are, by (position in `nodes`, name)."""
    wanted = [(index, name) for index in range(len(nodes)) for name in _NAMES]
    request = ua.TranslateBrowsePathsToNodeIdsRequest()
    request.Parameters.BrowsePaths = [_path(nodes[index], name) for index, name in wanted]
    with link_errors(session.settings.endpoint):
        answer = await session.call(request, ua.TranslateBrowsePathsToNodeIdsResponse)
        places = {
            key: result.Targets[0].TargetId
            for key, result in zip(wanted, answer.Results, strict=True)
            if result.StatusCode.is_good() and result.Targets
        }
    local = {key: ua.NodeId(place.Identifier, place.NamespaceIndex) for key, place in places.items()}
    values = await session.read_attribute(list(local.values()), ua.AttributeIds.Value)
    return {key: _value(value) for key, value in zip(local, values, strict=True)}


async def _type_names(session: OpcUaSession, types: Sequence[NodeId]) -> dict[NodeId, str]:
    named = {
        one: ua.ObjectIdNames[one.Identifier]
        for one in types
        if one.NamespaceIndex == 0 and one.Identifier in ua.ObjectIdNames
    }
    others = [one for one in dict.fromkeys(types) if one not in named]
    found = await session.read_attribute(others, ua.AttributeIds.BrowseName)
    return named | {
        one: str(getattr(_value(value), "Name", "") or "") for one, value in zip(others, found, strict=True)
    }


def _path(node: NodeId, name: str) -> Any:
    element = ua.RelativePathElement()
    element.ReferenceTypeId = ua.NodeId(ua.ObjectIds.HasProperty)
    element.IsInverse = False
    element.IncludeSubtypes = True
    element.TargetName = ua.QualifiedName(name, 0)
    path = ua.BrowsePath()
    path.StartingNode = node
    path.RelativePath.Elements = [element]
    return path


def _value(found: Any) -> Any:
    return found.Value.Value if found.Value is not None else None


def _text(localized: Any) -> str:
    text = getattr(localized, "Text", None)
    return text.strip() if isinstance(text, str) else ""


def _ends(value: Any) -> tuple[float, float] | None:
    """(low, high) of a Range; None when it is none or empty."""
    low, high = getattr(value, "Low", None), getattr(value, "High", None)
    usable = all(isinstance(end, int | float) and math.isfinite(end) for end in (low, high))
    return (float(low), float(high)) if usable and low is not None and high is not None and low < high else None
