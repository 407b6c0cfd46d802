"""Entries that other programs send over MQTT."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipelines.delivery.mqtt import Message, MqttSession
from tests.pipelines.waiting import until
from tests.services.mosquitto import Mosquitto
from tests.viewer.entries.desks import desk_at, settings, store_behind, stored
from tests.viewer.entries.said import DEFECT, KEY
from viewer.entries import desk as module
from viewer.entries import inbox
from viewer.entries.model import fresh_id
from viewer.entries.table import read_table

pytestmark = pytest.mark.wire
TOPIC = f"sf/{KEY[0]}/{KEY[1]}/entry"
SAID = {**DEFECT, "start": "2024-01-01 10:00"}


class Sender(MqttSession):
    """Another program, such as an MES."""

    answers: list[dict[str, Any]]
    taken = 0

    def send(self, said: Any) -> None:
        payload = said if isinstance(said, bytes) else orjson.dumps(said)
        self.publish(TOPIC, payload, heard=self._heard_one)

    def _heard_one(self, code: int, _: str) -> None:
        self.taken += code == 0


@asynccontextmanager
async def sender(broker: Mosquitto) -> AsyncIterator[Sender]:
    answers: list[dict[str, Any]] = []

    def take(message: Message) -> None:
        answers.append(orjson.loads(message.payload))

    async with Sender(settings(broker), "mes", take) as session:
        session.answers = answers
        await session.subscribe([f"{TOPIC}/answer"])
        yield session


async def test_the_three_ways_give_the_same_point(tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "broker") as broker:
        async with (
            desk_at(tmp_path / "desk", broker, inbox=True) as desk,
            store_behind(broker, tmp_path / "a.duckdb") as store,
            sender(broker) as mes,
        ):
            await desk.save(KEY, [desk.check(KEY, {**SAID, "id": fresh_id()})], "web")
            csv = "구분,설비,불량수량,일시,입력자\n불량,PRS-01,3,2024.01.01 10:00,김\n".encode("cp949")
            await desk.save(KEY, read_table(csv, lambda raw: desk.check(KEY, raw)).entries, "csv")
            mes.send({**SAID, "value": 3})
            await until(lambda: len(stored(store)) == 3)
            found = stored(store)
            assert [one.source for one in found] == ["web", "csv", "mqtt"]
            assert (
                len(
                    {
                        replace(
                            one, entry=one.entry.model_copy(update={"id": ""}), time_ns=0, entered_ns=0, source="web"
                        )
                        for one in found
                    }
                )
                == 1
            )
            await until(lambda: mes.answers)
            assert mes.answers == [{"saved": True, "ids": [found[2].id]}]


async def test_a_message_that_comes_again_is_stored_once(tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "broker") as broker:
        async with (
            desk_at(tmp_path / "desk", broker, inbox=True) as desk,
            store_behind(broker, tmp_path / "a.duckdb") as store,
            sender(broker) as mes,
        ):
            named = {**SAID, "id": fresh_id()}
            for said in (SAID, SAID, named, named, [SAID, SAID]):
                mes.send(said)
            await until(lambda: len(mes.answers) == 5 and desk.queued(KEY) == 0)
            ids = [one["ids"] for one in mes.answers]
            assert ids[0] == ids[1]
            assert ids[2] == ids[3] == [named["id"]]
            assert ids[4][0] == ids[0][0] != ids[4][1], "two of one message that say the same are two"
            await until(lambda: len(stored(store)) == 3)


async def test_what_is_sent_while_nobody_is_there_comes_later(tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "broker") as broker:
        async with desk_at(tmp_path / "desk", broker, inbox=True), sender(broker) as mes:
            mes.send(SAID)
            await until(lambda: mes.answers)
        async with sender(broker) as mes:
            mes.send({**SAID, "value": 5})
            await until(lambda: mes.taken)
        async with (
            desk_at(tmp_path / "desk", broker, inbox=True),
            store_behind(broker, tmp_path / "a.duckdb") as store,
        ):
            await until(lambda: [one.entry.value for one in stored(store)] == [3.0, 5.0])


async def test_what_is_refused_is_told_with_the_reason_and_not_again(tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "broker") as broker:
        async with desk_at(tmp_path / "desk", broker, inbox=True) as desk, sender(broker) as mes:
            for said in (b"\xff", [], 5, {**SAID, "machine": "PRS-09"}, [SAID, {**SAID, "value": "x"}]):
                mes.send(said)
            mes.send(SAID)
            await until(lambda: len(mes.answers) == 6)
            assert [one["saved"] for one in mes.answers] == [False] * 5 + [True]
            assert mes.answers[3]["faults"] == [
                {
                    "field": "machine",
                    "ko": "설비: PRS-01, PRS-02, CNC-01 가운데 하나여야 합니다",
                    "en": "Machine: must be one of PRS-01, PRS-02, CNC-01",
                    "entry": 0,
                }
            ]
            assert [one["entry"] for one in mes.answers[4]["faults"]] == [1], "all of a message, or nothing"
            assert len(desk.recent(KEY, 0)) == 1


async def test_an_id_stands_for_one_entry_in_a_message_and_after_it(tmp_path: Path) -> None:
    """The second one would not be kept, and nobody is told that it was."""
    named = {**SAID, "id": fresh_id()}
    with Mosquitto(tmp_path / "broker") as broker:
        async with desk_at(tmp_path / "desk", broker, inbox=True) as desk, sender(broker) as mes:
            for said in ([named, {**named, "value": 4}], [named, named], {**named, "value": 4}):
                mes.send(said)
            await until(lambda: len(mes.answers) == 3)
            assert [one["saved"] for one in mes.answers] == [False, True, False]
            assert [(one["field"], one.get("entry")) for one in mes.answers[0]["faults"]] == [("id", 1)]
            assert [one.entry.value for one in desk.recent(KEY, 0)] == [3.0]


async def test_a_message_is_taken_only_when_it_is_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk fails, and the process ends: the broker still has the message."""

    def sick(fd: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(module, "_SAVED_S", 0.1)
    monkeypatch.setattr(inbox, "_AGAIN_S", 0.05)
    with Mosquitto(tmp_path / "broker") as broker:
        async with desk_at(tmp_path / "desk", broker, inbox=True) as desk, sender(broker) as mes:
            mes.send(SAID)
            await until(lambda: mes.answers)
            with monkeypatch.context() as patch:
                tried: list[int] = []
                patch.setattr(os, "fdatasync", lambda fd: (tried.append(fd), sick(fd)))
                mes.send({**SAID, "value": 5})
                await until(lambda: len(tried) > 1)
                await asyncio.sleep(0)
                assert len(mes.answers) == 1
            await until(lambda: len(mes.answers) == 2)
            assert mes.answers[1]["saved"]
            assert len(desk.recent(KEY, 0)) == 2
