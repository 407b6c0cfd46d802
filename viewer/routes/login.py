"""`/login`, `/logout`, `/password`: who is it, who was it, and a password of its own."""

from __future__ import annotations

import math
import re
from http import HTTPStatus
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from viewer.access.cookies import BROWSER, SESSION, name_of, set_cookie
from viewer.access.current import visit
from viewer.access.guard import LOGIN
from viewer.access.passwords import MIN_LENGTH
from viewer.access.refused import AccessRefused
from viewer.routes.pages import Pages

_LOCAL: Final = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e\x80-\U0010ffff]{0,1000}")
"""A path on this server: not `//elsewhere`, which a browser takes for another host, and without line ends."""


def routes(pages: Pages) -> list[BaseRoute]:
    """`/login`, `/logout` and `/password`."""
    return [
        pages.route(LOGIN, _login, "login", ("GET", "POST")),
        pages.route("/logout", _logout, "logout", ("POST",)),
        pages.route("/password", _password, "password", ("GET", "POST")),
    ]


def local(address: str) -> str:
    """Where to go after the log-in: only to a page of this server."""
    return address if _LOCAL.fullmatch(address) else "/"


def _login(pages: Pages, request: Request) -> Response:
    here = visit()
    if request.method != "POST":
        if here.user and here.user.id:
            return RedirectResponse(local(request.query_params.get("next", "/")), HTTPStatus.SEE_OTHER)
        if not pages.access.users.exist():
            return RedirectResponse("/setup", HTTPStatus.SEE_OTHER)
        return _form(pages, request, local(request.query_params.get("next", "/")))
    name, following = here.form.get("name"), local(here.form.get("next"))
    done = pages.access.log_in(name, here.form.get("password"), here.address)
    if done.token is not None:
        return with_session(RedirectResponse(following, HTTPStatus.SEE_OTHER), done.token)
    if done.wait_s > 0:
        wait_s = math.ceil(done.wait_s)
        words = pages.words_of(request)("login_wait", n=wait_s)
        answer = _form(pages, request, following, name, words, HTTPStatus.TOO_MANY_REQUESTS)
        answer.headers["Retry-After"] = str(wait_s)
        return answer
    return _form(pages, request, following, name, pages.words_of(request)("login_failed"), HTTPStatus.FORBIDDEN)


def _form(
    pages: Pages, request: Request, following: str, name: str = "", refused: str = "", status: int = 200
) -> Response:
    safe = visit().encrypted or (request.url.hostname or "") in {"127.0.0.1", "localhost", "::1"}
    return pages.render(request, "login.html", status, next=following, name=name[:64], refused=refused, encrypted=safe)


def with_session(answer: Response, token: str) -> Response:
    """The answer that gives a browser its session; the cookie from before the log-in is taken away."""
    encrypted = visit().encrypted
    answer.headers.append("Set-Cookie", set_cookie(SESSION, token, encrypted=encrypted))
    answer.headers.append("Set-Cookie", set_cookie(BROWSER, "", encrypted=encrypted))
    return answer


def _logout(pages: Pages, request: Request) -> Response:
    here = visit()
    if here.user and here.user.id:
        token = request.cookies.get(name_of(SESSION, encrypted=here.encrypted), "")
        pages.access.log_out(here.user, token, here.address)
    answer = RedirectResponse(LOGIN, HTTPStatus.SEE_OTHER)
    answer.headers.append("Set-Cookie", set_cookie(SESSION, "", encrypted=here.encrypted))
    return answer


def _password(pages: Pages, request: Request) -> Response:
    here, words = visit(), pages.words_of(request)
    if not here.user or not here.user.id:
        raise HTTPException(HTTPStatus.FORBIDDEN)
    refused, token = "", None
    if request.method == "POST":
        try:
            same(here.form.get("password"), here.form.get("again"))
            done = pages.access.change_own(here.user, here.form.get("now"), here.form.get("password"), here.address)
            token = done.token
            if token is None:
                refused = words("login_wait", n=math.ceil(done.wait_s)) if done.wait_s else words("login_failed")
        except AccessRefused as error:
            refused = words.refused(error.word, **error.values)
    changed = words("password_changed") if token else ""
    status = HTTPStatus.FORBIDDEN if refused else HTTPStatus.OK
    if token:
        here.secret = token  # what this page draws belongs to the new session
    answer = pages.render(request, "password.html", status, refused=refused, done=changed, least=MIN_LENGTH)
    return with_session(answer, token) if token else answer


def same(password: str, again: str) -> None:
    """That a new password was typed twice alike.

    Raises:
        AccessRefused: it was not.
    """
    if password != again:
        raise AccessRefused("different", "the two passwords differ")
