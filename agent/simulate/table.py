"""The live table of a simulation in the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from agent.simulate.wire import Series

_TAGS = 6


def table(status: Mapping[str, Any], last: Mapping[Series, object], viewer: str, notice: str, keys: Text) -> Group:
    """Connections, newest values per machine, the way of the points, and the keys."""
    links = Table("연결 Connection", "상태 State", "수집 Readings", "지연 Overruns", expand=True)
    for name, link in status.get("connections", {}).items():
        state = Text("연결 connected", "green") if link["connected"] else Text(f"단절 {link['error']}", "red")
        links.add_row(name, state, f"{link['readings']:,}", str(link["overruns"]))
    values = Table("설비 Machine", "현재값 Newest values", expand=True)
    machines: dict[str, list[str]] = {}
    for (machine, tag), value in sorted(last.items()):
        if not tag.endswith(("_quality", "_source_time")):
            shown = f"{value:g}" if isinstance(value, float) else str(value)
            machines.setdefault(machine, []).append(f"{tag}={shown}")
    for machine, tags in machines.items():
        more = f" … +{len(tags) - _TAGS}" if len(tags) > _TAGS else ""
        values.add_row(machine, "  ".join(tags[:_TAGS]) + more)
    points = status.get("points", {})
    way = "  ".join(f"{name} {count:,}" for name, count in points.items() if isinstance(count, int))
    foot = Text(f"{way}\n화면 Viewer: {viewer}   (Ctrl-C: 끝내기 stop)")
    return Group(links, values, foot, keys, Text(notice, "yellow")) if notice else Group(links, values, foot, keys)
