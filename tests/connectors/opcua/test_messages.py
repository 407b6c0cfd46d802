from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.opcua.columnar.skip import Skipper
from connectors.opcua.decode import oldest_first
from connectors.opcua.messages import published, read_body
from connectors.opcua.outbox import Outbox
from connectors.opcua.reading import Unchanged
from connectors.opcua.session import link_errors, node_id
from pipelines.errors import LinkClosed, LinkError, LinkRefused, LinkTimeout, LinkUntrusted
from pipelines.point import Delivery, scan_of

V = ua.VariantType
WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
WHEN_NS = int(WHEN.timestamp()) * 10**9


def response(*data: Any, available: tuple[int, ...] = (4, 5)) -> bytes:
    message = ua.NotificationMessage(SequenceNumber=5, PublishTime=WHEN, NotificationData=list(data))
    result = ua.PublishResult(SubscriptionId=77, AvailableSequenceNumbers=list(available), NotificationMessage=message)
    encoded: bytes = struct_to_binary(ua.PublishResponse(Parameters=result))
    return encoded


CHANGES = ua.DataChangeNotification(
    MonitoredItems=[ua.MonitoredItemNotification(i, ua.DataValue(ua.Variant(i, V.Int32))) for i in range(3)]
)
EVENTS = ua.EventNotificationList(Events=[ua.EventFieldList(ClientHandle=1, EventFields=[ua.Variant("x")])])
STATUS = ua.StatusChangeNotification(Status=ua.StatusCode(0x800A_0000))


def test_every_kind_of_notification_in_one_message() -> None:
    found = published(Buffer(response(EVENTS, CHANGES, STATUS)), 0)
    assert (found.subscription, found.available) == (77, (4, 5))
    assert (found.message.sequence, found.message.publish_ns, found.message.keepalive) == (5, WHEN_NS, False)
    assert found.message.statuses == [0x800A_0000]
    (columns,) = found.message.columns
    assert columns.value.tolist() == [0, 1, 2]
    assert columns.time_ns.tolist() == [WHEN_NS] * 3


def test_a_keep_alive_holds_nothing() -> None:
    found = published(Buffer(response(available=())), 0)
    assert found.message.keepalive
    assert found.message.columns == []


def test_a_bad_service_result_is_its_own_error() -> None:
    fault = ua.ServiceFault()
    fault.ResponseHeader.ServiceResult = ua.StatusCode(ua.StatusCodes.BadNoSubscription)
    with pytest.raises(ua.uaerrors.BadNoSubscription):
        published(Buffer(struct_to_binary(fault)), 0)


WHOLE = response(EVENTS, CHANGES, STATUS)


@pytest.mark.parametrize("length", range(0, len(WHOLE) - 8, 3))
def test_truncated_responses_are_value_errors(length: int) -> None:
    with pytest.raises(ValueError, match=r".+"):
        published(Buffer(WHOLE[:length]), 0)


@settings(deadline=None, max_examples=300)
@given(st.integers(0, len(WHOLE)), st.binary(min_size=1, max_size=8))
def test_damaged_responses_are_errors_or_readings(at: int, noise: bytes) -> None:
    with contextlib.suppress(ValueError, ua.UaStatusCodeError):
        published(Buffer(WHOLE[:at] + noise + WHOLE[at + len(noise) :]), 0)


def test_read_requests_equal_asyncuas() -> None:
    nodes = [ua.NodeId("a", 2), ua.NodeId(5, 0)]
    wanted = ua.ReadParameters(
        MaxAge=0.0,
        TimestampsToReturn=ua.TimestampsToReturn.Both,
        NodesToRead=[ua.ReadValueId(NodeId=node, AttributeId=ua.AttributeIds.Value) for node in nodes],
    )
    assert read_body(nodes) == struct_to_binary(wanted)
    assert struct_from_binary(ua.ReadParameters, Buffer(read_body(nodes))) == wanted


