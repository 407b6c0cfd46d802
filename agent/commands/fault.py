"""`agent fault`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from agent.duration import duration_s
from agent.output import emit, emit_json, say
from agent.simulate.plant import only_plant, running_plants, tell_plant
from pipelines.errors import ConfigError


def command(
    name: Annotated[str, typer.Argument(help="Fault; without one they are listed.")] = "",
    device: Annotated[str, typer.Option(help="Connection whose device it befalls.")] = "",
    signal: Annotated[str, typer.Option(help="Signal of the device, where the fault befalls one.")] = "",
    duration: Annotated[
        str | None, typer.Option("--for", help="Plant time: 30s, 10m, 2h; default: the fault's own.")
    ] = None,
    parameter: Annotated[list[str] | None, typer.Option("--with", help="KEY=VALUE of the fault, repeatable.")] = None,
    work: Annotated[Path | None, typer.Option(help="Work folder of the simulation; needed where several run.")] = None,
    *,
    end: Annotated[bool, typer.Option("--end", help="End it now.")] = False,
    listing: Annotated[bool, typer.Option("--list", help="Show what can be injected, and what is under way.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on one line.")] = False,
) -> int:
    """Inject a fault into the simulation that runs here, or end it.

    Exit code 1 when `--end` finds nothing under way.
    """
    plant = work / "plant.sock" if work else only_plant(running_plants())
    say(f"시뮬레이션 / simulation: {plant.parent}")
    if listing or not name:
        answer = tell_plant(plant, list=True)
        emit_json(answer) if json else _show(answer)
        return 0
    if not device and (fitting := _devices(tell_plant(plant, list=True), name)):
        raise ConfigError(None, None, f"{name} befalls a device; say --device {'|'.join(fitting)}")
    where = {key: value for key, value in (("device", device), ("signal", signal)) if value}
    if end:
        answer = tell_plant(plant, end=name, **where)
    else:
        for_s = {"for_s": duration_s("--for", duration)} if duration else {}
        answer = tell_plant(plant, fault=name, **where, **for_s, **dict(map(_pair, parameter or ())))
    if json:
        emit_json(answer)
    elif end:
        emit(f"끝냄 / ended: {answer['ended']}")
    else:
        emit(f"{_words(answer['injected'])}: {answer['for_s']:g} s")
    return 0 if answer.get("ended", 1) else 1


def _devices(answer: dict[str, Any], name: str) -> list[str]:
    """Names of the devices that a fault can befall; none where it befalls its line."""
    return next((list(row["devices"]) for row in answer["faults"] if row["fault"] == name), [])


def _pair(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not (key and equals and value):
        raise ConfigError(None, None, f"--with {text}: expected KEY=VALUE")
    for kind in (int, float):
        try:
            return key, kind(value)
        except ValueError:
            continue
    return key, value


def _words(order: dict[str, Any]) -> str:
    rest = [f"{key}={value}" for key, value in order.items() if key not in {"fault", "for_s"}]
    return " ".join([order["fault"], *rest])


def _show(answer: dict[str, Any]) -> None:
    for row in answer["faults"]:
        needs = " --signal …" if row.get("needs_signal") else ""
        devices = f"  --device {'|'.join(row['devices'])}{needs}" if row["devices"] else ""
        emit(f"{row['fault']:<20} {row['ko']} / {row['en']}{devices}")
    for one in answer["active"]:
        emit(f"진행 중 / under way: {_words(one)} ({one['for_s']:g} s)")
