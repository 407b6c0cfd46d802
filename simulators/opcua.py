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

from simulators.device import Signal
from simulators.following import Follower
from simulators.identity import Identity, identity
from simulators.panel import Panel
from simulators.points import Point, encoded
from simulators.space import Machine
from simulators.subscriptions import WitnessServer
from simulators.truth import TruthLog
from simulators.witness import Witness

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


def _swallow(data: bytes) -> None:
    """What is written to a connection that is forgotten."""
    del data


class _Deaf(asyncio.Protocol):
    """Takes the place of a connection's protocol: hears nothing but its end."""

    def __init__(self, before: asyncio.BaseProtocol) -> None:
        self._before = before

    def connection_lost(self, exc: Exception | None) -> None:
        """The server is told."""
        self._before.connection_lost(exc)  # type: ignore[attr-defined]


class OpcUaServer(Follower):
    """One OPC UA server on 127.0.0.1 with anonymous access and no security policy."""

    def __init__(self, panel: Panel, truth: TruthLog, now_ns: Callable[[], int]) -> None:
        super().__init__(panel)
        self._device = panel.device
        self._truth = truth
        self._now_ns = now_ns
        self._witness = Witness(panel, truth, now_ns)
        self._server: Server | None = None
        self._rhythms: dict[int, list[tuple[Signal, Point]]] = {}
        self._silent = False
        self._certified = 0
        self._identity: Identity | None = None

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
        for left in reversed(range(1 if port or self.port else _ATTEMPTS)):
            try:
                await self._listen(port or self.port or _free_port())
            except OSError as error:  # taken between the look and asyncua's bind
                if error.errno != errno.EADDRINUSE or not left:
                    raise
            else:
                return

    async def _listen(self, port: int) -> None:
        self.port = port
        server = Server(iserver=WitnessServer(self._witness))
        await server.init()
        server.set_endpoint(f"opc.tcp://{HOST}:{self.port}")
        server.set_server_name(f"{self._device.name} simulator")
        await self._secure(server)
        await self._build(server)
        await server.start()
        self._server = server

    async def _secure(self, server: Server) -> None:
        """No message security; beside it Basic256Sha256 where the device has a certificate."""
        policies = [ua.SecurityPolicyType.NoSecurity]
        if self._device.secured:
            if self._certified != self.panel.certificate:
                self._certified = self.panel.certificate
                self._identity = await asyncio.to_thread(identity, self.name, server._application_uri, HOST)  # noqa: SLF001
            assert self._identity is not None
            await server.load_certificate(self._identity.certificate, "DER")
            await server.load_private_key(self._identity.key, format="DER")
            policies += [ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt]
        server.set_security_policy(policies)

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
        await self._close()

    async def forget(self) -> None:
        """The server itself ends, and with it sessions and subscriptions; the truth tells what these held back."""
        if self._server is not None:
            lost: dict[int, set[int]] = {}
            for one in self._server.iserver.subscription_service.subscriptions.values():
                lost |= one.unconfirmed()  # an older one may be of a client that is gone
            for number, times in lost.items():
                if times:
                    self._truth.write("forgot", id=number, times=sorted(times))
        await self._close()

    async def _close(self) -> None:
        if self._server is not None:
            service = self._server.iserver.subscription_service
            await service.delete_subscriptions(list(service.subscriptions))
            await self._server.stop()
            self._server = None

    def deafen(self) -> None:
        """Forget the connections that are open without telling their clients."""
        for transport in self._server.iserver.asyncio_transports if self._server else ():
            if not isinstance(transport.get_protocol(), _Deaf):
                transport.set_protocol(_Deaf(transport.get_protocol()))
                transport.write = _swallow

    def hang_up(self) -> None:
        """Reset the connections that were forgotten."""
        for transport in tuple(self._server.iserver.asyncio_transports) if self._server else ():
            if isinstance(transport.get_protocol(), _Deaf):
                transport.abort()

    async def follow(self) -> None:
        """Deaf while the panel is silent; what was open then has lost its thread and is reset after it."""
        await super().follow()
        if self._server is None:
            return
        if self.panel.silent:
            self._silent = True
            self.deafen()
        elif self._silent:
            self._silent = False
            self.hang_up()

    async def update(self, steps: int, time_ns: int) -> None:
        """Write every value that is due at this step and differs; `time_ns` is its source time."""
        await self.follow()
        if self._server is None:
            return
        shown_ns = time_ns + self.panel.skew_ns
        shown, status, write = self.panel.shown, self.panel.status, self._truth.write
        for every, points in self._rhythms.items():
            if steps % every:
                continue
            for signal, point in points:
                found = shown(signal), status(signal)
                if found != point.found:
                    write("change", id=signal.id, value=found[0], time=shown_ns, status=found[1])
                    point.put(found, shown_ns, encoded(found[0], signal.datatype, found[1], shown_ns))

    async def _build(self, server: Server) -> None:
        for number in range(self.panel.renumbered):
            await server.register_namespace(f"{self._device.namespace}:{number + 1}")
        index = await server.register_namespace(self._device.namespace)
        time_ns = self._now_ns() // 1000 * 1000 + self.panel.skew_ns
        self._witness.points.clear()
        self._rhythms.clear()
        machine = Machine(server, self._device.name, index, self._witness.value)
        for signal in self._device.signals:
            found = self.panel.shown(signal), self.panel.status(signal)
            data = encoded(found[0], signal.datatype, found[1], time_ns)
            point = Point(signal.id, found, time_ns, data, numeric=signal.datatype not in {"Boolean", "String"})
            self._witness.points[await machine.add(signal, found[0])] = point
            self._rhythms.setdefault(signal.every_steps, []).append((signal, point))
