"""One part killed at a time: each run leaves a row in docs/results/kills.md and its line of JSON beside it."""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.campaign import RESULTS
from tests.e2e.harness import Run, simulation
from tests.services.influxd import free_port, running_influxd
from tests.services.mosquitto import Mosquitto

RUN_S = 30
ROUNDS = int(os.environ.get("ROUNDS", "3"))
HEAD = """# kill -9, one part at a time

Each run: two lines, 113 tags, 30 s, mosquitto and influxd 1.6.7 as servers (the row `site server`: embedded store), one
part killed at a random moment and started again on the spot. The plant is never killed; its own log is the truth.
Reproduce with `make campaign ARGS=kills`; `ROUNDS=10 make campaign ARGS=kills` makes more runs.

| killed | run | produced | missing | gap explained | duplicated | altered | wire duplicates | p95 ms |
|---|--:|--:|--:|--:|--:|--:|--:|--:|
"""


class Servers:
    """A broker and a database that can be killed and started again at their place."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.broker = stack.enter_context(Mosquitto(folder / "mosquitto"))
        self.data, self.port = folder / "influxd", free_port()
        self._stack = stack
        self.start_database()

    def start_database(self) -> None:
        self.database = self._stack.enter_context(running_influxd(self.data, port=self.port))

    def kill_broker(self, _: Run) -> None:
        self.broker.kill()
        self.broker.start()

    def kill_database(self, _: Run) -> None:
        self.database.process.kill()
        self.database.process.wait()
        self.start_database()

    def arguments(self) -> list[str]:
        return ["--broker", f"mqtt://127.0.0.1:{self.broker.port}", "--influx", f"{self.database.url}?db=shopfloor"]


def kills() -> dict[str, tuple[bool, Callable[[Servers | None, Run], None]]]:
    """What is killed: whether it needs the servers, and how."""

    def part(name: str) -> Callable[[Servers | None, Run], None]:
        return lambda _, run: run.kill(name)

    def broker(servers: Servers | None, run: Run) -> None:
        assert servers is not None
        servers.kill_broker(run)

    def database(servers: Servers | None, run: Run) -> None:
        assert servers is not None
        servers.kill_database(run)

    return {
        "collector": (True, part("collector")),
        "bridge": (True, part("bridge")),
        "mosquitto": (True, broker),
        "influxd": (True, database),
        "site server": (False, part("serve")),
    }


@contextmanager
def servers_for(needed: bool, folder: Path) -> Iterator[Servers | None]:
    with ExitStack() as stack:
        yield Servers(folder, stack) if needed else None


def one(name: str, seed: int) -> dict[str, Any]:
    """One run with one kill."""
    needed, kill = kills()[name]
    with tempfile.TemporaryDirectory(prefix="sf-kill-") as folder, servers_for(needed, Path(folder)) as servers:
        arguments = ["--for", f"{RUN_S}s", "--seed", str(seed), *(servers.arguments() if servers else [])]
        with simulation(Path(folder) / "run", *arguments) as run:
            run.pid_of("collector")
            run.until_stored(random.Random(seed).randrange(100, 1200))
            kill(servers, run)
            out, err = run.process.communicate(timeout=240)
            assert out, err.decode()
            return {"killed": name, "run": seed, **json.loads(out)}


def main() -> bool:
    """Run everything and write the table; whether nothing was lost, doubled or altered."""
    rows = []
    for name in kills():
        for seed in range(1, ROUNDS + 1):
            row = one(name, seed)
            rows.append(row)
            sys.stdout.write(json.dumps(row) + "\n")
            sys.stdout.flush()
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "kills.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    fields = ("killed", "run", "produced", "missing", "gap_explained", "duplicated", "altered", "wire_duplicates")
    lines = [f"| {' | '.join(str(row[key]) for key in fields)} | {row['latency_ms']['p95']:.0f} |" for row in rows]
    (RESULTS / "kills.md").write_text(HEAD + "\n".join(lines) + "\n")
    return not any(row["missing"] or row["duplicated"] or row["altered"] for row in rows)
