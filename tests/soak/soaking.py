"""A soak run as a user starts it, if need be with parts of the product broken on purpose.

The breaking is done by a `sitecustomize.py` on the PYTHONPATH of the run: the product has no switch for it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DEADLINE_S = 1500
SOON = """
if "agent.cli" in WORDS:
    import agent.supervise
    agent.supervise.FLEET_SPREAD_S = 1.0
"""
"""Breaks nothing: the one agent of this broker need not wait for its turn among fifty."""


def soak(folder: Path, plan: str, sabotage: str = "", *arguments: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, report and what was said on stderr.

    Args:
        folder: for everything the run keeps.
        plan: text of the plan.
        sabotage: Python that every process of the run executes at its start; `WORDS` is its command line.
        arguments: further ones of the command.
    """
    (folder / "plan.yaml").write_text(plan)
    broken = folder / "broken"
    broken.mkdir()
    (broken / "sitecustomize.py").write_text(f"import os, sys\nWORDS = sys.orig_argv\n{sabotage}")
    path = os.pathsep.join([str(broken), str(ROOT)])
    command = [sys.executable, "-m", "agent.cli", "soak", str(folder / "plan.yaml"), "--json"]
    ran = subprocess.run(
        [*command, "--work", str(folder / "work"), *arguments],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_S,
    )
    logs = "\n".join(f"{log.name}: {log.read_text()[-600:]}" for log in (folder / "work").glob("*.log"))
    lines = ran.stdout.splitlines()
    assert len(lines) == 1, (ran.returncode, ran.stdout, ran.stderr, logs)
    return ran.returncode, json.loads(lines[0]), ran.stderr
