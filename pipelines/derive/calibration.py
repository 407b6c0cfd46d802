"""When a detector was calibrated, and when it is due again. Pure: the day comes from whoever asks."""

from __future__ import annotations

from datetime import date, timedelta
from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from pipelines.settings import Settings

SOON: Final = timedelta(days=30)
"""So long before it is due a calibration is said to be near."""
_MOST_DAYS: Final = 3653


class CalibrationSettings(Settings):
    """How often the detectors of a machine are calibrated."""

    every_days: Annotated[int, Field(ge=1, le=_MOST_DAYS)]
    """Days from one calibration to the next, such as 180: what the maker, the law or the site's own plan asks for."""
    last: date | None = None
    """Day of the last one, `2026-05-12`, Korean Standard Time; default: nobody has said so."""
    certificate: str = ""
    """Number of its certificate."""

    @property
    def due(self) -> date | None:
        """Last day on which the calibration holds; None = it is not known when the last one was."""
        return None if self.last is None else self.last + timedelta(days=self.every_days)


class Calibrated(StrEnum):
    """How a calibration stands."""

    UNKNOWN = "unknown"
    OVERDUE = "overdue"
    SOON = "soon"
    HOLDS = "holds"


def calibrated(settings: CalibrationSettings, today: date) -> Calibrated:
    """How it stands on a day; one in the future is none that holds."""
    if settings.last is None or settings.due is None or settings.last > today:
        return Calibrated.UNKNOWN
    if today > settings.due:
        return Calibrated.OVERDUE
    return Calibrated.SOON if settings.due - today <= SOON else Calibrated.HOLDS
