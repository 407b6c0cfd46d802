"""Spans of time beside the one that is shown: earlier, later, narrower, wider. Pure; times in ns since 1970 UTC."""

from __future__ import annotations

from typing import Final

from pipelines.calendar import Span

LEAST_NS: Final = 10 * 10**9
"""The shortest span that is offered."""
_MS: Final = 1_000_000


def beside(span: Span, now_ns: int, most_ns: int) -> dict[str, Span | None]:
    """Where one can go from a span; None = nowhere.

    Earlier and later share half of it; narrower is its middle half, wider twice of it, and no span ends in the future.

    Args:
        span: that is shown.
        now_ns: the time now.
        most_ns: the longest span that is offered.
    """
    start_ns, end_ns = span
    half_ns, quarter_ns = (end_ns - start_ns) // 2, (end_ns - start_ns) // 4
    forward_ns = min(half_ns, now_ns - end_ns)
    wide_ns = min(4 * half_ns, most_ns)
    until_ns = min(now_ns, end_ns + (wide_ns - (end_ns - start_ns)) // 2)
    return {
        "earlier": (start_ns - half_ns, end_ns - half_ns) if start_ns - half_ns > 0 else None,
        "later": (start_ns + forward_ns, end_ns + forward_ns) if forward_ns >= _MS else None,
        "narrower": (start_ns + quarter_ns, end_ns - quarter_ns) if half_ns >= LEAST_NS else None,
        "wider": (until_ns - wide_ns, until_ns) if end_ns - start_ns < wide_ns < until_ns else None,
    }


def address(span: Span) -> str:
    """A span as a page of trends is asked for it, in ms."""
    return f"from={span[0] // _MS}&to={span[1] // _MS}"
