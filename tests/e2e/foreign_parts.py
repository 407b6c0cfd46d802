"""An agent and a bridge as a user starts them, a store that answers digit by digit, and the log of a foreign PLC."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml

from agent.control.client import ask
from pipelines.errors import DependencyError
from tests.connectors.opcua.conftest import Foreign
from tests.services.influxd import Influxd

T = TypeVar("T")
DEADLINE_S = 40
CLI = [sys.executable, "-m", "agent.cli"]
Rows = dict[str, list[tuple[int, Any]]]


class Number(str):
    """A JSON number as it was written: -0, 20 digits and 5e-324 survive."""

    __slots__ = ()


@dataclass
class Child:
    """A command of ours that runs; its log is JSON lines."""

    process: subprocess.Popen[bytes]
    log: Path
    state: Path

    def until(self, found: Callable[[], T]) -> T:
        """What `found` returns once it is true; fails when it never is or when the child ends."""
        deadline = time.monotonic() + DEADLINE_S
        while not (answer := found()):
            assert self.process.poll() is None, f"ended with {self.process.returncode}: {self.said()}"
            assert time.monotonic() < deadline, self.said()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(0.05)
        return answer

    def said(self) -> str:
        return self.log.read_text(errors="replace")[-4000:]

    def events(self, name: str) -> list[dict[str, Any]]:
        """Log lines of one event."""
        lines = self.log.read_text(errors="replace").splitlines()
        found = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
        return [one for one in found if one["event"] == name]

    def status(self) -> dict[str, Any]:
        """What `agent status` asks for; empty while it cannot be asked."""
        try:
            said: dict[str, Any] = json.loads(ask(self.state))
        except DependencyError:
            return {}
        return said

    def points(self) -> dict[str, int]:
        """The terms of the conservation law; zeros while it cannot be asked."""
        terms = defaultdict(int, self.status().get("points", {}))
        assert terms["imbalance"] == 0, terms
        return terms

    def stop(self) -> int:
        """SIGTERM; the exit code. No traceback may stand in the log."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(DEADLINE_S)
        assert "Traceback" not in self.log.read_text(errors="replace"), self.said()
        return code


def agent(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    """A command of ours that ends by itself."""
    return subprocess.run([*CLI, *arguments], capture_output=True, check=False, timeout=DEADLINE_S)


@contextmanager
def child(log: Path, state: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> Iterator[Child]:
    """A command of ours as a child, killed by its pid when the test leaves it running."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*CLI, *arguments], stdout=output, stderr=output, env={**os.environ, **(environment or {})}
        )
    try:
        yield Child(process, log, state)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


@contextmanager
def bridge(folder: Path, broker: str, store: str) -> Iterator[Child]:
    """`agent bridge`, one database for each company."""
    arguments = ("bridge", "--mqtt", broker, "--influx", f"{store}?db={{company}}")
    with child(folder / "bridge.log", folder, *arguments) as running:
        running.until(lambda: f"influx: {store}" in running.said())
        yield running


@contextmanager
def collector(
    folder: Path,
    site: dict[str, Any],
    broker: str,
    state: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Child]:
    """`agent run` of a site written to `folder`, with more in its environment."""
    folder.mkdir(parents=True, exist_ok=True)
    config = write_site(folder, site)
    state = state or folder / "state"
    logs = len(list(folder.glob("agent*.log")))
    arguments = ("run", str(config), "--state-dir", str(state), "--mqtt", broker)
    with child(folder / f"agent{logs}.log", state, *arguments, environment=environment) as running:
        yield running


def write_site(folder: Path, site: dict[str, Any]) -> Path:
    """The configuration file."""
    config = folder / "site.yaml"
    config.write_text(yaml.safe_dump(site, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return config


def site_of(company: str, connections: Sequence[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """A site in which every connection has one machine, and every machine a measurement, named as the connection."""
    machines = {one["name"]: {"class": one["name"]} for one in connections}
    named = [{"machine": one["name"], **one} for one in connections]
    return {"company": company, "site": "hall", "machines": machines, "connections": named, **more}


@dataclass(frozen=True)
class Store:
    """What influxd holds of one company."""

    server: Influxd
    company: str

    def kinds(self, measurement: str) -> dict[str, str]:
        """Type by field."""
        return {row[0]: row[1] for row in self._rows(f'SHOW FIELD KEYS FROM "{measurement}"')[1]}

    def rows(self, measurement: str) -> Rows:
        """(time, value) by field, oldest first; numbers as the type their field has."""
        kinds = self.kinds(measurement)
        columns, rows = self._rows(f'SELECT * FROM "{measurement}"')  # noqa: S608 - a test's own words
        found: Rows = defaultdict(list)
        for row in rows:
            for name, value in zip(columns[1:], row[1:], strict=True):
                if name in kinds and value is not None:
                    found[name].append((int(row[0]), _typed(kinds[name], value)))
        return found

    def has(self, measurement: str, fields: Sequence[str]) -> bool:
        """Whether each of these fields has a value or a quality."""
        kinds = self.kinds(measurement)
        return all(name in kinds or f"{name}_quality" in kinds for name in fields)

    def gaps(self) -> list[dict[str, Any]]:
        """Points of measurement `gap`, tags and fields."""
        columns, rows = self._rows('SELECT * FROM "gap"')
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def _rows(self, query: str) -> tuple[list[str], list[list[Any]]]:
        answer = json.loads(self.server.query(query, self.company), parse_int=Number, parse_float=Number)
        series = answer["results"][0].get("series") or [{"columns": [], "values": []}]
        return series[0]["columns"], series[0]["values"]


def _typed(kind: str, value: Any) -> Any:
    if isinstance(value, Number):
        return float(value) if kind == "float" else int(value)
    return value


@dataclass(frozen=True)
class Places:
    """A broker, a store, and a bridge between them."""

    broker: str
    influx: Influxd


@dataclass(frozen=True)
class Plc:
    """node-opcua and the log of its counters."""

    server: Foreign
    log: Path

    def tag(self, name: str, **more: Any) -> dict[str, Any]:
        return {"name": name, "node": f"nsu={self.server.namespace};s={name}", **more}

    def connection(self, name: str, *tags: dict[str, Any], **more: Any) -> dict[str, Any]:
        fields = {"type": "opcua", "name": name, "endpoint": self.server.endpoint, "security": {"policy": "none"}}
        return {**fields, "publishing_interval_s": 0.1, "sampling_interval_s": 0, **more, "tags": list(tags)}

    def written(self, name: str) -> dict[int, int]:
        """Time by value of a counter, from the server's own log; a torn last line is left."""
        lines = self.log.read_text().rpartition("\n")[0].splitlines()
        return {int(value): int(time_ns) for one, value, time_ns in map(str.split, lines) if one == name}
