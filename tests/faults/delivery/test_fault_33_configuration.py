"""A configuration with a fault: exit code 2 with file and line, and nothing was begun: no file, socket or process."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Final

import pytest

from agent import cli
from agent.config import load_site
from tests.faults.delivery.mutations import GOOD, KINDS, Mutant, mutants
from tests.services.mosquitto import binary

pytestmark = pytest.mark.fault(33)
SEED: Final = 33
BEGUN: Final = {
    "socket.__new__",
    "socket.bind",
    "socket.connect",
    "subprocess.Popen",
    "os.mkdir",
    "os.remove",
    "os.rename",
}
_WRITES: Final = re.compile(r"[wax+]")
_seen: list[str] | None = None


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if _seen is not None and (event in BEGUN or (event == "open" and _WRITES.search(str(arguments[1] or "")))):
        _seen.append(f"{event} {arguments[:1]}")


sys.addaudithook(_audit)  # for the life of this process; it looks only inside `watched`


@contextmanager
def watched() -> Iterator[list[str]]:
    """What the program begins meanwhile."""
    global _seen  # noqa: PLW0603 - an audit hook cannot be taken away
    _seen = begun = []
    try:
        yield begun
    finally:
        _seen = None


def test_the_good_ones_are_good() -> None:
    for path in GOOD:
        assert load_site(path).connections


def test_each_of_200_is_refused_with_its_line_and_nothing_begins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], figure: Any
) -> None:
    kinds: Counter[str] = Counter()
    exact = lined = 0
    for number, one in enumerate(islice(mutants(SEED), 200)):
        path = written(tmp_path, one)
        with watched() as begun:
            code = cli.run(["run", str(path), "--state-dir", str(tmp_path / "state")])
        said = capsys.readouterr().err
        about = f"{number} {one.kind}: {said}"
        assert code == 2, about
        assert begun == [], about
        line = line_of(said, path)
        assert line is not None, about
        if one.line:
            lined += 1
            exact += line == one.line
            assert line == one.line, f"{about}, expected line {one.line}"
        kinds[one.kind] += 1
    assert kinds.keys() == KINDS.keys()
    assert {path.name for path in tmp_path.iterdir()} == {"site.yaml"}
    figure("mutated configurations refused with exit code 2 and file:line", asked="200 of 200", measured=kinds.total())
    figure("of these with a fault in one line, told at that line", asked="all", measured=f"{exact} of {lined}")
    figure("files, sockets and processes begun by them", asked="0", measured=0)


def test_the_process_itself_opens_nothing(tmp_path: Path, size: Any, figure: Any) -> None:
    """The same from outside, by what the kernel was asked for."""
    count = size(2, 40)
    for one in islice(mutants(SEED + 1), count):
        path, trace = written(tmp_path, one), tmp_path / "trace"
        calls = "socket,bind,connect,mkdir,mkdirat,unlink,rename,fork,vfork"
        strace = [binary("strace", "strace"), "-f", "-o", str(trace), "-e", f"trace={calls}", "-e", "signal=none"]
        command = [
            *strace,
            sys.executable,
            "-B",
            "-m",
            "agent.cli",
            "run",
            str(path),
            "--state-dir",
            str(tmp_path / "s"),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 2, done.stderr
        assert line_of(done.stderr, path) is not None, done.stderr
        asked = [line for line in trace.read_text().splitlines() if "+++" not in line]
        assert asked == [], (one.kind, asked)
        assert not (tmp_path / "s").exists()
    figure(
        "system calls for sockets, folders and processes of a refused start", asked="0", measured=f"0 in {count} starts"
    )


def written(folder: Path, one: Mutant) -> Path:
    path = folder / "site.yaml"
    path.write_bytes(one.text)
    return path


def line_of(said: str, path: Path) -> int | None:
    """The line of the file that the one line on stderr names."""
    found = re.fullmatch(rf"error: {re.escape(str(path))}:(\d+): .+\n", said)
    return int(found[1]) if found else None
