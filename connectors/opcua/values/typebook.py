"""Asking a server what its data types are, each once per link."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from connectors.opcua.library import NodeId, ua
from connectors.opcua.limits import TOO_MUCH
from connectors.opcua.plan import MAX_PER_CALL, batches
from connectors.opcua.values.definitions import ENUMERATION, EXTENSION_OBJECT, INT32, Field, Structure, Types, built_in
from pipelines.errors import LinkError

if TYPE_CHECKING:
    from connectors.opcua.session import OpcUaSession

_MOST_TYPES: Final = 5_000
"""Data types that are asked for; a server whose types have no end is not followed further."""
_PER_BROWSE: Final = 100
_HAS_SUBTYPE: Final = 45
_HAS_PROPERTY: Final = 46
_HAS_ENCODING: Final = 38
_LAYOUTS: Final = {0: "plain", 1: "optional", 2: "union", 3: "plain", 4: "union"}
"""StructureType → layout; in 3 and 4 `IsOptional` means that subtypes may stand there (OPC 10000-3 §8.49)."""


class TypeBook:
    """Data types of one server.

    Args:
        session: an open session.

    Attributes:
        types: what was learnt.
    """

    def __init__(self, session: OpcUaSession) -> None:
        self.types = Types()
        self._session = session
        self._most = MAX_PER_CALL
        self._asked: set[str] = set()
        self._structures: dict[str, Any] = {}
        self._bases: dict[str, NodeId] = {}

    async def of_nodes(self, nodes: Mapping[int, NodeId]) -> dict[int, str]:
        """Data type of each variable, node id as text, by its key; left out where the server does not say.

        Raises:
            LinkError: the link ended.
        """
        found = await self._read(list(nodes.values()), ua.AttributeIds.DataType)
        known = {key: one for key, one in zip(nodes, found, strict=True) if hasattr(one, "NamespaceIndex")}
        await self.learn(known.values())
        return {key: one.to_string() for key, one in known.items()}

    async def learn(self, data_types: Iterable[NodeId]) -> None:
        """Ask for these data types and those they are made of.

        Raises:
            LinkError: the link ended.
        """
        pending = list(data_types)
        while pending:
            fresh = {one.to_string(): one for one in pending if built_in(one) is None}
            fresh = {key: one for key, one in fresh.items() if key not in self._asked}
            if not fresh or len(self._asked) > _MOST_TYPES:
                break
            self._asked |= set(fresh)
            definitions = await self._read(list(fresh.values()), ua.AttributeIds.DataTypeDefinition)
            for key, base in zip(fresh, await self._first(fresh.values(), _HAS_SUBTYPE), strict=True):
                if base is not None:
                    self._bases[key] = base
            pending = [base for key in fresh if (base := self._bases.get(key)) is not None]
            for key, definition in zip(fresh, definitions, strict=True):
                if isinstance(definition, ua.StructureDefinition):
                    self._structures[key] = definition
                    pending += [one.DataType for one in definition.Fields or []]
                elif isinstance(definition, ua.EnumDefinition):
                    self._name(key, definition)
            unnamed = {
                key: one
                for key, one in fresh.items()
                if key not in self._structures and key not in self.types.enumerations
            }
            await self._ask_texts(unnamed)
        self._describe()

    async def learn_encoding(self, encoding: str) -> None:
        """Ask for the data type that is encoded so.

        Raises:
            LinkError: the link ended.
        """
        if encoding in self._asked:
            return
        self._asked.add(encoding)
        (data_type,) = await self._first([ua.NodeId.from_string(encoding)], _HAS_ENCODING)
        if data_type is not None:
            await self.learn([data_type])
            self.types.encodings[encoding] = data_type.to_string()

    def is_enumeration(self, data_type: str) -> bool:
        """Whether numbers of this data type have texts."""
        return bool(self.types.texts(data_type)) and self._kind(data_type) == INT32

    def _name(self, key: str, definition: Any) -> None:
        self.types.enumerations[key] = {
            int(one.Value): (one.DisplayName.Text if one.DisplayName else None) or one.Name or ""
            for one in definition.Fields or []
        }

    async def _ask_texts(self, data_types: Mapping[str, NodeId]) -> None:
        """EnumStrings or EnumValues of data types without a definition (OPC 10000-3 §5.8.3)."""
        for key, found in zip(data_types, await self._browse(data_types.values(), _HAS_PROPERTY), strict=True):
            for one in found:
                if one.BrowseName.Name not in {"EnumStrings", "EnumValues"}:
                    continue
                (texts,) = await self._read([one.NodeId], ua.AttributeIds.Value)
                if not isinstance(texts, list):
                    continue
                if one.BrowseName.Name == "EnumStrings":
                    self.types.enumerations[key] = {at: text.Text or "" for at, text in enumerate(texts)}
                else:
                    self.types.enumerations[key] = {
                        int(text.Value): text.DisplayName.Text or "" for text in texts if hasattr(text, "DisplayName")
                    }

    def _describe(self) -> None:
        """Descriptions of every structure whose definition came."""
        for key, definition in self._structures.items():
            if key in self.types.structures:
                continue
            fields = self._fields(key, set())
            kind = int(definition.StructureType)
            described = [self._field(one, subtypes=kind > 2) for one in fields]  # noqa: PLR2004 (with subtyped values)
            self.types.structures[key] = Structure(key, _LAYOUTS.get(kind, "plain"), tuple(described))  # type: ignore[arg-type]
            if definition.DefaultEncodingId is not None:
                self.types.encodings[definition.DefaultEncodingId.to_string()] = key

    def _fields(self, key: str, above: set[str]) -> list[Any]:
        """Its fields, those of its base first: some servers leave them out of the definition."""
        definition = self._structures[key]
        own = list(definition.Fields or [])
        base = self._bases.get(key)
        if base is None or base.to_string() not in self._structures or key in above:
            return own
        names = {one.Name for one in own}
        return [one for one in self._fields(base.to_string(), above | {key}) if one.Name not in names] + own

    def _field(self, found: Any, *, subtypes: bool) -> Field:
        key = found.DataType.to_string()
        kind = self._kind(key)
        structure = key if kind == 0 else ""
        if subtypes and found.IsOptional:
            kind, structure = (EXTENSION_OBJECT if kind == 0 else ua.VariantType.Variant.value), ""
        return Field(
            name=found.Name or "",
            kind=kind,
            structure=structure,
            enumeration=key if self.is_enumeration(key) else "",
            rank=found.ValueRank,
            optional=bool(found.IsOptional) and not subtypes,
        )

    def _kind(self, data_type: str) -> int:
        """Built-in type id on the wire; 0 = a structure, or nothing is known and decoding will say so."""
        for _ in range(ENUMERATION):
            if data_type in self._structures:
                return 0
            known = built_in(ua.NodeId.from_string(data_type))
            if known is not None:
                return known
            if data_type.startswith("i=") and self.types.structure(data_type) is not None:
                return 0
            base = self._bases.get(data_type)
            if base is None:
                return INT32 if self.types.texts(data_type) else 0
            data_type = base.to_string()
        return 0

    async def _read(self, nodes: Sequence[NodeId], attribute: int) -> list[Any]:
        """Values of an attribute; None where the server refuses."""
        found: list[Any] = []
        while len(found) < len(nodes):
            piece = nodes[len(found) : len(found) + self._most]
            try:
                found += await self._session.read_attribute(piece, attribute)
            except LinkError as error:
                if getattr(error.__cause__, "code", 0) not in TOO_MUCH:
                    raise
                self._most = len(piece) // 2
                if not self._most:
                    raise
        return [
            one.Value.Value if one.Value is not None and (one.StatusCode is None or one.StatusCode.is_good()) else None
            for one in found
        ]

    async def _first(self, nodes: Iterable[NodeId], reference: int) -> list[NodeId | None]:
        """What refers to each node by `reference`; None when nothing does."""
        return [one[0].NodeId if one else None for one in await self._browse(nodes, reference, inverse=True)]

    async def _browse(self, nodes: Iterable[NodeId], reference: int, *, inverse: bool = False) -> list[list[Any]]:
        """References of each node; empty where the server refuses."""
        out: list[list[Any]] = []
        direction = ua.BrowseDirection.Inverse if inverse else ua.BrowseDirection.Forward
        for piece in batches(list(nodes), _PER_BROWSE):
            request = ua.BrowseRequest()
            request.Parameters.RequestedMaxReferencesPerNode = 0
            request.Parameters.NodesToBrowse = [
                ua.BrowseDescription(
                    NodeId=node,
                    BrowseDirection=direction,
                    ReferenceTypeId=ua.NodeId(reference),
                    IncludeSubtypes=True,
                    NodeClassMask=0,
                    ResultMask=ua.BrowseResultMask.All,
                )
                for node in piece
            ]
            try:
                answer = await self._session.call(request, ua.BrowseResponse)
                found = [list(one.References or []) for one in answer.Results]
            except ua.UaStatusCodeError:
                found = []
            out += found if len(found) == len(piece) else [[] for _ in piece]
        return out
