"""What commands say: results on stdout, everything else on stderr."""

from __future__ import annotations

import sys
from typing import Any

import orjson


def emit(text: str) -> None:
    """A line of the result, on stdout."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def emit_json(result: dict[str, Any]) -> None:
    """The result as one JSON object on one line, on stdout."""
    emit(orjson.dumps(result).decode())


def say(text: str) -> None:
    """A remark, on stderr."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
