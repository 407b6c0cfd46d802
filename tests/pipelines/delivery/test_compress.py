"""Packing comes back as it was; what claims to be packed and is not, or is too large, is refused within bounds."""

from __future__ import annotations

import resource
import zlib
from typing import Any

import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.delivery.compress import GZIP, UNPACKED_BYTES, ZSTD, Compression, pack, unpack
from pipelines.errors import PayloadRefused

PACKED: tuple[Compression, ...] = ("gzip", "zstd")


@given(st.binary(max_size=2000), st.integers(1, 200), st.sampled_from(["none", "gzip", "zstd"]))
@settings(max_examples=60, deadline=None)
def test_back_as_it_was(part: bytes, times: int, method: Compression) -> None:
    payload = part * times
    packed, content_type = pack(payload, method)
    assert len(packed) <= len(payload)
    assert (content_type == "") == (packed is payload)
    assert unpack(packed, content_type) == payload


@pytest.mark.parametrize("method", PACKED)
def test_what_no_reader_would_unpack_goes_as_it_is(method: Compression) -> None:
    payload = bytes(UNPACKED_BYTES + 1)
    assert pack(payload, method) == (payload, "")
    packed, content_type = pack(payload[1:], method)
    assert content_type
    assert unpack(packed, content_type) == payload[1:]


@pytest.mark.parametrize("content_type", [GZIP, ZSTD])
def test_a_bomb_costs_no_more_than_the_bound(content_type: str) -> None:
    """1 GiB of zeros in 1 MiB or less."""
    if content_type == GZIP:
        writer: Any = zlib.compressobj(9, zlib.DEFLATED, 31)
        bomb = b"".join(writer.compress(bytes(1 << 20)) for _ in range(1024)) + writer.flush()
    else:
        writer = zstd.ZstdCompressor()
        bomb = b"".join(writer.compress(bytes(1 << 20)) for _ in range(1024)) + writer.flush()
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(PayloadRefused, match="more than 8388608 bytes"):
        unpack(bomb, content_type)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 64 << 10


def test_a_window_above_the_bound_is_refused() -> None:
    large = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 27}).compress(b"x", 2)
    huge = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 27})
    assert unpack(large, ZSTD) == b"x"
    with pytest.raises(PayloadRefused, match="no application/zstd"):
        unpack(huge.compress(b"x") + huge.flush(), ZSTD)


@pytest.mark.parametrize("method", PACKED)
def test_torn_doubled_and_senseless_is_refused(method: Compression) -> None:
    packed, content_type = pack(b"m f=1 1\n" * 100, method)
    for wrong in (packed[:-1], packed[: len(packed) // 2], packed * 2, packed + b"x", b"", b"m f=1 1", b"\xff" * 40):
        with pytest.raises(PayloadRefused, match=content_type):
            unpack(wrong, content_type)


def test_a_content_type_nobody_knows_is_named_with_its_remedy() -> None:
    with pytest.raises(PayloadRefused, match=r"'application/json' is not known here: send application/gzip, "):
        unpack(b"{}", "application/json")
    assert unpack(b"m f=1 1", "text/plain") == b"m f=1 1"
