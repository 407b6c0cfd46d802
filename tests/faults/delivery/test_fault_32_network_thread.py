"""paho's network thread ends: by an error in a callback, by a kill, by TLS that breaks off. It is built anew."""

from __future__ import annotations

import ctypes
import gc
import time
from pathlib import Path
from typing import Any

import pytest

from agent.soak.proxy import Proxy
from agent.supervise import keep_open
from pipelines.delivery.mqtt_settings import TlsSettings
from pipelines.delivery.paho_client import PahoClient
from tests.pipelines.delivery.test_uplink import Agent, Store, bridging, running
from tests.pipelines.waiting import until
from tests.services.mosquitto import Mosquitto

pytestmark = [
    pytest.mark.wire,
    pytest.mark.fault(32),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
]
MOST_S = 10.0


class BrokenError(Exception):
    """Of no kind that anybody catches."""


def network_thread() -> PahoClient:
    """The agent's client whose thread lives."""
    (found,) = [
        one for one in gc.get_objects() if isinstance(one, PahoClient) and one._client_id == b"sf-A" and one.runs
    ]
    return found


def raise_in_a_callback(_: Proxy) -> None:
    def fail(*_: Any) -> None:
        raise BrokenError

    network_thread().on_publish = fail


def kill_the_thread(_: Proxy) -> None:
    """An error in the middle of it, wherever it is."""
    thread = network_thread()._thread
    assert thread is not None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(BrokenError))


def break_off(proxy: Proxy) -> None:
    """The connection ends without TLS's own goodbye."""
    proxy.reset()


@pytest.mark.parametrize("how", [raise_in_a_callback, kill_the_thread, break_off], ids=lambda one: one.__name__)
async def test_the_thread_is_built_anew(tmp_path: Path, how: Any, size: Any, figure: Any) -> None:
    took_s = []
    store = Store()
    with Mosquitto(tmp_path / "b", tls=True) as broker:
        tls = TlsSettings(ca_file=broker.ca_file)
        async with Proxy(broker.port) as proxy:
            agent = Agent(tmp_path, broker, port=proxy.port, tls=tls)
            parts = [bridging(broker, store, tls=tls), keep_open("broker", agent.uplink.run)]
            async with running(*parts):
                await until(lambda: store.sessions and agent.uplink.sessions)
                for _ in range(size(1, 10)):
                    await agent.put()
                    await until(lambda: agent.outbox.idle)
                    before, begun_s = agent.uplink.sessions, time.monotonic()
                    how(proxy)
                    agent.append()
                    await agent.flow.flush()
                    await until(lambda: agent.uplink.error or agent.uplink.sessions > before, MOST_S)  # noqa: B023
                    took_s.append(time.monotonic() - begun_s)
                    await until(lambda: agent.uplink.sessions > before and agent.outbox.idle, 60)  # noqa: B023
            assert agent.stats.stored == agent.stats.accepted == len(set(store.lines))
            agent.journal.close()
    figure(f"seconds until the end of the thread was noticed, {how.__name__}", asked="≤ 10", measured=max(took_s))
    figure(f"points lost, {how.__name__}", asked="0", measured=agent.stats.accepted - agent.stats.stored)
    assert max(took_s) <= MOST_S
