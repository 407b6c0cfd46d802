"""Readings of an embedded store, asked of the process that holds its file."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from agent.control.client import order
from agent.control.server import Handler
from pipelines.errors import DependencyError
from viewer.stores.base import ExactStore, Place, Points

PATH: Final = "/readings"
_TIMEOUT_S: Final = 300.0


def answers(store: ExactStore) -> Handler:
    """What the process does that holds the store."""

    async def handler(said: dict[str, Any]) -> dict[str, Any]:
        wanted = [(Place(*place), str(field)) for place, field in said["wanted"]]
        found = await asyncio.to_thread(store.readings, wanted, int(said["start_ns"]), int(said["end_ns"]))
        return {"found": [[_packed(one.time_ns), _packed(one.value)] for one in found]}

    return handler


class ServedStore:
    """An embedded store, by way of the process that holds it.

    Args:
        folder: of the store.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def readings(self, wanted: Sequence[tuple[Place, str]], start_ns: int, end_ns: int) -> list[Points]:
        """See `ExactStore.readings`."""
        said = {
            "wanted": [[astuple(place), field] for place, field in wanted],
            "start_ns": start_ns,
            "end_ns": end_ns,
        }
        answer = order(self._folder, PATH, said, _TIMEOUT_S)
        try:
            return [Points(_unpacked(time_ns), _unpacked(value)) for time_ns, value in answer["found"]]
        except (KeyError, ValueError, TypeError) as error:
            raise DependencyError(str(self._folder), f"the answer is not understood: {error}") from error

    def close(self) -> None:
        """Nothing is open."""


def _packed(column: NDArray[Any]) -> list[Any]:
    """A dtype and the bytes, or the texts themselves."""
    if column.dtype.kind == "O":
        return ["O", column.tolist()]
    return [column.dtype.str, base64.b64encode(np.ascontiguousarray(column).tobytes()).decode()]


def _unpacked(column: list[Any]) -> NDArray[Any]:
    kind, content = column
    if kind == "O":
        texts: NDArray[Any] = np.empty(len(content), dtype=object)
        texts[:] = content
        return texts
    return np.frombuffer(base64.b64decode(content), dtype=kind)
