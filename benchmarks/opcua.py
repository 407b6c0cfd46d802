"""OPC UA: a PublishResponse of data changes and a ReadResponse, from bytes to scans."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from asyncua import ua
from asyncua.common.subscription import Subscription, SubscriptionItemData
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import nodeid_from_binary, struct_from_binary, struct_to_binary

from benchmarks.timing import Stage
from connectors.opcua.decode import decode_array
from connectors.opcua.messages import checked, published

N = 1000


Make = Callable[[int], ua.Variant]


def double(number: int) -> ua.Variant:
    """A run of one numeric type."""
    return ua.Variant(20.0 + number / 7, ua.VariantType.Double)


def mixed(number: int) -> ua.Variant:
    """Four types taking turns: no run is longer than one."""
    return (
        ua.Variant(20.0 + number / 7, ua.VariantType.Double),
        ua.Variant(number, ua.VariantType.UInt32),
        ua.Variant(number % 2 == 0, ua.VariantType.Boolean),
        ua.Variant(number, ua.VariantType.Int16),
    )[number % 4]


def text(number: int) -> ua.Variant:
    """Strings."""
    return ua.Variant(f"JOB-{number}", ua.VariantType.String)


def _value(number: int, make: Make = double) -> ua.DataValue:
    now = datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None)
    return ua.DataValue(make(number), SourceTimestamp=now, ServerTimestamp=now)


def publish_response(make: Make = double) -> bytes:
    """A PublishResponse with N changes, as a server sends it."""
    items = [ua.MonitoredItemNotification(number, _value(number, make)) for number in range(N)]
    response = ua.PublishResponse()
    response.Parameters.SubscriptionId = 7
    response.Parameters.NotificationMessage.SequenceNumber = 1
    response.Parameters.NotificationMessage.PublishTime = datetime(2026, 1, 1)  # noqa: DTZ001 - asyncua's own form
    response.Parameters.NotificationMessage.NotificationData = [ua.DataChangeNotification(items, [])]
    return bytes(struct_to_binary(response))


def read_response() -> bytes:
    """A ReadResponse with N Doubles."""
    response = ua.ReadResponse()
    response.Results = [_value(number) for number in range(N)]
    return bytes(struct_to_binary(response))


def _item(number: int) -> SubscriptionItemData:
    item = SubscriptionItemData()
    item.node = item.client_handle = item.server_handle = number
    return item


ITEMS = {number: _item(number) for number in range(N)}


class _Handler:
    """A user's handler that keeps what it is given, the least one can do."""

    def __init__(self) -> None:
        self.rows: list[tuple[Any, Any]] = []

    def datachange_notification(self, node: Any, value: Any, data: Any) -> None:
        """What asyncua calls per value."""
        self.rows.append((node, data.monitored_item.Value.SourceTimestamp, value))


def stages() -> list[Stage]:
    """Every OPC UA stage."""
    reading = read_response()
    logging.getLogger("asyncua").setLevel(logging.WARNING)
    loop = asyncio.new_event_loop()

    def decode(name: str, make: Make, what: str) -> Stage:
        notification = publish_response(make)

        def ours() -> object:
            return [columns.value for columns in published(Buffer(notification), 0).message.columns]

        def handler() -> object:
            return loop.run_until_complete(library_rows(notification))

        return Stage(name, what, "asyncua decode and handler", (N, N), ours, handler)

    def read() -> object:
        raw, at = checked(Buffer(reading))
        return decode_array(raw, at, len(raw), 0, handles=False)

    def library_read() -> object:
        response = struct_from_binary(ua.ReadResponse, Buffer(reading))
        return [value.Value.Value for value in response.Results]

    return [
        decode("opcua_decode", double, "notification bytes to columns, Doubles"),
        decode("opcua_decode_mixed", mixed, "the same, four types taking turns"),
        decode("opcua_decode_text", text, "the same, strings"),
        Stage("opcua_read", "ReadResponse bytes to columns", "asyncua ReadResponse", (N, N), read, library_read),
    ]


async def library_rows(notification: bytes) -> list[Any]:
    """asyncua's own way from the bytes of a PublishResponse to a user's handler: (node, time, value) rows."""
    buffer = Buffer(notification)
    nodeid_from_binary(buffer)
    struct_from_binary(ua.ResponseHeader, buffer)
    result = struct_from_binary(ua.PublishResult, buffer)
    user = _Handler()
    server = SimpleNamespace(observer=SimpleNamespace(on_notification=lambda *_: None))
    subscription = Subscription(server, ua.CreateSubscriptionParameters(), user)
    subscription._monitored_items = ITEMS
    await subscription.publish_callback(result)
    while subscription._dispatch_tasks:
        await asyncio.sleep(0)
    return user.rows
