"""The simulated OPC UA server: changes of subscribed variables, from new values to the bytes of a PublishResponse."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from asyncua import Server, ua
from asyncua.server.internal_server import InternalServer
from asyncua.ua.ua_binary import struct_to_binary

from benchmarks.timing import Stage
from simulators.panel import Panel
from simulators.plant import plant_of
from simulators.points import Point, encoded
from simulators.space import Machine
from simulators.subscriptions import WitnessServer
from simulators.truth import TruthLog
from simulators.witness import Witness

N = 1000


class Told:
    """A subscriber that takes every message at once."""

    def __init__(self) -> None:
        self.bytes = 0
        self.subscription: Any = None

    async def watch(self, inner: InternalServer, nodes: list[ua.NodeId]) -> None:
        """Subscribe to the values of nodes."""
        long = ua.CreateSubscriptionParameters(1e7, 10_000, 100, 0, PublishingEnabled=True)
        made = await inner.isession.create_subscription(
            long, self.take, request_callback=lambda _: SimpleNamespace(results=[])
        )
        items = [
            ua.MonitoredItemCreateRequest(
                ua.ReadValueId(node, ua.AttributeIds.Value),
                ua.MonitoringMode.Reporting,
                ua.MonitoringParameters(ClientHandle=number, QueueSize=10),
            )
            for number, node in enumerate(nodes)
        ]
        await inner.isession.create_monitored_items(
            ua.CreateMonitoredItemsParameters(made.SubscriptionId, ItemsToCreate=items)
        )
        self.subscription = inner.subscription_service.subscriptions[made.SubscriptionId]
        self.subscription._task.cancel()  # publishes when it is told

    async def take(self, result: ua.PublishResult, _: Any) -> None:
        """Encode the answer and acknowledge it."""
        response = ua.PublishResponse()
        response.Parameters = result
        self.bytes += len(struct_to_binary(response))
        self.subscription.publish([result.NotificationMessage.SequenceNumber])


async def _ours() -> Callable[[float], Any]:
    truth = TruthLog(Path(os.devnull))
    witness = Witness(_panel(), truth, time.time_ns)
    inner, told = WitnessServer(witness), Told()
    server = Server(iserver=inner)
    await server.init()
    machine = Machine(server, "mc", await server.register_namespace("urn:mc"), witness.value)
    points = []
    for signal in witness.panel.device.signals:
        points.append(Point(signal.id, (0.0, 0), 0, encoded(0.0, "Double", 0, 0)))
        witness.points[await machine.add(signal, 0.0)] = points[-1]
    await told.watch(inner, list(witness.points))

    async def change(value: float) -> None:
        time_ns = time.time_ns()
        for point in points:
            truth.write("change", id=point.number, value=value, time=time_ns, status=0)
            point.put((value, 0), time_ns, encoded(value, "Double", 0, time_ns))
        await told.subscription.publish_results()

    return change


async def _theirs() -> Callable[[float], Any]:
    server, told = Server(), Told()
    await server.init()
    index = await server.register_namespace("urn:mc")
    nodes = [(await server.nodes.objects.add_variable(index, f"V{number}", 0.0)).nodeid for number in range(N)]
    await told.watch(server.iserver, nodes)
    space = server.iserver.aspace

    async def change(value: float) -> None:
        when = datetime.now(UTC)
        for node in nodes:
            shown = ua.DataValue(ua.Variant(value, ua.VariantType.Double), SourceTimestamp=when, ServerTimestamp=when)
            await space.write_attribute_value(node, ua.AttributeIds.Value, shown)
        await told.subscription.publish_results()

    return change


def _panel() -> Panel:
    signals = {f"V{number}": {"node": f"Hall/V{number}", "datatype": "Double", "of": "v"} for number in range(N)}
    device = {"type": "opcua", "namespace": "urn:mc", "signals": signals}
    plant = plant_of([{"line": "a", "variables": {"v": {"value": 0}}, "devices": {"mc": device}}])
    return plant.panels["mc"]


def stages() -> list[Stage]:
    """The one stage; truth is written too."""
    logging.getLogger("asyncua").setLevel(logging.ERROR)
    loop = asyncio.new_event_loop()
    ours, theirs = loop.run_until_complete(_ours()), loop.run_until_complete(_theirs())
    count = [0.0]

    def run(change: Callable[[float], Any]) -> object:
        count[0] += 1.0
        return loop.run_until_complete(change(count[0]))

    what = "new values to a PublishResponse of the simulated server, truth included"
    return [Stage("opcua_server", what, "asyncua's own server", (N, N), lambda: run(ours), lambda: run(theirs))]
