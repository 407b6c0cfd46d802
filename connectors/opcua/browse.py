"""The server's address space under Objects, depth first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

from connectors.base import Found
from connectors.opcua.library import DataValue, NodeId, ua
from connectors.opcua.session import OpcUaSession, link_errors

_SHOWN: Final = 60
"""Characters of a value."""


async def walk(session: OpcUaSession) -> AsyncIterator[Found]:
    """Folders, objects and variables under Objects; the Server object's own diagnostics are left out.

    Raises:
        LinkError: the server did not answer.
    """
    seen = {NodeId(ua.ObjectIds.ObjectsFolder), NodeId(ua.ObjectIds.Server)}
    stack = await _below(session, "", NodeId(ua.ObjectIds.ObjectsFolder), seen)
    while stack:
        found, node = stack.pop()
        yield found
        stack += await _below(session, found.path, node, seen)


async def _below(session: OpcUaSession, path: str, node: NodeId, seen: set[NodeId]) -> list[tuple[Found, NodeId]]:
    """What is directly below `node` and was not `seen`, last one first."""
    children = [child for child in await _children(session, node) if child.NodeId not in seen]
    seen.update(child.NodeId for child in children)
    variables = [child.NodeId for child in children if child.NodeClass == ua.NodeClass.Variable]
    types = await session.read_attribute(variables, ua.AttributeIds.DataType)
    values = await session.read_attribute(variables, ua.AttributeIds.Value)
    read = dict(zip(variables, zip(types, values, strict=True), strict=True))
    out = []
    for child in reversed(children):
        datatype, value = read.get(child.NodeId, (None, None))
        address = _address(child.NodeId, session.namespaces)
        out.append((Found(f"{path}/{child.BrowseName.Name}", address, _datatype(datatype), _text(value)), child.NodeId))
    return out


async def _children(session: OpcUaSession, node: NodeId) -> list[Any]:
    browser = session.client.uaclient.session
    description = ua.BrowseDescription(
        NodeId=node,
        BrowseDirection=ua.BrowseDirection.Forward,
        ReferenceTypeId=ua.NodeId(ua.ObjectIds.HierarchicalReferences),
        IncludeSubtypes=True,
        NodeClassMask=ua.NodeClass.Object | ua.NodeClass.Variable,
        ResultMask=ua.BrowseResultMask.All,
    )
    with link_errors(session.settings.endpoint):
        async with asyncio.timeout(session.settings.timeout_s):
            (result,) = await browser.browse(ua.BrowseParameters(NodesToBrowse=[description]))
        found = list(result.References or [])
        while result.ContinuationPoint:
            more = ua.BrowseNextParameters(ContinuationPoints=[result.ContinuationPoint])
            async with asyncio.timeout(session.settings.timeout_s):
                (result,) = await browser.browse_next(more)
            found += result.References or []
    return found


def _address(node: NodeId, namespaces: list[str]) -> str:
    """A node id with its namespace's URI, which stays right when a server orders its namespaces anew."""
    text = str(node.to_string())
    if not 0 < node.NamespaceIndex < len(namespaces):
        return text
    return f"nsu={namespaces[node.NamespaceIndex]};{text.split(';', 1)[1]}"


def _datatype(value: DataValue | None) -> str:
    node: Any = value.Value.Value if value is not None and value.Value is not None else None
    if not hasattr(node, "NamespaceIndex"):
        return ""
    if node.NamespaceIndex == 0 and isinstance(node.Identifier, int):
        return str(ua.ObjectIdNames.get(node.Identifier, node.to_string()))
    return str(node.to_string())


def _text(value: DataValue | None) -> str:
    if value is None or value.Value is None or value.Value.Value is None:
        return ""
    text = str(value.Value.Value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
