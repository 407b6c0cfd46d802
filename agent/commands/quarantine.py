"""`agent quarantine`."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final, Literal

import orjson
import typer

from agent.control.client import order
from agent.control.quarantine import DROP, RETRY, chosen
from agent.output import emit, emit_json, say
from agent.paths import STATE_DIR
from pipelines.errors import ConfigError, JournalError
from pipelines.quarantine import Quarantine, kept
from pipelines.quarantine.shelf import NAME, Entry

Action = Literal["list", "show", "retry", "export", "drop"]
Form = Literal["jsonl", "lines"]
_ORDER_S = 600.0
_STDOUT: Final = Path("-")


def command(
    action: Annotated[Action, typer.Argument(help="What to do.")] = "list",
    records: Annotated[list[str] | None, typer.Argument(help="Records, as `list` shows them.")] = None,
    state_dir: Annotated[Path, typer.Option(help="State folder of the agent.")] = STATE_DIR,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="export: the file, made anew; - is stdout.")
    ] = None,
    form: Annotated[
        Form, typer.Option("--form", help="export: jsonl (record, line, reason …) or lines (line protocol).")
    ] = "jsonl",
    *,
    everything: Annotated[bool, typer.Option("--all", help="retry, drop: every record.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on one line.")] = False,
) -> int:
    """Points the store refused for good, with its reason: list, show, retry, export or drop them."""
    if not state_dir.is_dir():
        raise ConfigError(state_dir, None, "no such state folder; name the agent's with --state-dir")
    wanted = list(records or ())
    try:
        if action == "list":
            return _list(state_dir, json=json)
        if action == "show":
            return _show(state_dir, wanted, json=json)
        if action == "export":
            return _export(state_dir, wanted, output, form, json=json)
        if everything == bool(wanted):
            what = "records, or --all, not both" if wanted else "records, or --all"
            raise ConfigError(None, None, f"quarantine {action}: name {what}; `agent quarantine` lists them")
        _all_there(wanted, [entry for entry, _ in kept(state_dir, wanted, lines=False)])
        said = {"records": wanted, "all": everything}
        answer = _retry(state_dir, said) if action == "retry" else _drop(state_dir, said)
    except JournalError as error:
        raise ConfigError(error.path, None, error.reason) from error
    if json:
        emit_json(answer)
    else:
        done = "다시 보냄 sent again" if action == "retry" else "버림 dropped"
        left = f"남음 left {answer['records_left']} records, {answer['points_left']} points"
        emit(f"{done}: {answer['points']} points; {left}")
    return 0


def _list(folder: Path, *, json: bool) -> int:
    if json:
        found = [_as_dict(entry, refused) for entry, refused in kept(folder)]
        emit_json({"records": found, "points": sum(one["points"] for one in found)})
        return 1 if found else 0
    count = points = 0
    for entry, _ in kept(folder, lines=False):
        if not count:
            emit("기록 Record\t시각 Refused at\t점 Points\t줄 Lines\t사유 Reason")
        emit(f"{entry.record}\t{_time(entry)}\t{entry.points}\t{entry.lines}\t{entry.reason}")
        count, points = count + 1, points + entry.points
    if count:
        say(f"합계 total: {count} records, {points} points")
    elif (folder / NAME).exists():
        say("격리된 점 없음: no points in quarantine")
    else:
        say(f"격리된 점 없음: no points in quarantine; no agent has run on {folder} yet, or it is another folder")
    return 1 if count else 0


def _show(folder: Path, wanted: list[str], *, json: bool) -> int:
    if not wanted:
        raise ConfigError(None, None, "quarantine show: name a record; `agent quarantine list` shows them")
    found = list(kept(folder, wanted))
    _all_there(wanted, [entry for entry, _ in found])
    if json:
        emit_json({"records": [_as_dict(entry, refused) for entry, refused in found]})
        return 0
    for entry, refused in found:
        emit(f"기록 record {entry.record}  시각 refused at {_time(entry)}  측정값 points {entry.points}")
        for one in refused:
            emit(f"{one['line']}\t{one['reason']}")
    return 0


def _export(folder: Path, wanted: list[str], output: Path | None, form: Form, *, json: bool) -> int:
    if output is None or (output == _STDOUT and json):
        what = "name the file with -o FILE" if output is None else "only one of --json and -o - can have stdout"
        raise ConfigError(None, None, f"quarantine export: {what}")
    _all_there(wanted, [entry for entry, _ in kept(folder, wanted, lines=False)])
    count = points = 0
    unreadable: list[str] = []
    try:
        with _written(output) as file:
            for entry, refused in kept(folder, wanted or None):
                if entry.lines and not refused:
                    unreadable.append(entry.record)
                    say(f"내보내지 못함 not exported: {entry.record}: {entry.reason}")
                    continue
                file.writelines(_exported(entry, refused, form))
                count, points = count + 1, points + entry.points
    except FileExistsError as error:
        raise ConfigError(output, None, "exists already; name another file") from error
    except OSError as error:
        if output == _STDOUT:  # nobody reads any more: the command line knows what to do
            raise
        raise ConfigError(output, None, f"cannot write: {error.strerror}") from error
    if json:
        emit_json({"file": str(output), "records": count, "points": points, "unreadable": unreadable})
    else:
        tell = say if output == _STDOUT else emit
        tell(f"내보냄 exported: {count} records, {points} points to {output}")
    return 1 if unreadable else 0


@contextlib.contextmanager
def _written(output: Path) -> Iterator[BinaryIO]:
    """A file that is not there yet, on disk when the block ends; or stdout."""
    if output == _STDOUT:
        yield sys.stdout.buffer
        sys.stdout.flush()
        return
    with output.open("xb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def _all_there(wanted: Sequence[str], found: Sequence[Entry]) -> None:
    if missing := set(wanted) - {entry.record for entry in found}:
        raise ConfigError(None, None, f"{min(missing)}: not in quarantine; `agent quarantine list` shows what is")


def _exported(entry: Entry, refused: Sequence[dict[str, Any]], form: Form) -> Iterator[bytes]:
    for one in refused:
        if form == "lines":
            yield f"{one['line']}\n".encode()
        else:
            yield orjson.dumps({"record": entry.record, "refused_at": _time(entry), **one}) + b"\n"


def _retry(folder: Path, said: dict[str, Any]) -> dict[str, Any]:
    return order(folder, RETRY, said, _ORDER_S)


def _drop(folder: Path, said: dict[str, Any]) -> dict[str, Any]:
    """By the agent when it runs, else on its folder."""
    with _alone(folder) as alone:
        if not alone:
            return order(folder, DROP, said, _ORDER_S)
        quarantine = Quarantine(folder)
        try:
            before = quarantine.points
            quarantine.remove(chosen(quarantine, said["records"], everything=said["all"]))
            left = {"records_left": quarantine.records, "points_left": quarantine.points}
            return {"points": before - quarantine.points, **left}
        except ValueError as error:
            raise ConfigError(None, None, str(error)) from error
        finally:
            quarantine.close()


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Whether no agent uses the folder; none can while the block runs then."""
    lock = folder / "journal" / "lock"
    if not lock.exists():
        yield True
        return
    fd = os.open(lock, os.O_RDWR)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(fd)


def _as_dict(entry: Entry, refused: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        "record": entry.record,
        "refused_at": _time(entry),
        "points": entry.points,
        "reason": entry.reason,
        "refused": list(refused),
    }


def _time(entry: Entry) -> str:
    """ISO 8601 in the time zone of this machine."""
    return datetime.fromtimestamp(entry.time_ns / 1e9, UTC).astimezone().isoformat(timespec="seconds")
