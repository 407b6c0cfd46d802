"""The dashboards for Grafana: what they ask is in the store of two factories that ran, and their form is right."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlencode

import pytest
import urllib3
import yaml

from tests.grafana.asking import ALL, Choice, Grafana, Json, interpolated
from tests.grafana.dashboards import DASHBOARDS, GRID, NAME, ROOT, SCHEMA_VERSION, made, states
from tests.grafana.factories import COMPANIES, DATABASE, run_until
from tests.services.influxd import Influxd, running_influxd
from viewer.overview import HOLDS_S

pytestmark = pytest.mark.timeout(300)
FILES: Final = sorted(DASHBOARDS.glob("*.json"))
BOARDS: Final[dict[str, Json]] = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in FILES}
PRESS, LITE = COMPANIES.values()
EVENTS: Final = (
    """SELECT "duration_s" FROM "cycle" WHERE "machine" = 'PRS-01'""",
    """SELECT "event" FROM "alarm" WHERE "machine" = 'CNC-01'""",
    """SELECT "end" FROM "gap" WHERE "machine" = 'MTR-01' AND "cause" = 'no_communication'""",
    """SELECT "reconnects" FROM "agent" WHERE "connection" = 'mtr' AND "reconnects" > 0""",
    """SELECT "skew_s" FROM "agent" WHERE "connection" = 'cnc'""",
)
"""What must have happened before the panels that show it can have data; that it did is seen in the store."""
MINUTE: Final = (
    """SELECT count("x") FROM (SELECT last("code") AS "x" FROM "state" WHERE "company" = '{company}' """
    """AND time >= {since} AND time < {until} GROUP BY time(1m), "machine" fill(none)) WHERE "x" = {code}"""
)
"""The same of a minute that ended in a state, in a span of minutes that are over."""
MINUTE_NS: Final = 60 * 10**9
BEAT_NS: Final = 10 * 10**9
PLANNED: Final = "OEE 입력 OEE inputs C"
"""Minutes stopped as planned: the first line works, the other one is outside of its shifts."""
EMPTY_OF_LITE: Final = {
    "agent": {"시계 오차 Clock skew A"},
    "fleet": {"서 있는 경보 Standing alarms A"},
    "line": {
        "생산 수량 Pieces A",
        "사이클 타임 Cycle time A",
        "사이클 타임 Cycle time B",
        "OEE 입력 OEE inputs D",
        "OEE 입력 OEE inputs E",
        "OEE 입력 OEE inputs F",
        "서 있는 경보 Standing alarms A",
        "경보 이력 Alarm history A",
        "경보 Alarms",
    },
}
"""What the other line, a meter without counter, clock and alarm, has no data of: title and letter of the query."""
AS_IT_COMES: Final = {
    "공백의 원인 Causes of gaps A",
    "수집 공백 Gaps in collection A",
    "수집 공백 Gaps",
    "OEE 입력 OEE inputs B",
}
"""It loses no link, but leaves polls out where the PC is busy; and its machine may have run before it idled."""


class Seen:
    """Looks whether everything happened that panels show."""

    def __init__(self, influxd: Influxd) -> None:
        self._influxd = influxd

    def __call__(self) -> bool:
        return all(map(self._has, EVENTS)) and all(map(self._has, self._minutes()))

    def beats_ns(self) -> list[int]:
        """Times of the heartbeats, ns since 1970 UTC."""
        (found,) = json.loads(self._influxd.query('SELECT "queued" FROM "agent"', DATABASE))["results"]
        return [row[0] for one in found.get("series", ()) for row in one["values"]]

    def _minutes(self) -> list[str]:
        beats = self.beats_ns()
        over_ns = (beats[-1] - BEAT_NS) // MINUTE_NS * MINUTE_NS  # what was on its way then has come
        span = {"since": beats[0] // MINUTE_NS * MINUTE_NS, "until": over_ns}
        wanted = ((PRESS, 1), (PRESS, 4), (LITE, 5))
        return [MINUTE.format(company=company, code=code, **span) for company, code in wanted]

    def _has(self, query: str) -> bool:
        return b'"series"' in self._influxd.query(query, DATABASE)


@pytest.fixture(scope="module")
def grafana(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grafana]:
    """Over the store of two factories that ran, and are stopped."""
    with running_influxd() as influxd:
        seen = Seen(influxd)
        run_until(tmp_path_factory.mktemp("grafana"), influxd, seen)
        beats_ns = seen.beats_ns()
        begin_ms, end_ms = min(beats_ns) // 10**6, max(beats_ns) // 10**6
        yield Grafana(influxd.url, DATABASE, begin_ms - 60_000, end_ms + 60_000)


def variables(board: Json) -> dict[str, Json]:
    return {one["name"]: one for one in board["templating"]["list"] if one["type"] == "query"}


def choices(board: Json, grafana: Grafana, company: str, *, narrow: bool) -> dict[str, Choice]:
    """The first value of each variable; or All where it is offered."""
    known, chosen = variables(board), dict[str, Choice]()
    for name, one in known.items():
        values = grafana.values(one, chosen, known)
        assert values, f"{name}: nothing to choose"
        if name == "company":
            assert set(values) == {PRESS, LITE}
            chosen[name] = company
        elif narrow:
            chosen[name] = values if one["multi"] else values[0]
        else:
            chosen[name] = ALL
    return chosen


def panels_without_data(board: Json, grafana: Grafana, chosen: dict[str, Choice]) -> set[str]:
    known, empty = variables(board), set()
    for one in board["panels"]:
        columns: set[str] = set()
        for target in one["targets"]:
            assert "$__interval" not in target["query"] or one["interval"] == "1m", (
                "a heartbeat comes every ten seconds"
            )
            answer = grafana.ask(target["query"], chosen, known)
            columns |= answer.columns
            if not answer.has_data:
                empty.add(f"{one['title']} {target['refId']}")
            elif alias := target.get("alias"):
                tags = set(re.findall(r"\$tag_(\w+)", alias))
                assert tags == set(answer.rows[0]["tags"]) - {"tags"}, alias
                assert all(row[tag] for row in answer.rows for tag in tags), f"{one['title']}: a series without a name"
        if one["type"] == "table":
            titled = {it["matcher"]["options"].replace("Time", "time") for it in one["fieldConfig"]["overrides"]}
            assert columns - {"time"} <= titled, f"{one['title']}: a column without a title"
    return empty


def events_without_data(board: Json, grafana: Grafana, chosen: dict[str, Choice]) -> set[str]:
    empty = set()
    for one in board["annotations"]["list"]:
        target = one["target"]
        answer = grafana.ask(target["query"], chosen, variables(board))
        if not answer.has_data:
            empty.add(one["name"])
            continue
        named = {target["textColumn"], *target["tagsColumn"].split(",")}
        named |= {target["timeEndColumn"].partition(".")[2]} - {""}
        assert named == answer.columns - {"time"}
    return empty


@pytest.mark.wire
@pytest.mark.slow
@pytest.mark.parametrize("narrow", [False, True], ids=["all", "chosen"])
@pytest.mark.parametrize("name", BOARDS)
def test_every_query_brings_data_of_a_line_to_which_everything_happened(
    name: str, grafana: Grafana, *, narrow: bool
) -> None:
    board = BOARDS[name]
    chosen = choices(board, grafana, PRESS, narrow=narrow)
    assert panels_without_data(board, grafana, chosen) <= {PLANNED}
    assert events_without_data(board, grafana, chosen) == set()


@pytest.mark.wire
@pytest.mark.slow
@pytest.mark.parametrize("name", BOARDS)
def test_every_query_brings_what_there_is_of_another_line(name: str, grafana: Grafana) -> None:
    board = BOARDS[name]
    chosen = choices(board, grafana, LITE, narrow=True)
    empty = panels_without_data(board, grafana, chosen) | events_without_data(board, grafana, chosen)
    assert empty - AS_IT_COMES == EMPTY_OF_LITE[name]


@pytest.mark.wire
@pytest.mark.slow
def test_figures_are_those_of_the_two_factories(grafana: Grafana) -> None:
    def column(name: str, title: str, field: str, company: str = "") -> list[Any]:
        board = BOARDS[name]
        (shown,) = (one for one in board["panels"] if one["title"] == title)
        chosen: dict[str, Choice] = dict.fromkeys(variables(board), ALL) | ({"company": company} if company else {})
        answers = [grafana.ask(one["query"], chosen, variables(board)) for one in shown["targets"]]
        return [value for one in answers for value in one.column(field)]

    assert column("fleet", "회사 Companies", "companies") == [2]
    assert column("fleet", "보존 오차 Imbalance", "imbalance") == [0]
    assert column("fleet", "누락 Dropped", "dropped") == [0]
    (connected,) = column("fleet", "설비 연결률 Connected", "connected")
    assert 0 < connected <= 1
    agents = "회사별 수집기 Agents by company"
    assert sorted(column("fleet", agents, "company")) == [PRESS, LITE]
    assert sorted(column("fleet", agents, "connections")) == [1, 3]
    assert all(grafana.first_ms < time_ms < grafana.last_ms for time_ms in column("fleet", agents, "time"))
    assert set(column("fleet", "서 있는 경보 Standing alarms", "machine")) == {"CNC-01"}
    told = column("line", "설비 상태 Machine states", "code", PRESS)
    told += column("line", "설비 상태 Machine states", "code", LITE)
    assert {1, 4, 5} <= set(told) <= {int(code) for code in states()}
    inputs = {
        one: column("line", "OEE 입력 OEE inputs", one, PRESS) for one in ("known", "running", "total", "good", "ng")
    }
    assert 0 < sum(inputs["running"]) < sum(inputs["known"])
    assert sum(inputs["total"]) > 0
    until = column("line", "수집 공백 Gaps in collection", "until", PRESS)
    assert all(grafana.first_ms < end_ms < grafana.last_ms for end_ms in until)
    assert {0, 1} == set(column("agent", "설비 연결 Links", "min", PRESS))


# ── form ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_files_are_what_the_generator_makes() -> None:
    found = {path.name: path.read_text(encoding="utf-8") for path in FILES}
    assert found == made(), "run: PYTHONPATH=. .venv/bin/python tests/grafana/dashboards.py"


@pytest.mark.parametrize("name", BOARDS)
def test_a_dashboard_has_the_form_of_grafanas_model(name: str) -> None:
    board = BOARDS[name]
    assert (board["schemaVersion"], board["tags"]) == (SCHEMA_VERSION, [NAME])
    assert re.fullmatch(r"[a-zA-Z0-9_-]{8,40}", board["uid"])
    assert "id" not in board, "an id is of one Grafana only"
    ids = [one["id"] for one in board["panels"]]
    assert len(set(ids)) == len(ids)
    kinds = {"stat", "timeseries", "state-timeline", "table", "bargauge"}
    for one in board["panels"]:
        assert one["type"] in kinds
        letters = [it["refId"] for it in one["targets"]]
        assert len(set(letters)) == len(letters) > 0
        for it in one["targets"]:
            assert (it["rawQuery"], it["resultFormat"]) == (True, "table" if one["type"] == "table" else "time_series")
    known = variables(board)
    sources = [found["datasource"] for found in every_dict(board) if "datasource" in found]
    assert sources == [{"type": "influxdb", "uid": "${datasource}"}] * len(sources)
    assert board["templating"]["list"][0]["current"]["value"] == NAME
    anything: dict[str, Choice] = {key: ALL if one["includeAll"] else "x" for key, one in known.items()}
    for found in every_dict(board):
        if isinstance(found.get("query"), str) and "SELECT" in found["query"]:
            text = interpolated(found["query"], anything, known)
            assert not set(re.findall(r"\$\w+", text)) - {"$timeFilter", "$__interval", "$__interval_ms"}


@pytest.mark.parametrize("name", BOARDS)
def test_panels_lie_beside_each_other_on_the_grid(name: str) -> None:
    taken: set[tuple[int, int]] = set()
    for one in BOARDS[name]["panels"]:
        at = one["gridPos"]
        cells = set(itertools.product(range(at["x"], at["x"] + at["w"]), range(at["y"], at["y"] + at["h"])))
        assert at["x"] >= 0 <= at["y"]
        assert at["x"] + at["w"] <= GRID
        assert not taken & cells, one["title"]
        taken |= cells


@pytest.mark.parametrize("name", BOARDS)
def test_words_are_korean_first_with_english_beside(name: str) -> None:
    board = BOARDS[name]
    titles = [board["title"], *(one["title"] for one in board["panels"])]
    titles += [one["label"] for one in board["templating"]["list"]]
    titles += [one["name"] for one in board["annotations"]["list"]]
    columns = [it for one in board["panels"] for it in one["fieldConfig"]["overrides"]]
    titles += [it["value"] for one in columns for it in one["properties"] if it["id"] == "displayName"]
    for title in titles:
        assert re.fullmatch(r"([A-Z]+ )?[가-힣][가-힣·, ]* [A-Za-z][A-Za-z, ]+|CPU", title), title
    for said in (board["description"], *(one["description"] for one in board["panels"])):
        korean, english = said.split(" / ")
        assert re.search("[가-힣]", korean), said
        assert not re.search("[가-힣]", english), said


def test_dashboards_lead_to_each_other() -> None:
    uids = {one["uid"]: one for one in BOARDS.values()}
    assert len(uids) == len(BOARDS) == 3
    for board in BOARDS.values():
        for uid, rest in re.findall(r'"/d/([\w-]+)\?([^"]*)"', json.dumps(board)):
            assert set(re.findall(r"var-(\w+)=", rest)) <= variables(uids[uid]).keys()


def test_states_have_the_words_and_colours_of_the_viewer() -> None:
    (band,) = (one for one in BOARDS["line"]["panels"] if one["type"] == "state-timeline")
    (mapping,) = band["fieldConfig"]["defaults"]["mappings"]
    shown = {code: (one["text"], one["color"]) for code, one in mapping["options"].items()}
    assert shown == states()
    assert list(shown) == [str(code) for code in range(9)]
    assert shown["0"] == ("통신두절 Comm. lost", "#23272e")
    assert shown["4"] == ("고장 Down", "#cf2f2f")
    assert band["fieldConfig"]["defaults"]["custom"]["insertNulls"] == HOLDS_S * 1000


def every_dict(value: Any) -> Iterator[Json]:
    """All objects in it."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    for one in value if isinstance(value, list) else ():
        yield from every_dict(one)


