"""Sessions inside secured channels: taken over, refused, full of large messages; other people's servers."""

from __future__ import annotations

import dataclasses
import socket
from pathlib import Path
from typing import Any

import pytest
from asyncua import ua

from connectors.opcua.resume import ResumeState
from pipelines.errors import LinkUntrusted
from tests.connectors.opcua.conftest import Consumer, connection, tag
from tests.connectors.opcua.secured import ENCRYPT, SIGN, make, secured, trusting

pytestmark = pytest.mark.wire
TAG = tag("a", "nsu=urn:test:plant;s=a")


async def test_a_session_is_not_taken_over_under_other_protection(tmp_path: Path) -> None:
    made = make()
    trusting(tmp_path, made.certificate)
    async with secured(made, SIGN, ENCRYPT) as server:
        one = Consumer(connection(server.endpoint, TAG, security={"mode": "Sign"}), state_dir=tmp_path)
        await one.until(lambda: one.values(0))
        before = ResumeState.from_bytes(one.resume)
        other = Consumer(connection(server.endpoint, TAG), one.resume, state_dir=tmp_path)
        other.settings = connection(server.endpoint, TAG, security={})
        await other.until(lambda: other.values(0))
        after = ResumeState.from_bytes(other.resume)
        assert before is not None
        assert after is not None
        assert before.security != after.security
        assert before.session_token != after.session_token
        # the same, but we believe that it is ours: whatever the server makes of it, readings come
        forged = dataclasses.replace(before, security=after.security).to_bytes()
        third = Consumer(connection(server.endpoint, TAG, security={}), forged, state_dir=tmp_path)
        for _ in range(2):  # a subscription that moved on meanwhile is found silent and given up
            if not third.values(0):
                await third.until(lambda: third.values(0))
        assert third.values(0)


@pytest.mark.parametrize("mode", ["Sign", "SignAndEncrypt"])
async def test_messages_of_many_chunks(tmp_path: Path, mode: str) -> None:
    """Requests and answers of more than 100 kB each, in chunks of 64 kB, by our own bytes."""
    made = make()
    trusting(tmp_path, made.certificate)
    async with secured(made, SIGN, ENCRYPT) as server:
        index = await server.server.get_namespace_index("urn:test:plant")
        text = "한글 " * 500
        names = [f"long-{number}-{'x' * 2000}" for number in range(60)]
        for name in names:
            node = ua.NodeId(name, index)
            await server.server.nodes.objects.add_variable(node, name, text, ua.VariantType.String)
        tags = [tag(f"r{n}", f"nsu=urn:test:plant;s={name}", mode="read", period_s=0.2) for n, name in enumerate(names)]
        tags += [tag(f"s{n}", f"nsu=urn:test:plant;s={name}") for n, name in enumerate(names)]
        settings = connection(server.endpoint, *tags, security={"mode": mode})
        one = Consumer(settings, state_dir=tmp_path)
        await one.until(lambda: len({row[0] for row in one.rows if row[3] == 0}) == len(tags))
        assert {row[2] for row in one.rows} == {text}


async def test_the_socket_is_watched_by_the_kernel(tmp_path: Path) -> None:
    made = make()
    trusting(tmp_path, made.certificate)
    async with secured(made) as server:
        one = Consumer(connection(server.endpoint, TAG, security={}), state_dir=tmp_path)
        async with one.link() as link:
            line: Any = link._session.client.uaclient.protocol.transport.get_extra_info("socket")
            assert line.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert line.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 8000


async def test_a_refused_user_is_not_tried_again_soon_and_leaves_no_session(tmp_path: Path) -> None:
    made = make()
    trusting(tmp_path, made.certificate)
    (tmp_path / "password").write_text("wrong")
    async with secured(made) as server:
        server.server.iserver.user_manager = _Nobody()
        who = {"user": "collector", "password_file": tmp_path / "password"}
        one = Consumer(connection(server.endpoint, TAG, security={}, **who), state_dir=tmp_path)
        closed = _count_closed(server.server)
        for number in range(3):
            with pytest.raises(LinkUntrusted, match="the server refused the user") as caught:
                await one.until(lambda: True)
            assert caught.value.wait_s == 120
            assert len({id(session) for session in closed}) == number + 1
        assert "wrong" not in str(caught.value)


class _Nobody:
    def get_user(self, _iserver: Any, username: Any = None, password: Any = None, certificate: Any = None) -> None:
        del username, password, certificate


def _count_closed(server: Any) -> list[Any]:
    """Sessions that were closed, as they are."""
    closed: list[Any] = []
    make_session = server.iserver.create_session

    def create(*args: Any, **more: Any) -> Any:
        session = make_session(*args, **more)
        close = session.close_session

        async def closing(*given: Any, **named: Any) -> Any:
            closed.append(session)
            return await close(*given, **named)

        session.close_session = closing
        return session

    server.iserver.create_session = create
    return closed
