"""What lies between the parts: the namespace, the relay before the store, the broker with a stranger's certificate."""

from __future__ import annotations

import asyncio
import os
import random
import ssl
from pathlib import Path

import pytest
import urllib3

from agent.soak.broker import SoakBroker
from agent.soak.faults import store
from agent.soak.faults.store import StoreErrors, StoreRefuses
from agent.soak.namespace import Namespace, switch, unavailable
from agent.soak.proxy import Proxy
from agent.soak.stage import Stage
from agent.soak.store_proxy import StoreProxy, Trouble
from pipelines.errors import DependencyError
from tests.services.influxd import Influxd, influxd

__all__ = ["influxd"]
pytestmark = pytest.mark.wire


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(100):
        writer.write(data)
    writer.close()


async def test_a_link_through_a_namespace_goes_down_without_a_word_and_loses_nothing() -> None:
    assert unavailable() == "", "this test needs root and iproute2"
    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        target = server.sockets[0].getsockname()[1]
        with Namespace(("plant", "broker")) as net:
            async with Proxy(target, listener=net.listener("plant")) as proxy:
                assert proxy.host == net.addresses["plant"]
                reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
                writer.write(b"one")
                assert await reader.readexactly(3) == b"one"
                switch(net.interfaces["plant"], up=False)
                writer.write(b"two")
                answer = asyncio.create_task(reader.readexactly(3))
                done, _ = await asyncio.wait([answer], timeout=0.3)
                assert not done
                switch(net.interfaces["plant"], up=True)
                async with asyncio.timeout(20):
                    assert await answer == b"two"
                writer.close()
    assert f"sf-soak-{os.getpid()}" not in os.listdir("/run/netns")  # noqa: PTH208 - names only


def put(url: str, body: bytes) -> urllib3.BaseHTTPResponse:
    return urllib3.request("POST", f"{url}/write?db=relay&precision=ns", body=body, retries=False, timeout=10)


async def test_the_relay_before_the_store_makes_it_bad_and_good_again(influxd: Influxd) -> None:
    influxd.create("relay")
    async with StoreProxy(int(influxd.url.rpartition(":")[2])) as relay:
        url = f"http://127.0.0.1:{relay.port}"
        assert (await asyncio.to_thread(put, url, b"m,t=a x=1 1\n")).status == 204
        relay.trouble = Trouble(503, retry_after_s=7)
        answer = await asyncio.to_thread(put, url, b"m,t=a x=2 2\n")
        assert (answer.status, answer.headers["Retry-After"]) == (503, "7")
        relay.trouble = Trouble(413, largest_bytes=20)
        assert (await asyncio.to_thread(put, url, b"m,t=a x=3 3\n" * 3)).status == 413
        assert (await asyncio.to_thread(put, url, b"m,t=a x=3 3\n")).status == 204
        for reset, time in (("before", 4), ("after", 5)):
            relay.trouble = Trouble(reset=reset)
            with pytest.raises(urllib3.exceptions.ProtocolError):
                await asyncio.to_thread(put, url, b"m,t=a x=%d %d\n" % (time, time))
        relay.trouble = Trouble(refuses=b"bad=")
        answer = await asyncio.to_thread(put, url, b"m,t=a x=6 6\nm,t=a bad=1 7\n")
        assert answer.status == 400
        assert b"dropped=1" in answer.data
        assert relay.refused == {b"m,t=a bad=1 7": b"bad="}
        assert relay.harmed == 5
        answer = await asyncio.to_thread(put, url, b"m,t=a x=6 6\n")
        assert (answer.status, relay.harmed) == (204, 5)
        relay.trouble = None
        answer = await asyncio.to_thread(
            urllib3.request, "GET", f"{url}/query?db=relay&epoch=ns&q=SELECT%20x%20FROM%20m"
        )
        assert [row[0] for row in answer.json()["results"][0]["series"][0]["values"]] == [1, 3, 5, 6]


async def test_a_bad_store_that_nobody_met_was_not_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_MEETS_S", 0.05)
    async with StoreProxy(1) as relay:
        stage = Stage(tmp_path, tmp_path, {}, random.Random(1), store_link=relay)
        for fault in (StoreErrors(), StoreRefuses("oil_t")):
            with pytest.raises(DependencyError, match="no write met it"):
                await fault.run(stage, 0)
            assert relay.trouble is None


async def test_a_bad_store_waits_for_a_write_that_comes_late(tmp_path: Path) -> None:
    async with StoreProxy(1) as relay:
        stage = Stage(tmp_path, tmp_path, {}, random.Random(1), store_link=relay)
        fault = asyncio.ensure_future(StoreErrors(status=500).run(stage, 0))
        while relay.trouble is None:  # noqa: ASYNC110 - an attribute tells nobody that it is set
            await asyncio.sleep(0.01)
        answer = await asyncio.to_thread(put, f"http://127.0.0.1:{relay.port}/write?db=relay", b"m,t=a x=1 1\n")
        await fault
        assert (answer.status, relay.trouble) == (500, None)


async def test_the_broker_shows_two_certificates_and_comes_back_on_its_ports(tmp_path: Path) -> None:
    broker = SoakBroker(tmp_path / "broker", ("127.0.0.1",))
    assert broker.files is not None
    trust = ssl.create_default_context(cafile=str(broker.files.ca))
    try:
        for kill in (False, True):
            await broker.start()
            _, writer = await asyncio.open_connection("127.0.0.1", broker.tls_port, ssl=trust)
            writer.close()
            with pytest.raises(ssl.SSLCertVerificationError):
                await asyncio.open_connection("127.0.0.1", broker.untrusted_port, ssl=trust)
            await broker.end(kill=kill)
            assert broker.pid == 0
    finally:
        await broker.end()
