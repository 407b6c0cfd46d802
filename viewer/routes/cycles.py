"""`/cycles/{company}/{site}/{machine}`: the records of a machine's cycles, newest first, and as a file."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from viewer.catalog import MachineInfo
from viewer.csv_text import guarded
from viewer.cycle_table import Table, csv_rows, spec_of, table_of, value_text
from viewer.kpi.period import NAMED
from viewer.query.cycles import Column, Cycle, columns_of, cycle_page, newest
from viewer.query.figures import figures_of
from viewer.query.lots import lots_and_products
from viewer.query.unit import Unit
from viewer.routes.asked import CUSTOM, Asked, asked, find_machine, unit_text
from viewer.routes.pages import Pages
from viewer.site_info import SiteInfo
from viewer.stores.base import Store

ROWS: Final = 50
"""Cycles of a page."""
FILE_ROWS: Final = 50_000
"""Cycles of a file: the newest of the period."""
_DIGITS: Final = 19
"""Of a time in ns."""


def routes(pages: Pages) -> list[BaseRoute]:
    """`/cycles/{company}/{site}/{machine}?period=today&before=…`, and `/cycles.csv/…` with the same period."""
    return [
        pages.route("/cycles/{company}/{site}/{machine}", _cycles, "cycles"),
        pages.route("/cycles.csv/{company}/{site}/{machine}", _file, "cycles_file"),
    ]


def _cycles(pages: Pages, request: Request) -> Response:
    site, machine = find_machine(request, pages.sites(request))
    now_ns = pages.clock.now_ns()
    unit = Unit(machine.line, machine.name)
    of = asked(request, site, unit, now_ns)
    columns = columns_of(pages.store, site, machine)
    before_ns, after_ns = (_moment(request, name) for name in ("before", "after"))
    found = cycle_page(pages.store, machine, columns, of.period, ROWS, before_ns=before_ns, after_ns=after_ns)
    codes = ["P-CT", *(["Q-CPK"] if machine.quality else [])]
    figures = figures_of(pages.store, site, unit, codes, of.period) if machine.cycles else []
    query = _query(of)
    return pages.render(
        request,
        "cycles.html",
        now_ns=now_ns,
        of=of,
        view=machine,
        unit=unit_text(site, unit),
        periods=(*NAMED, CUSTOM),
        table=tabled(pages.store, site, machine, columns, found.cycles),
        figures=figures,
        spec=spec_of(machine, columns),
        older=urlencode({**query, "before": found.older_ns}) if found.older_ns is not None else "",
        newer=urlencode({**query, "after": found.newer_ns}) if found.newer_ns is not None else "",
        newest=urlencode(query),
        most=FILE_ROWS,
        value=lambda column, value: value_text(pages.words_of(request), column, value),
    )


def _file(pages: Pages, request: Request) -> Response:
    """Every cycle of the period as CSV; a spreadsheet reads no cell of it as a formula."""
    site, machine = find_machine(request, pages.sites(request))
    of = asked(request, site, Unit(machine.line, machine.name), pages.clock.now_ns())
    columns = columns_of(pages.store, site, machine)
    table = tabled(pages.store, site, machine, columns, newest(pages.store, machine, columns, of.period, FILE_ROWS))
    text = io.StringIO()
    csv.writer(text).writerows(map(guarded_cell, row) for row in csv_rows(table, pages.words_of(request)))
    name = quote(f"cycles_{machine.name}_{of.first.isoformat()}_{of.last.isoformat()}.csv", safe="")
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
    return Response("\ufeff" + text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def tabled(
    store: Store,
    site: SiteInfo,
    machine: MachineInfo,
    columns: Sequence[Column],
    cycles: Sequence[Cycle],
    *,
    entries: bool = True,
) -> Table:
    """Cycles with lot and product, in the same order; `entries` as of `viewer.query.lots`.

    Raises:
        DependencyError: the store cannot be reached.
    """
    order = sorted({one.time_ns for one in cycles})
    made = dict(zip(order, lots_and_products(store, site, machine, order, entries=entries), strict=True))
    return table_of(machine, columns, cycles, [made[one.time_ns] for one in cycles])


def guarded_cell(cell: str) -> str:
    """A cell that no spreadsheet computes; a number stays one."""
    try:
        float(cell)
    except ValueError:
        return guarded(cell)
    return cell


def _query(of: Asked) -> dict[str, str]:
    return {"period": of.name, "from": of.first.isoformat(), "to": of.last.isoformat()}


def _moment(request: Request, name: str) -> int | None:
    text = request.query_params.get(name, "")
    return int(text) if text.isdecimal() and text.isascii() and len(text) < _DIGITS + 1 else None
