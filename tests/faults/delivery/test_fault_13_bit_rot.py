"""Fault 13: bits flip, pages, files and names are not what they were: every other record is kept, and it starts."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults.delivery.damage import SETTINGS, Found, Place, left_by_a_collector, start_of_copy
from tests.faults.delivery.feeding import START_S, feeding, witness
from tests.faults.delivery.numbers import TAGS, gaps_in
from tests.services.mosquitto import Mosquitto

pytestmark = [pytest.mark.fault(13)]

PAGE, PAGE_BYTES = 8192, 4096


def flip(path: Path, offset: int, bit: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1 << bit]))


def chosen(records: list[Place], chance: random.Random) -> tuple[str, int, int]:
    """A bit by chance: name of the segment, byte, bit."""
    name = chance.choice(records).path.name
    end = max(place.end for place in records if place.path.name == name)
    return name, chance.randrange(end), chance.randrange(8)


def rows_at(records: list[Place], name: str, offset: int) -> set[int]:
    """Rows of the record that holds this byte."""
    return {row for one in records if one.path.name == name and one.start <= offset < one.end for row in one.rows}


def test_one_flipped_bit_costs_one_record_at_most(tmp_path: Path, size: Any, figure: Any) -> None:
    chance, flips = random.Random(13), size(25, 2_000)
    starts_s, others_lost, hit, uncounted = [], 0, 0, 0
    with feeding(tmp_path / "state", tmp_path) as fed:
        left = left_by_a_collector(fed, rows=5, most=size(60, 250))
        records = [one for one in start_of_copy(left, tmp_path / "whole", lambda _: None).places if one.rows]
        for _ in range(flips):
            name, offset, bit = chosen(records, chance)
            found = start_of_copy(left, tmp_path / "rot", lambda copy: flip(copy / name, offset, bit))  # noqa: B023
            lost = fed.accepted - set(found.rows)
            others_lost += len(lost - rows_at(records, name, offset))
            if lost == set(records[-1].rows):
                continue  # the very last record: nothing tells it from a write that was torn
            hit += bool(lost)
            uncounted += bool(lost) and not found.counted
            starts_s.append(found.opened_s)
    figure("single bits flipped, each in a journal of its own", asked="2000", measured=flips)
    figure("records lost that were not hit", asked="0", measured=others_lost)
    figure("records hit, counted and never sent", asked="all", measured=f"{hit - uncounted} of {hit}")
    figure("start after a flipped bit, most, s", asked="≤ 5, no manual step", measured=max(starts_s))
    assert not others_lost
    assert not uncounted
    assert max(starts_s) <= START_S


def test_many_flipped_bits_at_once(tmp_path: Path, size: Any, figure: Any) -> None:
    """By the real collector and on the wire: it starts, sends what is whole, tells of the rest, and accepts again."""
    chance, flips = random.Random(14), size(40, 2_000)
    with (
        Mosquitto(tmp_path / "broker") as broker,
        witness(broker.port) as seen,
        feeding(tmp_path / "state", tmp_path) as fed,
    ):
        left = left_by_a_collector(fed, rows=10, most=size(60, 3_000))
        records = [one for one in start_of_copy(left, tmp_path / "whole", lambda _: None).places if one.rows]
        hit: set[int] = set()
        for name, offset, bit in {chosen(records, chance) for _ in range(flips)}:
            flip(left / name, offset, bit)
            hit |= rows_at(records, name, offset)
        feeder = fed.start(rows=10, most=1, broker=broker.port, drain_s=60.0, journal=SETTINGS)
        feeder.until(lambda: feeder.windows_ms)
        ended = feeder.end()
        lost = fed.accepted - seen.rows()
        gaps = [gap for body in seen.bodies.values() for gap in gaps_in(body, "journal_damaged")]
    counted = ended["points"]["dropped_by"]["damaged"]
    figure("bits flipped at once in one journal", asked="2000", measured=flips)
    figure("the same: rows of records that were not hit, lost", asked="0", measured=len(lost - hit))
    figure("the same: points counted as damaged, of those hit", asked="-", measured=f"{counted} of {len(hit) * TAGS}")
    figure("the same: gap points that tell it", asked="> 0", measured=len(gaps))
    figure("the same: start of the process, s", asked="≤ 5, no manual step", measured=max(fed.starts_s))
    assert not lost - hit
    assert 0 < counted <= len(hit) * TAGS
    assert gaps
    assert ended["done"]
    assert ended["points"]["imbalance"] == 0
    assert max(fed.starts_s) <= START_S


def zero_page(folder: Path, name: str) -> None:
    with (folder / name).open("r+b") as file:
        file.seek(PAGE)
        file.write(bytes(PAGE_BYTES))


def foreign(folder: Path, name: str) -> None:
    (folder / "00000000000000ff.seg").write_bytes(random.Random(1).randbytes(100_000))
    (folder / "notes.txt").write_text("what is this?")
    (folder / "00000000000000fe.seg").mkdir()
    (folder / "lost+found").mkdir()


def disagree(folder: Path, name: str) -> None:
    (folder / name).with_suffix(".done").write_bytes(random.Random(2).randbytes(1201))
    (folder / "0000000000000777.done").write_bytes(b"\0" * 48)


def twice(folder: Path, name: str) -> None:
    shutil.copy(folder / name, folder / "0000000000000100.seg")


def shuffled(folder: Path, name: str) -> None:
    (folder / name).rename(folder / "00000000000000aa.seg")


HARMS: dict[str, tuple[Callable[[Path, str], None], bool]] = {
    "zero_page": (zero_page, True),
    "zero_length": (lambda folder, name: os.truncate(folder / name, 0), True),
    "deleted": (lambda folder, name: (folder / name).unlink(), True),
    "foreign_files": (foreign, False),
    "index_disagrees": (disagree, False),
    "duplicated": (twice, False),
    "renamed": (shuffled, False),
}
"""What is done to one segment, and whether its own records may go with it."""


def test_what_else_can_be_wrong(tmp_path: Path, figure: Any) -> None:
    with feeding(tmp_path / "state", tmp_path) as fed:
        left = left_by_a_collector(fed, rows=10, most=120)
        records = [one for one in start_of_copy(left, tmp_path / "whole", lambda _: None).places if one.rows]
    name = sorted({one.path.name for one in records})[1]
    here = [one for one in records if one.path.name == name]
    for harm, (do, costs) in HARMS.items():
        found: Found = start_of_copy(left, tmp_path / "harmed", lambda folder: do(folder, name))  # noqa: B023
        lost = fed.accepted - set(found.rows) - {row for one in here if costs for row in one.rows}
        if harm == "zero_page":
            beside = [one for one in here if one.end <= PAGE or one.start >= PAGE + PAGE_BYTES]
            lost |= {row for one in beside for row in one.rows} - set(found.rows)
        figure(f"{harm}: rows of other records lost", asked="0", measured=len(lost))
        assert not lost, harm
        assert len(found.rows) == len(set(found.rows)), f"{harm}: something would be sent twice"
        assert found.opened_s <= START_S


def test_everything_wrong_at_once_still_drains(tmp_path: Path, figure: Any) -> None:
    with (
        Mosquitto(tmp_path / "broker") as broker,
        witness(broker.port) as seen,
        feeding(tmp_path / "state", tmp_path) as fed,
    ):
        left = left_by_a_collector(fed, rows=10, most=300)
        records = [one for one in start_of_copy(left, tmp_path / "whole", lambda _: None).places if one.rows]
        names = sorted({one.path.name for one in records})[1:]
        own = {row for one in records if one.path.name in names[:3] for row in one.rows}
        for name, (do, _) in zip(names, HARMS.values(), strict=False):
            do(left, name)
        feeder = fed.start(most=1, broker=broker.port, drain_s=30.0, journal=SETTINGS)
        feeder.until(lambda: feeder.windows_ms)
        ended = feeder.end()
        lost = fed.accepted - seen.rows() - own
    figure("all of these at once: rows of other records that never reached the wire", asked="0", measured=len(lost))
    assert not lost
    assert ended["done"]
    assert ended["points"]["imbalance"] == 0
    assert max(fed.starts_s) <= START_S
