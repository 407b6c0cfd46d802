# mypy: disable-error-code="attr-defined, arg-type, union-attr, unused-ignore"
# (asyncua re-exports by star import and declares its integers as classes that nobody makes instances of)
"""An OPC UA device: variables with the browse names of the companion specifications, changing at their own periods."""

from __future__ import annotations

import asyncio
import errno
import secrets
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from asyncua import Server, ua

from simulators.plant import Device, Signal
from simulators.signals.physics import Values
from simulators.subscriptions import Witness, WitnessServer, datetime_of
from simulators.truth import TruthLog

HOST: Final = "127.0.0.1"
_EPHEMERAL: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
_PORTS: Final = range(20_000, 32_000)
_ENOUGH: Final = 1_000
_ATTEMPTS: Final = 5


def _ports() -> range:
    """Ports that the kernel gives to no outgoing connection."""
    try:
        first, last = (int(word) for word in _EPHEMERAL.read_text().split())
    except (OSError, ValueError):
        return _PORTS
    below, above = range(_PORTS.start, first), range(last + 1, 65_536)
    return next((one for one in (below, above) if len(one) >= _ENOUGH), _PORTS)


def _free_port() -> int:
    """A port that is free now: the endpoint's URL must carry it before asyncua listens."""
    ports = _ports()
    for _ in range(_ENOUGH):
        port = secrets.choice(ports)
        with socket.socket() as probe, suppress(OSError):
            probe.bind((HOST, port))
            return port
    raise OSError(errno.EADDRINUSE, f"no free port between {ports.start} and {ports.stop}")


def _data_value(value: Any, datatype: str, time_ns: int) -> ua.DataValue:
    when = datetime_of(time_ns)
    return ua.DataValue(
        ua.Variant(value, ua.VariantType[datatype]),
        ua.StatusCode(ua.StatusCodes.Good),
        SourceTimestamp=when,
        ServerTimestamp=when,
    )


class OpcUaServer:
    """One OPC UA server on 127.0.0.1 with anonymous access and no security policy.

    Attributes:
        port: the TCP port, known after `start`.
    """

    can_be_silent = False
    silent = False

    def __init__(self, device: Device, values: Values, truth: TruthLog, now_ns: Callable[[], int]) -> None:
        self._device = device
        self._values = values
        self._truth = truth
        self._now_ns = now_ns
        self._witness = Witness(device.name, truth, now_ns)
        self._server: Server | None = None
        self._nodes: dict[int, ua.NodeId] = {}
        self._last: dict[int, Any] = {}
        self.port = 0

    def endpoint(self) -> dict[str, Any]:
        """Where it listens."""
        return {"host": HOST, "port": self.port, "url": f"opc.tcp://{HOST}:{self.port}"}

    async def start(self, port: int = 0) -> None:
        """Listen; the first start builds the address space, a later one reopens the same port."""
        if self._server is not None:
            listener = self._server.bserver
            loop = asyncio.get_running_loop()
            listener._server = await loop.create_server(  # noqa: SLF001 — asyncua cannot reopen its own port
                listener._make_protocol,  # noqa: SLF001
                HOST,
                self.port,
            )
            return
        for left in reversed(range(1 if port else _ATTEMPTS)):
            try:
                await self._open(port or _free_port())
            except OSError as error:  # taken between the look and asyncua's bind
                if error.errno != errno.EADDRINUSE or not left:
                    raise
            else:
                return

    async def _open(self, port: int) -> None:
        self.port = port
        server = Server(iserver=WitnessServer(self._witness))
        await server.init()
        server.set_endpoint(f"opc.tcp://{HOST}:{self.port}")
        server.set_server_name(f"{self._device.name} simulator")
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        await self._build(server)
        await server.start()
        self._server = server

    async def stop(self) -> None:
        """Close the port and reset every connection; subscriptions and their queues live on."""
        if self._server is None or self._server.bserver is None:
            return
        listener = self._server.bserver
        listener._server.close()  # noqa: SLF001
        for transport in tuple(self._server.iserver.asyncio_transports):
            transport.abort()

    async def end(self) -> None:
        """Close for good: subscriptions are deleted."""
        await self.stop()
        if self._server is not None:
            service = self._server.iserver.subscription_service
            await service.delete_subscriptions(list(service.subscriptions))
            await self._server.stop()

    async def update(self, steps: int, time_ns: int) -> None:
        """Write every value that is due at this step and differs; `time_ns` is its source time."""
        assert self._server is not None
        space = self._server.iserver.aspace
        for signal in self._device.signals:
            if steps % signal.every_steps:
                continue
            value = signal.shown(self._values)
            if value == self._last[signal.id]:
                continue
            self._last[signal.id] = value
            self._truth.write("change", id=signal.id, value=value, time=time_ns, status=0)
            await space.write_attribute_value(
                self._nodes[signal.id], ua.AttributeIds.Value, _data_value(value, signal.datatype, time_ns)
            )

    async def _build(self, server: Server) -> None:
        index = await server.register_namespace(self._device.namespace)
        time_ns = self._now_ns() // 1000 * 1000
        machine = await server.nodes.objects.add_object(ua.NodeId(self._device.name, index), f"{index}:Machine")
        folders: dict[str, Any] = {"": machine}
        for signal in self._device.signals:
            folder = await self._folder(folders, signal.node.rpartition("/")[0], index)
            node = await self._variable(folder, signal, index)
            self._nodes[signal.id] = node.nodeid
            self._witness.ids[node.nodeid] = signal.id
            value = self._last[signal.id] = signal.shown(self._values)
            await server.iserver.aspace.write_attribute_value(
                node.nodeid, ua.AttributeIds.Value, _data_value(value, signal.datatype, time_ns)
            )

    async def _folder(self, folders: dict[str, Any], path: str, index: int) -> Any:
        if path not in folders:
            above, _, name = path.rpartition("/")
            parent = await self._folder(folders, above, index)
            folders[path] = await parent.add_object(ua.NodeId(path, index), f"{index}:{name}")
        return folders[path]

    async def _variable(self, folder: Any, signal: Signal, index: int) -> Any:
        name = signal.node.rpartition("/")[2]
        value = signal.shown(self._values)
        node_id = ua.NodeId(signal.node, index)
        return await folder.add_variable(node_id, f"{index}:{name}", value, ua.VariantType[signal.datatype])
