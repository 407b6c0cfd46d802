"""Payloads made smaller for the wire, and back, never larger than a bound.

The Content Type of a PUBLISH (MQTT 5 §3.3.2.3.9) says how: none or `text/plain` is line protocol as it is,
`application/gzip` (RFC 6713) one gzip member, `application/zstd` (RFC 8878) one Zstandard frame.
"""

from __future__ import annotations

import sys
import zlib
from typing import Final, Literal

from pipelines.errors import PayloadRefused

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Compression = Literal["none", "gzip", "zstd"]
UNPACKED_BYTES: Final = 8 << 20
"""Largest payload that is packed, and the bound on what comes out of one; a record takes about 512 KiB."""
GZIP: Final = "application/gzip"
ZSTD: Final = "application/zstd"
_PLAIN: Final = ("", "text/plain", "text/plain; charset=utf-8")
_WINDOW_LOG: Final = 23
"""Largest Zstandard window, log2 of bytes: it is memory a sender could ask for."""
_GZIP_LEVEL: Final = 6
_GZIP_WBITS: Final = 31
_SHOWN: Final = 60


def pack(payload: bytes, method: Compression) -> tuple[bytes, str]:
    """The payload as it goes on the wire, and its Content Type, empty for one that went as it is.

    It goes as it is where packing makes it no smaller, or where it is above `UNPACKED_BYTES`, which no reader unpacks.
    """
    if method == "none" or len(payload) > UNPACKED_BYTES:
        return payload, ""
    if method == "gzip":
        packed, content_type = zlib.compress(payload, _GZIP_LEVEL, _GZIP_WBITS), GZIP
    else:
        packed, content_type = zstd.compress(payload), ZSTD
    return (packed, content_type) if len(packed) < len(payload) else (payload, "")


def unpack(payload: bytes, content_type: str, limit: int = UNPACKED_BYTES) -> bytes:
    """What `pack` was given; needs no more memory than `limit` and its window, whatever the payload claims.

    Raises:
        PayloadRefused: the Content Type is not one of ours, the payload is not what it says, or larger than `limit`.
    """
    if content_type in _PLAIN:
        return payload
    if content_type == GZIP:
        return _ungzip(payload, limit)
    if content_type == ZSTD:
        return _unzstd(payload, limit)
    raise PayloadRefused(f"content type {content_type[:_SHOWN]!r} is not known here: send {GZIP}, {ZSTD} or none")


def _ungzip(payload: bytes, limit: int) -> bytes:
    reader = zlib.decompressobj(_GZIP_WBITS)
    try:
        out = reader.decompress(payload, limit + 1)
    except zlib.error as error:
        raise PayloadRefused(f"no {GZIP}: {error}") from error
    return _whole(out, limit, GZIP, whole=reader.eof and not reader.unused_data)


def _unzstd(payload: bytes, limit: int) -> bytes:
    reader = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _WINDOW_LOG})
    try:
        out = reader.decompress(payload, limit + 1)
    except zstd.ZstdError as error:
        raise PayloadRefused(f"no {ZSTD}: {error}") from error
    return _whole(out, limit, ZSTD, whole=reader.eof and not reader.unused_data)


def _whole(out: bytes, limit: int, name: str, *, whole: bool) -> bytes:
    if len(out) > limit:
        raise PayloadRefused(f"more than {limit} bytes when unpacked ({name})")
    if not whole:
        raise PayloadRefused(f"no {name}: it is cut off, or something stands behind it")
    return out
