"""`agent soak PLAN`."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from agent.config import ConfigFaults
from agent.logs import set_up_logs
from agent.output import emit, emit_json, say
from agent.simulate.folder import work_folder
from agent.simulate.judging import details, judge_run
from agent.soak.aside import Kept, aside_of
from agent.soak.plan import Plan, load_plan, plan_names
from agent.soak.registry import FAULTS, fault_class
from agent.soak.report import markdown, report
from agent.soak.run import Run
from agent.soak.setting import setting
from agent.stopping import told_to_stop
from agent.verify.run import ALWAYS, verify
from agent.verify.stores import embedded, influx
from pipelines.errors import ConfigError
from pipelines.quarantine import kept


def command(
    plan: Annotated[str | None, typer.Argument(help="Name of a plan, or a YAML file.")] = None,
    seed: Annotated[int | None, typer.Option(help="Another seed than the plan's.")] = None,
    work: Annotated[Path | None, typer.Option(help="Folder that keeps report, truth, store and logs.")] = None,
    *,
    listing: Annotated[bool, typer.Option("--list", help="Show plans and faults, and what can run here.")] = False,
    allow_not_run: Annotated[
        bool, typer.Option("--allow-not-run", help="Steps that cannot run here do not make the exit code 1.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on one line, nothing else on stdout.")] = False,
) -> int:
    """Run a simulated line under a plan of faults, and report what held.

    Exit code 0 only when every promise was kept and every step of the plan could run.
    """
    set_up_logs("error")
    if listing:
        return _list(json=json)
    if plan is None:
        raise ConfigError(None, None, f"which plan? There are {', '.join(plan_names())}; see `agent soak --list`")
    try:
        loaded = load_plan(plan)
    except ConfigFaults as error:
        for fault in error.faults:
            say(str(fault))
        return 2
    with ExitStack() as stack:
        folder = stack.enter_context(work_folder(work, "sf-soak-"))
        for old in ("store", "influxd", "state", "broker"):
            shutil.rmtree(folder / old, ignore_errors=True)
        try:
            answer = asyncio.run(_run(loaded, Path(plan).stem, folder, loaded.seed if seed is None else seed))
        except asyncio.CancelledError:
            raise typer.Abort from None
        (folder / "report.json").write_bytes(orjson.dumps(answer, option=orjson.OPT_INDENT_2) + b"\n")
        (folder / "report.md").write_text(markdown(answer), encoding="utf-8")
    if json:
        emit_json(answer)
    else:
        emit(markdown(answer))
    for sentence in answer["broken"]:
        say(f"broken: {sentence}")
    return exit_code(answer, allow_not_run=allow_not_run)


def exit_code(answer: Mapping[str, Any], *, allow_not_run: bool) -> int:
    """0 when every promise was kept and every step ran; steps that cannot run here may be allowed."""
    if answer["broken"] or answer["interrupted"]:
        return 1
    return 0 if allow_not_run or not answer["not_run"] else 1


async def _run(plan: Plan, name: str, folder: Path, seed: int) -> dict[str, Any]:
    stop = told_to_stop(
        "끝내는 중: 고장을 되돌리고 비교합니다 / stopping: heals, waits for confirmations, then compares"
    )
    async with setting(plan, folder, seed) as place:
        for note in place.notes:
            say(f"not here: {note}")
        run = Run(plan, place, seed)
        await place.simulation.run(stop, run.seen, run.inject)
        store = place.store()
        try:
            refused = place.stage.store_link.refused if place.stage.store_link else {}
            aside = aside_of(({"refused": lines} for _, lines in kept(place.stage.state_dir)), refused)
            judged = await asyncio.to_thread(judge_run, place.simulation, Kept(store, aside))
            of_company = (
                influx(place.simulation.plan.influx or "", None, None)
                if place.stage.store
                else embedded(folder / "store")
            )
            ledger = await asyncio.to_thread(verify, place.stage.state_dir, of_company, ALWAYS)
        finally:
            store.close()
        (folder / "verdict.json").write_bytes(orjson.dumps(details(judged.verdict), option=orjson.OPT_INDENT_2))
        (folder / "verify.json").write_bytes(orjson.dumps(ledger.as_json(), option=orjson.OPT_INDENT_2))
        (folder / "samples.jsonl").write_bytes(b"".join(orjson.dumps(one) + b"\n" for one in run.samples))
        return report(run, judged, aside, ledger.as_json(), name)


def _list(*, json: bool) -> int:
    plans: list[dict[str, Any]] = []
    for name in plan_names():
        one = load_plan(name)
        used = sorted({step.fault for step in one.steps})
        plans.append({"name": name, "duration_s": one.duration, "description": one.description, "faults": used})
    faults = [{"name": name, "unavailable": fault_class(name)().unavailable()} for name in FAULTS]
    if json:
        emit_json({"plans": plans, "faults": faults})
        return 0
    for row in plans:
        emit(f"{row['name']:<18} {row['duration_s']:>6g} s  {row['description']}")
    for fault in faults:
        emit(f"{fault['name']:<18} {fault['unavailable'] or 'can run here'}")
    return 0
