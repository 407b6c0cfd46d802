"""`/users`: who may look at what; for TP managers."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from viewer.access import manage
from viewer.access.current import require, visit
from viewer.access.forms import Form
from viewer.access.passwords import MIN_LENGTH
from viewer.access.refused import AccessRefused
from viewer.access.roles import Permission, Role
from viewer.access.users import User
from viewer.routes.login import same
from viewer.routes.pages import Pages


def routes(pages: Pages) -> list[BaseRoute]:
    """`/users`, `/users/{number}` and what can be done there."""
    return [
        pages.route("/users", _users, "users", ("GET", "POST")),
        pages.route("/users/{number:int}", _user, "user"),
        pages.route("/users/{number:int}/{deed}", _user, "user_deed", ("POST",)),
    ]


def _users(pages: Pages, request: Request) -> Response:
    require(Permission.MANAGE)
    words, form = pages.words_of(request), visit().form
    refused, done, name = "", "", ""
    if request.method == "POST":
        name = form.get("name")
        try:
            user = manage.add(pages.access, name, _role(form), _companies(form), _password(form), visit().note)
            done, name = words("user_created", name=user.name), ""
        except AccessRefused as error:
            refused = words.refused(error.word, **error.values)
    return pages.render(
        request,
        "users.html",
        HTTPStatus.BAD_REQUEST if refused else HTTPStatus.OK,
        refused=refused,
        done=done,
        name=name[:64],
        everybody=pages.access.users.all(),
        roles=list(Role),
        known=_known(pages),
        least=MIN_LENGTH,
    )


def _change(pages: Pages, user: User, form: Form) -> None:
    manage.change(pages.access, user, _role(form), _companies(form), visit().note)


def _set_password(pages: Pages, user: User, form: Form) -> None:
    manage.set_password(pages.access, user, _password(form), visit().note)


def _disable(pages: Pages, user: User, _: Form) -> None:
    manage.disable(pages.access, user, visit().note)


def _enable(pages: Pages, user: User, _: Form) -> None:
    manage.enable(pages.access, user, visit().note)


_DEEDS: Final[dict[str, Callable[[Pages, User, Form], None]]] = {
    "change": _change,
    "password": _set_password,
    "disable": _disable,
    "enable": _enable,
}


def _user(pages: Pages, request: Request) -> Response:
    require(Permission.MANAGE)
    words, number = pages.words_of(request), request.path_params["number"]
    user = pages.access.users.get(number) if number < 2**63 else None
    deed = request.path_params.get("deed")
    if user is None or (deed is not None and deed not in _DEEDS):
        raise HTTPException(HTTPStatus.NOT_FOUND)
    refused = ""
    if deed is not None:
        try:
            _DEEDS[deed](pages, user, visit().form)
        except AccessRefused as error:
            refused = words.refused(error.word, **error.values)
    return pages.render(
        request,
        "user.html",
        HTTPStatus.BAD_REQUEST if refused else HTTPStatus.OK,
        refused=refused,
        done=words("user_saved") if deed and not refused else "",
        one=pages.access.users.get(number),
        roles=list(Role),
        known=_known(pages),
        least=MIN_LENGTH,
    )


def _role(form: Form) -> Role:
    given = form.get("role")
    if given not in set(Role):
        raise AccessRefused("role", "no such role")
    return Role(given)


def _companies(form: Form) -> list[str]:
    return form.get("companies").splitlines()


def _password(form: Form) -> str:
    same(form.get("password"), form.get("again"))
    return form.get("password")


def _known(pages: Pages) -> list[str]:
    """Companies that the site files or the store name."""
    in_store = {one.place.company for one in pages.store.series()}
    return sorted((in_store | {key[0] for key in pages.catalog.machines}) - {""})
