"""Numbers at the edge from an OPC UA server to line protocol: digit by digit, or told bad."""

from __future__ import annotations

import math
import re
import struct
from datetime import UTC, datetime
from typing import Any

import pytest
from asyncua import ua

from pipelines.place import Place
from pipelines.point import BAD_OUT_OF_RANGE, Delivery, scan_of
from pipelines.source import Source
from tests.connectors.opcua.conftest import Consumer, Plant, connection, plant, tag

__all__ = ["plant"]
pytestmark = [pytest.mark.wire, pytest.mark.fault(21)]

V = ua.VariantType
EXTREMES: list[tuple[Any, Any]] = [
    *((value, V.Double) for value in (math.nan, math.inf, -math.inf, -0.0, 5e-324, 1e308, -1e308, 0.1)),
    *((value, V.Float) for value in (1.401298464324817e-45, 3.4028234663852886e38, -0.0, math.nan, math.inf)),
    *((value, V.Int64) for value in (-(2**63), 2**63 - 1, 2**53 + 1)),
    *((value, V.UInt64) for value in (0, 2**63 - 1, 2**63, 2**64 - 1)),
]


def refused(value: Any, kind: Any) -> bool:
    return not math.isfinite(value) if isinstance(value, float) else kind == V.UInt64 and value >= 2**63


@pytest.mark.parametrize("mode", ["subscribe", "read"])
async def test_extremes_are_exact_or_bad(plant: Plant, mode: str) -> None:
    now = datetime.now(UTC)
    for number, (value, kind) in enumerate(EXTREMES):
        node = await plant.server.nodes.objects.add_variable(ua.NodeId(f"x{number}", 2), f"x{number}", value, kind)
        stamped = ua.DataValue(ua.Variant(value, kind), SourceTimestamp=now)
        await plant.server.write_attribute_value(node.nodeid, stamped)
    settings = connection(plant.endpoint, *(tag(f"x{n}", f"ns=2;s=x{n}", mode=mode) for n in range(len(EXTREMES))))
    consumer = Consumer(settings)
    await consumer.until(lambda: len({row[0] for row in consumer.rows}) == len(EXTREMES))
    source = Source(settings, [Place("press", "acme", "", "", "P1")] * len(EXTREMES), {})
    scans = []
    for row, time_ns, value, status in consumer.rows:
        dtype = "float64" if isinstance(value, float) else "uint64" if EXTREMES[row][1] == V.UInt64 else "int64"
        scans.append(scan_of([row], time_ns, [value], status, dtype))
    now_ns = int(datetime.now(UTC).timestamp() * 1e9)
    body = b"".join(part.body for part in source.encode(Delivery(tuple(scans)), now_ns)).decode()
    stored = dict(re.findall(r"[ ,](x\d+)=([^, ]+)", body))
    told = {name: int(code) for name, code in re.findall(r"(x\d+)_quality=(\d+)i", body)}
    for number, (value, kind) in enumerate(EXTREMES):
        name = f"x{number}"
        if refused(value, kind):
            assert (name in stored, told[name]) == (False, BAD_OUT_OF_RANGE), (value, kind)
        elif isinstance(value, float):
            assert struct.pack("<d", float(stored[name])) == struct.pack("<d", value), stored[name]
        else:
            assert stored[name] == f"{value}i"