# ── what is provisioned ─────────────────────────────────────────────────────────────────────────────────────────────


def test_the_data_source_holds_no_secret_and_the_page_names_its_variables() -> None:
    path = ROOT / "deploy/grafana/provisioning/datasources/shopfloor.yaml"
    (source,) = yaml.safe_load(path.read_text(encoding="utf-8"))["datasources"]
    assert (source["name"], source["uid"], source["type"], source["access"]) == (NAME, NAME, "influxdb", "proxy")
    assert source["jsonData"]["version"] == "InfluxQL"
    of_the_plant = [source["url"], source["user"], source["jsonData"]["dbName"], source["secureJsonData"]["password"]]
    page = (ROOT / "docs/grafana.md").read_text(encoding="utf-8")
    for value in of_the_plant:
        assert re.fullmatch(r"\$SHOPFLOOR_INFLUX_\w+", value)
        assert f"{value[1:]}=" in page


def test_the_provider_reads_where_the_page_copies_to() -> None:
    path = ROOT / "deploy/grafana/provisioning/dashboards/shopfloor.yaml"
    (provider,) = yaml.safe_load(path.read_text(encoding="utf-8"))["providers"]
    assert provider["type"] == "file"
    page = (ROOT / "docs/grafana.md").read_text(encoding="utf-8")
    assert f"deploy/grafana/dashboards/*.json {provider['options']['path']}/" in page


