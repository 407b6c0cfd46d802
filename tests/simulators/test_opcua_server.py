"""The OPC UA server: types, source times, and subscriptions that outlive their connection."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from asyncua import Client, ua
from asyncua.ua.ua_binary import struct_from_binary

from simulators.faults.board import Board
from simulators.faults.orders import read_order
from simulators.opcua import OpcUaServer
from simulators.plant import plant_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = [pytest.mark.wire, pytest.mark.slow]
URI = "urn:gyeongsan:cnc-01"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture
def cell(plant: Any) -> Any:
    return plant("--line", "auto_press_machining", "--speed", "10")


@contextlib.asynccontextmanager
async def connected(cell: Any, *, die: bool = False) -> AsyncIterator[Client]:
    """A client; with `die` its connection is reset instead of closed."""
    client = Client(cell.endpoints["cnc"]["url"])
    await client.connect()
    try:
        yield client
    finally:
        if die:
            transport = client.uaclient.protocol.transport
            if transport is not None:
                transport.abort()
            client._renew_channel_task.cancel()
        else:
            with contextlib.suppress(ConnectionError, TimeoutError):
                await client.disconnect()


def nodes_of(cell: Any) -> dict[int, str]:
    return {s["id"]: s["node"] for s in cell.truth()[0]["signals"] if s["device"] == "cnc"}


def ns_of(when: datetime) -> int:
    return (when.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1) * 1000


async def test_types_and_browse_names(cell: Any) -> None:
    async with connected(cell) as client:
        index = await client.get_namespace_index(URI)
        assert index == 2
        spindle = await client.nodes.objects.get_child([f"{index}:Machine", f"{index}:Monitoring", f"{index}:Spindle"])
        names = {(await child.read_browse_name()).Name for child in await spindle.get_children()}
        assert {"ActualSpeed", "ActualLoad"} <= names
        for path, variant in (
            ("Monitoring/Spindle/ActualSpeed", ua.VariantType.Double),
            ("Monitoring/Spindle/VibrationRms", ua.VariantType.Float),
            ("Monitoring/Spindle/IsRotating", ua.VariantType.Boolean),
            ("Production/Statistics/PartsProducedInLifetime", ua.VariantType.UInt32),
            ("Production/ActiveProgram/Name", ua.VariantType.String),
            ("MachineryBuildingBlocks/MachineryItemState/CurrentState/Number", ua.VariantType.Int32),
            ("Equipment/Tools/ActiveTool/Identifier", ua.VariantType.Byte),
        ):
            value = await client.get_node(f"ns={index};s={path}").read_data_value()
            assert value.Value.VariantType is variant
            assert value.StatusCode.value == 0
            assert value.SourceTimestamp is not None
    cell.stop()
    reads = [line for line in cell.truth() if line["k"] == "read"]
    assert len(reads) == 7
    assert all(line["t0"] <= line["t1"] for line in reads)
    assert isinstance(reads[4]["values"][0], str)


async def test_writes_and_calls_are_refused_and_told(cell: Any) -> None:
    async with connected(cell) as client:
        node = client.get_node("ns=2;s=Monitoring/Spindle/ActualSpeed")
        with pytest.raises(ua.UaStatusCodeError):
            await node.write_value(1.0)
        with pytest.raises(ua.UaStatusCodeError):
            await client.nodes.server.call_method("0:GetMonitoredItems", ua.Variant(1, ua.VariantType.UInt32))
    cell.stop()
    assert [line["service"] for line in cell.truth() if line["k"] == "write"] == ["Write", "Call"]


def parameters(publishing_ms: float = 50.0, lifetime: int = 10_000) -> ua.CreateSubscriptionParameters:
    return ua.CreateSubscriptionParameters(
        RequestedPublishingInterval=publishing_ms,
        RequestedLifetimeCount=lifetime,
        RequestedMaxKeepAliveCount=20,
        PublishingEnabled=True,
    )


async def subscribe(
    client: Client, paths: list[str], params: ua.CreateSubscriptionParameters, queue: int = 5000
) -> int:
    """Raw services, so that this test owns every acknowledgement."""
    request = ua.CreateSubscriptionRequest()
    request.Parameters = params
    answer = struct_from_binary(ua.CreateSubscriptionResponse, await client.uaclient.session._send_request(request))
    number = answer.Parameters.SubscriptionId
    items = [
        ua.MonitoredItemCreateRequest(
            ItemToMonitor=ua.ReadValueId(NodeId=ua.NodeId(path, 2), AttributeId=ua.AttributeIds.Value),
            MonitoringMode=ua.MonitoringMode.Reporting,
            RequestedParameters=ua.MonitoringParameters(ClientHandle=handle, SamplingInterval=0.0, QueueSize=queue),
        )
        for handle, path in enumerate(paths)
    ]
    made = await client.uaclient.create_monitored_items(
        ua.CreateMonitoredItemsParameters(
            SubscriptionId=number, TimestampsToReturn=ua.TimestampsToReturn.Both, ItemsToCreate=items
        )
    )
    assert all(result.StatusCode.is_good() for result in made)
    return int(number)


PATHS = [
    "Monitoring/Spindle/ActualSpeed",
    "Monitoring/Spindle/VibrationRms",
    "Monitoring/Channel/1/Axis/X/ActualPosition",
    "Production/Statistics/PartsProducedInLifetime",
    "Production/ActiveProgram/Name",
    "Monitoring/Stacklight/LampAmber/SignalOn",
]
Reading = tuple[Any, int, int]


class Receiver:
    """Notifications by sequence number, and what is to be acknowledged."""

    def __init__(self) -> None:
        self.messages: dict[int, list[tuple[int, Reading]]] = {}

    def take(self, message: ua.NotificationMessage) -> bool:
        """Keep it; False for a keep-alive."""
        items = [item for data in message.NotificationData or () for item in data.MonitoredItems]
        if items:
            assert message.SequenceNumber not in self.messages
            self.messages[message.SequenceNumber] = [
                (item.ClientHandle, (item.Value.Value.Value, ns_of(item.Value.SourceTimestamp), 0)) for item in items
            ]
        return bool(items)

    def series(self) -> dict[str, list[Reading]]:
        assert sorted(self.messages) == list(range(1, len(self.messages) + 1))
        series: dict[str, list[Reading]] = defaultdict(list)
        for number in sorted(self.messages):
            for handle, reading in self.messages[number]:
                series[PATHS[handle]].append(reading)
        return series


def expected(cell: Any) -> dict[str, list[Reading]]:
    """What the truth says a subscriber must have got."""
    nodes, series, watched = nodes_of(cell), defaultdict(list), set()
    for line in cell.truth():
        if line["k"] == "item" and line["event"] == "created":
            watched.add(line["id"])
        elif line["k"] == "item":
            watched.discard(line["id"])
            continue
        elif line["k"] != "change" or line["id"] not in watched:
            continue
        series[nodes[line["id"]]].append((line["value"], line["time"], line["status"]))
    return dict(series)


async def test_a_killed_client_transfers_republishes_and_loses_nothing(cell: Any) -> None:
    receiver = Receiver()
    async with connected(cell, die=True) as client:
        session = client.uaclient.session
        number = await subscribe(client, PATHS, parameters())
        acks: list[ua.SubscriptionAcknowledgement] = []
        for _ in range(6):
            message = (await session.publish(acks)).Parameters.NotificationMessage
            acks = []
            if receiver.take(message) and message.SequenceNumber % 2:
                acks = [ua.SubscriptionAcknowledgement(number, message.SequenceNumber)]
        pending = [asyncio.ensure_future(session.publish([])) for _ in range(3)]  # answered to a dead connection
        await asyncio.sleep(0)  # they leave
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    await asyncio.to_thread(cell.wait, b'"change"', 300)
    async with connected(cell) as client:
        session = client.uaclient.session
        params = ua.TransferSubscriptionsParameters(SubscriptionIds=[number], SendInitialValues=False)
        (result,) = await session.transfer_subscriptions(params)
        assert result.StatusCode.is_good()
        for sequence in result.AvailableSequenceNumbers:
            first = await session.republish(number, sequence)
            again = await session.republish(number, sequence)
            assert first.SequenceNumber == again.SequenceNumber == sequence  # kept until acknowledged
            if sequence not in receiver.messages:
                receiver.take(first)
        with pytest.raises(ua.uaerrors.BadMessageNotAvailable):
            await session.republish(number, 99_999)
        acks = [ua.SubscriptionAcknowledgement(number, n) for n in result.AvailableSequenceNumbers]
        acks.append(ua.SubscriptionAcknowledgement(number, 88_888))
        answer = await session.publish(acks)
        receiver.take(answer.Parameters.NotificationMessage)
        bad = [status.value for status in answer.Parameters.Results]
        assert bad == [0] * (len(acks) - 1) + [ua.StatusCodes.BadSequenceNumberUnknown]
        with pytest.raises(ua.uaerrors.BadMessageNotAvailable):
            await session.republish(number, result.AvailableSequenceNumbers[0])
        cell.freeze()
        while receiver.take((await session.publish([])).Parameters.NotificationMessage):
            pass
        await client.uaclient.delete_subscriptions([number])
    assert cell.stop() == 0
    series, truth = receiver.series(), expected(cell)
    assert sum(len(readings) for readings in truth.values()) > 100
    assert series == truth
    for readings in truth.values():
        assert all(a[1] < b[1] for a, b in itertools.pairwise(readings))
    events = [line["event"] for line in cell.truth() if line["k"] == "item"]
    assert events == ["created"] * len(PATHS) + ["deleted"] * len(PATHS)


async def test_a_subscription_ends_with_its_lifetime(cell: Any) -> None:
    async with connected(cell, die=True) as client:
        number = await subscribe(client, PATHS[:1], parameters(lifetime=5))
    await asyncio.to_thread(cell.wait, b'"deleted"')
    async with connected(cell) as client:
        params = ua.TransferSubscriptionsParameters(SubscriptionIds=[number], SendInitialValues=False)
        (result,) = await client.uaclient.session.transfer_subscriptions(params)
    assert result.StatusCode.value == ua.StatusCodes.BadSubscriptionIdInvalid


async def test_comm_loss_keeps_the_subscription(cell: Any) -> None:
    receiver = Receiver()
    async with connected(cell, die=True) as client:
        number = await subscribe(client, PATHS, parameters())
        cell.tell(fault="comm_loss", device="cnc", for_s=5)
        with pytest.raises((ConnectionError, asyncio.CancelledError, ua.UaError)):
            while True:
                receiver.take((await client.uaclient.session.publish([])).Parameters.NotificationMessage)
    await asyncio.to_thread(cell.wait, b'"ended"')
    async with connected(cell) as client:
        session = client.uaclient.session
        params = ua.TransferSubscriptionsParameters(SubscriptionIds=[number], SendInitialValues=False)
        (result,) = await session.transfer_subscriptions(params)
        for sequence in result.AvailableSequenceNumbers:
            if sequence not in receiver.messages:
                receiver.take(await session.republish(number, sequence))
        cell.freeze()
        while receiver.take((await session.publish([])).Parameters.NotificationMessage):
            pass
    assert cell.stop() == 0
    assert receiver.series() == expected(cell)


async def test_a_full_queue_says_so(cell: Any) -> None:
    async with connected(cell) as client:
        number = await subscribe(client, PATHS[1:2], parameters(), queue=4)
        await asyncio.to_thread(cell.wait, b'"overflow"')
        cell.freeze()
        message = (await client.uaclient.session.publish([])).Parameters.NotificationMessage
        await client.uaclient.delete_subscriptions([number])
    cell.stop()
    items = message.NotificationData[0].MonitoredItems
    assert [item.Value.StatusCode.value if item.Value.StatusCode else 0 for item in items] == [0x480, 0, 0, 0]
    last = [line for line in cell.truth() if line["k"] == "overflow"][-1]
    assert last["marked"] == ns_of(items[0].Value.SourceTimestamp)
    assert last["lost"] < last["marked"]


class NoTruth:
    """Takes what a simulator says of itself."""

    def write(self, kind: str, **fields: Any) -> None: ...


async def test_a_restart_renumbers_namespaces_and_a_changed_certificate_is_another() -> None:
    signals = {"n": {"node": "N", "datatype": "Int32", "of": "n"}}
    device = {"type": "opcua", "namespace": "urn:mine", "secured": True, "signals": signals}
    plant = plant_of([{"line": "a", "variables": {"n": {"value": 7}}, "devices": {"mc": device}}])
    server = OpcUaServer(plant.panels["mc"], NoTruth(), time.time_ns)  # type: ignore[arg-type]
    board = Board(plant)
    seen = []
    await server.start()
    try:
        for order in ({}, {"fault": "restart"}, {"fault": "certificate_change"}):
            if order:
                board.add(read_order({**order, "device": "mc", "for_s": 0.05}, plant), plant.steps)
            for _ in range(3):
                board.turn(plant.steps + 1)
                plant.step()
                await server.follow()
            async with Client(server.endpoint()["url"]) as client:
                index = await client.get_namespace_index("urn:mine")
                assert await client.get_node(f"ns={index};s=N").read_value() == 7
                (policy,) = {e.ServerCertificate for e in await client.get_endpoints()}
                seen.append((index, policy))
    finally:
        await server.end()
    (first, one), (second, same), (third, other) = seen
    assert (first, second, third) == (2, 3, 3)
    assert one == same != other
