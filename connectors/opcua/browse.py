"""The server's address space under Objects, depth first, asked level by level with many nodes in a request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from connectors.base import Found, Note
from connectors.opcua.library import DataValue, NodeId, ua
from connectors.opcua.session import OpcUaSession, link_errors

_SHOWN: Final = 60
"""Characters of a value."""
_AT_ONCE: Final = 100
"""Nodes in one Browse, where the server does not say fewer."""
_REFERENCES: Final = 1000
"""References of one node in one answer; the rest comes with BrowseNext."""
_TOLD_EVERY: Final = 1000
_EMPTY_ANSWERS: Final = 3
"""BrowseNext answers without a reference after which the server is not asked on."""
_FACTS: Final = frozenset({"EngineeringUnits", "EURange", "InstrumentRange"})
"""Properties that say something about the variable they belong to (OPC 10000-8 §5.3.2)."""
_TOO_MUCH: Final = {
    ua.StatusCodes.BadTooManyOperations,
    ua.StatusCodes.BadResponseTooLarge,
    ua.StatusCodes.BadRequestTooLarge,
    ua.StatusCodes.BadEncodingLimitsExceeded,
}


@dataclass(slots=True, eq=False)
class _Seen:
    """A node, what was found out about it, and what is below it."""

    node: NodeId
    path: str
    found: Found | None = None
    variable: bool = False
    own: bool = False
    below: list[_Seen] = field(default_factory=list)
    facts: dict[str, NodeId] = field(default_factory=dict)


async def walk(
    session: OpcUaSession, note: Note, depth: int | None = None, most: int | None = None
) -> AsyncIterator[Found]:
    """Folders, objects and variables under Objects; the Server object's own diagnostics are left out.

    A node that stands in several places is listed at the first. Engineering units and ranges are told with the variable
    they belong to and are no entries of their own.

    Args:
        session: an open session.
        note: is told of the progress.
        depth: levels under Objects; None = all.
        most: entries after which no further level is asked for; None = no limit.

    Raises:
        LinkError: the server did not answer.
    """
    root = _Seen(NodeId(ua.ObjectIds.ObjectsFolder), "")
    seen = {root.node, NodeId(ua.ObjectIds.Server)}
    at_once = await _limit(session)
    level, levels, told = [root], 0, 0
    while level and (depth is None or levels <= depth) and (most is None or len(seen) <= most):
        new: list[_Seen] = []
        if levels == depth:  # only what is said about its variables
            level = [one for one in level if one.variable]
        for start in range(0, len(level), at_once):
            part = level[start : start + at_once]
            for above, references in zip(part, await _references(session, [one.node for one in part]), strict=True):
                _take(above, references, seen, session.namespaces)
                if levels == depth:
                    above.below.clear()
                new += above.below
            if len(seen) - told >= _TOLD_EVERY:
                told = len(seen)
                note("browsed", nodes=told)
            if most is not None and len(seen) > most:
                break
        await _facts(session, level)
        await _read(session, new)
        level, levels = [one for one in new if not one.own], levels + 1  # a property has nothing below
    stack = list(reversed(root.below))
    while stack:
        one = stack.pop()
        assert one.found is not None
        yield one.found
        stack += reversed(one.below)


def _take(above: _Seen, references: Sequence[Any], seen: set[NodeId], namespaces: list[str]) -> None:
    """Put what a Browse said into the tree; a node that was seen before is left out, so that no circle is walked."""
    for one in references:
        name = str(one.BrowseName.Name)
        owned = one.ReferenceTypeId == NodeId(ua.ObjectIds.HasProperty)
        if owned and above.variable and name in _FACTS and one.BrowseName.NamespaceIndex == 0:
            above.facts[name] = one.NodeId
        elif one.NodeId not in seen:
            seen.add(one.NodeId)
            label = str(one.DisplayName.Text or "") if one.DisplayName is not None else ""
            below = _Seen(one.NodeId, f"{above.path}/{name}", own=owned)
            below.variable = one.NodeClass == ua.NodeClass.Variable
            address = _address(one.NodeId, namespaces)
            tag = {"node": address} if below.variable and not owned else None
            below.found = Found(below.path, address, "", "", label=label if label != name else "", tag=tag)
            above.below.append(below)


async def _read(session: OpcUaSession, level: Sequence[_Seen]) -> None:
    """Types and values of the variables of a level."""
    variables = [one for one in level if one.variable]
    nodes = [one.node for one in variables]
    types = await session.read_attribute(nodes, ua.AttributeIds.DataType)
    values = await session.read_attribute(nodes, ua.AttributeIds.Value)
    names = await _type_names(session, types)
    for one, datatype, value in zip(variables, types, values, strict=True):
        assert one.found is not None
        one.found = replace(one.found, datatype=_datatype(datatype, names), value=_text(value))


async def _type_names(session: OpcUaSession, types: Sequence[DataValue | None]) -> dict[NodeId, str]:
    """Names of the server's own types: its enumerations and structures."""
    held = [one.Value.Value for one in types if one is not None and one.Value is not None]
    own = list(dict.fromkeys(one for one in held if getattr(one, "NamespaceIndex", 0)))
    names = await session.read_attribute(own, ua.AttributeIds.BrowseName) if own else []
    said: list[Any] = [one.Value.Value if one is not None and one.Value is not None else None for one in names]
    return {node: str(name.Name) for node, name in zip(own, said, strict=True) if getattr(name, "Name", None)}


