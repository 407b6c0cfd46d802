"""Times on the command line, and in words."""

from __future__ import annotations

import re
from typing import Final

from pipelines.errors import ConfigError

_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?)(s|m|h)?")
_YEAR_DAYS: Final = 365.25
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600}


def duration_s(option: str, text: str) -> float:
    """Seconds of `30s`, `10m` or `2h`.

    Raises:
        ConfigError: not such a time.
    """
    match = _SPAN.fullmatch(text)
    if match is None or float(match[1]) == 0:
        raise ConfigError(None, None, f"{option} {text}: expected a time such as 30s, 10m or 2h")
    return float(match[1]) * _SECONDS[match[2] or "s"]


def in_words(seconds: float) -> str:
    """A length of time as people say it: seconds below a day, then days, then years."""
    days = seconds / 86_400
    if days < 1:
        return f"{seconds:g} s"
    return f"{days:.3g} days" if days < _YEAR_DAYS else f"{days / _YEAR_DAYS:.3g} years"
