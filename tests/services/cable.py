"""A network cable that can be pulled: a network namespace behind a pair of virtual interfaces. Needs root."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}"


@dataclass(frozen=True)
class Cable:
    """A running network of two machines.

    Attributes:
        namespace: of the far machine.
        near: our interface.
        here: our address.
        there: address of the far machine.
    """

    namespace: str
    near: str
    here: str
    there: str

    def pull(self) -> None:
        """Nothing goes through any more, and nobody is told: no RST, no FIN."""
        _ip("link", "set", self.near, "down")

    def plug(self) -> None:
        """As before."""
        _ip("link", "set", self.near, "up")

    def beyond(self, *command: str) -> list[str]:
        """The command line that runs `command` on the far machine."""
        return ["ip", "netns", "exec", self.namespace, *command]


@contextmanager
def cable() -> Iterator[Cable]:
    """Two machines, joined."""
    assert shutil.which("ip"), "ip is missing: run deploy/test-components.sh"
    assert os.geteuid() == 0, "a network namespace needs root"
    number = os.getpid() % 60_000
    name, near, far = f"sf{number}", f"sfn{number}", f"sff{number}"
    net = f"10.{200 + number % 50}.{number // 50 % 250}"
    made = Cable(name, near, f"{net}.1", f"{net}.2")
    _ip("netns", "add", name)
    try:
        _ip("link", "add", near, "type", "veth", "peer", "name", far)
        _ip("link", "set", far, "netns", name)
        _ip("addr", "add", f"{made.here}/24", "dev", near)
        _ip("link", "set", near, "up")
        for arguments in (("addr", "add", f"{made.there}/24", "dev", far), ("link", "set", far, "up")):
            _ip("-n", name, *arguments)
        yield made
    finally:
        subprocess.run(["ip", "link", "del", near], capture_output=True, check=False, timeout=20)
        _ip("netns", "del", name)