async def _facts(session: OpcUaSession, level: Sequence[_Seen]) -> None:
    """Units and ranges of variables whose properties are known."""
    asked = [(one, name, node) for one in level for name, node in one.facts.items()]
    values = await session.read_attribute([node for _, _, node in asked], ua.AttributeIds.Value)
    for (one, name, _), value in zip(asked, values, strict=True):
        said = value.Value.Value if value.Value is not None else None
        if one.found is None or said is None:
            continue
        if name == "EngineeringUnits":
            unit = getattr(getattr(said, "DisplayName", None), "Text", "") or ""
            one.found = replace(one.found, unit=str(unit))
        elif (limits := _range(said)) is not None:
            possible = name == "InstrumentRange"
            one.found = replace(one.found, possible=limits) if possible else replace(one.found, usual=limits)


def _range(said: Any) -> tuple[float, float] | None:
    """Low and high of a Range that is one (OPC 10000-8 §5.6.2)."""
    low, high = getattr(said, "Low", None), getattr(said, "High", None)
    if not isinstance(low, float) or not isinstance(high, float) or not low < high:
        return None
    return low, high


async def _limit(session: OpcUaSession) -> int:
    """Nodes in one Browse."""
    node = ua.NodeId(ua.ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerBrowse)
    (value,) = await session.read_attribute([node], ua.AttributeIds.Value)
    said = value.Value.Value if value.Value is not None else None
    return min(_AT_ONCE, said) if isinstance(said, int) and said > 0 else _AT_ONCE


async def _references(session: OpcUaSession, nodes: Sequence[NodeId]) -> list[list[Any]]:
    """References of each node; none of one that the server does not show."""
    service = session.client.uaclient.session
    wanted = [_description(node) for node in nodes]
    parameters = ua.BrowseParameters(NodesToBrowse=wanted)
    parameters.RequestedMaxReferencesPerNode = _REFERENCES
    with link_errors(session.settings.endpoint):
        try:
            async with asyncio.timeout(session.settings.timeout_s):
                results = await service.browse(parameters)
        except ua.UaStatusCodeError as error:
            if error.code not in _TOO_MUCH or len(nodes) == 1:
                raise
            results = None
    if results is None:
        middle = len(nodes) // 2
        return await _references(session, nodes[:middle]) + await _references(session, nodes[middle:])
    found = [list(one.References or []) for one in results]
    again = [i for i, one in enumerate(results) if one.StatusCode.value == ua.StatusCodes.BadNoContinuationPoints]
    await _rest(session, {i: one.ContinuationPoint for i, one in enumerate(results) if one.ContinuationPoint}, found)
    for i in again if len(nodes) > 1 else []:
        (found[i],) = await _references(session, [nodes[i]])
    return found


async def _rest(session: OpcUaSession, points: dict[int, bytes], found: list[list[Any]]) -> None:
    """What did not fit into the first answer (OPC 10000-4 §5.9.3)."""
    service = session.client.uaclient.session
    empty = 0
    while points and empty < _EMPTY_ANSWERS:
        asked = list(points.items())[:_AT_ONCE]
        request = ua.BrowseNextParameters(
            ReleaseContinuationPoints=False, ContinuationPoints=[point for _, point in asked]
        )
        with link_errors(session.settings.endpoint):
            async with asyncio.timeout(session.settings.timeout_s):
                results = await service.browse_next(request)
        came = 0
        for (index, _), one in zip(asked, results, strict=True):
            found[index] += one.References or []
            came += len(one.References or [])
            del points[index]
            if one.ContinuationPoint:
                points[index] = one.ContinuationPoint
        empty = 0 if came else empty + 1


def _description(node: NodeId) -> Any:
    return ua.BrowseDescription(
        NodeId=node,
        BrowseDirection=ua.BrowseDirection.Forward,
        ReferenceTypeId=ua.NodeId(ua.ObjectIds.HierarchicalReferences),
        IncludeSubtypes=True,
        NodeClassMask=ua.NodeClass.Object | ua.NodeClass.Variable,
        ResultMask=ua.BrowseResultMask.All,
    )


def _address(node: NodeId, namespaces: list[str]) -> str:
    """A node id with its namespace's URI, which stays right when a server orders its namespaces anew."""
    text = str(node.to_string())
    if not 0 < node.NamespaceIndex < len(namespaces):
        return text
    return f"nsu={namespaces[node.NamespaceIndex]};{text.split(';', 1)[1]}"


def _datatype(value: DataValue | None, names: dict[NodeId, str]) -> str:
    node: Any = value.Value.Value if value is not None and value.Value is not None else None
    if not hasattr(node, "NamespaceIndex"):
        return ""
    if node.NamespaceIndex == 0 and isinstance(node.Identifier, int):
        return str(ua.ObjectIdNames.get(node.Identifier, node.to_string()))
    return names.get(node) or str(node.to_string())


def _text(value: DataValue | None) -> str:
    if value is None or value.Value is None or value.Value.Value is None:
        return ""
    text = _structures(value.Value.Value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _structures(value: Any) -> str:
    """A value in words; a structure is `{…}`: its fields are seen when it is read."""
    if isinstance(value, list) and any(isinstance(one, ua.ExtensionObject) for one in value):
        return f"[{', '.join(map(_structures, value))}]"
    return "{…}" if isinstance(value, ua.ExtensionObject) else str(value)
