"""The socket on which a running plant takes orders: JSON lines, each answered by one.

``{"fault": …, "device": …, "for_s": …}`` begins a fault, ``{"end": FAULT, "device": …}`` ends it, ``{"list": true}``
tells what there is and what is under way. An answer has ``refused`` when nothing was done.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import orjson

from simulators.faults.board import Board
from simulators.faults.orders import read_order
from simulators.faults.table import FAULTS
from simulators.plant import Plant


class Control:
    """Answers for one plant."""

    def __init__(self, plant: Plant, board: Board) -> None:
        self._plant = plant
        self._board = board

    def answer(self, text: bytes) -> dict[str, Any]:
        """What is said to one line."""
        try:
            said = orjson.loads(text)
            return self._done(said) if isinstance(said, dict) else {"refused": "an order is a JSON object"}
        except ValueError as reason:
            return {"refused": str(reason)}

    def _done(self, said: dict[str, Any]) -> dict[str, Any]:
        if "list" in said:
            return {"faults": self._faults(), "active": self._active()}
        if "end" in said:
            return {"ended": self._board.end(str(said["end"]), str(said.get("device", "")))}
        order = read_order(said, self._plant)
        self._board.add(order, self._plant.steps)
        return {"injected": order.told(), "for_s": order.for_s}

    def _active(self) -> list[dict[str, Any]]:
        return [one.order.told() | {"for_s": one.order.for_s} for one in self._board.active]

    def _faults(self) -> list[dict[str, Any]]:
        """The lines' own, then the generic ones with the devices and signals they can befall."""
        rows: list[dict[str, Any]] = [
            {"fault": name, "ko": fault.ko, "en": fault.en, "for_s": fault.for_s, "devices": {}}
            for name, fault in self._plant.faults.items()
        ]
        for name, kind in FAULTS.items():
            devices = {
                device.name: [s.name for s in device.signals if kind.fits(s)] if kind.fits else []
                for device in self._plant.devices.values()
                if device.type in kind.devices
            }
            if devices:
                shared = {"fault": name, "ko": kind.ko, "en": kind.en, "for_s": kind.for_s}
                rows.append(shared | {"devices": devices, "needs_signal": kind.one})
        return rows

    @asynccontextmanager
    async def serving(self, path: Path) -> AsyncIterator[None]:
        """Take orders at `path` while the block runs."""

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                async for line in reader:
                    writer.write(orjson.dumps(self.answer(line), option=orjson.OPT_APPEND_NEWLINE))
                    await writer.drain()
            except (ConnectionError, ValueError):  # gone, or a line without end
                pass
            finally:
                writer.close()

        name = str(path)
        with suppress(FileNotFoundError):
            os.unlink(name)  # noqa: PTH108 — left by a plant that was killed
        folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)  # an address holds 107 bytes (unix(7))
        try:
            server = await asyncio.start_unix_server(serve, f"/proc/self/fd/{folder}/{path.name}")
            try:
                yield
            finally:
                server.close()
        finally:
            os.unlink(name)  # noqa: PTH108 — a Path would be a look at the disk to a linter
            os.close(folder)
