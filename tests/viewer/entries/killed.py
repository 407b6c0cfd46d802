"""A viewer's desk that is killed the moment it has said "saved": `python killed.py FOLDER PORT ID`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from agent.supervise import keep_open
from pipelines.clock import SystemClock
from pipelines.delivery.mqtt_settings import MqttSettings
from tests.viewer.entries.said import DEFECT, KEY, SITE
from viewer.entries.desk import EntryDesk


async def main(folder: Path, port: int, name: str) -> None:
    desk = EntryDesk(folder, MqttSettings(port=port), {KEY: SITE}, SystemClock(), keep_open)
    async with asyncio.TaskGroup() as group:
        group.create_task(desk.run())
        await asyncio.sleep(0)
        await desk.save(KEY, [desk.check(KEY, {**DEFECT, "id": name, "start": "2024-01-01"})], "web")
        os.kill(os.getpid(), signal.SIGKILL)


asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
