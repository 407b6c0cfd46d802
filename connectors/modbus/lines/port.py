"""A serial port: pyserial opens and sets it, asyncio waits for it."""

from __future__ import annotations

import asyncio
import errno
import os
from typing import TYPE_CHECKING, Final

import serial

from pipelines.errors import LinkClosed, LinkRefused

if TYPE_CHECKING:
    from connectors.modbus.endpoint import SerialSettings
    from connectors.modbus.lines.pipe import Listener

_PARITY: Final = {"none": serial.PARITY_NONE, "even": serial.PARITY_EVEN, "odd": serial.PARITY_ODD}
_CHUNK: Final = 4096


class PortPipe:
    """One open port, locked against every other program that asks for the lock."""

    def __init__(self, port: serial.Serial, listener: Listener) -> None:
        self._port = port
        self._fd: int = port.fileno()
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._fd, self._readable)

    def send(self, data: bytes) -> None:
        """Send a request; it fits into the port's buffer, since the line is silent."""
        if not self._port.is_open:
            return
        try:
            sent = os.write(self._fd, data)
        except OSError as error:
            self._gone(f"the port takes nothing ({error.strerror})")
        else:
            if sent != len(data):
                self._gone("the port takes nothing (its buffer is full)")

    def waited_s(self) -> float:
        """Not known."""
        return 0.0

    def abort(self) -> None:
        """Close the port and give up its lock."""
        if self._port.is_open:
            self._loop.remove_reader(self._fd)
            self._port.close()

    async def closed(self) -> None:
        """`abort` leaves nothing behind."""

    def _readable(self) -> None:
        try:
            data = os.read(self._fd, _CHUNK)
        except BlockingIOError:
            return
        except OSError as error:
            self._gone(f"the port is gone ({error.strerror})")
            return
        if data:
            self._listener.received(data)
        else:
            self._gone("the port is gone")

    def _gone(self, why: str) -> None:
        self.abort()
        self._listener.lost(LinkClosed, f"{why}: check the adapter")


def open_port(settings: SerialSettings, place: str, listener: Listener) -> PortPipe:
    """The port of `settings`, set and locked; errors name `place`.

    Raises:
        LinkRefused: it is not there, not ours to open, in use, or cannot be set so.
    """
    try:
        port = serial.Serial(
            settings.device,
            settings.baudrate,
            bytesize=settings.byte_size,
            parity=_PARITY[settings.parity],
            stopbits=settings.stop_bits,
            timeout=0,
            exclusive=True,
        )
    except serial.SerialException as error:
        taken = error.errno in {errno.EAGAIN, errno.EBUSY}
        reason = "another program has it" if taken else os.strerror(error.errno) if error.errno else error
        raise LinkRefused(place, f"the port cannot be opened ({reason}): {_remedy(error.errno)}") from error
    except (OSError, ValueError) as error:
        raise LinkRefused(place, f"the port cannot be set to {settings.wiring()} ({error})") from error
    return PortPipe(port, listener)


def _remedy(code: int | None) -> str:
    if code == errno.EACCES:
        return "the service's user must be in the group of the device, mostly dialout"
    if code in {errno.ENOENT, errno.EPERM}:
        return (
            "check the adapter and its name, and let it into the service's sandbox (docs/configuration.md#modbus-lines)"
        )
    return "check the adapter, its name, and who else uses it"
