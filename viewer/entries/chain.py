"""Which entries count: corrections are appended, and of a chain of them the newest counts. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from viewer.entries.written import Written


def chains(entries: Iterable[Written]) -> list[list[Written]]:
    """Entries that correct each other, oldest first in each chain; chains in the order of their oldest.

    An entry that came twice is in it once. What corrects an entry that is not among these begins a chain with all
    others that correct it.
    """
    by_id: dict[str, Written] = {}
    for one in sorted(entries, key=_age):
        by_id.setdefault(one.id, one)
    roots: dict[str, str] = {}

    def root(name: str) -> str:
        while roots.setdefault(name, name) != name:
            name = roots[name]
        return name

    for one in by_id.values():
        if one.replaces:
            roots[root(one.id)] = root(one.replaces)
    found: dict[str, list[Written]] = {}
    for one in by_id.values():
        found.setdefault(root(one.id), []).append(one)
    return list(found.values())


def newest(chain: list[Written]) -> Written:
    """The one that counts: the one entered last.

    A correction was entered after what it corrects, whatever a clock says that was set back in between.
    """
    by_id = {one.id: one for one in chain}
    return max(chain, key=lambda one: (max(_times(one, by_id)), one.id))


def _times(one: Written, by_id: Mapping[str, Written]) -> Iterator[int]:
    """When it was entered at the earliest, by its own time and those of all that it goes back to."""
    seen: set[str] = set()
    at: Written | None = one
    while at is not None and at.id not in seen:
        yield at.time_ns + len(seen)
        seen.add(at.id)
        at = by_id.get(at.replaces or "")


def counting(entries: Iterable[Written]) -> list[Written]:
    """What counts, oldest first; what was withdrawn does not."""
    last = [newest(chain) for chain in chains(entries)]
    return sorted((one for one in last if not one.entry.withdrawn), key=_age)


def _age(one: Written) -> tuple[int, str]:
    return one.time_ns, one.id
