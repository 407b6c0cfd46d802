"""`agent simulate [LINE]`."""

from __future__ import annotations

import asyncio
import shutil
import socket
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import orjson
import typer
from rich.console import Console
from rich.live import Live

from agent.broker import local_broker
from agent.config import load_sites
from agent.duration import duration_s
from agent.imports.simulated import prepared
from agent.influx import influx_store
from agent.logs import set_up_logs
from agent.output import emit_json, say
from agent.paths import STORE_FILE
from agent.simulate.folder import work_folder
from agent.simulate.judging import details, judge_run, result
from agent.simulate.keys import Keys, keep_keys
from agent.simulate.replay import replayed
from agent.simulate.scale import MOST, copies
from agent.simulate.session import Plan, Simulation
from agent.simulate.table import table
from agent.stopping import heed_one_interrupt, told_to_stop
from agent.templates.compose import template
from agent.urls import mqtt_settings
from pipelines.delivery.mqtt_settings import MqttSettings
from pipelines.errors import ConfigError, DependencyError
from simulators.faults.orders import Order
from simulators.faults.script import ScriptError, read_script
from simulators.judge import MOST_EXAMPLES, Verdict
from simulators.plant import Plant, load_plant
from viewer.stores.base import Store
from viewer.stores.duckdb import DuckDbStore

DEFAULT_LINES: Final = ("auto_press_machining", "injection_molding")
_REACH_S: Final = 3.0
_STOPPING: Final = (
    "끝내는 중: 확인을 기다린 뒤 설비의 기록과 비교합니다 / stopping: waits for confirmations, then compares"
)


def command(
    line: Annotated[
        list[str] | None,
        typer.Argument(help="Line templates; default: two together. With --replay: another configuration."),
    ] = None,
    duration: Annotated[str | None, typer.Option("--for", help="Stop by itself after 30s, 10m, 2h …")] = None,
    speed: Annotated[float, typer.Option(help="Plant seconds per real second.", min=0.01, max=3600)] = 1.0,
    scale: Annotated[int, typer.Option(help="How often each line is there.", min=1, max=MOST)] = 1,
    faults: Annotated[Path | None, typer.Option(help="YAML list: - {at: 5m, fault: comm_loss, device: …}.")] = None,
    played: Annotated[Path | None, typer.Option("--import", help="CSV or Parquet to play, see docs/import.md.")] = None,
    columns: Annotated[Path | None, typer.Option(help="YAML that says what its columns are.")] = None,
    replay: Annotated[Path | None, typer.Option(help="Serve this recording (`agent record`) instead of lines.")] = None,
    broker: Annotated[str | None, typer.Option(help="mqtt://host:port instead of one of our own.")] = None,
    local: Annotated[str, typer.Option(help="Broker of our own: auto, mosquitto or embedded.")] = "auto",
    influx: Annotated[str | None, typer.Option(help="http://host:8086?db=NAME instead of the embedded store.")] = None,
    store: Annotated[Path | None, typer.Option(help="Folder that keeps the embedded store; default: none.")] = None,
    work: Annotated[Path | None, typer.Option(help="Folder that keeps logs, truth and state; default: none.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the plant's physics.")] = 1,
    port: Annotated[int, typer.Option(help="Port of the viewer; 0 = a free one.", min=0, max=65535)] = 0,
    *,
    loop: Annotated[bool, typer.Option("--loop", help="What is played begins again at its end.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on one line, nothing else on stdout.")] = False,
) -> int:
    """Run a simulated plant, the collector and the site server, and judge at the end whether anything was lost.

    Exit code 1 when a value is missing, duplicated or altered, a tag was not read as configured, or something that was
    accepted or published is not in the store.
    """
    set_up_logs("warning")
    if replay is not None and (faults or scale > 1 or played):
        raise ConfigError(None, None, "--replay serves what was recorded; leave --faults, --scale and --import away")
    lines = _lines(line or [], others=played is not None) if replay is None else ()
    seconds = duration_s("--for", duration) if duration else None
    if local not in {"auto", "mosquitto", "embedded"}:
        raise ConfigError(None, None, f"--local {local}: expected auto, mosquitto or embedded")
    with ExitStack() as stack:
        folder = stack.enter_context(work_folder(work, "sf-"))
        shutil.rmtree(folder / "agent", ignore_errors=True)
        again = loop and replay is None  # a recording has a loop of its own
        lines = prepared(lines, played, columns, folder / "imported", loop=again)
        orders = _script(faults, load_plant(lines, seed, scale)) if faults else []
        sites = tuple(path for one in lines for path in copies(template(one), scale, folder / "sites"))
        if len(lines) > 1:
            load_sites(sites)  # lines that clash cannot be read by one agent
        tape = None
        if replay is not None:
            tape = replayed(replay, [Path(one) for one in line or ()], folder)
            lines, sites = (replay.stem,), (tape.site,)

        def plan(mqtt: MqttSettings) -> Plan:
            kept = store or folder / "store"
            return Plan(lines, sites, folder, kept, mqtt, influx, seed, speed, faults, port, scale, loop, tape=tape)

        given = mqtt_settings(broker) if broker else None
        if given is not None:
            _reach(given.endpoint, given.host, given.port, "start the broker, or leave --broker away")
        if influx:
            place = urlsplit(influx)
            where = f"{place.scheme}://{place.hostname}:{place.port or 8086}"
            _reach(where, place.hostname or "", place.port or 8086, "start the database, or leave --influx away")
        for order in orders:
            where = f" of {order.device}" if order.device else ""
            say(f"fault: {order.fault}{where} at {order.at_s:g} s for {order.for_s:g} s of plant time")
        try:
            simulation, notice = asyncio.run(_simulate(plan, given, local, folder, seconds, json=json))
        except asyncio.CancelledError:
            raise typer.Abort from None
        heed_one_interrupt()
        verdict, answer = _judged(simulation)
        (folder / "verdict.json").write_bytes(orjson.dumps(details(verdict), option=orjson.OPT_INDENT_2))
        _tell(verdict, answer, notice, json=json)
    return 0 if verdict.clean else 1


