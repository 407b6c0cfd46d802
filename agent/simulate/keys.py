"""A key per fault while the live table is shown: letters begin and end faults, digits choose the device."""

from __future__ import annotations

import asyncio
import os
import sys
import termios
import tty
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rich.text import Text

from agent.simulate.plant import tell_plant
from pipelines.errors import ShopfloorError

_LETTERS: Final = "abcdefghijklmnoprstuvwxyz"
_DIGITS: Final = "123456789"
_LOOK_S: Final = 0.3
_WAITING: Final = 16
"""Keys that are kept while the plant answers; more are ignored."""


@dataclass(slots=True)
class Keys:
    """What the keys mean, and what is under way.

    Attributes:
        rows: faults that need no signal, as the plant lists them.
        devices: names, in order.
        device: the chosen one.
        active: (fault, device) under way; no device = a line's own.
        notice: what the plant said last, when it refused.
    """

    rows: Sequence[Mapping[str, Any]] = ()
    devices: Sequence[str] = ()
    device: str = ""
    active: set[tuple[str, str]] = field(default_factory=set)
    notice: str = ""

    def take(self, answer: Mapping[str, Any]) -> None:
        """What the plant lists."""
        self.rows = [row for row in answer["faults"] if not row.get("needs_signal")][: len(_LETTERS)]
        names = dict.fromkeys(device for row in self.rows for device in row["devices"])
        self.devices = list(names)[: len(_DIGITS)]
        self.device = self.device or next(iter(self.devices), "")
        self.active = {(one["fault"], one.get("device", "")) for one in answer["active"]}

    def order(self, key: str) -> dict[str, str] | None:
        """What a key asks of the plant; None = nothing."""
        if key in _DIGITS[: len(self.devices)]:
            self.device = self.devices[_DIGITS.index(key)]
        elif key in _LETTERS[: len(self.rows)]:
            row = self.rows[_LETTERS.index(key)]
            device = self.device if row["devices"] else ""
            if device and device not in row["devices"]:
                self.notice = f"{row['fault']}: {device} ✕"
                return None
            verb = "end" if (row["fault"], device) in self.active else "fault"
            return {verb: row["fault"]} | ({"device": device} if device else {})
        return None

    def footer(self) -> Text:
        """The keys; what is under way is red, what does not fit the chosen device is dim."""
        text = Text("고장 Faults  ")
        for key, device in zip(_DIGITS, self.devices, strict=False):
            text.append(f"[{key}] {device}  ", "bold" if device == self.device else "dim")
        text.append("\n")
        for key, row in zip(_LETTERS, self.rows, strict=False):
            device = self.device if row["devices"] else ""
            fits = not device or device in row["devices"]
            style = "red bold" if (row["fault"], device) in self.active else "" if fits else "dim"
            text.append(f"[{key}] {row['ko']} {row['fault']}  ", style)
        return text.append(f"\n{self.notice}", "yellow") if self.notice else text


async def keep_keys(keys: Keys, plant: Path, stop: asyncio.Event) -> None:
    """Have the plant do what is pressed, until `stop`."""
    pressed: asyncio.Queue[str] = asyncio.Queue(maxsize=_WAITING)
    with _reading(pressed):
        while not stop.is_set():
            try:
                keys.take(await asyncio.to_thread(tell_plant, plant, list=True))
                async with asyncio.timeout(_LOOK_S):
                    order = keys.order(await pressed.get())
                if order is not None:
                    keys.notice = ""
                    await asyncio.to_thread(tell_plant, plant, **order)
            except TimeoutError:
                continue
            except ShopfloorError as error:
                keys.notice = str(error)


@contextmanager
def _reading(pressed: asyncio.Queue[str]) -> Iterator[None]:
    """Keys of the terminal one by one, not echoed; Ctrl-C stays what it is."""
    fd = sys.stdin.fileno()
    before = termios.tcgetattr(fd)
    loop = asyncio.get_running_loop()

    def read() -> None:
        for key in os.read(fd, _WAITING).decode("ascii", "replace"):
            if not pressed.full():
                pressed.put_nowait(key)

    tty.setcbreak(fd)
    loop.add_reader(fd, read)
    try:
        yield
    finally:
        loop.remove_reader(fd)
        termios.tcsetattr(fd, termios.TCSADRAIN, before)
