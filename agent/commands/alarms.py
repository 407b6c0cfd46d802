"""`agent alarms`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from agent.alarming import ACT, LIST
from agent.control.client import order
from agent.duration import duration_s
from agent.output import emit, emit_json, say
from agent.simulate.plant import state_of
from pipelines.derive.alarm_settings import PRIORITIES
from pipelines.derive.lifecycle import LABELS, State
from pipelines.errors import ConfigError

_UNCUT: Final = 10_000
"""Columns that no row needs."""
Action = Literal["list", "ack", "shelve", "unshelve"]
_ROUTES: Final = {"ack": "acknowledge", "shelve": "shelve", "unshelve": "unshelve"}
_HEADINGS: Final = (
    "등급 Priority",
    "경보 Alarm",
    "내용 Label",
    "상태 State",
    "원인 Cause",
    "발생 Raised",
    "조치 Action",
)
_CAUSES: Final = {"": "", "condition": "조건 condition", "fault": "값 없음 unknown"}
_DONE: Final = {"ack": "확인됨 acknowledged", "shelve": "보류 shelved", "unshelve": "보류 해제 unshelved"}


def command(
    action: Annotated[Action, typer.Argument(help="What to do.")] = "list",
    alarms: Annotated[list[str] | None, typer.Argument(help="MACHINE/ALARM, as `list` shows them.")] = None,
    by: Annotated[str, typer.Option(help="Who does it: a name, or a number of a person.")] = "",
    for_: Annotated[str, typer.Option("--for", help="shelve: how long, for example 30m; at most 24h.")] = "",
    comment: Annotated[str, typer.Option(help="What is to be said of it.")] = "",
    state_dir: Annotated[
        Path | None, typer.Option(help="State folder of the agent; default: as `agent run`, else a simulation's.")
    ] = None,
    work: Annotated[Path | None, typer.Option(help="Work folder of a simulation; needed where several run.")] = None,
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="list: normal ones too. ack: everything that waits for it.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on one line.")] = False,
) -> int:
    """Alarms of a running agent: list, acknowledge (ack), shelve or unshelve them; exit code 1 when one is refused."""
    folder = state_of(state_dir, work)
    if action == "list":
        return _list(folder, everything=everything, json=json)
    wanted = list(alarms or ())
    if wrong := _wrong(action, wanted, by, for_, everything=everything):
        raise ConfigError(None, None, f"alarms {action}: {wrong}")
    said = {"alarms": wanted, "all": everything, "by": by, "comment": comment}
    if for_:
        said["for_s"] = duration_s("--for", for_)
    answer = order(folder, ACT + _ROUTES[action], said)
    if json:
        emit_json(answer)
    else:
        for name in answer["done"]:
            emit(f"{_DONE[action]}: {name}")
        for reason in answer["refused"].values():
            say(f"거부됨 refused: {reason}")
        if not answer["done"] and not answer["refused"]:
            say("확인할 경보 없음: nothing waits for acknowledgement")
    return 1 if answer["refused"] else 0


def _wrong(action: Action, wanted: list[str], by: str, for_: str, *, everything: bool) -> str:
    """What is wrong with the arguments; empty when all is well."""
    if not by:
        return "say who does it with --by"
    if everything and action != "ack":
        return "name alarms as MACHINE/ALARM; --all is for list and ack"
    if everything == bool(wanted):
        return "name alarms as MACHINE/ALARM; `agent alarms` lists them"
    if (action == "shelve") != bool(for_):
        return "say how long with --for" if action == "shelve" else "--for is for shelve"
    return ""


def _list(state_dir: Path, *, everything: bool, json: bool) -> int:
    found = order(state_dir, LIST, {})["alarms"]
    if not everything:
        found = [one for one in found if one["state"] not in {State.NORM, State.OUT_OF_SERVICE}]
    if json:
        emit_json({"alarms": found})
        return 0
    if not found:
        say("경보 없음: no alarms")
        return 0
    show(found, Console())
    return 0


def show(alarms: Sequence[dict[str, Any]], console: Console) -> None:
    """A table as wide as the terminal: what does not fit goes on in the next line; in a file or pipe no line is cut."""
    table = Table()
    for heading in _HEADINGS:
        table.add_column(heading, overflow="fold")
    for one in alarms:
        table.add_row(*map(escape, _row(one)))
    if not console.is_terminal:
        console.width = _UNCUT
    console.print(table)


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    state = LABELS[State(one["state"])]
    if one["until_ns"]:
        state = f"{state} ~{_time(one['until_ns'])}"
    priority = f"{PRIORITIES[one['priority']]} {one['priority']}" + (" 안전 safety" if one["safety"] else "")
    cause = _CAUSES[one["cause"]]
    return priority, one["alarm"], _both(one["label"]), state, cause, _time(one["raised_ns"]), _both(one["action"])


def _both(labels: dict[str, str]) -> str:
    return "\n".join(text for text in (labels["ko"], labels["en"]) if text)


def _time(time_ns: int) -> str:
    """Date, time and zone of this machine; empty for 0."""
    return f"{datetime.fromtimestamp(time_ns / 1e9, UTC).astimezone():%Y-%m-%d %H:%M:%S %Z}" if time_ns else ""
