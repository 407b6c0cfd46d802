"""What a site file says of entries by hand, and what holds where it says nothing."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from pipelines.settings import Labels, Name, Settings

Reasons = Annotated[dict[Name, Labels], Field(max_length=40)]

STOP_REASONS: Final = {
    "breakdown": Labels(ko="설비 고장", en="Breakdown"),
    "material": Labels(ko="자재 대기", en="Waiting for material"),
    "setup": Labels(ko="준비 교체", en="Changeover"),
    "adjustment": Labels(ko="조정·품질 확인", en="Adjustment, quality check"),
    "operator": Labels(ko="작업자 부재", en="No operator"),
    "no_order": Labels(ko="작업지시 없음", en="No order"),
    "maintenance": Labels(ko="계획 보전", en="Planned maintenance"),
    "cleaning": Labels(ko="청소·정리", en="Cleaning"),
    "utility": Labels(ko="정전·유틸리티", en="Power or utilities"),
    "other": Labels(ko="기타", en="Other"),
}
"""Why a machine stands, where the site file names no reasons: the usual losses of TPM."""


class EntrySettings(Settings):
    """Entries by hand: what people choose from. See [entries.md](entries.md)."""

    stop_reasons: Annotated[Reasons, Field(min_length=1)] = STOP_REASONS
    """Downtime reasons by a name that stays, each with what people see, in the order of the page. Default: breakdown,
    material, setup, adjustment, operator, no_order, maintenance, cleaning, utility, other."""
    defect_types: Reasons = Field(default_factory=dict)
    """Types of defects in the same form; default: people write them freely."""
    least_stop_s: Annotated[float, Field(ge=0, le=86_400)] = 300.0
    """A stop that is shorter is not asked about, seconds."""
