"""A device's server follows its panel: port, memory and connections as the faults have them."""

from __future__ import annotations

from abc import ABC, abstractmethod

from simulators.panel import Panel


class Follower(ABC):
    """The server of one device.

    Attributes:
        panel: what the device shows.
        port: the TCP port, known after `start`; a later start takes the same again.
    """

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self.name = panel.device.name
        self.port = 0
        self._open = True
        self._lives = panel.lives
        self._deaf_now = False

    async def follow(self) -> None:
        """Do what the panel says, once per step."""
        panel = self.panel
        if bool(panel.deaf) != self._deaf_now:
            self._deaf_now = bool(panel.deaf)
            if self._deaf_now:
                self.deafen()
            else:
                self.hang_up()
        if self._open and panel.closed:
            self._open = False
            await self.stop()
            if self._lives != panel.lives:
                self._lives = panel.lives
                await self.forget()
        elif not self._open and not panel.closed:
            self._open = True
            await self.start()

    @abstractmethod
    async def start(self, port: int = 0) -> None:
        """Listen; port 0 takes a free one, or the one it had."""

    @abstractmethod
    async def stop(self) -> None:
        """Close the port and every connection."""

    @abstractmethod
    async def forget(self) -> None:
        """Lose what is remembered beside the values."""

    @abstractmethod
    def deafen(self) -> None:
        """Forget the connections that are open without telling their clients."""

    @abstractmethod
    def hang_up(self) -> None:
        """Reset the connections that were forgotten."""

    @abstractmethod
    async def update(self, steps: int, time_ns: int) -> None:
        """Follow the panel, then show what is due at this step; `time_ns` is its source time."""
