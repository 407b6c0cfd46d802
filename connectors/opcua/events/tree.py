"""Event types as the server has them: names, subtypes and supertypes, each asked for once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

from connectors.opcua.library import NodeId, ua
from connectors.opcua.session import OpcUaSession
from pipelines.errors import LinkError

_MOST_SUBTYPES: Final = 40
"""Types named in one filter; a server takes subtypes by itself (OPC 10000-4 §7.7.3), some only compare."""
_DEEPEST: Final = 20


class TypeTree:
    """What is known of the server's event types.

    Args:
        session: an open session.
    """

    def __init__(self, session: OpcUaSession) -> None:
        self._session = session
        self._names: dict[NodeId, str] = {}
        self._above: dict[NodeId, NodeId | None] = {}

    async def name(self, kind: NodeId) -> str:
        """Browse name of a type; its node id where the server does not say.

        Raises:
            LinkError: the link ended.
        """
        if kind not in self._names:
            known = ua.ObjectIdNames.get(kind.Identifier) if kind.NamespaceIndex == 0 else None
            if known is None:
                (value,) = await self._session.read_attribute([kind], ua.AttributeIds.BrowseName)
                known = getattr(value.Value.Value if value.Value is not None else None, "Name", None)
            self._names[kind] = known or kind.to_string()
        return self._names[kind]

    async def is_a(self, kind: NodeId, types: Collection[NodeId]) -> bool:
        """Whether `kind` is one of `types` or below one.

        Raises:
            TimeoutError, OSError, ua.UaStatusCodeError, ValueError: no usable answer.
        """
        node: NodeId | None = kind
        for _ in range(_DEEPEST):
            if node is None:
                return False
            if node in types:
                return True
            if node not in self._above:
                above = await self._related(node, ua.BrowseDirection.Inverse)
                self._above[node] = above[0] if above else None
            node = self._above[node]
        return False

    async def with_subtypes(self, types: Sequence[NodeId]) -> list[NodeId]:
        """`types` and what is below them; only `types` when the server does not say or it is too much for a filter.

        Raises:
            TimeoutError, OSError, ua.UaStatusCodeError, ValueError: no usable answer.
        """
        found = list(dict.fromkeys(types))
        index = 0
        try:
            while index < len(found) <= _MOST_SUBTYPES:
                found += await self._related(found[index], ua.BrowseDirection.Forward)
                index += 1
        except (LinkError, ua.UaStatusCodeError):
            return list(types)
        return found if len(found) <= _MOST_SUBTYPES else list(types)

    async def _related(self, node: NodeId, direction: Any) -> list[NodeId]:
        request = ua.BrowseRequest()
        request.Parameters.NodesToBrowse = [
            ua.BrowseDescription(
                NodeId=node,
                BrowseDirection=direction,
                ReferenceTypeId=ua.NodeId(ua.ObjectIds.HasSubtype),
                IncludeSubtypes=True,
                NodeClassMask=ua.NodeClass.ObjectType,
                ResultMask=ua.BrowseResultMask.None_,
            )
        ]
        answer = await self._session.call(request, ua.BrowseResponse)
        return [ua.NodeId(r.NodeId.Identifier, r.NodeId.NamespaceIndex) for r in answer.Results[0].References or []]
