"""Stands before the pages: finds out who asks, keeps out who may not, and lets no form through without its token."""

from __future__ import annotations

import hmac
import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipelines.errors import DependencyError, PayloadRefused
from viewer.access.access import Access
from viewer.access.cookies import BROWSER, SESSION, name_of, set_cookie
from viewer.access.current import CSRF, Visit, csrf_of, enter
from viewer.access.forms import parse_form
from viewer.access.roles import Permission
from viewer.access.sessions import new_token
from viewer.access.users import User

Trouble = Callable[[Request, Exception], Awaitable[Response]]

LOGIN: Final = "/login"
PUBLIC: Final = frozenset({LOGIN, "/setup", "/healthz"})
"""Answered before the log-in."""
OWN: Final = frozenset({"/logout", "/password"})
"""Forms of everybody who is logged in."""
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_MAX_PUBLIC_BYTES: Final = 16_384
MAX_BYTES: Final = 8 * 1024 * 1024
"""Largest form of a user."""
_REFRESH: Final = "x-refresh"
"""Header of what a page asks for by itself: it does not keep a session awake."""
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_HOST: Final = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
_PORT: Final = re.compile(r":[0-9]{1,5}$")


class Guard:
    """ASGI middleware inside of `SecurityHeaders`.

    Args:
        app: the pages.
        access: who may see them.
        trouble: makes a page of an error.
    """

    def __init__(self, app: ASGIApp, access: Access, trouble: Trouble) -> None:
        self.app = app
        self._access = access
        self._trouble = trouble

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass the request on."""
        enter(None)
        if scope["type"] != "http" or scope["path"].startswith("/static/"):
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        visit: Visit | None = None
        answer: Response | HTTPException | DependencyError | None
        host = request.headers.get("host", "localhost")
        if not _HOST.fullmatch(host):  # no address can be made of it
            await Response(status_code=HTTPStatus.BAD_REQUEST)(scope, receive, send)
            return
        try:
            visit = await run_in_threadpool(self._visit, request)
            enter(visit)
            answer = await run_in_threadpool(self._kept_out, request, visit, host)
            if answer is None and request.method not in _SAFE:
                body = await _body(request, MAX_BYTES if visit.user else _MAX_PUBLIC_BYTES)
                # 8 MiB take a second to read, and the bridge of `agent serve` turns in this loop too.
                answer, receive = await run_in_threadpool(_checked, request, visit, body), _replay(body)
        except ClientDisconnect:
            return
        except DependencyError as error:
            answer = error
        if isinstance(answer, HTTPException | DependencyError):
            answer = await self._trouble(request, answer)
        await (answer or self.app)(scope, receive, _with_cookie(send, visit))

    def _visit(self, request: Request) -> Visit:
        encrypted = request.url.scheme == "https"
        token = request.cookies.get(name_of(SESSION, encrypted=encrypted), "")
        user: User | None = None
        if token:
            user = self._access.sessions.user(token, active=_REFRESH not in request.headers)
        browser = request.cookies.get(name_of(BROWSER, encrypted=encrypted), "")
        secret = token if user else browser if _TOKEN.fullmatch(browser) else new_token()
        if user is None and self._access.is_open():
            user = self._access.anybody
        address = request.client.host if request.client else ""
        return Visit(user, address, secret, self._access.audit, encrypted=encrypted)

    def _kept_out(self, request: Request, visit: Visit, host: str) -> Response | HTTPException | None:
        """What is answered to who may not; None = nothing speaks against it."""
        path, user = request.scope["path"], visit.user
        if not self._access.takes_host(host.rpartition(":")[0] if _PORT.search(host) else host):
            return HTTPException(HTTPStatus.MISDIRECTED_REQUEST)
        if user is None and path not in PUBLIC:
            wanted = path + (f"?{request.url.query}" if request.url.query else "")
            back = f"?next={quote(wanted, safe='')}" if request.method in _SAFE and wanted != "/" else ""
            return RedirectResponse(LOGIN + back, HTTPStatus.SEE_OTHER)
        if request.method in _SAFE or path in PUBLIC | OWN or (user and user.may(Permission.ENTER)):
            return None
        return HTTPException(HTTPStatus.FORBIDDEN)


async def _body(request: Request, limit: int) -> bytes:
    """What was sent; more than the limit is cut one byte behind it."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk[: limit + 1 - len(body)]
        if len(body) > limit:
            break
    return bytes(body)


def _checked(request: Request, visit: Visit, body: bytes) -> HTTPException | None:
    """Keep the form of a request whose token is right; else why not."""
    # A browser says where a form was sent from; other programs say nothing, and have no cookies to abuse.
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        return HTTPException(HTTPStatus.FORBIDDEN, "csrf_refused")
    if len(body) > (MAX_BYTES if visit.user else _MAX_PUBLIC_BYTES):
        return HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    try:
        form = parse_form(request.headers.get("content-type", ""), body)
    except PayloadRefused:
        return HTTPException(HTTPStatus.BAD_REQUEST)
    given = form.get(CSRF) or request.headers.get("x-csrf-token", "")
    if not hmac.compare_digest(given.encode(), csrf_of(visit.secret).encode()):
        return HTTPException(HTTPStatus.FORBIDDEN, "csrf_refused")
    visit.form = form
    return None


def _replay(body: bytes) -> Receive:
    """The body once more, for the page behind."""
    left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return left.pop() if left else {"type": "http.disconnect"}

    return receive


def _with_cookie(send: Send, visit: Visit | None) -> Send:
    """Nothing is kept by the browser's cache; who was shown a form before the log-in gets the cookie it belongs to."""

    async def with_cookie(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["Cache-Control"] = "no-store"
            if visit is not None and visit.asked and not (visit.user and visit.user.id):
                headers.append("Set-Cookie", set_cookie(BROWSER, visit.secret, encrypted=visit.encrypted))
        await send(message)

    return with_cookie
