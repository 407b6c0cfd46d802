"""The link against an agent that is restarted, runs over, refuses, or is none."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from agent.config import load_site
from connectors.base import LinkContext
from connectors.mtconnect.link import MtConnectLink
from pipelines.clock import SystemClock
from pipelines.errors import LinkClosed, LinkError, LinkRefused, LinkTimeout, LinkUntrusted
from pipelines.point import BAD_NODE_ID_UNKNOWN, Delivery
from pipelines.stats import LinkStats

from .device import Agent, connection
from .documents import CURRENT_1_3, ERROR_1_0, OUT_OF_RANGE_1_8, PROBE_1_3

pytestmark = pytest.mark.wire


def link_to(settings: Any, resume: bytes | None = None, **more: Any) -> MtConnectLink:
    return MtConnectLink(LinkContext(settings, resume, SystemClock(), LinkStats(), **more))


async def one(link: MtConnectLink) -> Delivery:
    """The first delivery of a link that is closed afterwards."""
    async with asyncio.timeout(10), link:
        async for delivery in link.deliveries():
            return delivery
    raise AssertionError("no delivery")


def values(delivery: Delivery, row: int = 0) -> list[Any]:
    """Good values of a row, in the order of the delivery."""
    found = []
    for scan in delivery.scans:
        rows = zip(scan.tag.tolist(), scan.value.tolist(), scan.status.tolist(), strict=True)
        found += [value for tag, value, status in rows if tag == row and not status]
    return found


def times(delivery: Delivery, row: int) -> list[int]:
    """Times of a row, in the order of the delivery."""
    pairs = [pair for scan in delivery.scans for pair in zip(scan.tag.tolist(), scan.time_ns.tolist(), strict=True)]
    return [time_ns for tag, time_ns in pairs if tag == row]


def counted(agent: Agent) -> int:
    return int(agent.plant.values["count"])


async def test_what_happened_between_two_links_is_not_lost() -> None:
    async with Agent() as agent:
        settings = connection(agent.url, "pc")
        first = await one(link_to(settings))
        (start,) = values(first)
        await agent.tick(500)
        again = await one(link_to(settings, first.resume, absence="agent_down"))
    assert values(again) == list(range(start + 1, start + 501))
    assert again.gaps == ()


async def test_what_did_not_change_is_told_again_after_an_outage() -> None:
    """The pipeline called every tag bad when the link was lost; only a reading says that this is over."""
    async with Agent() as agent:
        settings = connection(agent.url, "pc", "ld", "cl", "place", "gone", events=[{}])
        first = await one(link_to(settings))
        again = await one(link_to(settings, first.resume))
        assert agent.asked == {"probe": 2, "current": 2, "sample": 1}
    for row in (0, 1, 2, 3, 4):
        assert (values(again, row), times(again, row)) == (values(first, row), times(first, row))
    assert values(again, 3) == ["[3]"]
    assert first.events
    assert again.events == ()
    assert again.gaps == ()


async def test_more_than_one_answer_holds_is_asked_for_at_once() -> None:
    async with Agent() as agent:
        settings = connection(agent.url, "pc", count=100, period_s=60)
        first = await one(link_to(settings))
        await agent.tick(250)
        link = link_to(settings, first.resume)
        found: list[Any] = []
        async with asyncio.timeout(10), link:
            async for delivery in link.deliveries():
                found += values(delivery)
                if len(found) == 250:
                    break
        assert agent.asked["sample"] == 3
    assert found == list(range(found[0], found[0] + 250))


async def test_a_buffer_that_ran_over_is_a_gap_and_what_is_left_is_read() -> None:
    async with Agent(buffer_size=100) as agent:
        settings = connection(agent.url, "pc", "ld", events=[{}])
        first = await one(link_to(settings))
        (start,) = values(first)
        await agent.tick(1000)
        again = await one(link_to(settings, first.resume, absence="agent_down"))
        newest = counted(agent)
    assert [(gap.tag, gap.cause, gap.count) for gap in again.gaps] == [
        (-1, "agent_down", None),
        (0, "agent_down", None),
        (1, "agent_down", None),
    ]
    assert values(again) == list(range(newest - 99, newest + 1))
    assert start < newest - 99
    (oldest_ns, *_) = times(again, 0)
    assert {gap.end_ns for gap in again.gaps} == {oldest_ns}
    assert all(gap.start_ns < oldest_ns for gap in again.gaps)
    # what did not change is told again at its own time: the same point
    assert (values(again, 1), times(again, 1)) == (values(first, 1), times(first, 1))


async def test_an_agent_that_started_anew_is_a_gap_and_its_buffer_is_read() -> None:
    async with Agent() as agent:
        settings = connection(agent.url, "pc", "cl", events=[{}])
        first = await one(link_to(settings))
        assert [(event.alarm, event.fields["active"]) for event in first.events] == [("coolant.coolant-1", True)]
        await agent.stop()
        await agent.forget()
        await agent.start()
        await agent.tick(3)
        link = link_to(settings, first.resume)
        again = await one(link)
        newest = counted(agent)
    assert {gap.cause for gap in again.gaps} == {"no_communication"}
    assert values(again) == list(range(newest - 3, newest + 1))
    statuses = [int(code) for scan in again.scans for tag, code in zip(scan.tag, scan.status, strict=True) if tag == 0]
    assert statuses[0] == 0x8031_0000  # UNAVAILABLE, before the machine was connected again
    assert [event.fields["event"] for event in again.events] == ["Unavailable", "Fault"]


async def test_while_it_is_open_too() -> None:
    async with Agent(buffer_size=64) as agent:
        settings = connection(agent.url, "pc", period_s=0.05)
        link = link_to(settings)
        async with asyncio.timeout(10), link:
            stream = link.deliveries()
            await anext(stream)
            await agent.tick(200)
            lost = await anext(stream)
            assert [gap.cause for gap in lost.gaps] == ["queue_overflow"]
            await agent.forget()
            agent._begin()
            await agent.tick(2)
            new = await anext(stream)
            assert [gap.cause for gap in new.gaps] == ["device_restarted"]
            assert values(new)[-1] == counted(agent)


async def test_unknown_data_items_are_told_bad_once_and_spare_the_others() -> None:
    async with Agent() as agent:
        link = link_to(connection(agent.url, "nowhere", "pc", events=[{"data_item": "nobody"}]))
        async with asyncio.timeout(10), link:
            stream = link.deliveries()
            first = await anext(stream)
            await agent.tick()
            second = await anext(stream)
    assert values(first, 1)
    assert values(second, 1)
    rows = [(scan.tag.tolist(), scan.status.tolist()) for scan in first.scans]
    assert ([0], [BAD_NODE_ID_UNKNOWN]) in rows
    assert all(0 not in scan.tag for scan in second.scans)
    assert link.context.stats.refused == {0: BAD_NODE_ID_UNKNOWN}
    assert link.context.stats.facts[1].description == "PART_COUNT"
    assert "nobody" in str(link.context.stats.notices)


async def test_one_poll_is_one_request() -> None:
    async with Agent() as agent:
        link = link_to(connection(agent.url, "pc", "ld", "pg", "st", period_s=0.02))
        async with asyncio.timeout(10), link:
            stream = link.deliveries()
            for _ in range(5):
                await anext(stream)
                await agent.tick()
        assert agent.asked["probe"] == agent.asked["current"] == 1
        assert link.context.stats.requests == sum(agent.asked.values())
        assert not agent.truth_log.lines or all(kind != "write" for kind, _ in agent.truth_log.lines)


async def test_browse() -> None:
    async with Agent() as agent, link_to(connection(agent.url)) as link:
        found = [item async for item in link.browse()]
    by_address = {item.address: item for item in found}
    assert by_address["ld"].path == "/mill/ctrl/load"
    assert by_address["ld"].value == "12.345"
    assert by_address["ld"].datatype == "SAMPLE LOAD"
    assert by_address["ld"].unit == "%"
    assert by_address["ld"].tag == {"data_item": "ld"}
    assert by_address["cl"].value == "Fault"
    assert by_address["avail"].path == "/mill/avail"


# ── agents that do otherwise ────────────────────────────────────────────────────────────────────────────────────────

Answer = Callable[[str], bytes]


def http(body: bytes, status: str = "200 OK", more: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body


@asynccontextmanager
async def scripted(answer: Answer, **tls: Any) -> AsyncIterator[tuple[int, list[str]]]:
    """A server that answers each target with raw bytes; its port and what was asked."""
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                asked.append(head.split()[1].decode())
                writer.write(answer(asked[-1]))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, **tls)
    async with server:
        yield server.sockets[0].getsockname()[1], asked


async def test_an_agent_that_refuses_the_number_that_comes_next() -> None:
    """By the letter of the standard only numbers in the buffer may be asked for."""
    empty = CURRENT_1_3.split(b"<m:DeviceStream")[0] + b"</m:Streams></m:MTConnectStreams>"

    def answer(target: str) -> bytes:
        if target == "/probe":
            return http(PROBE_1_3.replace(b"1268463594", b"1270534765"))
        if target == "/current":
            return http(CURRENT_1_3)
        return http(OUT_OF_RANGE_1_8, "404 Not Found") if "from=22738" in target else http(empty)

    async with scripted(answer) as (port, asked):
        link = link_to(connection(f"http://127.0.0.1:{port}", "c2", period_s=0.01))
        async with asyncio.timeout(10), link:
            stream = link.deliveries()
            first = await anext(stream)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await anext(stream)
    assert first.device_time_ns == 1270535375 * 10**9
    assert values(first) == [1500.25]
    assert asked[:5] == [
        "/probe", "/current", "/sample?from=22738&count=1000", "/current", "/sample?from=22737&count=1000",
    ]  # fmt: skip
    assert set(asked[5:]) <= {"/sample?from=22737&count=1000"}


async def test_an_agent_that_never_gives_what_it_has_ends_the_link() -> None:
    later = CURRENT_1_3.replace(b'nextSequence="22738"', b'nextSequence="22740"').replace(
        b'lastSequence="22737"', b'lastSequence="22739"'
    )
    bodies = iter((CURRENT_1_3, later, later))

    def answer(target: str) -> bytes:
        if target == "/probe":
            return http(PROBE_1_3)
        return http(next(bodies)) if target == "/current" else http(OUT_OF_RANGE_1_8, "404 Not Found")

    async with scripted(answer) as (port, _):
        link = link_to(connection(f"http://127.0.0.1:{port}", "c2", period_s=0.01))
        with pytest.raises(LinkRefused, match="the agent says OUT_OF_RANGE: 'from' must be greater than 22"):
            async with asyncio.timeout(10), link:
                async for _ in link.deliveries():
                    pass


async def test_an_agent_that_starts_anew_with_each_answer_is_not_hurried() -> None:
    """Each start is a gap of every tag: as many as there are periods, not as many as the network carries."""
    count = 0

    def answer(target: str) -> bytes:
        nonlocal count
        count += 1
        more = CURRENT_1_3.replace(b'lastSequence="22737"', b'lastSequence="99999"')
        return http(PROBE_1_3 if target == "/probe" else more.replace(b'"1270534765"', b'"%d"' % count))

    async with scripted(answer) as (port, asked):
        link = link_to(connection(f"http://127.0.0.1:{port}", "c2", period_s=0.4))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0), link:
                async for _ in link.deliveries():
                    pass
        assert len(asked) <= 3 * 8


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (http(b"<html/>", "200 OK"), LinkClosed, "is not MTConnect"),
        (http(b"gone", "500 Internal Server Error"), LinkRefused, "HTTP 500"),
        (http(b"", "302 Found", "Location: http://192.0.2.1/\r\n"), LinkRefused, "HTTP 302"),
        (http(b"", "401 Unauthorized"), LinkUntrusted, "wants a login"),
        (http(ERROR_1_0), LinkRefused, "NO_DEVICE: Could not find 'mill'"),
        (http(CURRENT_1_3), LinkRefused, "not asked for"),
        (http(b"x" * 70_000), LinkClosed, "longer than max_bytes"),
        (http(b"\x1f\x8b", more="Content-Encoding: gzip\r\n"), LinkRefused, "compressed"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", LinkClosed, "connection broke"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n<a", LinkTimeout, "no complete answer within"),
        (http(b'<!DOCTYPE a [<!ENTITY x "yyyy">]><a>&x;</a>'), LinkClosed, "DOCTYPE"),
    ],
)
async def test_answers_of_no_agent(answer: bytes, kind: type[LinkError], words: str) -> None:
    async with scripted(lambda _: answer) as (port, _):
        settings = connection(f"http://127.0.0.1:{port}", "c2", max_bytes=65_536, timeout_s=0.5)
        with pytest.raises(kind, match=words) as caught:
            await one(link_to(settings))
    assert str(caught.value).startswith(f"http://127.0.0.1:{port}: ")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=cell", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"],
        cwd=folder, check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    return folder


@pytest.mark.parametrize("trusted", [True, False])
async def test_https_is_held_to_its_certificate(certificate: Path, trusted: bool) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    bodies = {"/probe": PROBE_1_3, "/current": CURRENT_1_3}
    async with scripted(lambda target: http(bodies[target]), ssl=context) as (port, _):
        more = {"ca_file": str(certificate / "cert.pem")} if trusted else {}
        settings = connection(f"https://127.0.0.1:{port}", "c2", **more)
        if trusted:
            assert values(await one(link_to(settings))) == [1500.25]
        else:
            with pytest.raises(LinkUntrusted, match="not trusted"):
                await one(link_to(settings))


async def test_a_missing_ca_file_is_named(tmp_path: Path) -> None:
    settings = connection("https://127.0.0.1:1", "c2", ca_file=str(tmp_path / "none.pem"))
    with pytest.raises(LinkUntrusted, match=r"none\.pem"):
        await one(link_to(settings))


async def test_no_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    async with Agent() as agent:
        assert values(await one(link_to(connection(agent.url, "pc"))))


async def test_what_the_agent_did_not_have_is_looked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.mtconnect.link._RETEST_S", 0.05)
    async with Agent() as agent:
        link = link_to(connection(agent.url, "pc", "nowhere"))
        told = 0
        async with asyncio.timeout(10), link:
            async for delivery in link.deliveries():
                told += sum(BAD_NODE_ID_UNKNOWN in scan.status for scan in delivery.scans)
                if told == 3:
                    break
        assert agent.asked["probe"] == 3


async def test_agent_browse_writes_tags_that_are_ready_to_run(tmp_path: Path) -> None:
    output = tmp_path / "site.yaml"
    async with Agent() as agent:
        command = ["-m", "agent.cli", "browse", agent.url, "--yaml", str(output)]
        process = await asyncio.create_subprocess_exec(
            sys.executable, *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        _, said = await process.communicate()
    assert process.returncode == 0, said.decode()
    (connection_,) = load_site(output).connections
    assert connection_.type == "mtconnect"
    assert {"ld", "pc", "cl"} <= {tag.data_item for tag in connection_.tags}
