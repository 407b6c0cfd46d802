"""`agent record CONFIG -o FILE` and `agent record show FILE`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.live import Live

from agent.commands.run import elsewhere
from agent.config import load_sites
from agent.duration import duration_s
from agent.logs import set_up_logs
from agent.output import emit, emit_json, say
from agent.paths import STATE_DIR
from agent.record.kept import REPLAYED, Mask, recorded_site, words_of
from agent.record.recorder import Recorder
from agent.record.shown import as_json, as_text
from agent.record.writer import Writer
from agent.simulate.replay import open_recording
from agent.site import Site
from agent.stopping import told_to_stop
from connectors.registry import AnyConnection
from pipelines.clock import Clock, clock_from_environment
from pipelines.errors import ConfigError, DependencyError
from simulators.replay.recording import FORMAT, VERSION

_LOOK_S: Final = 0.5
_MOST: Final = 1_000_000_000


def command(
    what: Annotated[
        list[Path], typer.Argument(metavar="CONFIG… | show FILE", help="What to read, or a recording to show.")
    ],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File of the recording; it must not exist.")] = None,
    duration: Annotated[str | None, typer.Option("--for", help="Stop by itself after 30s, 10m, 2h …")] = None,
    connection: Annotated[list[str] | None, typer.Option(help="Only this connection; may be repeated.")] = None,
    endpoint: Annotated[list[str] | None, typer.Option(help="NAME=HOST:PORT: elsewhere than the file says.")] = None,
    max_bytes: Annotated[int, typer.Option(help="Stop when the file is as large.", min=1)] = _MOST,
    state_dir: Annotated[Path, typer.Option(help="State folder: own certificate and trust list.")] = STATE_DIR,
    *,
    anonymise: Annotated[bool, typer.Option("--anonymise", help="No names of company, site and hosts.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on one line.")] = False,
) -> int:
    """Read devices and keep every answer as it came, to be served again by `agent simulate --replay`.

    Exit code 1 when no device answered.
    """
    if what[0] == Path("show"):
        return _show(what[1:], json=json)
    if out is None:
        raise ConfigError(None, None, "record: name the file with --out FILE")
    set_up_logs("warning")
    site = elsewhere(load_sites(what), endpoint or [])
    wanted = _wanted(site, connection or [])
    seconds = duration_s("--for", duration) if duration else None
    mask = Mask(words_of(site) if anonymise else [])
    header = _header(site, wanted, mask)
    clock = clock_from_environment()
    try:
        writer = Writer(out)
        try:
            recorder = Recorder(wanted, writer, clock, state_dir, mask)
            writer.write("header", started=clock.now_ns(), **header)
            took_s = asyncio.run(_record(recorder, clock, seconds, max_bytes))
        finally:
            writer.close()
    except FileExistsError:
        if not out.is_file():
            raise ConfigError(out, None, "is a device or a folder; name a new file") from None
        raise ConfigError(out, None, "exists; choose another name, or remove it") from None
    except OSError as error:
        raise DependencyError(str(out), f"cannot write: {error.strerror}") from error
    if not recorder.tally.answers:
        out.unlink()
        say(f"응답 없음, 파일을 남기지 않습니다 / no device answered: {out} is not kept")
    return _tell(recorder, out, took_s, writer.bytes_written, json=json)


def _wanted(site: Site, names: Sequence[str]) -> list[AnyConnection]:
    """The connections to record, told of those that are not.

    Raises:
        ConfigError: there is no such connection, or nothing is left.
    """
    known = [one.name for one in site.connections]
    if unknown := set(names) - set(known):
        reason = f"no connection is called {min(unknown)!r}; there are {', '.join(known)}"
        raise ConfigError(None, None, f"--connection: {reason}")
    found = [one for one in site.connections if not names or one.name in names]
    for one in found:
        if one.type not in REPLAYED:
            say(f"{one.name}: {one.type} is not recorded")
    found = [one for one in found if one.type in REPLAYED]
    if not found:
        raise ConfigError(None, None, f"nothing to record; connections of type {' and '.join(REPLAYED)} are")
    return found


def _header(site: Site, wanted: Sequence[AnyConnection], mask: Mask) -> dict[str, Any]:
    kept = recorded_site(site, [one.name for one in wanted], mask)
    connections = [{"name": mask.text(one.name), "type": one.type} for one in wanted]
    return {"format": FORMAT, "version": VERSION, "site": kept, "connections": connections}


async def _record(recorder: Recorder, clock: Clock, seconds: float | None, most_bytes: int) -> float:
    """Seconds that it took."""
    stop = told_to_stop("끝내는 중: 파일을 닫습니다 / stopping: the file is closed")
    began_s = clock.monotonic_s()
    if seconds is not None:
        asyncio.get_running_loop().call_later(seconds, stop.set)
    console = Console(stderr=True)
    with ExitStack() as stack:
        live = stack.enter_context(Live(console=console)) if console.is_terminal else None
        async with asyncio.TaskGroup() as group:
            work = group.create_task(recorder.run(stop, most_bytes))
            while not work.done():
                if live is not None:
                    live.update(_progress(recorder, clock.monotonic_s() - began_s))
                await asyncio.wait([work], timeout=_LOOK_S)
    return clock.monotonic_s() - began_s


def _progress(recorder: Recorder, seconds: float) -> str:
    tally = recorder.tally
    return (
        f"기록 중 recording: {seconds:.0f} s, 응답 answers {tally.answers:,}, 연결 connected {len(tally.connected)}, "
        f"단절 losses {tally.losses.total()}, {recorder.bytes_written:,} bytes   (Ctrl-C: 끝내기 stop)"
    )


def _tell(recorder: Recorder, out: Path, took_s: float, size: int, *, json: bool) -> int:
    tally = recorder.tally
    answer = {
        "file": str(out),
        "answers": tally.answers,
        "seconds": round(took_s, 1),
        "bytes": size,
        "silences": tally.silences,
        "losses": tally.losses.total(),
    }
    if json:
        emit_json(answer)
    else:
        emit(
            f"{out}: 응답 answers {tally.answers:,}, {took_s:.1f} s, {size:,} bytes, "
            f"무응답 silences {tally.silences}, 단절 losses {tally.losses.total()}"
        )
    return 0 if tally.answers else 1


def _show(files: Sequence[Path], *, json: bool) -> int:
    if len(files) != 1:
        raise ConfigError(None, None, "record show: name one recording")
    recording = open_recording(files[0])
    if json:
        emit_json(as_json(recording))
    else:
        for line in as_text(recording):
            emit(line)
    return 0
