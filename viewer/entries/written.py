"""An entry as it was taken: who, when, by which way; and as a point of the store and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from pipelines.encode.line import line
from pipelines.lines import Lines
from pipelines.place import Place
from viewer.entries.kinds import KINDS
from viewer.entries.model import Entry

Source = Literal["web", "csv", "mqtt"]
_MOMENTS: Final = ("start", "end", "confirmed", "due", "shipped")
_TEXTS: Final = ("reason", "product", "order", "lot", "customer", "note", "author")


@dataclass(frozen=True, slots=True)
class Written:
    """One entry of one site.

    Attributes:
        entry: what was said.
        company: of the site.
        site: it is about.
        time_ns: time of its point, ns since 1970 UTC: when it was entered, moved on by 1 ns where another entry of the
            desk has that time.
        entered_ns: when it was entered.
        source: how it came in.
    """

    entry: Entry
    company: str
    site: str
    time_ns: int
    entered_ns: int
    source: Source

    @property
    def id(self) -> str:
        """Id of the entry."""
        return self.entry.id

    @property
    def replaces(self) -> str | None:
        """Id of the entry that it corrects."""
        return self.entry.replaces


def lines_of(written: Written) -> Lines:
    """The point of an entry.

    Its time is that of the entering: what is entered late, or ahead, is neither too old for a store nor in its future.
    """
    entry = written.entry
    kind = KINDS[entry.kind]
    place = Place(kind.measurement, written.company, written.site, entry.line or "", entry.machine or "")
    fields: dict[str, object] = {"id": entry.id}
    fields |= {f"{name}_ns": at_ns for name in _MOMENTS if (at_ns := getattr(entry, name)) is not None}
    fields |= {name: float(number) for name in ("value", "of") if (number := getattr(entry, name)) is not None}
    fields |= {name: text for name in _TEXTS if (text := getattr(entry, name))}
    fields |= {"entered_ns": written.entered_ns, "source": written.source}
    if entry.replaces:
        fields["replaces"] = entry.replaces
    fields["withdrawn"] = entry.withdrawn
    body = line(place.series(extra=(("kind", entry.kind),)), fields, written.time_ns)
    return Lines(body, 1, (written.time_ns, written.time_ns), {})


def written_of(tags: Mapping[str, str], time_ns: int, fields: Mapping[str, Any]) -> Written:
    """What `lines_of` wrote, from a store.

    Args:
        tags: of its series, `company` and `kind` among them.
        time_ns: of its point.
        fields: of its point.

    Raises:
        ValueError: it is no point of ours, such as one of a later version.
    """
    said: dict[str, Any] = {"kind": tags.get("kind"), "line": tags.get("line") or None}
    said["machine"] = tags.get("machine") or None
    known = {name: value for name, value in fields.items() if value is not None}
    said |= {name: int(known[f"{name}_ns"]) for name in _MOMENTS if f"{name}_ns" in known}
    said |= {name: known[name] for name in ("id", "value", "of", "replaces", "withdrawn", *_TEXTS) if name in known}
    entry = Entry.model_construct(**said)
    if entry.kind not in KINDS or not {"id", "author"} <= known.keys():
        msg = f"no entry: {said}"
        raise ValueError(msg)
    entered_ns, source = int(known.get("entered_ns", time_ns)), known.get("source", "web")
    return Written(entry, tags.get("company", ""), tags.get("site", ""), time_ns, entered_ns, source)
