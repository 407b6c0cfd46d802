"""How much the journal may take, and how long a point waits for the disk."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from pipelines.settings import Settings

_MIB: Final = 1 << 20


class JournalSettings(Settings):
    """The journal on disk."""

    max_bytes: Annotated[int, Field(ge=_MIB)] = 2048 * _MIB
    """Hard cap on the bytes of all segments, of the quarantine and of the ledger; 2 GiB holds 72 h of 100 points a
    second with room to spare. The log of safety and CCP events is no buffer and has a bound of its own, 80 MiB; so have
    destinations."""
    min_free_bytes: Annotated[int, Field(ge=0)] = 64 * _MIB
    """Bytes of the file system that are left free for others."""
    segment_bytes: Annotated[int, Field(ge=64 << 10, le=32 * _MIB)] = 4 * _MIB
    """Size at which a new segment is begun; dropping and deleting works on whole segments, and a start reads the last
    one whole."""
    commit_s: Annotated[float, Field(gt=0, le=60)] = 0.5
    """Longest time until a point is on disk; a disk whose `fdatasync` takes over a twentieth of it adds the rest."""
    commit_bytes: Annotated[int, Field(ge=1)] = 256 << 10
    """Bytes at which a commit does not wait any longer."""
    at_cap: Literal["drop_oldest", "reject_new"] = "drop_oldest"
    """What to give up at the cap: the oldest records, or the newest (sources then wait)."""
