# mypy: disable-error-code="attr-defined, arg-type, union-attr, unused-ignore"
# (asyncua re-exports by star import and declares its integers as classes that nobody makes instances of)
"""Address spaces made quickly: standard nodes once per process, variables as copies of the first one of their type.

asyncua makes the 6,000 standard nodes anew for each server, and looks through a whole folder for each node it adds.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any, Final

from asyncua import Node, Server, ua
from asyncua.server.address_space import AddressSpace, AttributeValue, NodeData, NodeManagementService
from asyncua.server.standard_address_space.standard_address_space import fill_address_space

from simulators.device import Signal

_STANDARD: Final[dict[ua.NodeId, NodeData]] = {}


async def standard_nodes() -> Nodes:
    """Namespace 0 for one server."""
    if not _STANDARD:
        space = AddressSpace()
        await asyncio.to_thread(fill_address_space, NodeManagementService(space))
        _STANDARD.update((node_id, space[node_id]) for node_id in space.keys())  # noqa: SIM118 — it is no mapping
    return Nodes(_STANDARD)


class Nodes(MutableMapping[ua.NodeId, NodeData]):
    """The nodes of one server: its own, and standard ones that are copied when they are first asked for.

    What describes a standard node is shared by all servers, its values and the list of its references are not.
    """

    def __init__(self, standard: Mapping[ua.NodeId, NodeData]) -> None:
        self._standard = standard
        self._own: dict[ua.NodeId, NodeData] = {}

    def __getitem__(self, node_id: ua.NodeId) -> NodeData:
        """The node, to change at will.

        Raises:
            KeyError: there is none.
        """
        if node_id not in self._own:
            self._own[node_id] = _copy(self._standard[node_id])
        return self._own[node_id]

    def __setitem__(self, node_id: ua.NodeId, node: NodeData) -> None:
        """Add or replace a node."""
        self._own[node_id] = node

    def __delitem__(self, node_id: ua.NodeId) -> None:
        """Remove a node of its own."""
        del self._own[node_id]

    def __contains__(self, node_id: object) -> bool:
        """Whether there is such a node."""
        return node_id in self._own or node_id in self._standard

    def __iter__(self) -> Iterator[ua.NodeId]:
        """Every node's id."""
        yield from self._own
        yield from (node_id for node_id in self._standard if node_id not in self._own)

    def __len__(self) -> int:
        """How many nodes there are."""
        return sum(1 for _ in self)


def _copy(node: NodeData) -> NodeData:
    copy = NodeData(node.nodeid)
    copy.attributes = {number: AttributeValue(one.value) for number, one in node.attributes.items()}
    copy.references = list(node.references)
    copy.call = node.call
    return copy


class Machine:
    """The device's own nodes: folders by the path of their browse names, and variables in them.

    Args:
        server: it has its standard nodes.
        name: identifier of the topmost node.
        index: of the device's namespace.
        read: a variable's DataValue now.
    """

    def __init__(self, server: Server, name: str, index: int, read: Callable[[ua.NodeId, int], ua.DataValue]) -> None:
        self._space: AddressSpace = server.iserver.aspace
        self._objects: Node = server.nodes.objects
        self._name = name
        self._index = index
        self._read = read
        self._folders: dict[str, Node] = {}
        self._first: dict[str, NodeData] = {}

    async def add(self, signal: Signal, value: Any) -> ua.NodeId:
        """A variable; folders come with the first one in them."""
        above, _, name = signal.node.rpartition("/")
        folder = await self._folder(above)
        node_id = ua.NodeId(signal.node, self._index)
        if signal.datatype in self._first:
            self._alike(self._first[signal.datatype], self._space[folder.nodeid], node_id, name)
        else:
            named = f"{self._index}:{name}"
            await folder.add_variable(node_id, named, value, ua.VariantType[signal.datatype])
            self._first[signal.datatype] = self._space[node_id]
        self._space.set_attribute_value_callback(node_id, ua.AttributeIds.Value, self._read)
        return node_id

    async def _folder(self, path: str) -> Node:
        if path not in self._folders:
            above, _, name = path.rpartition("/")
            if path:
                parent = await self._folder(above)
                made = await parent.add_object(ua.NodeId(path, self._index), f"{self._index}:{name}")
            else:
                made = await self._objects.add_object(ua.NodeId(self._name, self._index), f"{self._index}:Machine")
            self._folders[path] = made
        return self._folders[path]

    def _alike(self, first: NodeData, folder: NodeData, node_id: ua.NodeId, name: str) -> None:
        """A variable of the same type as `first`."""
        browse, display = ua.QualifiedName(name, self._index), ua.LocalizedText(name)
        own = {
            ua.AttributeIds.NodeId: ua.Variant(node_id, ua.VariantType.NodeId),
            ua.AttributeIds.BrowseName: ua.Variant(browse, ua.VariantType.QualifiedName),
            ua.AttributeIds.DisplayName: ua.Variant(display, ua.VariantType.LocalizedText),
            ua.AttributeIds.Description: ua.Variant(display, ua.VariantType.LocalizedText),
        }
        node = _copy(first)
        node.nodeid = node_id
        node.attributes |= {number: AttributeValue(ua.DataValue(value)) for number, value in own.items()}
        for number, up in enumerate(node.references):
            if not up.IsForward:
                node.references[number] = dataclasses.replace(
                    up, NodeId=folder.nodeid, BrowseName=_shown(folder, ua.AttributeIds.BrowseName),
                    DisplayName=_shown(folder, ua.AttributeIds.DisplayName),
                )  # fmt: skip
                folder.references.append(
                    ua.ReferenceDescription(
                        up.ReferenceTypeId,
                        IsForward=True,
                        NodeId=node_id,
                        BrowseName=browse,
                        DisplayName=display,
                        NodeClass=ua.NodeClass.Variable,
                        TypeDefinition=ua.NodeId(ua.ObjectIds.BaseDataVariableType),
                    )
                )
        self._space[node_id] = node


def _shown(node: NodeData, attribute: int) -> Any:
    return node.attributes[attribute].value.Value.Value
