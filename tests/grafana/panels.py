"""Panels of Grafana: what a source says of one, and what Grafana is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

Json = dict[str, Any]
Words = Mapping[Any, Sequence[str]]
"""Value to its text and colour."""
DATASOURCE: Final = {"type": "influxdb", "uid": "${datasource}"}
_COLOURS: Final = {"green": "#178244", "amber": "#e0ac00", "red": "#cf2f2f", "grey": "#68727f"}
_NO_DATA: Final = "미수집 no data"
_LEGEND: Final = {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}
_LAST: Final = {"calcs": ["lastNotNull"], "fields": "", "values": False}
_TYPES: Final = {
    "stat": ("stat", (4, 4)),
    "graph": ("timeseries", (12, 8)),
    "timeline": ("state-timeline", (24, 9)),
    "table": ("table", (24, 8)),
    "bars": ("bargauge", (12, 8)),
}
"""Grafana's name of each kind, and its usual width and height."""
_OPTIONS: Final[dict[str, Json]] = {
    "stat": {
        "reduceOptions": _LAST,
        "colorMode": "value",
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "textMode": "auto",
    },
    "graph": {"legend": _LEGEND, "tooltip": {"mode": "multi", "sort": "none"}},
    "timeline": {
        "alignValue": "left",
        "mergeValues": True,
        "rowHeight": 0.85,
        "showValue": "auto",
        "legend": _LEGEND,
        "tooltip": {"mode": "single", "sort": "none"},
    },
    "table": {"showHeader": True, "cellHeight": "sm", "footer": {"show": False, "reducer": ["sum"]}},
    "bars": {"displayMode": "gradient", "orientation": "horizontal", "reduceOptions": _LAST},
}


def panel(
    *,
    kind: str,
    title: str,
    about: str,
    queries: Sequence[Json],
    size: Sequence[int] = (),
    unit: str = "short",
    min: float | None = None,  # noqa: A002
    steps: Mapping[Any, str] | None = None,
    mappings: Words | None = None,
    holds_s: float = 0,
    interval: str = "",
    bars: bool = False,
    columns: Sequence[Json] = (),
    timeless: bool = False,
    joined: str = "",
    no_value: str = _NO_DATA,
) -> Json:
    """A panel without its place.

    Args:
        kind: one of stat, graph, timeline, table and bars.
        title: Korean, then English.
        about: what it shows, with its formula.
        queries: each an InfluxQL `query`, and the `alias` of its series in which `$tag_x` stands for the tag x.
        size: width in 24 columns, and height.
        unit: Grafana's name of it.
        min: lowest value of the axis.
        steps: from which value on which colour, `base` below all.
        mappings: values to words and colours.
        holds_s: a value that is not told again within it is not known to hold; 0 = it holds until the next one.
        interval: least `$__interval`.
        bars: of a graph, instead of a line.
        columns: of a table, see `_column`.
        timeless: of a table: without the times of its rows.
        joined: of a table: the column by which its queries are put together.
        no_value: what stands where nothing is stored.
    """
    type_, usual = _TYPES[kind]
    width, height = size or usual
    defaults: Json = {"noValue": no_value, "custom": _custom(kind, holds_s, bars=bars)}
    if kind != "table":
        mode = "palette-classic" if kind == "graph" else "thresholds"
        defaults |= {"unit": unit, "color": {"mode": mode}, "thresholds": _thresholds(steps or {"base": "grey"})}
    defaults |= {} if min is None else {"min": min}
    defaults |= {"mappings": _mappings(mappings)} if mappings else {}
    least = interval or ("1m" if kind == "graph" else "")
    changes = _transformations(joined, timeless=timeless)
    return {
        "type": type_,
        "title": title,
        "description": about,
        "datasource": DATASOURCE,
        "gridPos": {"w": width, "h": height},
        **({"interval": least} if least else {}),
        "targets": [_target(chr(ord("A") + at), table=kind == "table", **one) for at, one in enumerate(queries)],
        **({"transformations": changes} if changes else {}),
        "fieldConfig": {"defaults": defaults, "overrides": [_column(**one) for one in columns]},
        "options": _OPTIONS[kind],
    }


def _custom(kind: str, holds_s: float, *, bars: bool) -> Json:
    match kind:
        case "graph":
            drawn = {"drawStyle": "bars", "fillOpacity": 60} if bars else {"drawStyle": "line", "fillOpacity": 8}
            return {**drawn, "lineWidth": 1, "showPoints": "auto", "spanNulls": False}
        case "timeline":
            gone = int(holds_s * 1000) or False
            return {"fillOpacity": 85, "lineWidth": 0, "spanNulls": False, "insertNulls": gone}
        case "table":
            return {"align": "auto", "filterable": True}
        case _:
            return {}


def _target(ref_id: str, *, query: str, alias: str = "", table: bool) -> Json:
    named = {"alias": alias} if alias else {}
    kind = "table" if table else "time_series"
    return {"refId": ref_id, "datasource": DATASOURCE, "rawQuery": True, "query": query, "resultFormat": kind, **named}


def _transformations(joined: str, *, timeless: bool) -> list[Json]:
    found: list[Json] = []
    if timeless:
        found.append({"id": "filterFieldsByName", "options": {"include": {"pattern": "^(?!Time$).+"}}})
    if joined:
        found.append({"id": "joinByField", "options": {"byField": joined, "mode": "outer"}})
    return found


def _column(
    *,
    name: str,
    title: str,
    unit: str = "",
    decimals: int | None = None,
    steps: Mapping[Any, str] | None = None,
    link: str = "",
) -> Json:
    """How a column of a table is called, what it counts in, where its numbers turn red, and where it leads."""
    found: Json = {"displayName": title}
    found |= {"unit": unit} if unit else {}
    found |= {} if decimals is None else {"decimals": decimals}
    if steps:
        coloured = {"color": {"mode": "thresholds"}, "custom.cellOptions": {"type": "color-text"}}
        found |= {"thresholds": _thresholds(steps), **coloured}
    found |= {"links": [{"title": title, "url": link}]} if link else {}
    properties = [{"id": key, "value": value} for key, value in found.items()]
    return {"matcher": {"id": "byName", "options": name}, "properties": properties}


def _thresholds(steps: Mapping[Any, str]) -> Json:
    found = [{"value": None if value == "base" else value, "color": _COLOURS[name]} for value, name in steps.items()]
    return {"mode": "absolute", "steps": found}


def _mappings(words: Words) -> list[Json]:
    options = {
        str(value): {"text": text, "color": _COLOURS.get(colour, colour), "index": at}
        for at, (value, (text, colour)) in enumerate(words.items())
    }
    return [{"type": "value", "options": options}]
