"""Framings: whatever the pieces, whatever stands around a reply, it is found once, and nothing else is."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.framer import FramerAscii, FramerRTU
from pymodbus.pdu import DecodePDU

from connectors.modbus.lines.ascii import AsciiFramer, lrc
from connectors.modbus.lines.frame import Expected, Frame, Framer, mismatch
from connectors.modbus.lines.mbap import HEAD, encode, head
from connectors.modbus.lines.rtu import RtuFramer, crc16

units = st.integers(1, 247)
functions = st.integers(1, 4)
payloads = st.binary(min_size=1, max_size=250)


def reply(framer: Framer, unit: int, function: int, data: bytes) -> bytes:
    return framer.encode(unit, bytes((function, len(data))) + data)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    marks = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(marks)]


def run(framer: Framer, parts: list[bytes], expected: Expected | None) -> list[Frame]:
    return [frame for part in parts for frame in framer.feed(part, expected)]


def test_check_bytes_of_the_standard() -> None:
    """Serial Line V1.02 §6.2.2: the CRC of 02 07 is 41 12; the LRC makes the sum 0."""
    assert crc16(b"\x02\x07") == b"\x41\x12"
    assert crc16(bytes.fromhex("010300000001")) == bytes.fromhex("840A")
    assert (sum(b"\x01\x03\x00\x00\x00\x01") + lrc(b"\x01\x03\x00\x00\x00\x01")) % 256 == 0


@given(unit=units, function=functions, address=st.integers(0, 65535), count=st.integers(1, 125))
def test_requests_are_what_pymodbus_sends(unit: int, function: int, address: int, count: int) -> None:
    pdu = bytes((function, *address.to_bytes(2, "big"), *count.to_bytes(2, "big")))
    decoder = DecodePDU(is_server=True)
    assert RtuFramer().encode(unit, pdu) == FramerRTU(decoder).encode(pdu, unit, 0)
    assert AsciiFramer().encode(unit, pdu) == FramerAscii(decoder).encode(pdu, unit, 0)


@pytest.mark.parametrize("kind", [RtuFramer, AsciiFramer])
@given(unit=units, function=functions, data=payloads, cuts=st.lists(st.integers(0, 600), max_size=12))
def test_any_chunks(kind: type[Framer], unit: int, function: int, data: bytes, cuts: list[int]) -> None:
    framer, expected = kind(), Expected(unit, function, len(data))
    wire = reply(framer, unit, function, data)
    (frame,) = run(framer, pieces(wire, cuts), expected)
    assert frame == Frame(unit, function, bytes((len(data),)) + data)
    assert mismatch(frame.unit, frame.function, frame.body, expected) == ""


@pytest.mark.parametrize("kind", [RtuFramer, AsciiFramer])
@given(
    unit=units, function=functions, data=payloads, code=st.integers(1, 11),
    cuts=st.lists(st.integers(0, 900), max_size=9),
)  # fmt: skip
def test_an_exception_and_a_reply_behind_it(
    kind: type[Framer], unit: int, function: int, data: bytes, code: int, cuts: list[int]
) -> None:
    framer, expected = kind(), Expected(unit, function, len(data))
    wire = framer.encode(unit, bytes((function | 0x80, code))) + reply(framer, unit, function, data)
    first, second = run(framer, pieces(wire, cuts), expected)
    assert (first.function, first.body) == (function | 0x80, bytes((code,)))
    assert mismatch(first.unit, first.function, first.body, expected) == ""
    assert second.body[1:] == data


@given(
    unit=units, function=functions, data=payloads, before=st.binary(max_size=40), after=st.binary(max_size=40),
    cuts=st.lists(st.integers(0, 400), max_size=8),
)  # fmt: skip
def test_rtu_noise(unit: int, function: int, data: bytes, before: bytes, after: bytes, cuts: list[int]) -> None:
    """Noise may hide the reply behind what looks like the awaited one, never alter it."""
    framer, expected = RtuFramer(), Expected(unit, function, len(data))
    found = run(framer, pieces(before + reply(framer, unit, function, data) + after, cuts), expected)
    good = [one for one in found if not one.fault and not mismatch(one.unit, one.function, one.body, expected)]
    assert [one.body[1:] for one in good if not one.function & 0x80] == [data]


@given(before=st.binary(max_size=30).filter(lambda noise: b":" not in noise), unit=units, data=payloads)
def test_ascii_noise(before: bytes, unit: int, data: bytes) -> None:
    framer, expected = AsciiFramer(), Expected(unit, 3, len(data))
    found = run(framer, [before + reply(framer, unit, 3, data)], expected)
    assert found[-1] == Frame(unit, 3, bytes((len(data),)) + data)


def test_ascii_begins_anew_with_a_colon() -> None:
    framer = AsciiFramer()
    wire = reply(framer, 1, 3, b"\0\1")
    assert run(framer, [wire[:7], wire], Expected(1, 3, 2)) == [Frame(1, 3, b"\2\0\1")]


@pytest.mark.parametrize("kind", [RtuFramer, AsciiFramer])
@given(unit=units, function=functions, data=payloads, place=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_one_wrong_byte_is_never_believed(
    kind: type[Framer], unit: int, function: int, data: bytes, place: int, flip: int
) -> None:
    """A CRC finds each error burst of up to 16 bits, an LRC each of one byte."""
    framer, expected = kind(), Expected(unit, function, len(data))
    wire = bytearray(reply(framer, unit, function, data))
    wire[place % len(wire)] ^= flip
    found = run(framer, [bytes(wire)], expected)
    good = [one for one in found if not one.fault and not mismatch(one.unit, one.function, one.body, expected)]
    assert [one for one in good if one.body[1:] != data] == []


@pytest.mark.parametrize(("kind", "fault"), [(RtuFramer, "crc"), (AsciiFramer, "lrc")])
def test_a_wrong_checksum_is_told_where_a_reply_is_waited_for(kind: type[Framer], fault: str) -> None:
    framer = kind()
    wire = bytearray(reply(framer, 1, 3, b"\0\1\0\2"))
    wire[-4 if fault == "lrc" else -1] ^= 1
    assert [one.fault for one in run(framer, [bytes(wire)], Expected(1, 3, 4))] == [fault]
    framer.clear()
    assert run(framer, [bytes(wire)], None) == []


@pytest.mark.parametrize("kind", [RtuFramer, AsciiFramer])
@given(data=payloads, cut=st.integers(0, 10_000))
def test_a_truncated_reply_waits(kind: type[Framer], data: bytes, cut: int) -> None:
    framer, expected = kind(), Expected(9, 3, len(data))
    wire = reply(framer, 9, 3, data)
    assert [one for one in run(framer, [wire[: cut % len(wire)]], expected) if one.body[1:] == data] == []
    framer.clear()
    assert [one.body[1:] for one in run(framer, [wire], expected)] == [data]


@pytest.mark.parametrize("kind", [RtuFramer, AsciiFramer])
@given(noise=st.lists(st.binary(max_size=300), max_size=20))
def test_noise_takes_no_memory(kind: type[Framer], noise: list[bytes]) -> None:
    framer = kind()
    run(framer, noise, Expected(1, 3, 4))
    assert len(framer._buffer) <= 600  # type: ignore[attr-defined]


@given(transaction=st.integers(0, 65535), unit=units, function=functions, data=payloads)
def test_mbap_head(transaction: int, unit: int, function: int, data: bytes) -> None:
    wire = encode(transaction, bytes((unit, function, len(data))) + data)
    assert head(wire[:HEAD]) == (transaction, unit, function, len(wire), "")
    assert head(wire[:2] + b"\0\1" + wire[4:]).fault == "protocol"
    assert head(wire[:4] + b"\0\2" + wire[6:]).fault == "length"
    assert head(wire[:4] + b"\0\xff" + wire[6:]).fault == "length"


@pytest.mark.parametrize(
    ("unit", "function", "body", "reason"),
    [
        (1, 3, b"\4\0\0\0\0", ""), (2, 3, b"\4\0\0\0\0", "unit"), (0, 3, b"\4\0\0\0\0", "unit"),
        (1, 4, b"\4\0\0\0\0", "function"), (1, 0x10, b"\4\0\0\0\0", "function"), (1, 0x84, b"\2", "function"),
        (1, 3, b"\2\0\0", "byte_count"), (1, 3, b"\4\0\0", "byte_count"), (1, 3, b"", "byte_count"),
        (1, 3, b"\6\0\0\0\0\0\0", "byte_count"), (1, 0x83, b"\2", ""), (1, 0x83, b"\2\2", "length"),
        (1, 0x83, b"", "length"),
    ],
)  # fmt: skip
def test_mismatch(unit: int, function: int, body: bytes, reason: str) -> None:
    assert mismatch(unit, function, body, Expected(1, 3, 4)) == reason
