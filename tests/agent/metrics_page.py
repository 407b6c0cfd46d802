"""docs/metrics.md, from the table of metrics: `python tests/agent/metrics_page.py` writes it anew."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from agent.bridging import FAMILIES as BRIDGE
from agent.heartbeat import LINK_MEANINGS, MEANINGS
from agent.metrics import BUILD, FAMILIES, FSYNC, Family

PAGE: Final = Path(__file__).parents[2] / "docs/metrics.md"
HEAD: Final = """# Metrics and health

A running agent answers on the Unix socket `control.sock` of its state folder:

| path | answer |
|---|---|
| `/metrics` | what stands below, in the text format of Prometheus |
| `/healthz` | 200 while every part of the process turns: what a watchdog asks |
| `/readyz` | 200 while nothing is wrong; else 503 and a line for each trouble: alive is not delivering |
| `/status` | everything as JSON; `agent status` shows it, and exits with 1 where `/readyz` says 503 |

Nothing listens on the network. A collector of metrics reads the socket, for example:

```sh
curl --silent --unix-socket /var/lib/shopfloor-agent/control.sock http://agent/metrics
```

Alert on `shopfloor_points_imbalance != 0` (a point is in no account) and on `shopfloor_troubles > 0` for longer than
the usual stops of your plant.

<!-- made by tests/agent/metrics_page.py, do not edit below -->

| metric | kind | labels | meaning |
|---|---|---|---|
"""

BRIDGES: Final = """
## Bridges

`agent bridge --metrics 9273` answers the same paths over HTTP on that port of loopback, `--metrics HOST:PORT` on an
address; whoever reaches it reads names of companies and counters, and can change nothing. `/healthz` fails when a lane
stands still, or a single write does for two minutes: waiting for work, or for a store or broker that is away, is well.

| metric | kind | labels | meaning |
|---|---|---|---|
"""

STORE: Final = """
## In the store

Every ten seconds an agent writes what it says of itself to the store, measurement `agent`, with its name as `machine`,
whether anybody scrapes it or not; the [dashboards for Grafana](grafana.md) show it. These points stand in no account.

| field | meaning |
|---|---|
"""
LINKS: Final = """
The same for each of its connections, a series with the tag `connection`:

| field | meaning |
|---|---|
"""


def page() -> str:
    """The whole page."""
    rows = [_row(one) for one in FAMILIES]
    rows += [(FSYNC[0], "histogram", (), FSYNC[1]), (f"{BUILD[0]}_info", "info", ("version", "python"), BUILD[1])]
    bridges = BRIDGES + _rows([_row(one) for one in BRIDGE])
    return HEAD + _rows(rows) + bridges + STORE + _fields(MEANINGS) + LINKS + _fields(LINK_MEANINGS)


def _fields(meanings: Mapping[str, str]) -> str:
    return "".join(f"| `{name}` | {meaning} |\n" for name, meaning in meanings.items())


def _row(one: Family) -> tuple[str, str, tuple[str, ...], str]:
    return (one.scraped, one.kind, one.labels, one.meaning)


def _rows(rows: list[tuple[str, str, tuple[str, ...], str]]) -> str:
    return "".join(
        f"| `{name}` | {kind} | {', '.join(f'`{label}`' for label in labels) or '–'} | {meaning} |\n"
        for name, kind, labels, meaning in rows
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
