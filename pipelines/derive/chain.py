"""The hash-chained log of safety and CCP events: each entry holds the hash of the one before.

An entry is a JSON object of texts and one whole number, `seq`, written canonically: keys sorted, no spaces, UTF-8; with
texts only, that is what RFC 8785 asks for. Its `hash` is the SHA-256 of that form without `hash` itself; its `prev` is
the hash of the entry before, 64 zeros for the first. Whoever alters, removes or moves an entry breaks the chain there;
whoever writes all of it anew gets another last hash than the records `event_log` in the store have.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

FIRST_PREV: Final = "0" * 64
"""What the first entry holds as the hash before it."""
MOST_UNWRITTEN: Final = 200
"""Entries that wait for a disk that takes nothing; they go with each record, and older ones are among the records."""
_SORTED: Final = orjson.OPT_SORT_KEYS


@dataclass(frozen=True, slots=True)
class Head:
    """The last entry of a chain.

    Attributes:
        seq: its number; 0 = there is none.
        hash: its hash.
    """

    seq: int = 0
    hash: str = FIRST_PREV


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry.

    Attributes:
        seq: its number, from 1.
        prev: hash of the entry before.
        hash: its own.
        said: what happened: texts by name.
    """

    seq: int
    prev: str
    hash: str
    said: Mapping[str, str]

    @property
    def head(self) -> Head:
        """A chain that ends here."""
        return Head(self.seq, self.hash)

    def canonical(self) -> bytes:
        """What is hashed."""
        return orjson.dumps({**self.said, "seq": self.seq, "prev": self.prev}, option=_SORTED)

    def line(self) -> bytes:
        """What is written: the same with its hash, and a newline."""
        whole = {**self.said, "seq": self.seq, "prev": self.prev, "hash": self.hash}
        return orjson.dumps(whole, option=_SORTED) + b"\n"


def entry_after(head: Head, said: Mapping[str, str]) -> Entry:
    """The next entry of a chain; `said` has no `seq`, `prev` or `hash`."""
    bare = Entry(head.seq + 1, head.hash, "", dict(said))
    return Entry(bare.seq, bare.prev, hashlib.sha256(bare.canonical()).hexdigest(), bare.said)


def read_entry(line: bytes) -> Entry | None:
    """The entry of a line, newline included; None when it is no entry, or not as it was written."""
    try:
        said = orjson.loads(line)
        entry = Entry(said.pop("seq"), said.pop("prev"), said.pop("hash"), said)
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError):
        return None
    if not isinstance(entry.seq, int) or entry.line() != line:
        return None
    return entry if entry_after(Head(entry.seq - 1, entry.prev), said).hash == entry.hash else None


def told_entry(canonical: str, claimed: str) -> Entry | None:
    """The entry of a point of `event_log`; None when what is hashed and the hash do not belong together.

    Args:
        canonical: what `Entry.canonical` gave.
        claimed: its hash.
    """
    try:
        said = orjson.loads(canonical)
        entry = Entry(said.pop("seq"), said.pop("prev"), claimed, said)
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError):
        return None
    if not isinstance(entry.seq, int) or entry.canonical() != canonical.encode():
        return None
    return entry if hashlib.sha256(entry.canonical()).hexdigest() == claimed else None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a chain is whole.

    Attributes:
        entries: how many there are before the first break.
        first: number of the first entry; 0 = there is none.
        head: the last entry before the first break.
        broken: where it breaks and how; empty = it is whole.
        torn: whether an unfinished line stands behind the last entry, as a power cut leaves it.
    """

    entries: int
    first: int
    head: Head
    broken: str = ""
    torn: bool = False


def verify(lines: Iterable[tuple[str, bytes]], first: int, last: Head) -> Verdict:
    """Walk a chain.

    Args:
        lines: (where it stands, the line with its newline), in order.
        first: number its first entry must have; older ones were rotated away.
        last: the entry it must hold at least, which was the last when it was written.
    """
    found, head, begin = 0, Head(), 0
    met = last.seq < first
    for place, line in lines:
        if not line.endswith(b"\n"):
            broken = "" if met else f"{place}: entry {last.seq} is cut off"
            return Verdict(found, begin, head, broken, torn=True)
        if (entry := read_entry(line)) is None:
            return Verdict(found, begin, head, f"{place}: what stands behind entry {head.seq} was altered")
        if not found and entry.seq != first:
            return Verdict(0, 0, head, f"{place}: begins with entry {entry.seq}, not {first}: entries are missing")
        if not found:
            begin, head = entry.seq, Head(entry.seq - 1, entry.prev if entry.seq > 1 else FIRST_PREV)
        if entry.seq != head.seq + 1 or entry.prev != head.hash:
            what = f"entry {entry.seq} does not follow entry {head.seq}: entries were removed, moved or put in"
            return Verdict(found, begin, head, f"{place}: {what}")
        found, head = found + 1, entry.head
        if entry.seq == last.seq:
            met = True
            if entry.hash != last.hash:
                return Verdict(found, begin, head, f"{place}: entry {entry.seq} is another one than was written")
    broken = "" if met else f"the entries after {head.seq} are missing: {last.seq} was written"
    return Verdict(found, begin, head, broken)


class Chain:
    """The chain as the agent goes on with it; what is not in the file yet is kept with the records.

    Attributes:
        head: its last entry.
        unwritten: entries that the file does not hold for good, oldest first, at most `MOST_UNWRITTEN`.
    """

    def __init__(self) -> None:
        self.head = Head()
        self.unwritten: list[Entry] = []
        self._written = 0

    @property
    def filed(self) -> Head:
        """The last entry that the file had for good when this was kept."""
        return Head(self.unwritten[0].seq - 1, self.unwritten[0].prev) if self.unwritten else self.head

    def add(self, said: Mapping[str, str]) -> Entry:
        """The next entry."""
        entry = entry_after(self.head, said)
        self.head = entry.head
        self.unwritten = [*self.unwritten, entry][-MOST_UNWRITTEN:]
        return entry

    def written(self, head: Head) -> None:
        """The file holds everything up to `head`; it may have gone further than what the journal remembers."""
        self._written = head.seq
        self.unwritten = [one for one in self.unwritten if one.seq > head.seq]
        if head.seq > self.head.seq:
            self.head = head

    def kept(self) -> dict[str, Any]:
        """What `restore` needs, for JSON."""
        lines = [one.line().decode() for one in self.unwritten]
        return {"seq": self.head.seq, "hash": self.head.hash, "unwritten": lines}

    def restore(self, kept: Mapping[str, Any]) -> None:
        """Go on where `kept` was taken, unless it is further already."""
        if kept["seq"] >= self.head.seq:
            entries = [read_entry(one.encode()) for one in kept["unwritten"]]
            self.head = Head(kept["seq"], kept["hash"])
            self.unwritten = [one for one in entries if one is not None and one.seq > self._written]
