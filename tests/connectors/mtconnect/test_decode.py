"""Documents of several versions to plain data, and what no agent may do to us."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.mtconnect.decode import Devices, Refusal, Streams, document, time_ns
from connectors.mtconnect.safexml import MAX_DEPTH

from .documents import CURRENT_1_3, ERROR_1_0, OUT_OF_RANGE_1_8, PROBE_1_3, SAMPLE_2_2


def streams(body: bytes) -> Streams:
    found = document(body)
    assert isinstance(found, Streams)
    return found


def test_probe() -> None:
    found = document(PROBE_1_3)
    assert isinstance(found, Devices)
    assert found.instance == 1268463594
    items = {item.id: item for item in found.items}
    assert list(items) == ["avail", "c2", "c3", "x2", "x4", "clc", "cn2", "cn6", "cnt1", "pc", "fovr", "Ppos"]
    assert items["x2"].path == "/VMC-3Axis/Axes/X/Xact"
    assert (items["x2"].low, items["x2"].high, items["x2"].units) == (-10.5, 500.0, "MILLIMETER")
    assert items["c2"].category, items["c2"].sub_type == ("SAMPLE", "ACTUAL")
    assert items["avail"].path == "/VMC-3Axis/avail"


def test_current_with_a_prefix_and_times_of_every_kind() -> None:
    found = streams(CURRENT_1_3)
    header = found.header
    assert (header.instance, header.first, header.last, header.next) == (1270534765, 6354, 22737, 22738)
    assert header.time_ns == 1270535375 * 10**9
    by_item = {one.item: one for one in found.observations}
    assert by_item["c2"].time_ns == 1270534775_153141000  # without a zone it is UTC
    assert by_item["x2"].time_ns == 1270534775_123456789  # more decimals than ns; +09:00
    assert by_item["x2"].text == "-0.5e-3"
    assert by_item["cn2"].text == "G01X1<2"
    assert found.malformed == 1
    assert [one.sequence for one in found.observations] == sorted(one.sequence for one in found.observations)
    assert [one.element for one in found.observations if one.item == "clc"] == ["Fault", "Warning"]
    assert by_item["clc"].category == "CONDITION"


def test_sets_and_tables() -> None:
    found = streams(SAMPLE_2_2)
    assert found.header.instance == 2**64 - 1
    entries = [one.entries for one in found.observations if one.category == "EVENT"]
    assert entries == [{"a b": "1.5", "name": "O1"}, {"a b": None, "c": "2"}, {"G54_X": "1", "G54_Y": "-2"}]


@pytest.mark.parametrize(("body", "code"), [(OUT_OF_RANGE_1_8, "OUT_OF_RANGE"), (ERROR_1_0, "NO_DEVICE")])
def test_refusals(body: bytes, code: str) -> None:
    found = document(body)
    assert isinstance(found, Refusal)
    assert found.code == code
    assert found.words


def test_a_namespace_of_the_future_is_read() -> None:
    assert streams(SAMPLE_2_2.replace(b":2.2", b":9.9")) == streams(SAMPLE_2_2)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not XML"),
        (b"<html><body>It works!</body></html>", "<html> is no MTConnect document"),
        (b"{}", "not XML"),
        (CURRENT_1_3[:-40], "not XML"),
        (CURRENT_1_3.replace(b' nextSequence="22738"', b""), "Header has no number nextSequence"),
        (CURRENT_1_3.replace(b'"22738"', b'"-1"'), "nextSequence"),
        (CURRENT_1_3.replace(b'instanceId="1270534765"', b'instanceId="one"'), "instanceId"),
        (b"<MTConnectStreams/>", "has no Header"),
        (CURRENT_1_3.replace(b'encoding="UTF-8"', b'encoding="klingon"'), "not XML"),
        (b"<a>" * (MAX_DEPTH + 1), f"more than {MAX_DEPTH} elements"),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "DOCTYPE"),
        (b'<!DOCTYPE a [<!ENTITY x "y"><!ENTITY z "&x;&x;">]><a>&z;</a>', "DOCTYPE"),
        (b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "DOCTYPE"),
    ],
)
def test_what_is_no_document_is_refused(body: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        document(body)


@given(st.integers(0, 253402300799), st.text(string.digits, max_size=12))
def test_any_number_of_decimals(seconds: int, decimals: str) -> None:
    from datetime import UTC, datetime, timedelta  # noqa: PLC0415 - an independent way to the same text

    text = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S").zfill(19)
    wanted = seconds * 10**9 + int((decimals + "0" * 9)[:9])
    assert time_ns(f"{text}{'.' if decimals else ''}{decimals}Z") == wanted


@pytest.mark.parametrize(
    "text", ["", "2010-04-06", "2010-13-06T06:19:35Z", "06.04.2010 06:19", "2010-04-06T06:19:35+9"]
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        time_ns(text)


HUGE = [
    ('timestamp="9999-12-31T23:59:59Z"', 'sequence="5"'),  # no int64 of nanoseconds
    ('timestamp="0001-01-01T00:00:00Z"', 'sequence="5"'),
    ('timestamp="2010-04-06T06:19:35Z"', f'sequence="{2**64}"'),
    ('timestamp="2010-04-06T06:19:35Z"', 'sequence="-5"'),
    ('timestamp="2010-04-06T06:19:35Z"', 'sequence="1_0"'),
]


@pytest.mark.parametrize(("when", "number"), HUGE)
def test_what_cannot_be_stored_is_malformed_and_spares_the_others(when: str, number: str) -> None:
    odd = f'<Samples><X dataItemId="a" {when} {number}>1</X>'
    good = '<X dataItemId="b" timestamp="2010-04-06T06:19:35Z" sequence="6">2</X></Samples>'
    header = '<Header instanceId="1" firstSequence="1" lastSequence="6" nextSequence="7"/>'
    found = document(f"<MTConnectStreams>{header}{odd}{good}</MTConnectStreams>".encode())
    assert isinstance(found, Streams)
    assert ([one.item for one in found.observations], found.malformed) == (["b"], 1)


def test_a_position_that_no_64_bits_hold_is_refused() -> None:
    header = f'<Header instanceId="1" firstSequence="1" lastSequence="6" nextSequence="{2**64}"/>'
    with pytest.raises(ValueError, match="no number nextSequence"):
        document(f"<MTConnectStreams>{header}</MTConnectStreams>".encode())


def test_many_small_elements_do_not_fill_the_memory() -> None:
    with pytest.raises(ValueError, match="more than 1000000 elements and attributes; ask for less with count"):
        document(b"<a>" + b"<b/>" * 1_000_001)


@given(st.binary(max_size=400))
def test_noise_is_refused_with_a_reason(noise: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        document(noise)


@given(st.integers(0, len(SAMPLE_2_2) - 1), st.integers(0, 255))
def test_a_changed_byte_is_refused_or_read(place: int, byte: int) -> None:
    body = SAMPLE_2_2[:place] + bytes((byte,)) + SAMPLE_2_2[place + 1 :]
    try:
        found = document(body)
    except ValueError:
        return
    assert isinstance(found, Streams | Devices | Refusal)
