# mypy: disable-error-code="attr-defined, arg-type, union-attr, unused-ignore"
# (asyncua re-exports by star import and declares its integers as classes that nobody makes instances of)
"""A recorded OPC UA server: the nodes under the ids and browse names they had, changing as they did."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Iterable
from typing import Any, Final

from asyncua import Server, ua

from simulators.device import Signal
from simulators.opcua import OpcUaServer
from simulators.panel import Panel
from simulators.points import Point
from simulators.replay.contents import Connection
from simulators.replay.nodes import Step, rows_of, steps
from simulators.replay.outage import Outages
from simulators.replay.seen import Seen
from simulators.replay.tape import Tape
from simulators.replay.values import NUMBERS, Shown, moved, waiting
from simulators.truth import TruthLog
from simulators.witness import Witness

OWN_NAMESPACE: Final = "urn:shopfloor-agent:replay"
"""Of the folders on the way to nodes whose browse path is known, and of nothing else."""
_SCALAR: Final = 0x3F
_NOBODY: Final = -1
_BEFORE_NS: Final = 1_000_000
_PATIENCE_NS: Final = 30_000_000_000
"""Longest time until a client has noticed that its connection is forgotten and has a new one."""


class _Witness(Witness):
    """Tells of those reads whose values a truth log can hold."""

    def read(self, params: ua.ReadParameters, results: list[ua.DataValue], t0: int) -> None:
        known = {node for node, point in self.points.items() if point.number != _NOBODY}
        both = [one for one in zip(params.NodesToRead, results, strict=True) if one[0].NodeId in known]
        asked = ua.ReadParameters(NodesToRead=[node for node, _ in both])
        super().read(asked, [value for _, value in both], t0)


class ReplayedOpcUa(OpcUaServer):
    """One recorded OPC UA server on 127.0.0.1, without message security whatever it had."""

    def __init__(
        self,
        panel: Panel,
        truth: TruthLog,
        now_ns: Callable[[], int],
        tape: Tape,
        recorded: Connection,
        seen: Iterable[Signal],
    ) -> None:
        super().__init__(panel, truth, now_ns)
        self._witness = _Witness(panel, truth, now_ns)
        self._tape = tape
        self._recorded = recorded
        self._rows = rows_of([one for one in seen if isinstance(one, Seen)], recorded)
        self._due: list[tuple[int, Shown]] = []
        self._points: dict[int, Point] = {}
        self._outages = Outages(panel, truth, now_ns)
        self._forgotten_ns = 0

    def take(self, line: dict[str, Any], shift_ns: int) -> None:
        """A line of the recording whose time has come."""
        if line["k"] == "opcua":
            received_ns = line["t"] + shift_ns
            since_ns = self._tape.again_ns
            self._due += [(row, moved(b64decode(text), shift_ns, received_ns, since_ns)) for row, text in line["items"]]
        elif line["k"] == "link":
            self._link(line["event"])

    def heal(self) -> None:
        """Everything can be read from now on."""
        self._outages.end_all()

    def _link(self, event: str) -> None:
        self._outages.link(event)
        if event in {"timeout", "closed"} and not self._outages.shut and self._server is not None:
            self._forgotten_ns = self._now_ns() + _PATIENCE_NS
            self._outages.begin("forgotten")
            if event == "timeout":
                self.deafen()
                return
            for transport in tuple(self._server.iserver.asyncio_transports):
                transport.abort()

    async def update(self, steps: int, time_ns: int) -> None:
        """Follow the recording and the panel."""
        del steps, time_ns
        now_ns = self._now_ns()
        if self._server is not None and self._server.iserver.asyncio_transports:
            self._tape.begin(now_ns)
        self._tape.advance(now_ns)
        if self._forgotten_ns and now_ns > self._forgotten_ns:
            self._forgotten_ns = 0
            self._outages.end("forgotten")
        await self.follow()
        due, self._due = self._due, []
        for row, shown in due:
            self._show(row, *shown)

    def _show(self, row: int, found: tuple[Any, int], time_ns: int, data: bytes) -> None:
        """Change a node, unless it says the same already."""
        point = self._points.get(row)
        if point is None or (point.found, point.time_ns) == (found, time_ns):
            return
        seen = [one for one in self._rows.get(row, ()) if one.judged]
        if point.found == found and seen and not any(one.timed for one in seen):
            return
        for one in seen:
            self._truth.write("change", id=one.id, value=found[0], time=time_ns, status=found[1])
        point.put(found, time_ns, data)

    async def _build(self, server: Server) -> None:
        names = self._recorded.namespaces
        if len(names) > 1:
            await server.set_application_uri(names[1])
        for uri in names[2:]:
            await server.register_namespace(uri)
        tree = _Tree(server, names, await server.register_namespace(OWN_NAMESPACE))
        self._witness.points.clear()
        for row, (text, path) in self._recorded.nodes.items():
            node = ua.NodeId.from_string(text)
            datatype = self._recorded.types.get(row, ua.VariantType.Double.value)
            await tree.add(node, path, datatype & _SCALAR)
            before = self._points.get(row)
            shown = (before.found, before.time_ns, before.data) if before else self._waiting(row)
            judged = [one.id for one in self._rows.get(row, ()) if one.judged]
            point = Point(judged[0] if judged else _NOBODY, *shown, numeric=datatype in NUMBERS)
            self._points[row] = self._witness.points[node] = point
            server.iserver.aspace.set_attribute_value_callback(node, ua.AttributeIds.Value, self._witness.value)

    def _waiting(self, row: int) -> Shown:
        """What a node says first: older than its first value, which may be of long before the recording."""
        now_ns = self._now_ns()
        first_ns = self._recorded.first_ns.get(row, now_ns) + self._tape.shift_ns(now_ns)
        return waiting(min(now_ns, first_ns - _BEFORE_NS))


class _Tree:
    """The recorded nodes below Objects, each behind its browse path where that is known."""

    def __init__(self, server: Server, namespaces: list[str], own: int) -> None:
        self._server = server
        self._namespaces = namespaces
        self._numbers = {uri: number for number, uri in enumerate(namespaces)}
        self._own = own
        self._folders: dict[tuple[Step, ...], Any] = {}

    async def add(self, node: ua.NodeId, path: str, datatype: int) -> None:
        """A variable, unless the standard has it; `datatype` is the number of a built-in type."""
        if self._server.iserver.aspace.get(node) is not None:
            return
        way = steps(path, self._namespaces) if path else ()
        parent = await self._folder(way[1:-1])
        name = self._name(way[-1]) if way else ua.QualifiedName(str(node.Identifier), node.NamespaceIndex)
        empty = ua.Variant(None, ua.VariantType.Null)
        await parent.add_variable(node, name, empty, datatype=ua.NodeId(datatype))

    async def _folder(self, way: tuple[Step, ...]) -> Any:
        """The folder at the end of a way below Objects."""
        if not way:
            return self._server.nodes.objects
        if way not in self._folders:
            above = await self._folder(way[:-1])
            node = ua.NodeId("/".join(name for _, name in way), self._own)
            self._folders[way] = await above.add_object(node, self._name(way[-1]))
        return self._folders[way]

    def _name(self, step: Step) -> ua.QualifiedName:
        uri, name = step
        return ua.QualifiedName(name, self._numbers.get(uri, 0))
