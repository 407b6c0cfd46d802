"""node-opcua with alarms and history in a child process, driven through its standard input."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from asyncua import Client, ua

from .conftest import node_server

ACKNOWLEDGE, CONFIRM = 9111, 9113
"""Methods of AcknowledgeableConditionType (OPC 10000-9 §5.7)."""


class AlarmServer:
    """The running server.

    Attributes:
        endpoint: where it listens.
    """

    def __init__(self, process: subprocess.Popen[str], endpoint: str) -> None:
        self.process = process
        self.endpoint = endpoint

    def tell(self, **what: Any) -> None:
        """One command; returns when it is done."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()
        while not self.process.stdout.readline().startswith('{"done"'):
            pass

    async def method(self, condition: str, number: int, event_id: str, comment: str) -> None:
        """Call a method of a condition as an operator's screen does."""
        async with Client(self.endpoint) as operator:
            node = operator.get_node(ua.NodeId(condition, await operator.get_namespace_index("urn:foreign:alarms")))
            text = ua.LocalizedText(comment)
            await node.call_method(ua.NodeId(number), bytes.fromhex(event_id), ua.Variant(text))


@contextlib.contextmanager
def alarm_server(folder: Path, **environment: str) -> Iterator[AlarmServer]:
    """Run it until the block ends."""
    with node_server(folder, script="alarms.js", **environment) as (process, said):
        yield AlarmServer(process, said["endpoint"])
