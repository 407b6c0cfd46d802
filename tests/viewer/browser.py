"""A browser without pictures: cookies, forms with their hidden fields, no redirects unless asked."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from html import unescape
from typing import Any

import httpx
from starlette.applications import Starlette

PASSWORD = "포항 바다 갈매기 세 마리"  # noqa: S105 - of nobody


@dataclass(slots=True)
class Browser:
    """One person's browser; every request is its own.

    Attributes:
        app: what it talks to, without a network.
        base: scheme and host as it is typed.
        address: where it is.
        cookies: what it keeps.
    """

    app: Starlette
    base: str = "http://127.0.0.1:8080"
    address: str = "192.168.0.9"
    cookies: dict[str, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    """Every `Set-Cookie` it was sent."""

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """An answer as it comes."""
        return asyncio.run(self.ask_soon(method, path, **more))

    async def ask_soon(self, method: str, path: str, **more: Any) -> httpx.Response:
        """The same, beside others."""
        way = httpx.ASGITransport(self.app, raise_app_exceptions=True, client=(self.address, 5000))
        async with httpx.AsyncClient(transport=way, base_url=self.base) as client:
            headers = {**more.pop("headers", {})}
            if self.cookies:
                headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
            answer = await client.request(method, path, headers=headers, **more)
        for line in answer.headers.get_list("set-cookie"):
            self.said.append(line)
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies.pop(name, None)
            if value:
                self.cookies[name] = value
        return answer

    def get(self, path: str, **headers: str) -> httpx.Response:
        """A page."""
        return self.ask("GET", path, headers=headers)

    def token(self, path: str) -> str:
        """The token of a page's first form."""
        found = re.search(r'name="csrf" value="([^"]+)"', self.get(path).text)
        return unescape(found[1]) if found else ""

    def send(self, page: str, path: str, **fields: str) -> httpx.Response:
        """A form of a page, filled in."""
        return self.ask("POST", path, data={"csrf": self.token(page), **fields})

    def log_in(self, name: str, password: str = PASSWORD, **fields: str) -> httpx.Response:
        """The log-in form."""
        return self.send("/login", "/login", name=name, password=password, **fields)
