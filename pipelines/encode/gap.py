"""A gap as a point."""

from __future__ import annotations

from pipelines.encode.line import line
from pipelines.place import Place
from pipelines.point import Gap


def gap_line(place: Place, tag: str, gap: Gap) -> bytes:
    """The point of one gap; a later one with the same tag, cause and start updates it."""
    fields: dict[str, object] = {"filled": gap.filled}
    if gap.end_ns is not None:
        fields["end"] = gap.end_ns
    if gap.count is not None:
        fields["count"] = gap.count
    return line(place.series("gap", (("tag", tag), ("cause", gap.cause))), fields, gap.start_ns)
