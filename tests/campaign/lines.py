"""Every line by itself, as `agent simulate NAME --for 30s --json` runs and judges it: docs/results/lines.md."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import duckdb

from agent.paths import STORE_FILE
from simulators.plant import line_names
from tests.campaign import RESULTS

RUN: Final = os.environ.get("RUN", "30s")
ROOT: Final = Path(__file__).parents[2]
COUNTS: Final = ("tags", "produced", "stored", "missing", "duplicated", "altered")
HEADS: Final = ("line", *COUNTS, "alarms raised", "exit code")
HEAD: Final = """# Every line for half a minute

Each row is one run of `agent simulate LINE --for 30s --json`, one after the other: the line's plant without faults,
its template as it ships, a broker and an embedded store of its own. The figures are those of its JSON: what was
produced and is neither stored nor missing was held back by a deadband, or is told as a gap. Alarms are points of
`alarm` in its store whose `event` is `raised`. Reproduce with `make campaign ARGS=lines`; `RUN=5m`: each for five
minutes.

"""


def main() -> bool:
    """Run them all and write the page; whether each came out clean."""
    rows = []
    for name in line_names():
        rows.append(row(name))
        sys.stdout.write(json.dumps(rows[-1]) + "\n")
        sys.stdout.flush()
    (RESULTS / "lines.md").write_text(HEAD + table(rows), encoding="utf-8")
    return not any(one["exit code"] for one in rows)


def row(name: str) -> dict[str, Any]:
    """Figures of one run; what was wrong goes to stderr as the command says it."""
    with tempfile.TemporaryDirectory(prefix="sf-line-") as folder:
        argv = [sys.executable, "-m", "agent.cli", "simulate", name, "--for", RUN, "--json", "--work", folder]
        ran = subprocess.run(argv, cwd=ROOT, stdout=subprocess.PIPE, check=False)
        if not ran.stdout:
            sys.exit(f"agent simulate {name} ended with {ran.returncode} and no answer: its words stand above")
        answer = json.loads(ran.stdout)
        return {
            "line": name,
            **{key: answer[key] for key in COUNTS},
            "alarms raised": alarms(Path(folder) / "store" / STORE_FILE),
            "exit code": ran.returncode,
        }


def alarms(store: Path) -> int:
    """How many were raised."""
    with duckdb.connect(store, read_only=True) as connection:
        found = connection.execute(
            "SELECT count(*) FROM points_string JOIN series ON series = id "
            "WHERE measurement = 'alarm' AND field = 'event' AND value = 'raised'"
        ).fetchone()
    return int(found[0]) if found else 0


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as the page has them."""
    lines = [HEADS, ("---", *("--:" for _ in HEADS[1:])), *([one[head] for head in HEADS] for one in rows)]
    return "".join(f"| {' | '.join(map(str, cells))} |\n" for cells in lines)
