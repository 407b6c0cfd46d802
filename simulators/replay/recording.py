r"""A recording: what devices answered, byte for byte. This text specifies the file.

A file is a row of Zstandard frames (RFC 8878), each with a checksum of its content; `zstd -dc FILE` shows the lines. A
frame holds whole lines of JSON, each ended by a line feed, and is written once a second or every 256 KiB. A file that
was cut ends with its last whole frame; so does one whose bytes were altered.

Every line has `k` (kind). Times are ns since 1970 UTC by the recorder's clock; `c` is the position of the connection in
the header's `connections`. Addresses, units and function codes are those of the wire. Kinds:

- ``header``, the first line: {format: "shopfloor-recording", version: 1, started, site, connections: [{name, type}]}.
  `site` is the configuration that was read, with every device at 127.0.0.1 and without anything that says who reads:
  users, files of passwords and keys, broker, destinations.
- ``link`` {c, t, event}: `opening` an attempt begins, `open` it worked, `refused`, `timeout`, `closed`, `untrusted`
  it did not, or the open link ended.
- ``modbus`` {c, q, s, t, unit, fc, at, n}: a request for `n` registers or bits from address `at` on was sent at `q`,
  its answer had arrived at `t`, its readings bear the time `s`; and one of `data` (hexadecimal: the data bytes of the
  response), `exception` (its code), `silence` (`timeout`: no answer came until `t`; `closed`: the device hung up
  instead, or its answer was another one's).
- ``nodes`` {c, t, namespaces: [URI], nodes: [[row, node id, browse path]]}: OPC UA, what the tags of the configuration
  stand for, `row` counted from 0 in the order of the connection's tags; path empty where the tag has none.
- ``opcua`` {c, t, via: subscription | read, items: [[row, DataValue]]}: values as they arrived at `t`; a DataValue is
  the base64 of its OPC UA binary encoding (OPC 10000-6 §5.2.2.17): Variant with its type, StatusCode, source time and
  server time.
- ``gap`` {c, cause, start, end, tags: [name]}: what the link says was not read.
- ``end`` {t}: the recording was ended in order.

A reader passes over kinds and keys it does not know; `version` grows when it may not.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import orjson

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

FORMAT: Final = "shopfloor-recording"
VERSION: Final = 1
MOST_FRAME: Final = 64 << 20
"""Largest content of a frame that is read, bytes: what a damaged or foreign file could ask for."""
_CHUNK: Final = 1 << 16


class RecordingError(ValueError):
    """The file is no recording, or one that this version does not read."""


class Recording:
    """A file that was recorded.

    Attributes:
        header: its first line.

    Raises:
        RecordingError: it is none, or of a later version.
        OSError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            header = next(self._all(), None)
        except ValueError:
            header = None
        if not isinstance(header, dict) or header.get("format") != FORMAT:
            raise RecordingError(f"{path} is no recording; `agent record` makes one")
        self.header: dict[str, Any] = header
        version = header.get("version")
        if isinstance(version, int) and version > VERSION:
            raise RecordingError(f"{path} is of version {version}; this program reads up to {VERSION}")
        if not _sound(header):
            raise RecordingError(f"{path} has a header that does not say what was recorded; record it again")

    def lines(self) -> Iterator[dict[str, Any]]:
        """What stands behind the header, in the order of the file."""
        found = self._all()
        next(found, None)
        return found

    def _all(self) -> Iterator[dict[str, Any]]:
        for frame in frames(self.path):
            for text in frame.splitlines():
                yield orjson.loads(text)


def _sound(header: dict[str, Any]) -> bool:
    """Whether it has what devices are made of; `site` is for those who read them."""
    try:
        texts = [one[key] for one in header["connections"] for key in ("name", "type")]
        numbers = [header["version"], header["started"]]
    except (KeyError, TypeError):
        return False
    return all(isinstance(one, str) for one in texts) and all(isinstance(one, int) for one in numbers)


def frames(path: Path) -> Iterator[bytes]:
    """The content of each frame that is whole, up to the first that is not."""
    with path.open("rb") as file:
        waiting = b""
        while waiting or (waiting := file.read(_CHUNK)):
            one, content, size = zstd.ZstdDecompressor(), [], 0
            while not one.eof:
                if one.needs_input and not waiting and not (waiting := file.read(_CHUNK)):
                    return
                try:
                    content.append(one.decompress(waiting, MOST_FRAME + 1 - size))
                except zstd.ZstdError:
                    return
                waiting = b""
                size += len(content[-1])
                if size > MOST_FRAME:
                    return
            waiting = one.unused_data
            yield b"".join(content)
