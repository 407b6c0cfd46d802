"""The file of a recording: whole frames survive any cut, memory stays small, and what is none is refused."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent.record.writer import Writer
from simulators.replay import recording
from simulators.replay.contents import contents_of
from simulators.replay.recording import FORMAT, VERSION, Recording, RecordingError

HEADER = {"format": FORMAT, "version": VERSION, "started": 1000, "connections": [{"name": "plc", "type": "modbus"}]}


def answer(number: int, **more: Any) -> dict[str, Any]:
    data = number.to_bytes(20, "big").hex()
    return {
        "c": 0,
        "q": number,
        "s": number,
        "t": number + 1,
        "unit": 1,
        "fc": 3,
        "at": 0,
        "n": 10,
        "data": data,
        **more,
    }


def written(path: Path, frames: list[int]) -> list[int]:
    """A recording whose frames have so many answers each; its size behind each frame."""
    writer, number, sizes = Writer(path), 0, []
    writer.write("header", **HEADER)
    for count in frames:
        for _ in range(count):
            number += 1
            writer.write("modbus", **answer(number))
        writer.flush()
        sizes.append(writer.bytes_written)
    writer.close()
    return sizes


def answers(count: int) -> list[dict[str, Any]]:
    return [{"k": "modbus"} | answer(number) for number in range(1, count + 1)]


def numbers(path: Path) -> list[int]:
    return [line["q"] for line in Recording(path).lines()]


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "r"
    written(path, [3, 1, 2])
    recording = Recording(path)
    assert recording.header == {"k": "header"} | HEADER
    assert list(recording.lines()) == answers(6)


def test_a_file_cut_at_every_byte_of_its_last_frame_holds_all_before_it(tmp_path: Path) -> None:
    path = tmp_path / "r"
    *_, before, size = written(path, [4, 5, 6])
    whole = path.read_bytes()
    assert len(whole) == size
    for end in range(before, size):
        path.write_bytes(whole[:end])
        assert numbers(path) == list(range(1, 10)), end
    path.write_bytes(whole)
    assert numbers(path) == list(range(1, 16))


@settings(max_examples=30)
@given(counts=st.lists(st.integers(1, 5), min_size=2, max_size=4), place=st.integers(0, 999), flip=st.integers(1, 255))
@example(counts=[1, 3, 1], place=114, flip=16).via("a bit that no decoder reads")
def test_an_altered_byte_ends_the_file_at_its_frame(
    tmp_path_factory: pytest.TempPathFactory, counts: list[int], place: int, flip: int
) -> None:
    path = tmp_path_factory.mktemp("r") / "r"
    sizes = written(path, counts)
    whole = bytearray(path.read_bytes())
    at = sizes[0] + place % (len(whole) - sizes[0])
    whole[at] ^= flip
    path.write_bytes(whole)
    intact = sum(size <= at for size in sizes)
    before, every = answers(sum(counts[:intact])), answers(sum(counts))
    # A frame has bits without a meaning: one that still bears out its checksum was not altered in what it says.
    assert list(Recording(path).lines()) in (before, every)


@pytest.mark.parametrize("raw", [b"", b"line: press\n", b"\x28\xb5\x2f\xfd", bytes(500)])
def test_another_file_is_refused(raw: bytes, tmp_path: Path) -> None:
    path = tmp_path / "r"
    path.write_bytes(raw)
    with pytest.raises(RecordingError, match="is no recording"):
        Recording(path)


def test_a_later_version_is_refused(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "r")
    writer.write("header", **HEADER | {"version": VERSION + 1})
    writer.close()
    with pytest.raises(RecordingError, match=f"of version {VERSION + 1}"):
        Recording(tmp_path / "r")


def test_a_frame_larger_than_any_ends_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path / "r", [2, 100, 2])
    assert len(numbers(tmp_path / "r")) == 104
    monkeypatch.setattr(recording, "MOST_FRAME", 2000)
    assert numbers(tmp_path / "r") == [1, 2]


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def peak_bytes(path: Path, answers: int) -> int:
    """Most memory of writing and reading so many."""
    tracemalloc.reset_peak()
    writer = Writer(path)
    writer.write("header", **HEADER)
    for number in range(answers):
        writer.write("modbus", **answer(number, noise=f"{number * 2654435761 % 2**64:016x}" * 12))
    writer.write("end", t=30_000)
    writer.close()
    found = contents_of(Recording(path))
    assert found.connections[0].answers == {"answers": answers}
    assert found.whole
    return tracemalloc.get_traced_memory()[1]


def test_memory_does_not_grow_with_the_length(tmp_path: Path, traced: None) -> None:
    short = peak_bytes(tmp_path / "short", 2_000)
    assert peak_bytes(tmp_path / "long", 10_000) < 1.2 * short
