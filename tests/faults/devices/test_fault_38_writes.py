"""Whatever anybody sends the agent, no PLC ever sees anything but reads."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from asyncua.server.internal_session import InternalSession

from tests.connectors.modbus.device import Device
from tests.connectors.opcua.conftest import Plant, plant
from tests.e2e.foreign_parts import Child, collector, site_of
from tests.services.mosquitto import Mosquitto

__all__ = ["plant"]
pytestmark = [pytest.mark.wire, pytest.mark.fault(38)]

READS = {1, 2, 3, 4}
COMMANDS = [
    b'{"method":"write","tag":"t0","value":1}',
    b'{"op":"set","node":"ns=2;s=a","value":1}',
    b"\x00\x01\x00\x00\x00\x06\x01\x06\x00\x00\x00\x01",
    b"t0=1",
    b"",
]
TOPICS = ("write", "set", "cmd", "command", "rpc/request/1", "data", "stored", "rejected", "birth", "config", "")
REQUESTS = [
    b"POST /write HTTP/1.1\r\nHost: a\r\nContent-Length: 13\r\n\r\n{'t0': 1}    ",
    b"PUT /tags/t0 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n1",
    b"GET /write?tag=t0&value=1 HTTP/1.1\r\nHost: a\r\n\r\n",
]


def shout(broker: Mosquitto, agent: str) -> int:
    """Every command on every topic somebody might try; how many the broker took."""
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    client.connect(broker.host, broker.port)
    client.loop_start()
    sent = [
        client.publish(f"{root}/{topic}".rstrip("/"), command, qos=1)
        for root in (f"sf/38/hall/{agent}", "sf/38/hall", f"sf/38/hall/{agent}/P1/t0", "v1/devices/me")
        for topic in TOPICS
        for command in COMMANDS
    ]
    for message in sent:
        message.wait_for_publish(10)
    client.disconnect()
    client.loop_stop()
    return len(sent)


def knock(running: Child) -> int:
    """Every request on the control socket; how many were answered with a success."""
    good = 0
    for request in REQUESTS:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(5)
            line.connect(str(running.state / "control.sock"))
            line.sendall(request)
            good += line.recv(4096).startswith(b"HTTP/1.1 2")
    return good


async def test_nobody_can_make_it_write(
    plant: Plant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, figure: Any
) -> None:
    services: Counter[str] = Counter()
    for service in ("write", "call", "add_nodes", "delete_nodes", "history_update"):
        if hasattr(InternalSession, service):
            monkeypatch.setattr(InternalSession, service, _counting(services, service))
    async with Device() as device:
        modbus = {"type": "modbus", "name": "m", "host": "127.0.0.1", "port": device.port, "period_s": 0.1}
        opcua = {"type": "opcua", "name": "o", "endpoint": plant.endpoint, "security": {"policy": "none"}}
        site = site_of(
            "38",
            [
                {**modbus, "tags": [{"name": "t0", "address": 0, "datatype": "uint16"}]},
                {**opcua, "tags": [{"name": "a", "node": "nsu=urn:test:plant;s=a"}]},
            ],
        )
        with Mosquitto(tmp_path / "mosquitto") as broker:
            sent = await asyncio.to_thread(_run, tmp_path, site, broker)
    figure("PLC writes or calls after hostile messages and requests", asked="0", measured=sum(services.values()))
    assert sent > 200
    assert not services
    assert set(device.functions) == {3}
    assert not set(device.functions) - READS


def _run(folder: Path, site: dict[str, Any], broker: Mosquitto) -> int:
    with collector(folder / "agent", site, f"mqtt://{broker.host}:{broker.port}") as running:
        status = running.until(
            lambda: (said := running.status()) and all(o["readings"] for o in said["connections"].values()) and said
        )
        before = status["connections"]["m"]["readings"]
        sent = shout(broker, status["agent"]) + len(REQUESTS)
        assert not knock(running)
        running.until(lambda: running.status()["connections"]["m"]["readings"] > before + 10)
        assert all(one["connected"] for one in running.status()["connections"].values())
        assert running.stop() == 0
    return sent


def _counting(services: Counter[str], service: str) -> Any:
    """The service as it is for the server itself; counted and refused for whoever is connected."""
    own = getattr(InternalSession, service)

    async def counted(session: Any, *arguments: Any, **named: Any) -> Any:
        if not session.external:
            return await own(session, *arguments, **named)
        services[service] += 1
        raise PermissionError(service)

    return counted
