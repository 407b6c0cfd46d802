"""From node-opcua's alarms and history to lines of the store, through the pipeline of a connection."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.place import Place
from pipelines.point import Delivery
from pipelines.source import Source

from .alarm_server import alarm_server
from .conftest import Consumer, connection, tag

pytestmark = pytest.mark.wire
PLACE = Place("tank", "acme", "", "", "TNK-01")


class Lines(Consumer):
    """A consumer that keeps what would be stored."""

    def begin(self) -> None:
        self.source = Source(self.settings, [PLACE], {}, [PLACE])
        self.lines: list[str] = []

    def commit(self, delivery: Delivery) -> None:
        super().commit(delivery)
        encoded = self.source.encode(delivery, delivery.device_time_ns or 1)
        self.lines += [line for one in encoded for line in one.body.decode().splitlines()]


async def test_an_alarm_becomes_points(tmp_path: Path) -> None:
    with alarm_server(tmp_path) as server:
        level = tag("level", "nsu=urn:foreign:alarms;s=Level")
        events = [{"types": ["LimitAlarmType"], "name": "tank"}]
        consumer = Lines(connection(server.endpoint, level, events=events))
        consumer.begin()
        steps = [95, 50]

        def done() -> bool:
            if steps and len(consumer.events) == 2 - len(steps):
                server.tell(set={"Level": steps.pop(0)})
            return any(event.fields.get("active") is False for event in consumer.events)

        await consumer.until(done)
    alarms = [line for line in consumer.lines if line.startswith("alarm,")]
    assert {line.split(" ")[0] for line in alarms} == {
        "alarm,alarm=tank.TankLevelCondition,company=acme,machine=TNK-01"
    }
    assert "active=true" in alarms[0]
    assert sum("active=false" in line for line in alarms) == 1
    assert 'message="Condition is 95.000 and state is HighHigh"' in alarms[0]
    times = [int(line.rsplit(" ", 1)[1]) for line in alarms]
    assert len(set(times)) == len(alarms) == len(consumer.events), "none overwrites another"
    assert times[0] == consumer.events[0].time_ns
