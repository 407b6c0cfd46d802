"""`/setup`: the first manager, by the code that was shown where the server was started."""

from __future__ import annotations

from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from viewer.access.current import visit
from viewer.access.passwords import MIN_LENGTH
from viewer.access.refused import AccessRefused
from viewer.routes.login import same, with_session
from viewer.routes.pages import Pages


def routes(pages: Pages) -> list[BaseRoute]:
    """`/setup`; not there once there is a user."""
    return [pages.route("/setup", _setup, "setup", ("GET", "POST"))]


def _setup(pages: Pages, request: Request) -> Response:
    if pages.access.users.exist():
        raise HTTPException(HTTPStatus.NOT_FOUND)
    here, words, refused = visit(), pages.words_of(request), ""
    if request.method == "POST":
        try:
            same(here.form.get("password"), here.form.get("again"))
            user = pages.access.make_first(
                here.form.get("code"), here.form.get("name"), here.form.get("password"), here.address
            )
            if user is not None:
                token = pages.access.sessions.open(user)
                return with_session(RedirectResponse("/users", HTTPStatus.SEE_OTHER), token)
            refused = words("setup_wrong")
        except AccessRefused as error:
            refused = words.refused(error.word, **error.values)
    status = HTTPStatus.FORBIDDEN if refused else HTTPStatus.OK
    name = here.form.get("name")[:64]
    return pages.render(request, "setup.html", status, refused=refused, name=name, least=MIN_LENGTH)
