"""`/company/{company}/facts` and `/company-facts`: what is known of companies beside readings.

For managers and coordinators.
"""

from __future__ import annotations

import csv
import io
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from viewer.access.current import companies, require, visit
from viewer.access.roles import Permission
from viewer.book.companies import Companies
from viewer.book.facts import LEVELS, MOST, NAMES, SIZES, Fault, checked
from viewer.book.facts_file import HEADS, RowFault, read
from viewer.csv_text import guarded
from viewer.routes.company import company_of, company_url, visible
from viewer.routes.pages import Pages


def routes(pages: Pages) -> list[BaseRoute]:
    """The form of one company, and the table of all as CSV, in and out."""
    return [
        pages.route("/company/{company}/facts", _form, "company_facts", ("GET", "POST")),
        pages.route("/company-facts", _table, "company_table", ("GET", "POST")),
        pages.route("/company-facts.csv", _download, "company_table_file"),
    ]


def _form(pages: Pages, request: Request) -> Response:
    require(Permission.CONFIRM)
    company = company_of(pages, request)
    kept = Companies(pages.access.book, pages.clock)
    facts = kept.get(company)
    faults: list[Fault] = []
    if request.method == "POST":
        here = visit()
        said = {name: here.form.get(name) for name in NAMES if name in here.form.fields}
        facts, faults = checked(company, said, facts)
        if not faults:
            kept.put([facts], here.note)
            return RedirectResponse(company_url(company), HTTPStatus.SEE_OTHER)
    return pages.render(
        request,
        "company_facts.html",
        HTTPStatus.BAD_REQUEST if faults else HTTPStatus.OK,
        company=company,
        url=company_url,
        facts=facts,
        faults={one.field: one.word for one in faults},
        names=NAMES,
        choices={"size": SIZES, "level": LEVELS, "aim": LEVELS},
        most=MOST,
    )


def _table(pages: Pages, request: Request) -> Response:
    require(Permission.CONFIRM)
    count: int | None = None
    faults: list[RowFault] = []
    if request.method == "POST":
        here, kept = visit(), Companies(pages.access.book, pages.clock)
        found, faults = read(here.form.files.get("file", b""), kept.all(), companies())
        if not faults:
            count = kept.put(found, here.note)
    status = HTTPStatus.BAD_REQUEST if faults else HTTPStatus.OK
    return pages.render(request, "company_table.html", status, count=count, faults=faults[:50], more=len(faults) - 50)


def _download(pages: Pages, request: Request) -> Response:
    """Every company that whoever asks sees, as the import takes it; a spreadsheet reads no cell of it as a formula."""
    require(Permission.CONFIRM)
    del request
    known = Companies(pages.access.book, pages.clock).all()
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(HEADS.values())
    for company in visible(pages):
        facts = known.get(company)
        row = [company, *(getattr(facts, name) if facts else "" for name in NAMES)]
        table.writerow(map(guarded, row))
    headers = {"Content-Disposition": 'attachment; filename="companies.csv"'}
    return Response("\ufeff" + text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)
