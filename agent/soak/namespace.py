"""A network namespace behind veth pairs: a link that can go down the way a pulled cable does, without a word to TCP.

A listener made in the namespace is served by this process: sockets stay in the namespace they were made in
(network_namespaces(7)). Linux only, as root, with iproute2.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from pipelines.errors import DependencyError

_NEW_NET: Final = 0x4000_0000
"""CLONE_NEWNET of sched.h."""
_PREFIX: Final = "sf-soak-"
_NET_ADMIN: Final = (1 << 12) | (1 << 21)
"""CAP_NET_ADMIN and CAP_SYS_ADMIN (capabilities(7))."""
_PATH: Final = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin", "/usr/bin", "/bin"])


def unavailable() -> str:
    """Why there can be no namespace here; empty when there can."""
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    mine = next((int(line.split()[1], 16) for line in status if line.startswith("CapEff:")), 0)
    if mine & _NET_ADMIN != _NET_ADMIN:
        return "needs root, to make a network namespace"
    if shutil.which("ip", path=_PATH) is None:
        return "needs ip: sudo apt install iproute2"
    return ""


class Namespace:
    """A namespace with one veth pair per name, as a context manager.

    Args:
        names: what is reached through each pair.

    Attributes:
        interfaces: the host's end of each pair.
        addresses: IPv4 address of the far end of each pair.

    Raises:
        DependencyError: it cannot be made here.
    """

    def __init__(self, names: Sequence[str]) -> None:
        pid = os.getpid()
        self.interfaces = {name: f"sfs{pid}{chr(97 + number)}" for number, name in enumerate(names)}
        # Four addresses a pair, in a part of 10.0.0.0/8 chosen by the process id.
        base = 0x0AC0_0000 | (pid % 0x8000) << 4
        ends = {name: base + 4 * number for number, name in enumerate(names)}
        self.addresses = {name: _dotted(end + 2) for name, end in ends.items()}
        self._near = {name: _dotted(end + 1) for name, end in ends.items()}
        self._name = f"{_PREFIX}{pid}"

    def __enter__(self) -> Self:
        """Make the namespace and bring the links up."""
        if reason := unavailable():
            raise DependencyError("network namespace", reason)
        _sweep()
        _ip("netns", "add", self._name)
        try:
            for name, near in self.interfaces.items():
                far = f"{near}p"
                _ip("link", "add", near, "type", "veth", "peer", "name", far)
                _ip("link", "set", far, "netns", self._name)
                _ip("addr", "add", f"{self._near[name]}/30", "dev", near)
                _ip("-n", self._name, "addr", "add", f"{self.addresses[name]}/30", "dev", far)
                _ip("-n", self._name, "link", "set", far, "up")
                _ip("link", "set", near, "up")
        except DependencyError:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove it, and the pairs with it."""
        self._remove()

    def listener(self, name: str) -> socket.socket:
        """A bound TCP socket on a free port of the far end of a pair.

        Raises:
            DependencyError: the namespace cannot be entered.
        """
        made: list[socket.socket] = []
        failed: list[OSError] = []

        def make() -> None:
            try:
                _enter(f"/run/netns/{self._name}")
                one = socket.socket()
                one.bind((self.addresses[name], 0))
                made.append(one)
            except OSError as error:
                failed.append(error)

        thread = threading.Thread(target=make, name="netns")  # the namespace is the thread's, and ends with it
        thread.start()
        thread.join()
        if failed:
            raise DependencyError("network namespace", failed[0].strerror or str(failed[0]))
        return made[0]

    def _remove(self) -> None:
        for near in self.interfaces.values():
            _ip("link", "del", near, check=False)
        _ip("netns", "del", self._name, check=False)


def switch(interface: str, *, up: bool) -> None:
    """Take the host's end of a pair down, or up again.

    Raises:
        DependencyError: there is no such interface.
    """
    _ip("link", "set", interface, "up" if up else "down")


def _sweep() -> None:
    """Remove what runs that were killed have left; their pairs go with it."""
    for path in Path("/run/netns").glob(f"{_PREFIX}*"):
        pid = path.name.removeprefix(_PREFIX)
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            _ip("netns", "del", path.name, check=False)


def _enter(path: str) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if library.setns(fd, _NEW_NET):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(fd)


def _dotted(address: int) -> str:
    return socket.inet_ntoa(address.to_bytes(4, "big"))


def _ip(*arguments: str, check: bool = True) -> None:
    program = shutil.which("ip", path=_PATH)
    if program is None:
        raise DependencyError("ip", "missing: sudo apt install iproute2")
    ran = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    if check and ran.returncode:
        raise DependencyError(f"ip {' '.join(arguments)}", ran.stderr.strip() or f"exit code {ran.returncode}")