VARIANTS = [
    ua.Variant([1, 2], V.Int64),
    ua.Variant(["a", None], V.String),
    ua.Variant([ua.NodeId("x", 3), ua.NodeId(1)], V.NodeId),
    ua.Variant([ua.QualifiedName("x", 3)], V.QualifiedName),
    ua.Variant([ua.LocalizedText("x", "ko"), ua.LocalizedText("y")], V.LocalizedText),
    ua.Variant([ua.DataValue(ua.Variant(1.5), SourceTimestamp=WHEN)], V.DataValue),
    ua.Variant(ua.Range(1, 2), V.ExtensionObject),
    ua.Variant([ua.Variant(1), ua.Variant([1, 2])], V.Variant),
    ua.Variant([[1, 2], [3, 4]], V.Double),
    ua.Variant(ua.DiagnosticInfo(SymbolicId=1, AdditionalInfo="x", InnerStatusCode=ua.StatusCode(1)), V.DiagnosticInfo),
]


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: f"{v.VariantType.name}-{v.is_array}")
def test_what_is_not_decoded_is_passed_over_exactly(variant: Any) -> None:
    raw = ua.ua_binary.variant_to_binary(variant)
    skipper = Skipper(raw + b"rest", 0, len(raw) + 4)
    skipper.variant()
    assert skipper.at == len(raw)


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("ns=2;s=a;b=c", ua.NodeId("a;b=c", 2)),
        ("nsu=urn:b;i=7", ua.NodeId(7, 1, ua.NodeIdType.Numeric)),
        ("i=7", ua.NodeId(7, 0, ua.NodeIdType.Numeric)),
        ("b=AAE=", ua.NodeId(b"\0\1", 0)),
        ("nsu=urn:c;i=7", None),
    ],
)
def test_addresses_become_node_ids(text: str, node: Any) -> None:
    assert node_id(text, ["urn:a", "urn:b"]) == node


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (TimeoutError(), LinkTimeout),
        (ConnectionResetError("gone"), LinkClosed),
        (ua.uaerrors.BadUserAccessDenied(), LinkUntrusted),
        (ua.uaerrors.BadSubscriptionIdInvalid(), LinkClosed),
        (ua.uaerrors.BadTooManySessions(), LinkRefused),
        (ua.uaerrors.BadTimeout(), LinkTimeout),
        (ValueError("malformed"), LinkClosed),
        (ua.UaError("malformed"), LinkClosed),
    ],
)
def test_errors_say_what_to_do(raised: Exception, kind: type[LinkError]) -> None:
    with pytest.raises(kind, match=r"opc\.tcp://x:1: .+"), link_errors("opc.tcp://x:1"):
        raise raised


def test_refused_while_opening() -> None:
    with pytest.raises(LinkRefused), link_errors("opc.tcp://x:1", opening=True):
        raise ConnectionRefusedError("nobody")


def test_unchanged_readings_are_held_back() -> None:
    unchanged = Unchanged(3)
    timed = np.ones(2, np.bool_)
    assert len(unchanged.filter(scan_of([0, 2], 5, [1.0, np.nan]), timed)) == 2
    assert len(unchanged.filter(scan_of([0, 2], 5, [1.0, np.nan]), timed)) == 0
    assert unchanged.filter(scan_of([0, 2], 5, [1.0, 2.0]), timed).tag.tolist() == [2]
    assert unchanged.filter(scan_of([0, 2], 6, [1.0, 2.0]), timed).tag.tolist() == [0, 2]
    assert unchanged.filter(scan_of([0], 6, [1]), timed[:1]).tag.tolist() == [0], "another type is another reading"
    assert unchanged.filter(scan_of([0], 6, [1], 0x4000_0000), timed[:1]).tag.tolist() == [0]
    assert unchanged.filter(scan_of([1], 6, ["a"]), timed[:1]).tag.tolist() == [1]
    assert unchanged.filter(scan_of([1], 6, ["a"]), timed[:1]).tag.tolist() == []


def test_zero_and_minus_zero_are_different_readings() -> None:
    unchanged = Unchanged(1)
    timed = np.ones(1, np.bool_)
    assert len(unchanged.filter(scan_of([0], 5, [0.0]), timed)) == 1
    assert len(unchanged.filter(scan_of([0], 5, [-0.0]), timed)) == 1


def test_scans_are_oldest_first_unless_a_clock_ran_backwards() -> None:
    scan = oldest_first(scan_of([0, 0, 1, 1], [3, 5, 2, 4], [1.0, 2.0, 3.0, 4.0]))
    assert scan.time_ns.tolist() == [2, 3, 4, 5]
    backwards = scan_of([0, 0, 1], [5, 3, 4], [1.0, 2.0, 3.0])
    assert oldest_first(backwards) is backwards


async def test_the_outbox_is_bounded_and_its_error_comes_last() -> None:
    outbox = Outbox(2)
    first, second, third = (Delivery((), bytes([i])) for i in range(3))
    await outbox.put(first)
    await outbox.put(second)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await outbox.put(third)
    await outbox.fail(LinkClosed("x", "one"))
    await outbox.fail(LinkClosed("x", "two"))
    assert await outbox.get() is first
    assert await outbox.get() is second
    with pytest.raises(LinkClosed, match="one"):
        await outbox.get()


async def test_the_outbox_keeps_the_order_in_which_it_was_asked() -> None:
    """A state told later counts what was told before as delivered: it must not get in front of it."""
    outbox = Outbox(1)
    await outbox.put(Delivery((), b"0"))
    async with asyncio.TaskGroup() as group:
        group.create_task(outbox.put(Delivery((), b"1")))
        for _ in range(5):
            await asyncio.sleep(0)
        assert (await outbox.get()).resume == b"0"
        group.create_task(outbox.put(Delivery((), b"2")))  # there is room for one, and somebody waits for it
        late = group.create_task(outbox.put(Delivery((), b"3")))
        assert [(await outbox.get()).resume for _ in range(3)] == [b"1", b"2", b"3"]
        await late
