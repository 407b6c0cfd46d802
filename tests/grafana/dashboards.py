"""deploy/grafana/dashboards, of deploy/grafana/source: `PYTHONPATH=. .venv/bin/python tests/grafana/dashboards.py`.

The dashboard JSON model of Grafana with schema 39 (Grafana 11.0); field names as in `@grafana/schema` 11 and in the
InfluxDB data source of Grafana.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from tests.grafana.panels import DATASOURCE, panel
from viewer.words import Words

Json = dict[str, Any]
ROOT: Final = Path(__file__).parents[2]
SOURCE, DASHBOARDS = ROOT / "deploy/grafana/source", ROOT / "deploy/grafana/dashboards"
SCHEMA_VERSION: Final = 39
NAME: Final = "shopfloor"
"""Of the data source that is provisioned; another one whose name begins so can be chosen."""
GRID: Final = 24
"""Columns of a dashboard."""


def made() -> dict[str, str]:
    """Text of each dashboard by the name of its file."""
    return {
        f"{path.stem}.json": json.dumps(dashboard(_read(path)), ensure_ascii=False, indent=1) + "\n"
        for path in sorted(SOURCE.glob("*.yaml"))
    }


def dashboard(source: Json) -> Json:
    """The model of one dashboard."""
    link = {
        "type": "dashboards",
        "title": "다른 화면 Other dashboards",
        "tags": [NAME],
        "asDropdown": True,
        "tooltip": "",
    }
    return {
        "uid": source["uid"],
        "title": source["title"],
        "description": source["about"],
        "tags": [NAME],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "timezone": "browser",
        "time": {"from": f"now-{source['hours']}h", "to": "now"},
        "refresh": "30s",
        "links": [link | {"icon": "external link", "includeVars": True, "keepTime": True, "targetBlank": False}],
        "templating": {"list": [_choice_of_source(), *(_variable(**one) for one in source["variables"])]},
        "annotations": {"list": [_annotation(**one) for one in source.get("annotations", ())]},
        "panels": list(_placed([panel(**_stated(one)) for one in source["panels"]])),
    }


def states() -> dict[str, tuple[str, str]]:
    """Word and colour of each canonical state, as the viewer has them."""
    css = (ROOT / "viewer/static/app.css").read_text(encoding="utf-8").partition("@media")[0]
    korean, english = Words("ko"), Words("en")
    colours = re.findall(r"--s(\d): (#\w+)", css)
    return {code: (f"{korean.state(int(code))} {english.state(int(code))}", colour) for code, colour in colours}


def _read(path: Path) -> Json:
    """A source with its words put in where they stand in braces."""
    source: Json = yaml.safe_load(path.read_text(encoding="utf-8"))
    words = source.pop("words")
    return {key: _filled(value, words) for key, value in source.items()}


def _filled(value: Any, words: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_filled(one, words) for one in value]
    if isinstance(value, dict):
        return {key: _filled(one, words) for key, one in value.items()}
    while isinstance(value, str) and (found := re.search(r"(?<!\$)\{(\w+)\}", value)):
        value = value.replace(found[0], words[found[1]])
    return value


def _stated(source: Json) -> Json:
    return source | {"mappings": states()} if source.get("mappings") == "states" else source


def _choice_of_source() -> Json:
    return {
        "type": "datasource",
        "name": "datasource",
        "label": "자료원 Data source",
        "query": DATASOURCE["type"],
        "regex": f"/^{NAME}/",
        "current": {"text": NAME, "value": NAME},
    }


def _variable(*, name: str, label: str, query: str, multi: bool = False, all: bool = True) -> Json:  # noqa: A002
    """A choice of tag values; All stands for series without the tag too, which the known values would miss."""
    text, value = (["All"], ["$__all"]) if multi else ("All", "$__all")
    first = {"current": {"text": text, "value": value}}
    choice = {"includeAll": True, "allValue": ".*", **first} if all else {"includeAll": False}
    return {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": DATASOURCE,
        "query": {"query": query, "refId": "InfluxVariableQueryEditor-VariableQuery"},
        "refresh": 2,
        "sort": 1,
        "multi": multi,
        **choice,
    }


def _annotation(*, name: str, colour: str, query: str, text: str, tags: Sequence[str], end: str = "") -> Json:
    """Events over all graphs.

    Grafana calls a column `measurement.field`; it finds those of the text and the tags by a part of that, and that of
    the end by the whole of it (`transformAnnotationResponse` of its InfluxDB data source).
    """
    target = {
        "refId": "Anno",
        "fromAnnotations": True,
        "rawQuery": True,
        "textEditor": True,
        "query": query,
        "textColumn": text,
        "tagsColumn": ",".join(tags),
        "timeEndColumn": end,
    }
    return {"name": name, "datasource": DATASOURCE, "enable": True, "iconColor": colour, "target": target}


def _placed(panels: Sequence[Json]) -> Iterator[Json]:
    """From left to right, in a new row where one does not fit."""
    x = y = height = 0
    for number, one in enumerate(panels, 1):
        size = one["gridPos"]
        if x + size["w"] > GRID:
            x, y, height = 0, y + height, 0
        yield {"id": number, **one, "gridPos": {"x": x, "y": y, **size}}
        x, height = x + size["w"], max(height, size["h"])


if __name__ == "__main__":
    for file, text in made().items():
        (DASHBOARDS / file).write_text(text, encoding="utf-8")
