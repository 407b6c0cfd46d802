"""Every type of a server that is not ours arrives as it is, by subscription and by cyclic read."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest

from connectors.base import Browsable, Found
from connectors.opcua.config import OpcUaTag
from pipelines.errors import LinkRefused, LinkUntrusted

from .conftest import PLAIN, Consumer, Foreign, connection, tag

pytestmark = pytest.mark.wire


def tags_of(foreign: Foreign, **more: Any) -> tuple[OpcUaTag, ...]:
    return tuple(
        tag(f"t{i}", entry["node"].replace("ns=2", f"nsu={foreign.namespace}"), **more)
        for i, entry in enumerate(foreign.values)
    )


def is_value(text: str, kind: str, value: Any) -> bool:
    if kind in {"Float", "Double"}:
        wanted = float(text.replace("Infinity", "inf"))
        return (wanted != wanted and value != value) or struct.pack("<d", wanted) == struct.pack("<d", value)  # noqa: PLR0124
    if kind == "Boolean":
        return value is (text == "true")
    if "Int" in kind or "Byte" in kind.removesuffix("String"):
        return type(value) is int and value == int(text) if kind != "ByteString" else bool(value == text)
    return bool(value == text)


@pytest.mark.parametrize("mode", ["subscribe", "read"])
async def test_every_type_and_extreme_is_equal(foreign: Foreign, mode: str) -> None:
    consumer = Consumer(connection(foreign.endpoint, *tags_of(foreign, mode=mode)))
    await consumer.until(lambda: len({row[0] for row in consumer.rows}) == len(foreign.values))
    assert consumer.error is None
    assert consumer.gaps == []
    assert len({row[:2] for row in consumer.rows}) == len(foreign.values)  # a NaN differs from itself: told again
    for index, time_ns, value, status in consumer.rows:
        entry = foreign.values[index]
        assert (status, time_ns) == (entry["status"], int(entry["source_time_ns"])), entry
        if not status & 0x8000_0000:
            assert is_value(entry["value"], entry["type"], value), (entry, value)


async def test_a_read_that_says_the_same_again_is_held_back(foreign: Foreign) -> None:
    steady = tag("steady", "ns=2;s=Double0", mode="read", period_s=0.02)
    moving = tag("moving", "ns=2;s=Counter0", mode="read", period_s=0.02)
    consumer = Consumer(connection(foreign.endpoint, steady, moving))
    await consumer.until(lambda: len(consumer.values(1)) > 10)
    assert consumer.values(0) == [0.1]
    assert len(set(consumer.values(1))) == len(consumer.values(1))


@pytest.mark.parametrize("word", ["secret", "wrong"])
async def test_a_wrong_password_is_untrusted(foreign: Foreign, tmp_path: Path, word: str) -> None:
    file = tmp_path / "password"
    file.write_text(f"{word}\n")
    settings = connection(
        foreign.endpoint, tag("a", "ns=2;s=Double0"), user=foreign.user, password_file=file, security=PLAIN
    )
    consumer = Consumer(settings)
    if word == "wrong":
        with pytest.raises(LinkUntrusted, match=r"refused the user") as caught:
            await consumer.until(lambda: consumer.rows)
        assert word not in str(caught.value)
    else:
        await consumer.until(lambda: consumer.rows)
        assert consumer.values(0) == [0.1]


async def test_a_missing_password_file_is_named(foreign: Foreign, tmp_path: Path) -> None:
    settings = connection(foreign.endpoint, user="user1", password_file=tmp_path / "none")
    with pytest.raises(LinkUntrusted, match=r"password_file .*none"):
        await Consumer(settings).until(lambda: True)


async def test_nobody_listens(unused_port: int) -> None:
    with pytest.raises(LinkRefused, match=rf"127\.0\.0\.1:{unused_port}"):
        await Consumer(connection(f"opc.tcp://127.0.0.1:{unused_port}/x")).until(lambda: True)


async def test_browse_finds_what_can_be_configured(foreign: Foreign) -> None:
    found: list[Found] = []
    async with Consumer(connection(foreign.endpoint)).link() as link:
        assert isinstance(link, Browsable)
        found = [one async for one in link.browse()]
    by_path = {one.path: one for one in found}
    address = f"nsu={foreign.namespace};s=Double3"
    assert by_path["/Plant/Double3"] == Found("/Plant/Double3", address, "Double", "1e+308", tag={"node": address})
    assert by_path["/Plant"].datatype == ""
    assert len(by_path) == len(found)
    assert not any(path.startswith("/Server") for path in by_path)
