"""`/entry/file`: a CSV file of entries, first looked at, then saved, all of it or nothing."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from pipelines.errors import JournalError
from viewer.access.current import require, visit
from viewer.access.roles import Permission
from viewer.entries.kinds import FIELDS, KINDS
from viewer.entries.table import Table, read_table
from viewer.routes.entry import address, site_of
from viewer.routes.entry_form import AUTHOR, author_of, remember
from viewer.routes.pages import Pages

SHOWN: Final = 200
"""Rows of a file that are shown."""


def routes(pages: Pages) -> list[BaseRoute]:
    """`/entry/file?unit=company/site/-/-`."""
    return [pages.route("/entry/file", _file, "entry_file", ("GET", "POST"))]


def _file(pages: Pages, request: Request) -> Response:
    require(Permission.ENTER)
    found = site_of(pages, request)
    if isinstance(found, str):
        raise HTTPException(HTTPStatus.NOT_FOUND)
    desk, site = found
    words = pages.words_of(request)
    author, typed = author_of(request)
    content, table, why, status = b"", None, "", HTTPStatus.OK
    if request.method == "POST":
        form = visit().form
        author = form.get(AUTHOR) if typed else author
        content = form.files.get("file") or _again(form.get("content"))
        given = {AUTHOR: author} if author else {}
        table = read_table(content, lambda raw: desk.check(site.key, _by(raw, author, typed=typed)), given)
        if table.whole and form.get("save"):
            try:
                saved = desk.save_now(site.key, table.entries, "csv")
            except JournalError as error:
                status, why = HTTPStatus.SERVICE_UNAVAILABLE, error.reason
            else:
                visit().note("entry", f"{site.company}/{site.name}", f"csv {len(saved)}")
                answer = RedirectResponse(address("/entry", site, saved=str(len(saved))), HTTPStatus.SEE_OTHER)
                return remember(answer, author) if typed and author else answer
        elif not table.whole:
            status = HTTPStatus.UNPROCESSABLE_ENTITY
    return pages.render(
        request,
        "entry_file.html",
        status,
        site=site,
        here=address("/entry/file", site),
        back=address("/entry", site),
        author=author,
        typed=typed,
        table=table,
        why=why,
        content=base64.b64encode(content).decode() if table is not None and table.whole else "",
        columns=_columns(table),
        fields={name: words.text(text) for name, text in FIELDS.items()},
        kinds={kind.name: words.text(kind.label) for kind in KINDS.values()},
        refused=[] if table is None else [(line, one.line(words.language)) for line, one in table.refused][:SHOWN],
        most=SHOWN,
    )


def _by(raw: Mapping[str, Any], author: str, *, typed: bool) -> Mapping[str, Any]:
    """Who is logged in enters in no other name."""
    return raw if typed else {**raw, AUTHOR: author}


def _again(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _columns(table: Table | None) -> list[str]:
    """Fields that any row says, in their order."""
    said = {name for row in (table.rows if table else ()) for name in row.said}
    return [name for name in FIELDS if name in said]
