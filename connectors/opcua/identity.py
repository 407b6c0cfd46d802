"""Which node a tag means on this server: by node id, by browse path, and again when a download moved it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from connectors.base import LinkContext
from connectors.opcua.address import Step, steps
from connectors.opcua.library import NodeId, ua
from connectors.opcua.limits import Limits
from connectors.opcua.session import OpcUaSession, link_errors, node_id
from pipelines.point import BAD_NODE_ID_UNKNOWN

_ROOT: Final = ua.NodeId(ua.ObjectIds.RootFolder)
_TO_THE_END: Final = 0xFFFF_FFFF
_CODES: Final = ua.StatusCodes
_TOLD: Final = 10
"""Moved nodes that get a line of their own."""
GONE: Final = frozenset({_CODES.BadNodeIdUnknown, _CODES.BadNodeIdInvalid})
"""StatusCodes of a node that is not there, or no longer."""


class Identity:
    """Node ids of one link's tags.

    Args:
        session: an open session.
        context: what the link was opened with.
        limits: what the server takes.

    Attributes:
        nodes: node id by tag index.
        unknown: StatusCode by tag index of the tags that have none.
    """

    def __init__(self, session: OpcUaSession, context: LinkContext, limits: Limits) -> None:
        self._session = session
        self._tags = session.settings.tags
        self._note = context.note
        self._heard = context.heard
        self._limits = limits
        self.nodes: dict[int, NodeId] = {}
        self.unknown: dict[int, int] = {}
        self._before: dict[int, NodeId] = {}
        self._moved: list[tuple[int, NodeId]] = []

    async def resolve(self, tags: Iterable[int] | None = None) -> None:
        """Look up the nodes of `tags`, of all by default.

        Raises:
            LinkError: the link ended.
        """
        wanted = range(len(self._tags)) if tags is None else sorted(tags)
        by_path = {index: self._path(index) for index in wanted if self._tags[index].path}
        for index in wanted:
            if index not in by_path:
                self._set(index, self._configured(index), BAD_NODE_ID_UNKNOWN)
            elif by_path[index] is None:
                self._set(index, None, BAD_NODE_ID_UNKNOWN)
        await self._translate([index for index, path in by_path.items() if path is not None], by_path)
        self._tell()
        if self._heard is not None:
            nodes = [(index, node.to_string(), self._tags[index].path) for index, node in self.nodes.items()]
            self._heard("nodes", namespaces=list(self._session.namespaces), nodes=nodes)

    async def again(self, tags: Iterable[int]) -> None:
        """The same for tags whose node was refused: the NamespaceArray is read again first.

        Raises:
            LinkError: the link ended.
        """
        await self._session.ask_namespaces()
        await self.resolve(tags)

    def _configured(self, index: int) -> NodeId | None:
        address = self._tags[index].node
        return node_id(address, self._session.namespaces) if address else None

    def _path(self, index: int) -> Any:
        """The path as asyncua has it; None when the server has no such namespace."""
        elements = []
        for step in steps(self._tags[index].path):
            namespace = self._index(step)
            if namespace is None:
                return None
            elements.append(
                ua.RelativePathElement(
                    ReferenceTypeId=ua.NodeId(ua.ObjectIds.HierarchicalReferences),
                    IsInverse=False,
                    IncludeSubtypes=True,
                    TargetName=ua.QualifiedName(step.name, namespace),
                )
            )
        return ua.BrowsePath(StartingNode=_ROOT, RelativePath=ua.RelativePath(Elements=elements))

    def _index(self, step: Step) -> int | None:
        if isinstance(step.namespace, int):
            return step.namespace
        namespaces = self._session.namespaces
        return namespaces.index(step.namespace) if step.namespace in namespaces else None

    async def _translate(self, tags: Sequence[int], paths: dict[int, Any]) -> None:
        """Look paths up (OPC 10000-4 §5.9.4).

        A path that matches nothing leaves its tag without a node: a node id that a download gave to another variable
        would carry that variable's values.
        """

        async def send(piece: Sequence[int]) -> Any:
            request = ua.TranslateBrowsePathsToNodeIdsRequest()
            request.Parameters.BrowsePaths = [paths[index] for index in piece]
            return await self._session.call(request, ua.TranslateBrowsePathsToNodeIdsResponse)

        with link_errors(self._session.settings.endpoint):
            try:
                async for piece, answer in self._limits.in_pieces(self._session, "paths", tags, send):
                    for index, result in zip(piece, answer.Results, strict=True):
                        self._take(index, result)
            except ua.UaStatusCodeError as error:
                if error.code not in {_CODES.BadServiceUnsupported, _CODES.BadNotImplemented, _CODES.BadNotSupported}:
                    raise
                self._note("browse_paths_unsupported", tags=len(tags))
                for index in tags:
                    self._set(index, self._configured(index), BAD_NODE_ID_UNKNOWN)

    def _take(self, index: int, result: Any) -> None:
        if not result.StatusCode.is_good():
            self._set(index, None, result.StatusCode.value)
            return
        found = {self._local(one.TargetId) for one in result.Targets or () if one.RemainingPathIndex == _TO_THE_END}
        found.discard(None)
        if len(found) == 1:
            self._set(index, found.pop(), 0)
        else:
            self._set(index, None, _CODES.BadTooManyMatches if found else _CODES.BadNoMatch)

    def _local(self, target: Any) -> NodeId | None:
        """A node id of this server from an ExpandedNodeId."""
        if getattr(target, "ServerIndex", 0):
            return None
        namespace = target.NamespaceIndex
        if uri := getattr(target, "NamespaceUri", None):
            if uri not in self._session.namespaces:
                return None
            namespace = self._session.namespaces.index(uri)
        kind = max(target.NodeIdType, ua.NodeIdType.Numeric)  # the two short forms hold no other namespace
        return ua.NodeId(target.Identifier, namespace, kind)

    def _set(self, index: int, node: NodeId | None, status: int) -> None:
        if node is None:
            self.nodes.pop(index, None)
            self.unknown[index] = status
            return
        self.unknown.pop(index, None)
        self.nodes[index] = node
        before = self._before.get(index) or (self._configured(index) if self._tags[index].path else None)
        self._before[index] = node
        if before is not None and before != node:
            self._moved.append((index, before))

    def _tell(self) -> None:
        moved, self._moved = self._moved, []
        for index, before in moved[:_TOLD]:
            tag, now = self._tags[index], self.nodes[index]
            self._note("node_moved", tag=tag.name, path=tag.path, before=before.to_string(), now=now.to_string())
        if len(moved) > _TOLD:
            self._note("nodes_moved", tags=len(moved))
