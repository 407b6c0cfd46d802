"""The headers of every answer, without a server."""

from __future__ import annotations

from typing import Any

from starlette.responses import PlainTextResponse, Response

from viewer.headers import HEADERS, SecurityHeaders


async def headers_of(answer: Response) -> dict[bytes, bytes]:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(message)

    await SecurityHeaders(answer)({"type": "http", "method": "GET", "headers": []}, receive, send)
    return dict(sent[0]["headers"])


async def test_only_what_this_server_sends_may_run() -> None:
    policy = HEADERS["Content-Security-Policy"]
    rules = {rule.split()[0]: rule.split()[1:] for rule in policy.split("; ")}
    assert rules == {
        "default-src": ["'self'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "object-src": ["'none'"],
    }


async def test_every_answer_has_them() -> None:
    found = await headers_of(PlainTextResponse("x"))
    assert {key.lower().encode(): value.encode() for key, value in HEADERS.items()}.items() <= found.items()
    assert found[b"cache-control"] == b"no-cache"


async def test_an_answer_keeps_its_own_cache_control() -> None:
    assert (await headers_of(PlainTextResponse("x", headers={"Cache-Control": "no-store"})))[
        b"cache-control"
    ] == b"no-store"
