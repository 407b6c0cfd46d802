"""How evidence is written, the same on the page and in a terminal."""

from __future__ import annotations

from viewer import figure_text
from viewer.kpi.words import MISSING
from viewer.level.finding import Finding
from viewer.words import Words


def number(words: Words, finding: Finding) -> str:
    """The value without its unit, or 미수집."""
    return words.text(MISSING) if finding.value is None else figure_text.number(finding.value, finding.unit)


def value(words: Words, finding: Finding) -> str:
    """The value with its unit, or 미수집."""
    said = number(words, finding)
    return said if finding.value is None else f"{said} {words.text(finding.unit)}"


def period(finding: Finding) -> str:
    """From when to when, or the one moment that it is about."""
    start_ns, end_ns = finding.period
    return figure_text.moment(end_ns) if start_ns == end_ns else figure_text.period(finding.period)


def samples(words: Words, finding: Finding) -> str:
    """How many, and of what."""
    return f"{finding.samples:,} ({words.text(finding.kind.sampled)})"
