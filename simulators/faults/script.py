"""A script of faults: a YAML list, `- {at: 5m, fault: heater_break, for: 10m}`; `at` is plant time since the start.

Beside these an entry has `device`, `signal` and the fault's own parameters. A time is a number of seconds or such as
90s, 5m, 2h. What is wrong is told with its line.
"""

from __future__ import annotations

import re
from typing import Any, Final

import yaml

from simulators.faults.orders import Order, read_order
from simulators.plant import Plant

_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?)(s|m|h)")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600}

_EXAMPLE: Final = "{at: 30s, fault: comm_loss, device: NAME, for: 10s}"


class ScriptError(ValueError):
    """What is wrong with a script, and in which line, from 1."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line


def read_script(text: str, plant: Plant) -> list[Order]:
    """The faults of a script.

    Raises:
        ScriptError: it is not such a list, or a fault of it is not there.
    """
    try:
        root = yaml.compose(text, yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ScriptError(mark.line + 1 if mark else 1, f"not YAML: {error.problem}") from error
    if root is None:
        return []
    if not isinstance(root, yaml.SequenceNode):
        raise ScriptError(root.start_mark.line + 1, f"expected a list: - {_EXAMPLE}")
    return [_order(node, plant) for node in root.value]


def _order(node: yaml.Node, plant: Plant) -> Order:
    line = node.start_mark.line + 1
    if not isinstance(node, yaml.MappingNode):
        raise ScriptError(line, f"expected {_EXAMPLE}")
    lines = {key.value: key.start_mark.line + 1 for key, _ in node.value}
    said: dict[str, Any] = yaml.SafeLoader("").construct_document(node)
    try:
        times = {"at_s": span_s("at", said.pop("at", 0))}
        if "for" in said:
            times["for_s"] = span_s("for", said.pop("for"))
        return read_order({**said, **times}, plant)
    except ValueError as error:
        raise ScriptError(lines.get(str(error).partition(":")[0], line), str(error)) from error


def span_s(key: str, value: Any) -> float:
    """Seconds of 90, 90s, 5m or 2h.

    Raises:
        ValueError: no such time.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    match = _SPAN.fullmatch(str(value))
    if match is None:
        raise ValueError(f"{key}: {value!r} is no time; write 30s, 10m or 2h")
    return float(match[1]) * _SECONDS[match[2]]
