"""`agent status`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from agent.control.client import ask
from agent.output import emit_json
from agent.simulate.plant import state_of
from pipelines.derive.alarm_settings import PRIORITIES
from pipelines.errors import DependencyError


def command(
    state_dir: Annotated[
        Path | None, typer.Option(help="State folder of the agent; default: as `agent run`, else a simulation's.")
    ] = None,
    work: Annotated[Path | None, typer.Option(help="Work folder of a simulation; needed where several run.")] = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on one line.")] = False,
) -> int:
    """Show what a running agent does; exit code 1 when it is not healthy."""
    folder = state_of(state_dir, work)
    try:
        status = orjson.loads(ask(folder))
    except orjson.JSONDecodeError as error:
        raise DependencyError(str(folder), "what answers there is no agent; name its --state-dir") from error
    if json:
        emit_json(status)
    else:
        _show(status)
    return 0 if status["healthy"] else 1


def _show(status: dict[str, Any]) -> None:
    console = Console()
    console.print(f"{status['company']}/{status['site']}/{status['agent']}", style="bold")
    table = Table("연결 Connection", "상태 State", "수집 Readings", "요청 Requests", "지연 Overruns")
    for name, link in status["connections"].items():
        state = "연결 connected" if link["connected"] else f"단절 down: {escape(link['error'] or 'connecting')}"
        table.add_row(name, state, str(link["readings"]), str(link["requests"]), str(link["overruns"]))
    console.print(table)
    points, journal = status["points"], status["journal"]
    console.print(
        f"측정값 points: accepted {points['accepted']}, stored {points['stored']}, queued {points['queued']}, "
        f"dropped {points['dropped']}, quarantined {points['quarantined']}, imbalance {points['imbalance']}",
        soft_wrap=True,
    )
    broker = status["broker"]
    console.print(f"브로커 broker: {broker['endpoint']} {broker['error'] or 'ok'}", markup=False, soft_wrap=True)
    console.print(f"시계 clock: {_clock(status['clock'])}", markup=False, soft_wrap=True)
    if (alarms := status["alarms"])["configured"]:
        console.print(_alarms(alarms), markup=False, soft_wrap=True)
        for name in alarms["urgent"]:
            console.print(f"긴급 미확인 urgent, unacknowledged: {name}", style="bold red", markup=False, soft_wrap=True)
    if held := status["records"]["held"]:
        until = datetime.fromtimestamp(status["records"]["held_until_ns"] / 1e9, UTC)
        console.print(
            f"보류 held: {held} records were stamped ahead of time and wait, the last until {until:%F %T} UTC"
        )
    well = "ok" if journal["ok"] else "takes nothing: is the disk full?"
    console.print(f"저널 journal: {journal['bytes']} of {journal['max_bytes']} bytes, {well}")
    for trouble in status.get("troubles", ()):
        console.print(f"문제 trouble: {trouble}", style="bold", markup=False, soft_wrap=True)


def _alarms(alarms: dict[str, Any]) -> str:
    """One line on the alarms of the site."""
    counts = ", ".join(f"{label} {alarms['active'][name]}" for name, label in PRIORITIES.items())
    waiting = sum(alarms["unacknowledged"].values())
    words = [counts, f"미확인 unacknowledged {waiting}", f"10분간 in 10 min {alarms['last_10_minutes']}"]
    if alarms["flood"]:
        words.append("경보 홍수 flood")
    return f"경보 alarms: {'; '.join(words)}"


def _clock(clock: dict[str, Any]) -> str:
    """One line on the machine's clock."""
    if not clock["watched"]:
        return "시뮬레이션의 시계 of a simulation"
    kernel = {
        True: "동기 synchronised",
        False: "비동기 not synchronised (time_unsynced)",
        None: "the kernel does not say",
    }
    words = [kernel[clock["synced"]]]
    if not clock["believed"]:
        words.append("times are estimated and Uncertain")
    if clock["jumps"]:
        words.append(f"{clock['jumps']} jumps, the last by {clock['last_jump_s']:+.3f} s")
    return ", ".join(words)
