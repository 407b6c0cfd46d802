"""`/cluster/{ordering}/{company}`: what an ordering company sees of a supplier, down to its machines.

The supplier and those who look after it open the same address and see the same page: its preview (미리보기).
"""

from __future__ import annotations

from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from viewer.access.current import user_or_none
from viewer.access.shared import MINUTE_NS, names_something
from viewer.catalog import MachineInfo
from viewer.chart import Chart, draw
from viewer.cluster.figures import PERIODS
from viewer.cluster.kept import Allowance
from viewer.cluster.orders import STATES
from viewer.cluster.sight import Sight
from viewer.overview import is_bad
from viewer.routes.cluster import period_of, sight_url
from viewer.routes.pages import Pages
from viewer.words import Words, local

_HOUR_NS: Final = 60 * MINUTE_NS
_DAY_NS: Final = 24 * _HOUR_NS
PICTURES: Final = {
    "8h": (8 * _HOUR_NS, 2 * MINUTE_NS),
    "1d": (_DAY_NS, 5 * MINUTE_NS),
    "7d": (7 * _DAY_NS, _HOUR_NS),
    "30d": (30 * _DAY_NS, 3 * _HOUR_NS),
}
"""Length of a picture and of its buckets."""
READ_BACK_NS: Final = _HOUR_NS
MOST_READINGS: Final = 60
MOST_ORDERS: Final = 200


def routes(pages: Pages) -> list[BaseRoute]:
    """`/cluster/{ordering}/{company}` and `/cluster/{ordering}/{company}/{site}/{machine}`; "-" stands for no name."""
    return [
        pages.route("/cluster/{ordering}/{company}", _supplier, "cluster_supplier"),
        pages.route("/cluster/{ordering}/{company}/{site}/{machine}", _machine, "cluster_machine"),
    ]


def _sight(pages: Pages, request: Request) -> tuple[Sight, dict[str, Any]]:
    """What is seen, and what both pages are drawn with.

    Raises:
        HTTPException: 404, the two never agreed on anything, or whoever asks has to do with neither.
    """
    supplier, ordering = (request.path_params[name] for name in ("company", "ordering"))
    agreement = pages.agreements.find(supplier, ordering)
    if agreement is None:
        raise HTTPException(404)
    sight, now_ns = pages.through(agreement, Allowance()), pages.clock.now_ns()
    user = user_or_none()
    return sight, {
        "sight": sight,
        "state": agreement.state(local(now_ns).date()),
        "now_ns": now_ns,
        "preview": user is not None and ordering not in user.orders_for,
        "url": sight_url,
    }


def _supplier(pages: Pages, request: Request) -> Response:
    sight, shared = _sight(pages, request)
    period = period_of(request)
    orders = sight.orders()
    return pages.render(
        request,
        "cluster_supplier.html",
        **shared,
        seen_ns=sight.seen_ns,
        freshness=sight.freshness if sight.level != "none" else None,
        sites=sight.sites(period),
        orders=orders[:MOST_ORDERS],
        more_orders=max(0, len(orders) - MOST_ORDERS),
        states=STATES,
        machines=sight.machines(),
        period=period,
        periods=PERIODS,
    )


def _machine(pages: Pages, request: Request) -> Response:
    sight, shared = _sight(pages, request)
    site, name = ("" if one == "-" else one for one in (request.path_params["site"], request.path_params["machine"]))
    machine = sight.machine(site, name)
    if machine is None:
        raise HTTPException(404)
    offered = [one for one, (length_ns, _) in PICTURES.items() if length_ns <= _DAY_NS or pages.store.keeps_hours]
    period = request.query_params.get("period", "")
    period = period if period in offered else offered[0]
    length_ns, width_ns = PICTURES[period]
    words = pages.words_of(request)
    raw = sight.level == "raw"
    tags = [one for one in machine.tags.values() if raw or not names_something(one.name)]
    end_ns = shared["now_ns"] // width_ns * width_ns
    charts: list[tuple[str, str, Chart]] = []
    for tag in tags:
        trend = sight.store.minutes(machine, tag.name, length_ns, width_ns)
        label = words.label(tag.label, tag.name)
        charts.append((label, tag.unit, draw(trend, [], end_ns - length_ns, end_ns, words, label, tag.decimals)))
    tag_name = request.query_params.get("tag", "")
    return pages.render(
        request,
        "cluster_machine.html",
        **shared,
        machine=machine,
        charts=[one for one in charts if not one[2].empty],
        without=[label for label, _, chart in charts if chart.empty],
        period=period,
        periods=offered,
        width_min=width_ns // MINUTE_NS,
        latest=_latest(sight, machine, words),
        tag=machine.tags.get(tag_name) if raw else None,
        readings=_readings(sight, machine, words, tag_name),
    )


def _latest(sight: Sight, machine: MachineInfo, words: Words) -> list[dict[str, Any]]:
    """Newest readings as the table shows them; nothing below `raw`."""
    found = {one.field: one for one in sight.store.latest(machine)}
    rows = []
    for tag in machine.tags.values():
        if one := found.get(tag.name):
            bad = is_bad(one.status)
            value = words.quality(one.status) if bad else words.value(one.value, tag.decimals)
            rows.append({"tag": tag, "value": value, "bad": bad, "time_ns": one.status_time_ns})
    return rows


def _readings(sight: Sight, machine: MachineInfo, words: Words, tag: str) -> list[tuple[int, str]]:
    """Time and value of the newest readings of a tag, the newest first; nothing below `raw`."""
    if tag not in machine.tags:
        return []
    found = sight.store.readings(machine, tag, READ_BACK_NS, MOST_READINGS)
    decimals = machine.tags[tag].decimals
    pairs = zip(found.time_ns.tolist(), found.value.tolist(), strict=True)
    return [(at, words.value(value, decimals)) for at, value in pairs][::-1]
