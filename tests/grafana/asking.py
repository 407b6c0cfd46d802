"""A dashboard's queries as Grafana sends them, and what a store answers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

import urllib3

Json = dict[str, Any]
ALL: Final = "$__all"
Choice = str | Sequence[str]
"""`ALL`, a value, or several of a variable that takes several."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query brings.

    Attributes:
        columns: of all series, tags among them.
        rows: column to value.
    """

    columns: frozenset[str]
    rows: list[dict[str, Any]]

    @property
    def has_data(self) -> bool:
        """Whether a value is there, beside times and tags."""
        return any(row[key] is not None for row in self.rows for key in row if key not in row["tags"] and key != "time")

    def column(self, name: str) -> list[Any]:
        """Values of one column that are there."""
        return [row[name] for row in self.rows if row.get(name) is not None]


@dataclass(frozen=True, slots=True)
class Grafana:
    """Sends queries as Grafana's InfluxDB data source does with InfluxQL.

    Attributes:
        url: of the database.
        database: its name.
        first_ms: begin of the period shown, ms since 1970 UTC.
        last_ms: its end.
    """

    url: str
    database: str
    first_ms: int
    last_ms: int

    def values(self, variable: Json, chosen: Mapping[str, Choice], known: Mapping[str, Json]) -> list[str]:
        """What a variable can be, given those above it."""
        answer = self.ask(variable["query"]["query"], chosen, known)
        return sorted(set(answer.column("value")))

    def ask(self, query: str, chosen: Mapping[str, Choice], known: Mapping[str, Json], step_s: int = 60) -> Answer:
        """The answer to a query.

        Args:
            query: with variables and macros.
            chosen: value of each variable.
            known: the variables by name.
            step_s: what `$__interval` is.

        Raises:
            AssertionError: something in it was not replaced, or the store says that it is wrong.
        """
        text = interpolated(query, chosen, known)
        # in the order of pkg/tsdb/influxdb/models/query.go
        text = text.replace("$timeFilter", f"time >= {self.first_ms}ms and time <= {self.last_ms}ms")
        text = text.replace("$__interval_ms", str(step_s * 1000)).replace("$__interval", f"{step_s}s")
        assert not re.search(r"\$\w", text), text
        body = urlencode({"db": self.database, "epoch": "ms", "q": text})
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = urllib3.request("POST", f"{self.url}/query", body=body, headers=headers)
        (result,) = json.loads(answer.data)["results"]
        assert answer.status == 200, (text, answer.data)
        assert "error" not in result, (text, result)
        return _answer(result.get("series", []))


def interpolated(query: str, chosen: Mapping[str, Choice], known: Mapping[str, Json]) -> str:
    """Variables replaced as `interpolateQueryExpr` of Grafana's data source does inside of patterns."""

    def value(found: re.Match[str]) -> str:
        name = found[1]
        if name not in known:
            return found[0]
        assert re.search(rf"=~ /\^\${name}\$/", query), f"{name} is not a whole pattern, in which alone it is escaped"
        choice = chosen[name]
        if choice == ALL:
            return str(known[name]["allValue"])
        if isinstance(choice, str):
            return _escaped(choice)
        assert known[name]["multi"], name
        return f"({'|'.join(map(_escaped, choice))})"

    return re.sub(r"\$(\w+)", value, query)


def _escaped(text: str) -> str:
    """`escapeRegex` of Grafana."""
    return re.sub(r"[\\^$*+?.()|\[\]{}/]", r"\\\g<0>", text)


def _answer(series: Sequence[Json]) -> Answer:
    columns = {name for one in series for name in (*one["columns"], *one.get("tags", {}))}
    return Answer(frozenset(columns), list(_rows(series)))


def _rows(series: Sequence[Json]) -> Iterator[Json]:
    for one in series:
        tags = one.get("tags", {})
        for values in one.get("values", []):
            yield {**tags, **dict(zip(one["columns"], values, strict=True)), "tags": (*tags, "tags")}
