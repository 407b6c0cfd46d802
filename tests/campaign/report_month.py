"""A month of three machines with twenty tags each, read every 20 s, and what the report of key figures of it costs."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import yaml

from agent.paths import STORE_FILE
from pipelines.sinks.duckdb import DuckDbSink

T0: Final = round(datetime(2026, 9, 30, 23, tzinfo=UTC).timestamp()) * 10**9
"""2026-10-01, 08:00 in Korea."""
DAY: Final = 86_400
STEP: Final = 20
MACHINES: Final = ("M1", "M2", "M3")
TAGS: Final = 20


def measured(folder: Path) -> dict[str, Any]:
    """What the command says, its CPU seconds, and its peak memory in MiB."""
    asyncio.run(_fill(folder / "store" / STORE_FILE))
    site = folder / "site.yaml"
    site.write_text(yaml.safe_dump(_site(), allow_unicode=True), encoding="utf-8")
    argv = [sys.executable, "-m", "agent.cli", "report", "kpi", "--month", "2026-10", "--json"]
    argv += ["--site", str(site), "--store", str(folder / "store"), "-o", str(folder / "kpi.pdf")]
    env = {**os.environ, "SHOPFLOOR_CLOCK": f"{T0 + 40 * DAY * 10**9}:0.000000001"}
    with subprocess.Popen(argv, stdout=subprocess.PIPE, env=env, text=True) as ran:
        assert ran.stdout is not None
        said = json.loads(ran.stdout.read())
        _, status, used = os.wait4(ran.pid, 0)
        ran.returncode = os.waitstatus_to_exitcode(status)
    assert ran.returncode == 0
    return {**said, "cpu_s": round(used.ru_utime + used.ru_stime, 1), "peak_mib": round(used.ru_maxrss / 1024)}


def _site() -> dict[str, Any]:
    tag = {"table": "holding", "datatype": "uint32"}
    return {
        "company": "big",
        "site": "A",
        "line": "L",
        "calendar": {"day_start": "08:00", "shifts": [{"name": "주간", "from": "08:00", "to": "20:00"}]},
        "kpis": ["P-OEE", "P-UPH", "Q-PDR"],
        "machines": {
            name: {"class": "press", "state": {"tag": "t0"}, "count": {"total": "t1", "good": "t2", "ideal_s": 20}}
            for name in MACHINES
        },
        "connections": [
            {
                "name": "plc",
                "type": "modbus",
                "host": "192.168.10.11",
                "period_s": STEP,
                "tags": [
                    {"name": f"t{number}", "machine": name, "address": 100 * which + 2 * number, **tag}
                    for which, name in enumerate(MACHINES)
                    for number in range(TAGS)
                ],
            }
        ],
    }


async def _fill(file: Path) -> None:
    sink = DuckDbSink(file)
    dice = random.Random(1)
    for day in range(31):
        for name in MACHINES:
            await sink.write("big", "\n".join(_day(name, day, dice)).encode())
    await sink.close()


def _day(machine: str, day: int, dice: random.Random) -> Iterator[str]:
    tags = f"company=big,site=A,line=L,machine={machine}"
    for step in range(DAY // STEP):
        at = T0 + (day * DAY + step * STEP) * 10**9
        yield f"press,{tags} " + ",".join(f"t{number}={dice.random() * 100:.3f}" for number in range(TAGS)) + f" {at}"
        if step % 3 == 0:
            made = day * DAY // STEP + step
            code = 1 if step // 300 % 5 else 4
            yield f'state,{tags} code={code}i,reason="{code}",since={at}i {at}'
            yield f"count,{tags} total={made}i,good={made - made // 50}i,epoch=0i {at + 1}"
