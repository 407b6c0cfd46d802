"""Warnings before a certificate ends: 30, 7 and 1 days."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from cryptography import x509

from connectors.opcua.security.certificates import day

WARN_DAYS: Final = (1, 7, 30)


def warning(certificate: x509.Certificate, whose: str, now: datetime) -> tuple[int, str] | None:
    """The step that is reached (30, 7, 1 or 0 days) and what to say; None while there is time.

    Args:
        certificate: which ends at some day.
        whose: how people call it, for example `the server's certificate`.
        now: when.
    """
    left = certificate.not_valid_after_utc - now
    until = day(certificate.not_valid_after_utc)
    if left.total_seconds() <= 0:
        return 0, f"{whose} expired on {until}; replace it, the next connection is refused"
    step = next((days for days in WARN_DAYS if left.total_seconds() <= days * 86_400), None)
    if step is None:
        return None
    days = left.days
    when = "in less than a day" if days == 0 else "in 1 day" if days == 1 else f"in {days} days"
    return step, f"{whose} expires {when}, on {until}; replace it before"
