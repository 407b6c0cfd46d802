"""Verify an agent's ledger; on a live system what differs is looked at again before it is called a difference."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from agent.control.client import ask
from agent.verify.judge import Cell, Judge, Sum
from agent.verify.report import Report
from agent.verify.stores import OfCompany
from pipelines.errors import DependencyError
from pipelines.ledger.claims import Claims

ALWAYS: Final = (-(2**31), 2**31 - 1)
"""Every hour there can be."""
_LOOKS_S: Final = (0.5, 2.0, 5.0)
"""Pauses before what differs is looked at again while the agent runs: records were on their way in between."""


def is_running(state_dir: Path) -> bool:
    """Whether an agent answers there."""
    try:
        ask(state_dir)
    except DependencyError:
        return False
    return True


def verify(
    state_dir: Path,
    of_company: OfCompany,
    hours: tuple[int, int],
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Report:
    """Compare the ledger of an agent with its store.

    Args:
        state_dir: of the agent.
        of_company: the store of a company.
        hours: first and last hour to look at, since 1970 UTC.
        progress: told of (readings compared, of how many) now and then.

    Raises:
        DependencyError: the ledger or the store cannot be read.
    """
    running = is_running(state_dir)
    claims = Claims.load(state_dir)
    judge = Judge(of_company, progress, running=running)
    try:
        result = judge.all(claims, hours)
        for pause_s in _LOOKS_S if running else ():
            if not _wrong(result):
                break
            time.sleep(pause_s)
            claims = _look_again(judge, state_dir, claims, result)
    finally:
        judge.close()
    first, last = (int(claims.rows["hour"][at]) for at in (0, -1)) if len(claims.rows) else (0, -1)
    seen = (max(first, hours[0]), min(last, hours[1]))
    keys, view = claims.view.numbers.keys, claims.view
    return Report(
        series=len(keys),
        hours=seen if seen[0] <= seen[1] else None,
        since_hour=view.since_hour,
        claimed=result.claimed,
        stored=result.stored,
        cells=result.cells,
        findings=[(keys[number], hour, one) for (number, hour), one in sorted(result.findings.items())],
        losses=view.losses,
        damaged=view.damaged,
        running=running,
    )


def _wrong(result: Sum) -> set[Cell]:
    return {cell for cell, finding in result.findings.items() if not finding.agrees}


def _look_again(judge: Judge, state_dir: Path, before: Claims, result: Sum) -> Claims:
    """Replace findings that differ by those of now; numbers of series are those of the newer claims."""
    claims = Claims.load(state_dir)
    numbers = claims.view.numbers
    wrong = {cell: before.view.numbers.keys[cell[0]] for cell in _wrong(result)}
    again = judge.again(claims, {(numbers.series(key), hour) for (_, hour), key in wrong.items()})
    kept = {
        (numbers.series(before.view.numbers.keys[number]), hour): finding
        for (number, hour), finding in result.findings.items()
        if (number, hour) not in wrong
    }
    result.findings = kept | again.findings
    return claims