async def _simulate(
    plan: Callable[[MqttSettings], Plan],
    mqtt: MqttSettings | None,
    kind: str,
    folder: Path,
    seconds: float | None,
    *,
    json: bool,
) -> tuple[Simulation, str]:
    told = False
    stop = told_to_stop(_STOPPING, lambda: told)
    notice = ""
    async with AsyncExitStack() as stack:
        if mqtt is None:
            local = await stack.enter_async_context(local_broker(folder / "broker", kind=kind))  # type: ignore[arg-type]
            mqtt = MqttSettings(host=local.host, port=local.port)
            notice = local.notice if local.kind == "embedded" else ""
        simulation = Simulation.of(plan(mqtt))
        console = Console(stderr=True)
        live = None if json or not console.is_terminal else stack.enter_context(Live(console=console))
        keys = Keys()

        async def beside(ended: asyncio.Event) -> None:
            async with asyncio.TaskGroup() as group:
                if live is not None and sys.stdin.isatty():
                    group.create_task(keep_keys(keys, simulation.plan.control, ended))
                if not simulation.plan.loop and seconds is None:
                    group.create_task(simulation.over(ended))

        def show(running: Simulation, status: dict[str, Any]) -> None:
            nonlocal told
            if live is not None:
                live.update(table(status, running.witness.last, running.viewer, notice, keys.footer()))
            if told:
                return
            told = True
            _began(running, "" if live is not None else notice)
            if seconds is not None:
                asyncio.get_running_loop().call_later(seconds, _over, stop)

        await simulation.run(stop, show, beside)
    return simulation, notice


def _began(simulation: Simulation, notice: str) -> None:
    """Say where things are."""
    say(f"viewer: {simulation.viewer}\nwork folder: {simulation.plan.work}")
    for name, where in simulation.endpoints.items():
        say(f"{name} {where}")
    if notice:
        say(notice)


def _over(stop: asyncio.Event) -> None:
    """The time is over."""
    if not stop.is_set():
        say(_STOPPING)
        stop.set()


def _judged(simulation: Simulation) -> tuple[Verdict, dict[str, Any]]:
    plan = simulation.plan
    store: Store = influx_store(plan.influx) if plan.influx else DuckDbStore(plan.store / STORE_FILE)
    try:
        judged = judge_run(simulation, store)
    except RuntimeError as error:  # what DuckDB makes of Ctrl-C
        raise typer.Abort from error
    finally:
        store.close()
    return judged.verdict, result(simulation, judged) | {"endpoints": simulation.endpoints}


def _tell(verdict: Verdict, answer: dict[str, Any], notice: str, *, json: bool) -> None:
    for sentence in (*verdict.wrong[:MOST_EXAMPLES], *verdict.examples):
        say(f"wrong: {sentence}")
    if json:
        emit_json(answer)
        return
    latency = answer["latency_ms"]
    beyond = f", {answer['unjudged']} of them not judged" if answer["unjudged"] else ""
    say(
        f"{answer['tags']} tags{beyond}: produced {answer['produced']}, "
        f"suppressed {answer['suppressed']}, stored {answer['stored']}, missing {answer['missing']}, "
        f"gap_explained {answer['gap_explained']}, "
        f"duplicated {answer['duplicated']}, altered {answer['altered']}; latency p50 {latency['p50']} ms, "
        f"p95 {latency['p95']} ms; collector {answer['agent_cpu_s']} CPU s, {answer['agent_rss_mib']} MiB"
    )
    if notice:
        say(notice)


def _reach(what: str, host: str, port: int, remedy: str) -> None:
    """Fail before anything starts when nobody listens there."""
    try:
        with socket.create_connection((host, port), timeout=_REACH_S):
            return
    except OSError as error:
        raise DependencyError(what, f"{error.strerror or error}; {remedy}") from error


def _lines(named: list[str], *, others: bool) -> tuple[str, ...]:
    """The lines to run, each once; without a name the default ones, unless there are others."""
    lines = tuple(named or (() if others else DEFAULT_LINES))
    if len(set(lines)) < len(lines):
        raise ConfigError(None, None, f"{' '.join(lines)}: a line can run once only; name each one time")
    for one in lines:
        template(one)
    return lines


def _script(path: Path, plant: Plant) -> list[Order]:
    """The planned faults, each one that the plant knows."""
    try:
        return read_script(path.read_text(encoding="utf-8-sig"), plant)
    except OSError as error:
        raise ConfigError(path, None, f"cannot read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(path, None, "not UTF-8; save the file again with the encoding UTF-8") from error
    except ScriptError as error:
        raise ConfigError(path, error.line, str(error)) from error
