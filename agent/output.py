"""What commands say: results on stdout, everything else on stderr."""

from __future__ import annotations

import sys
from typing import Any, Final

import orjson

_CONTROL: Final = {
    code: "\N{REPLACEMENT CHARACTER}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n\r"
}
"""What a terminal obeys instead of showing it: devices and servers have a say in what is written."""


def emit(text: str) -> None:
    """A line of the result, on stdout."""
    sys.stdout.write(text.translate(_CONTROL) + "\n")
    sys.stdout.flush()


def emit_json(result: dict[str, Any]) -> None:
    """The result as one JSON object on one line, on stdout."""
    emit(orjson.dumps(result).decode())


def someone_reads() -> bool:
    """Whether a person watches stderr, and it is no file or journal."""
    return sys.stderr.isatty()


def say(text: str) -> None:
    """A remark, on stderr."""
    sys.stderr.write(text.translate(_CONTROL) + "\n")
    sys.stderr.flush()