@pytest.mark.wire
def test_the_reader_of_the_page_may_ask_and_not_write() -> None:
    """By the statements of docs/grafana.md, with POST as the data source is told to use it."""
    page = (ROOT / "docs/grafana.md").read_text(encoding="utf-8")
    statements = re.findall(r'-execute "([^"]+)"', page)
    assert len(statements) == 2
    with running_influxd(auth=True) as influxd:
        first = influxd.query("CREATE USER admin WITH PASSWORD 'ADMINS' WITH ALL PRIVILEGES")
        assert b"error" not in first
        for text in (f"CREATE DATABASE {DATABASE}", *statements):
            assert _sent(influxd.url, text, "admin:ADMINS") == 200, text
        for text in ("SHOW TAG VALUES FROM agent WITH KEY = company", "SELECT last(queued) FROM agent"):
            assert _sent(influxd.url, text, "grafana:choose-one") == 200, text
        assert _sent(influxd.url, "DROP MEASUREMENT agent", "grafana:choose-one") == 403
        assert _sent(influxd.url, "SELECT last(queued) FROM agent", "grafana:wrong") == 401


def _sent(url: str, text: str, login: str) -> int:
    """Status of a query that is posted."""
    headers = urllib3.make_headers(basic_auth=login) | {"Content-Type": "application/x-www-form-urlencoded"}
    body = urlencode({"db": DATABASE, "q": text})
    return urllib3.request("POST", f"{url}/query", body=body, headers=headers, retries=False).status
