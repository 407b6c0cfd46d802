"""What a broker does: it ends, it dies, it shows a certificate of somebody else."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import ClassVar

from agent.broker import mosquitto
from agent.soak.fault import Fault
from agent.soak.stage import Broker, Stage


@dataclass(frozen=True, slots=True)
class BrokerRestart(Fault):
    """The broker is ended in order, and comes back without anything it knew."""

    name: ClassVar[str] = "broker_restart"

    async def run(self, stage: Stage, seconds: float) -> None:
        """Away for `seconds`."""
        await _away(_broker(stage), seconds, kill=False)


@dataclass(frozen=True, slots=True)
class BrokerKill(Fault):
    """The broker is killed with SIGKILL, with everything it had taken."""

    name: ClassVar[str] = "broker_kill"

    async def run(self, stage: Stage, seconds: float) -> None:
        """Away for `seconds`."""
        await _away(_broker(stage), seconds, kill=True)


@dataclass(frozen=True, slots=True)
class BadCertificate(Fault):
    """Where the broker was, one answers whose certificate comes from another authority."""

    name: ClassVar[str] = "bad_certificate"

    def unavailable(self) -> str:
        """Why there can be no TLS here; empty when there can."""
        return "" if mosquitto.find() else "needs mosquitto: sudo apt install mosquitto"

    def lacking(self, stage: Stage) -> str:
        """What this run has not; empty when nothing is missing."""
        return "" if stage.broker and stage.broker.untrusted_port else "the broker of this run has no TLS"

    async def run(self, stage: Stage, seconds: float) -> None:
        """New connections meet the stranger for `seconds`; those that were open are reset."""
        broker = _broker(stage)
        links = [*stage.relays("collector-broker"), *stage.relays("bridge-broker")]
        before = [one.target for one in links]
        try:
            for one in links:
                one.target = (one.target[0], broker.untrusted_port)
                one.reset()
            await asyncio.sleep(seconds)
        finally:
            for one, target in zip(links, before, strict=True):
                one.target = target
                one.reset()


async def _away(broker: Broker, seconds: float, *, kill: bool) -> None:
    try:
        await broker.end(kill=kill)
        await asyncio.sleep(seconds)
    finally:
        await broker.start()


def _broker(stage: Stage) -> Broker:
    assert stage.broker is not None
    return stage.broker
