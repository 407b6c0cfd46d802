"""Nothing lost, nothing doubled: cuts, restarts, slow consumers and servers that fall silent."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path
from typing import Any

import pytest

from connectors.opcua.resume import ResumeState
from pipelines.errors import LinkClosed, LinkTimeout, LinkUntrusted
from pipelines.point import BAD_NODE_ID_UNKNOWN, Delivery

from .conftest import PLAIN, Consumer, Foreign, Plant, connection, proxy_to, run_foreign, tag

pytestmark = pytest.mark.wire


async def feed(plant: Plant, name: str, first: int, last: int) -> None:
    for value in range(first, last + 1):
        await plant.write(name, value)


async def test_an_unknown_node_is_bad_and_the_others_go_on(plant: Plant) -> None:
    settings = connection(
        plant.endpoint,
        tag("a", "nsu=urn:test:plant;s=a"),
        tag("unknown", "nsu=urn:test:plant;s=zz"),
        tag("namespace", "nsu=urn:other;s=zz"),
        tag("read", "nsu=urn:test:plant;s=zz", mode="read", period_s=0.05),
        tag("read_namespace", "nsu=urn:other;s=zz", mode="read", period_s=0.05),
    )
    consumer = Consumer(settings)
    await consumer.until(lambda: len({row[0] for row in consumer.rows}) == 5)
    statuses = {row[0]: row[3] for row in consumer.rows}
    assert statuses == {0: 0} | dict.fromkeys(range(1, 5), BAD_NODE_ID_UNKNOWN)
    assert len(consumer.rows) == 5, "a bad reading is told once"


async def test_a_node_is_acknowledged_only_after_it_was_accepted(plant: Plant) -> None:
    consumer = Consumer(connection(plant.endpoint, tag("a", "nsu=urn:test:plant;s=a")))
    kept: list[Delivery] = []
    async with asyncio.timeout(20), consumer.link() as link:
        async for delivery in link.deliveries():
            (subscription,) = plant.subscriptions.values()
            if not delivery.scans:
                if kept:
                    assert len(subscription._not_acknowledged_results) >= min(len(kept), 3)
                    for one in kept:
                        one.accepted()
                    kept.clear()
                elif not subscription._not_acknowledged_results:
                    break
                continue
            kept.append(delivery)
            value = int(delivery.scans[-1].value[-1])
            if value < 3:
                await plant.write("a", value + 1)


async def test_several_publish_requests_are_in_flight(plant: Plant) -> None:
    consumer = Consumer(connection(plant.endpoint, tag("a", "nsu=urn:test:plant;s=a")))
    held = 0

    def done() -> bool:
        nonlocal held
        (subscription,) = plant.subscriptions.values()
        held = max(held, len(subscription.pub_request_callback.__self__._publish_requests))
        return held >= 2

    await consumer.until(done)
    assert held >= 2


@pytest.mark.parametrize("fault", ["too_many", "timeout"])
async def test_what_a_refused_request_acknowledged_is_said_again(
    plant: Plant, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    consumer = Consumer(connection(plant.endpoint, tag("a", "nsu=urn:test:plant;s=a")))
    service = plant.server.iserver.subscription_service
    publish = service.publish
    said: list[int] = []

    def listen(acknowledgements: list[Any]) -> Any:
        said.extend(one.SequenceNumber for one in acknowledgements)
        return publish(acknowledgements)

    monkeypatch.setattr(service, "publish", listen)
    refused = False

    def done() -> bool:
        nonlocal refused
        if said and not refused:
            (subscription,) = plant.subscriptions.values()
            server = subscription.pub_request_callback.__self__
            while server._publish_requests:
                if fault == "too_many":
                    server._evict_publish_request()
                else:
                    server._send_publish_request_timeout(server._publish_requests.popleft())
            refused = True
        return len(said) > 1

    await consumer.until(done)
    assert said[0] == said[1]
    assert consumer.error is None


async def test_cut_connections_lose_and_double_nothing(plant: Plant) -> None:
    last = 0
    async with proxy_to(plant.port) as proxy:
        consumer = Consumer(connection(f"opc.tcp://127.0.0.1:{proxy.port}/plant", tag("a", "nsu=urn:test:plant;s=a")))
        for _ in range(4):
            async with asyncio.timeout(20), consumer.link() as link:
                taken = 0
                try:
                    async for delivery in link.deliveries():
                        taken += len(delivery.scans)
                        await feed(plant, "a", last + 1, last + 5)
                        last += 5
                        if taken < 4:
                            consumer.commit(delivery)
                        else:  # given to the consumer, never committed
                            proxy.cut()
                except LinkClosed as error:
                    consumer.error = error
            await feed(plant, "a", last + 1, last + 7)  # while nobody is there
            last += 7
        await consumer.until(lambda: consumer.values(0)[-1:] == [last])
    assert consumer.error is not None
    assert consumer.values(0) == list(range(last + 1))
    assert consumer.gaps == []
    assert len(plant.subscriptions) == 1


async def test_a_clean_stop_leaves_the_subscription_for_the_restart(plant: Plant) -> None:
    consumer = Consumer(connection(plant.endpoint, tag("a", "nsu=urn:test:plant;s=a")), absence="agent_down")
    await consumer.until(lambda: consumer.values(0) == [0])
    await feed(plant, "a", 1, 50)
    await consumer.until(lambda: consumer.values(0)[-1] == 50)
    assert consumer.values(0) == list(range(51))
    assert consumer.gaps == []


async def test_a_restarted_server_leaves_a_gap_and_data_goes_on(plant: Plant) -> None:
    settings = connection(plant.endpoint, tag("a", "nsu=urn:test:plant;s=a"), tag("b", "nsu=urn:test:plant;s=b"))
    consumer = Consumer(settings)
    await consumer.until(lambda: len(consumer.rows) == 2)
    newest = max(row[1] for row in consumer.rows)
    await plant.stop()
    await plant.start(first_namespaces=("urn:one", "urn:two"))
    await feed(plant, "a", 7, 7)
    await consumer.until(lambda: consumer.values(0)[-1] == 7 and len(consumer.values(1)) == 2)
    assert sorted((gap.tag, gap.cause) for gap in consumer.gaps) == [(0, "no_communication"), (1, "no_communication")]
    for gap in consumer.gaps:
        assert gap.start_ns <= newest + 10**9
        assert gap.end_ns is not None
        assert gap.end_ns > gap.start_ns


async def test_another_tag_list_makes_a_new_subscription(plant: Plant) -> None:
    first = Consumer(connection(plant.endpoint, tag("a", "nsu=urn:test:plant;s=a")))
    await first.until(lambda: first.rows)
    second = Consumer(connection(plant.endpoint, tag("b", "nsu=urn:test:plant;s=b")), first.resume)
    await feed(plant, "b", 9, 9)
    await second.until(lambda: second.rows)
    assert second.values(0) == [9]
    assert [gap.tag for gap in second.gaps] == [0]
    assert len(plant.subscriptions) == 1, "the old one was deleted"


async def test_a_tag_added_at_the_end_costs_the_others_nothing(plant: Plant) -> None:
    a, b = (tag(name, f"nsu=urn:test:plant;s={name}") for name in ("a", "b"))
    first = Consumer(connection(plant.endpoint, a))
    await first.until(lambda: first.rows)
    await feed(plant, "a", 1, 9)
    second = Consumer(connection(plant.endpoint, a, b), first.resume)
    await second.until(lambda: second.values(0)[-1:] == [9] and second.values(1))
    await feed(plant, "a", 10, 12)
    await feed(plant, "b", 1, 3)
    await second.until(lambda: second.values(0)[-1] == 12 and second.values(1)[-1] == 3)
    assert second.values(0) == list(range(1, 13))
    assert second.values(1) == list(range(4))
    assert second.gaps == []
    assert [one["items"] for one in second.noted("subscription_grown")] == [1]
    assert len(second.noted("subscription_taken_over")) == 2
    assert len(plant.subscriptions) == 1


async def test_what_the_server_threw_away_is_a_gap(plant: Plant) -> None:
    consumer = Consumer(connection(plant.endpoint, tag("a", "nsu=urn:test:plant;s=a")))
    await consumer.until(lambda: consumer.rows)
    (subscription,) = plant.subscriptions.values()
    subscription._notification_seq += 3
    await feed(plant, "a", 1, 1)
    await consumer.until(lambda: consumer.values(0)[-1] == 1)
    assert [(gap.tag, gap.cause) for gap in consumer.gaps] == [(0, "sequence_lost")]


async def test_a_silent_server_ends_the_link_in_three_keep_alives(plant: Plant) -> None:
    async with proxy_to(plant.port) as proxy:
        consumer = Consumer(connection(f"opc.tcp://127.0.0.1:{proxy.port}/plant", tag("a", "nsu=urn:test:plant;s=a")))

        def quiet() -> bool:
            proxy.mute = bool(consumer.rows)
            return False

        await consumer.until(quiet)
        assert isinstance(consumer.error, LinkTimeout)


async def test_a_silent_server_fails_the_opening(plant: Plant) -> None:
    async with proxy_to(plant.port) as proxy:
        proxy.mute = True
        settings = connection(f"opc.tcp://127.0.0.1:{proxy.port}/plant", timeout_s=0.3)
        with pytest.raises(LinkTimeout):
            await Consumer(settings).until(lambda: True)


LOST = "g=00000000-0000-0000-0000-000000000001"


def counting(foreign: Foreign, endpoint: str, **more: Any) -> Consumer:
    return Consumer(connection(endpoint, tag("count", f"nsu={foreign.namespace};s=Counter0"), **more))


def consecutive(values: list[int]) -> bool:
    return values == list(range(values[0], values[0] + len(values)))


@pytest.mark.parametrize("session", ["same", "lost"])
async def test_a_foreign_server_is_taken_over_after_a_cut(tmp_path: Path, session: str) -> None:
    # with sampling interval 0 node-opcua reports each change, however late its own timers are
    with run_foreign(tmp_path, PERIOD_MS="40") as foreign:
        await cut_and_take_over(foreign, session)


async def cut_and_take_over(foreign: Foreign, session: str) -> None:
    async with proxy_to(foreign.port) as proxy:
        consumer = counting(foreign, f"opc.tcp://127.0.0.1:{proxy.port}/plant", sampling_interval_s=0, queue_size=5000)
        for _ in range(3):
            start = len(consumer.rows)
            async with asyncio.timeout(20), consumer.link() as link:
                try:
                    async for delivery in link.deliveries():
                        if len(consumer.rows) - start < 6:
                            consumer.commit(delivery)
                        else:
                            proxy.cut()
                except LinkClosed as error:
                    consumer.error = error
            state = ResumeState.from_bytes(consumer.resume)
            assert state is not None
            if session == "lost":  # as after a session timeout: only TransferSubscriptions is left
                consumer.resume = dataclasses.replace(state, session_token=LOST).to_bytes()
        start = len(consumer.rows)
        await consumer.until(lambda: len(consumer.rows) > start + 6)
    assert consumer.error is not None
    assert consumer.gaps == []
    # node-opcua sends the last value once more to a session that moved: the same time and value, so the same point
    once = [row[2] for row in dict.fromkeys(consumer.rows)]
    assert consecutive(once), once


async def test_an_overflow_is_a_gap_of_that_tag(foreign: Foreign) -> None:
    consumer = counting(
        foreign, foreign.endpoint, sampling_interval_s=0, queue_size=3, publishing_interval_s=0.5, keepalive_s=2
    )
    await consumer.until(lambda: len(consumer.gaps) >= 2)
    assert {(gap.tag, gap.cause) for gap in consumer.gaps} == {(0, "queue_overflow")}
    assert all(gap.end_ns is not None and gap.start_ns < gap.end_ns for gap in consumer.gaps)


async def test_a_foreign_server_that_restarts_leaves_a_gap(tmp_path: Path) -> None:
    with run_foreign(tmp_path) as before:
        consumer = counting(before, before.endpoint)
        await consumer.until(lambda: len(consumer.rows) > 5)
        port = before.port
    with run_foreign(tmp_path, PORT=str(port)):
        known = len(consumer.rows)
        await consumer.until(lambda: len(consumer.rows) > known)
    assert [gap.cause for gap in consumer.gaps] == ["no_communication"]


async def test_a_session_of_someone_else_is_left_alone(plant: Plant) -> None:
    """asyncua's server counts its tokens from the same start: after a restart the old one may be another client's."""
    first = Consumer(connection(plant.endpoint, tag("a", "nsu=urn:test:plant;s=a")))
    await first.until(lambda: first.rows)
    other = Consumer(connection(plant.endpoint, tag("b", "nsu=urn:test:plant;s=b")))
    async with asyncio.timeout(20), other.link() as link:
        async for delivery in link.deliveries():
            other.commit(delivery)
            theirs, ours = ResumeState.from_bytes(other.resume), ResumeState.from_bytes(first.resume)
            assert theirs is not None
            assert ours is not None
            if delivery.scans and first.resume and not first.gaps:  # the server restarted, says the start time
                stale = dataclasses.replace(ours, session_token=theirs.session_token, server_start="before")
                first.resume = stale.to_bytes()
                await first.until(lambda: first.gaps)
                await plant.write("b", 5)
            if other.values(0)[-1:] == [5]:
                break
    assert [gap.cause for gap in first.gaps] == ["no_communication"]
    assert len(plant.subscriptions) == 3


async def test_a_user_takes_the_session_over(foreign: Foreign, tmp_path: Path) -> None:
    file = tmp_path / "word"
    file.write_text(foreign.password)
    settings = connection(
        foreign.endpoint,
        tag("count", "ns=2;s=Counter0"),
        user=foreign.user,
        password_file=file,
        queue_size=1000,
        security=PLAIN,
    )
    consumer = Consumer(settings)
    await consumer.until(lambda: len(consumer.rows) > 3)
    before = ResumeState.from_bytes(consumer.resume)
    await consumer.until(lambda: len(consumer.rows) > 20)
    after = ResumeState.from_bytes(consumer.resume)
    assert before is not None
    assert after is not None
    assert (before.session_token, before.parts[0].subscription) == (after.session_token, after.parts[0].subscription)
    assert consumer.gaps == []


async def test_a_password_comes_from_the_credentials_folder(
    foreign: Foreign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """systemd's LoadCredential: a bare name, looked up there."""
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "agent_plc").write_text(foreign.password + "\n")
    word = tag("count", "ns=2;s=Counter0")
    consumer = Consumer(
        connection(foreign.endpoint, word, user=foreign.user, password_file=Path("agent_plc"), security=PLAIN)
    )
    await consumer.until(lambda: consumer.rows)
    with pytest.raises(LinkUntrusted) as missing:
        await Consumer(
            connection(foreign.endpoint, word, user=foreign.user, password_file=Path("agent_gone"), security=PLAIN)
        ).until(lambda: True)
    file = tmp_path / "agent_gone"
    assert missing.value.reason == f"password_file {file}: cannot read the secret: No such file or directory"
