"""Services of the OPC UA server that feed subscriptions, step by step, seen by asyncua's client."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from asyncua import Client, ua
from asyncua.server.internal_session import SessionState
from asyncua.ua.ua_binary import struct_from_binary

from simulators.opcua import OpcUaServer
from simulators.plant import plant_of
from tests.pipelines.waiting import until

pytestmark = [pytest.mark.wire]
SIGNALS = 10
NAMES = [f"Hall/Unit{number // 4}/V{number}" for number in range(SIGNALS)]
TEXT, FLAG = "Text", "Flag"


class Log:
    """Keeps what a truth log would."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def write(self, kind: str, **fields: Any) -> None:
        self.lines.append({"k": kind, **fields})


class Cell:
    """A server that steps when it is told, and a client with one subscription."""

    def __init__(self) -> None:
        types = ("Double", "UInt32")
        variables = {f"v{number}": {"model": "counter", "add": 1} for number in range(SIGNALS)}
        signals = {
            f"v{number}": {"node": node, "datatype": types[number % 2], "every_s": 0.05}
            for number, node in enumerate(NAMES)
        }
        signals |= {
            "text": {"node": TEXT, "datatype": "String", "every_s": 0.05, "of": "v0"},
            "flag": {"node": FLAG, "datatype": "Boolean", "every_s": 0.05, "of": "v0"},
        }
        device = {"type": "opcua", "namespace": "urn:hall", "signals": signals}
        self.plant = plant_of([{"line": "a", "variables": variables, "devices": {"mc": device}}])
        self.log = Log()
        self.server = OpcUaServer(self.plant.panels["mc"], self.log, time.time_ns)  # type: ignore[arg-type]
        self.client: Client
        self.number = 0
        self.revised: Any = None

    async def step(self, steps: int = 1) -> None:
        for _ in range(steps):
            self.plant.step()
            await self.server.update(self.plant.steps, time.time_ns() // 1000 * 1000)

    async def subscribe(self, most: int = 0, lifetime: int = 10_000, keep_alive: int = 3) -> None:
        request = ua.CreateSubscriptionRequest()
        request.Parameters = ua.CreateSubscriptionParameters(
            RequestedPublishingInterval=10,
            RequestedLifetimeCount=lifetime,
            RequestedMaxKeepAliveCount=keep_alive,
            MaxNotificationsPerPublish=most,
            PublishingEnabled=True,
        )
        raw = await self.client.uaclient.session._send_request(request)
        self.revised = struct_from_binary(ua.CreateSubscriptionResponse, raw).Parameters
        self.number = self.revised.SubscriptionId

    async def watch(self, *nodes: str | ua.NodeId, **wanted: Any) -> list[Any]:
        """Monitored items, client handles from 0; the results."""
        mode = wanted.pop("mode", ua.MonitoringMode.Reporting)
        span = wanted.pop("index_range", None)
        items = [
            ua.MonitoredItemCreateRequest(
                ItemToMonitor=ua.ReadValueId(
                    NodeId=ua.NodeId(node, 2) if isinstance(node, str) else node,
                    AttributeId=ua.AttributeIds.Value,
                    IndexRange=span,
                ),
                MonitoringMode=mode,
                RequestedParameters=ua.MonitoringParameters(ClientHandle=handle, **{"QueueSize": 10} | wanted),
            )
            for handle, node in enumerate(nodes)
        ]
        return list(
            await self.client.uaclient.create_monitored_items(
                ua.CreateMonitoredItemsParameters(SubscriptionId=self.number, ItemsToCreate=items)
            )
        )

    async def mode(self, mode: ua.MonitoringMode, item: int) -> None:
        session = self.client.uaclient.session
        (status,) = await session.set_monitoring_mode(ua.SetMonitoringModeParameters(self.number, mode, [item]))
        assert status.is_good()

    async def next(self, *acknowledged: int) -> tuple[ua.PublishResult, list[tuple[int, Any]]]:
        """What the next Publish brings: its result, and (client handle, value) of each notification."""
        acks = [ua.SubscriptionAcknowledgement(self.number, number) for number in acknowledged]
        result = (await self.client.uaclient.session.publish(acks)).Parameters
        items = [item for data in result.NotificationMessage.NotificationData or () for item in data.MonitoredItems]
        return result, [(item.ClientHandle, item.Value.Value.Value) for item in items]


@pytest.fixture
async def cell() -> AsyncIterator[Cell]:
    made = Cell()
    await made.server.start()
    try:
        async with Client(made.server.endpoint()["url"]) as made.client:
            yield made
    finally:
        await made.server.end()


async def test_a_message_carries_as_many_notifications_as_the_client_takes(cell: Cell) -> None:
    await cell.subscribe(most=8)
    await cell.watch(*NAMES)
    await cell.step(2)
    seen, sizes, more, last = [], [], [], 0
    while len(seen) < 3 * SIGNALS:
        result, items = await cell.next(*[last] * bool(last))
        last = result.NotificationMessage.SequenceNumber
        assert result.AvailableSequenceNumbers == [last]
        seen += items
        sizes.append(len(items))
        more.append(result.MoreNotifications)
    assert sizes == [8, 8, 8, 6]
    assert more == [True, True, True, False]
    assert sorted(seen) == [(number, count) for number in range(SIGNALS) for count in (1, 2, 3)]
    result, items = await cell.next()
    assert (items, result.NotificationMessage.NotificationData) == ([], [])  # a keep-alive
    assert result.NotificationMessage.SequenceNumber == last + 1  # of the message that will follow


async def test_filters_modes_and_queues_of_single_items(cell: Cell) -> None:
    await cell.subscribe()
    deadband = ua.DataChangeFilter(ua.DataChangeTrigger.StatusValue, ua.DeadbandType.Absolute, 2)
    percent = ua.DataChangeFilter(ua.DataChangeTrigger.StatusValue, ua.DeadbandType.Percent, 2)
    assert [one.StatusCode.name for one in await cell.watch(NAMES[0], Filter=percent)] == [
        "BadMonitoredItemFilterUnsupported"
    ]
    (wide,) = await cell.watch(NAMES[0], Filter=deadband)
    (off,) = await cell.watch(NAMES[1], mode=ua.MonitoringMode.Disabled)
    (gone,) = await cell.watch(NAMES[2])
    assert {one.StatusCode.value for one in (wide, off, gone)} == {0}
    await cell.step(4)  # every variable goes from 1 to 5
    assert await cell.client.uaclient.delete_monitored_items(
        ua.DeleteMonitoredItemsParameters(cell.number, [gone.MonitoredItemId, 4711])
    ) == [ua.StatusCode(0), ua.StatusCode(ua.StatusCodes.BadMonitoredItemIdInvalid)]
    assert (await cell.next())[1] == [(0, 1), (0, 4)]
    for mode in (ua.MonitoringMode.Disabled, ua.MonitoringMode.Reporting):
        await cell.mode(mode, wide.MonitoredItemId)
    assert (await cell.next())[1] == [(0, 5)]  # inside the deadband, but nothing was told since it is enabled
    modify = ua.MonitoredItemModifyRequest(
        wide.MonitoredItemId, ua.MonitoringParameters(ClientHandle=70, QueueSize=2, Filter=None)
    )
    (modified,) = await cell.client.uaclient.session.modify_monitored_items(
        ua.ModifyMonitoredItemsParameters(SubscriptionId=cell.number, ItemsToModify=[modify])
    )
    assert (modified.StatusCode.value, modified.RevisedQueueSize) == (0, 2)
    await cell.mode(ua.MonitoringMode.Reporting, off.MonitoredItemId)
    await cell.step(4)
    assert (await cell.next())[1] == [(0, count) for count in range(5, 10)] + [(70, 8), (70, 9)]
    (overflow,) = [line for line in cell.log.lines if line["k"] == "overflow"][-1:]
    changes = [line for line in cell.log.lines if line["k"] == "change" and line["id"] == 0]
    assert [overflow["lost"], overflow["marked"]] == [line["time"] for line in changes[-3:-1]]
    events = [(line["event"], line["id"]) for line in cell.log.lines if line["k"] == "item"]
    assert events == [("created", 0), ("created", 1), ("created", 2), ("deleted", 2)]


async def test_a_filter_or_range_that_does_not_fit_the_node_is_refused(cell: Cell) -> None:
    await cell.subscribe()
    deadband = ua.DataChangeFilter(ua.DataChangeTrigger.StatusValue, ua.DeadbandType.Absolute, 1)
    plain = ua.DataChangeFilter(ua.DataChangeTrigger.StatusValue, ua.DeadbandType.None_, 0)
    answers = [one.StatusCode.name for one in await cell.watch(TEXT, FLAG, NAMES[0], Filter=deadband)]
    assert answers == ["BadFilterNotAllowed", "BadFilterNotAllowed", "Good"]
    text, flag = await cell.watch(TEXT, FLAG, Filter=plain)
    modify = ua.MonitoredItemModifyRequest(
        text.MonitoredItemId, ua.MonitoringParameters(ClientHandle=0, QueueSize=2, Filter=deadband)
    )
    (modified,) = await cell.client.uaclient.session.modify_monitored_items(
        ua.ModifyMonitoredItemsParameters(SubscriptionId=cell.number, ItemsToModify=[modify])
    )
    assert modified.StatusCode.name == "BadFilterNotAllowed"
    assert flag.StatusCode.is_good()
    await cell.step(3)
    assert [value for handle, value in (await cell.next())[1] if not handle][-3:] == ["2", "3", "4"]
    (ranged,) = await cell.watch(NAMES[0], index_range="0:1")
    assert ranged.StatusCode.name == "BadIndexRangeNoData"


async def test_an_item_that_only_samples_keeps_its_queue_and_one_that_is_disabled_has_none(cell: Cell) -> None:
    await cell.subscribe()
    (quiet,) = await cell.watch(NAMES[0], mode=ua.MonitoringMode.Sampling)
    (loud,) = await cell.watch(NAMES[2])
    assert (await cell.next())[1] == [(0, 1)]
    await cell.step()
    assert (await cell.next())[1] == [(0, 2)]  # of the second item alone
    await cell.mode(ua.MonitoringMode.Disabled, loud.MonitoredItemId)
    await cell.mode(ua.MonitoringMode.Reporting, quiet.MonitoredItemId)
    assert (await cell.next())[1] == [(0, 1), (0, 2)]
    await cell.mode(ua.MonitoringMode.Sampling, quiet.MonitoredItemId)
    await cell.step()
    await cell.mode(ua.MonitoringMode.Disabled, quiet.MonitoredItemId)
    await cell.mode(ua.MonitoringMode.Reporting, quiet.MonitoredItemId)
    assert (await cell.next())[1] == [(0, 3)]  # the value that is told when it is enabled; what waited is gone


async def test_what_waits_for_an_item_is_dropped_when_it_is_disabled(cell: Cell) -> None:
    await cell.subscribe()
    (item,) = await cell.watch(NAMES[0])
    assert (await cell.next())[1] == [(0, 1)]
    await cell.step(2)
    await cell.mode(ua.MonitoringMode.Disabled, item.MonitoredItemId)
    result, items = await cell.next()
    assert (items, result.MoreNotifications) == ([], False)  # a keep-alive


async def test_a_subscription_is_modified_and_outlives_three_keep_alives(cell: Cell) -> None:
    await cell.subscribe(lifetime=1, keep_alive=50)
    assert (cell.revised.RevisedLifetimeCount, cell.revised.RevisedMaxKeepAliveCount) == (150, 50)
    await cell.watch(*NAMES)
    request = ua.ModifySubscriptionRequest()
    request.Parameters = ua.ModifySubscriptionParameters(
        SubscriptionId=cell.number, RequestedPublishingInterval=10, MaxNotificationsPerPublish=4
    )
    await cell.client.uaclient.session._send_request(request)
    assert [len((await cell.next())[1]) for _ in range(3)] == [4, 4, 2]


async def transferred(cell: Cell, client: Client, *, tell: bool) -> Any:
    """The subscription with that client from now on; the result."""
    wanted = ua.TransferSubscriptionsParameters(SubscriptionIds=[cell.number], SendInitialValues=tell)
    (result,) = await client.uaclient.session.transfer_subscriptions(wanted)
    cell.client = client
    return result


async def both(cell: Cell) -> set[tuple[int, Any]]:
    """Two notifications, of one message or of two."""
    items = (await cell.next())[1]
    while len(items) < 2:
        items += (await cell.next())[1]
    return set(items)


async def test_a_transfer_tells_every_value_where_the_client_asks(cell: Cell) -> None:
    await cell.subscribe()
    level = ua.NodeId(ua.ObjectIds.Server_ServiceLevel)  # asyncua's own, the other one is of the plant
    await cell.watch(NAMES[0], level)
    told = await cell.client.get_node(level).read_value()
    assert await both(cell) == {(0, 1), (1, told)}
    async with Client(cell.server.endpoint()["url"]) as other:
        assert (await transferred(cell, other, tell=True)).StatusCode.is_good()
        assert await both(cell) == {(0, 1), (1, told)}


async def test_a_session_that_timed_out_leaves_its_subscription(cell: Cell) -> None:
    inner = cell.server._server.iserver  # type: ignore[union-attr]
    client = Client(cell.server.endpoint()["url"])
    client.session_timeout = 8000
    await client.connect()
    kept, cell.client = cell.client, client
    await cell.subscribe()
    token = client.uaclient.session.authentication_token
    session = inner.lookup_external_session(token)
    client.uaclient.protocol.transport.abort()
    client._renew_channel_task.cancel()
    session.session_timeout = 0.1  # what is left of the 8 s is over when asyncua looks next, at a quarter of them
    await until(lambda: inner.lookup_external_session(token) is None)
    assert session.state is SessionState.Closed
    assert (await transferred(cell, kept, tell=False)).StatusCode.is_good()


async def test_what_is_read_and_browsed_is_what_is_told(cell: Cell) -> None:
    await cell.step(3)
    await cell.subscribe()
    await cell.watch(*NAMES)
    _, told = await cell.next()
    assert [value for _, value in sorted(told)] == [
        await cell.client.get_node(f"ns=2;s={node}").read_value() for node in NAMES
    ]
    hall = await cell.client.nodes.objects.get_child(["2:Machine", "2:Hall"])
    found = {}
    for unit in await hall.get_children():
        for reference in await unit.get_references(ua.ObjectIds.HasComponent, ua.BrowseDirection.Forward):
            found[reference.NodeId.Identifier] = reference
    assert sorted(found) == sorted(NAMES)
    first, copy = (cell.client.get_node(f"ns=2;s={node}") for node in (NAMES[0], NAMES[6]))
    named = {ua.AttributeIds.BrowseName, ua.AttributeIds.DisplayName, ua.AttributeIds.Description}
    for attribute in set(ua.AttributeIds) - {ua.AttributeIds.Value, ua.AttributeIds.NodeId}:
        one = await first.read_attribute(attribute, raise_on_bad_status=False)
        other = await copy.read_attribute(attribute, raise_on_bad_status=False)
        assert one.StatusCode == other.StatusCode
        assert (one.Value == other.Value) == (attribute not in named), attribute
    assert (await copy.read_browse_name(), (await copy.read_display_name()).Text) == (ua.QualifiedName("V6", 2), "V6")
    assert (await (await copy.get_parent()).read_browse_name()).Name == "Unit1"
    assert await copy.read_type_definition() == await first.read_type_definition()
    assert found[NAMES[6]].TypeDefinition == found[NAMES[0]].TypeDefinition
    assert found[NAMES[6]].NodeClass == ua.NodeClass.Variable


async def test_servers_of_one_process_share_no_values(cell: Cell) -> None:
    other = Cell()
    await other.server.start()
    try:
        async with Client(other.server.endpoint()["url"]) as client:
            await cell.server._server.register_namespace("urn:one")  # type: ignore[union-attr]
            assert "urn:one" in await cell.client.get_namespace_array()
            assert "urn:one" not in await client.get_namespace_array()
            await cell.step()
            node = f"ns=2;s={NAMES[0]}"
            assert (await cell.client.get_node(node).read_value(), await client.get_node(node).read_value()) == (2, 1)
    finally:
        await other.server.end()


async def test_what_was_not_brought_home_is_in_the_truth_when_the_server_forgets(cell: Cell) -> None:
    await cell.subscribe(most=1)
    await cell.watch(NAMES[0])
    result, _ = await cell.next()
    home = result.NotificationMessage.SequenceNumber
    await cell.step()
    await cell.next(home)  # the initial value is acknowledged, the first change is not
    await cell.step()
    await cell.server.stop()
    await cell.server.forget()
    changed = [line["time"] for line in cell.log.lines if line["k"] == "change" and line["id"] == 0]
    assert [line for line in cell.log.lines if line["k"] == "forgot"] == [{"k": "forgot", "id": 0, "times": changed}]
