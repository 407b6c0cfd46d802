"""How often a machine fails, and how long it then stands: P-MTBF and P-MTTR by the KPI form."""

from __future__ import annotations

from pipelines.calendar import Span
from viewer.kpi import words
from viewer.kpi.oee import minutes, time_evidence
from viewer.kpi.result import Result, ratio
from viewer.kpi.spans import Times
from viewer.kpi.words import Amount, Text


def between_failures(times: Times, failures: int, period: Span) -> Result:
    """P-MTBF, 평균고장간격, h: Σ operating time / failures. ISO 22400-2:2014 divides by one more; the form does not.

    Args:
        times: time in each state within the working time of the period.
        failures: that began in the period, of `viewer.kpi.spans.failures`.
        period: start and end, ns since 1970 UTC.
    """
    above = minutes("가동시간", "operating time", times.operating_ns)
    return ratio("P-MTBF", above, _failures(failures), time_evidence(times, period), 1 / 60, nothing=words.NO_FAILURE)


def to_repair(times: Times, failures: int, period: Span) -> Result:
    """P-MTTR, 평균수리시간, min: Σ time down / failures, both as for `between_failures`."""
    above = minutes("수리시간", "repair time", times.down_ns)
    return ratio("P-MTTR", above, _failures(failures), time_evidence(times, period), nothing=words.NO_FAILURE)


def _failures(count: int) -> Amount:
    return Amount(Text("고장건수", "failures"), count, words.CASES)
