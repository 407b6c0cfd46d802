"""Arrays, structures, enumerations and long texts of one link as readings: of the tag itself and of its parts.

Scalars pass through untouched. What a tag's own row says when its value has parts is a short text: `[8]` for an array
of eight elements, `[2,3]` for a matrix, `{5}` for a structure of five fields; it comes when it changes, and after the
tag was bad, so that its quality is told again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from connectors.base import LinkContext
from connectors.opcua.columnar.columns import Columns, RawColumns
from connectors.opcua.columnar.layouts import objects
from connectors.opcua.columnar.scalars import BAD_NO_DATA
from connectors.opcua.config import OpcUaTag
from connectors.opcua.session import link_errors
from connectors.opcua.values.flatten import TEXT_SUFFIX, Parts, Rows, text_of
from connectors.opcua.values.typebook import TypeBook
from connectors.opcua.values.variants import (
    BAD_DECODING_ERROR,
    BAD_LIMITS_EXCEEDED,
    BAD_TYPE_UNKNOWN,
    Decoded,
    Leaf,
    Limits,
    Many,
    Node,
    Numbers,
    decode_variant,
)
from pipelines.point import BAD, BAD_NOT_SUPPORTED, SEVERITY_MASK, status_name

if TYPE_CHECKING:
    from connectors.opcua.identity import Identity
    from connectors.opcua.session import OpcUaSession

VALUE_FAULTS: Final = frozenset({BAD_DECODING_ERROR, BAD_LIMITS_EXCEEDED, BAD_TYPE_UNKNOWN, BAD_NOT_SUPPORTED})
"""Codes of `LinkStats.refused` that are about a value and not about its node: the next good value ends them."""
_MOST_UNKNOWN: Final = 16
"""Types met one after the other inside one value."""
_MOST_UNFIT: Final = 1_000
"""Parts without a name of their own that the log is told of."""


class Values:
    """What one link knows of its tags' values.

    Args:
        session: an open session.
        context: what the link was opened with.
        identity: nodes of the tags.
    """

    def __init__(self, session: OpcUaSession, context: LinkContext, identity: Identity) -> None:
        self._identity = identity
        self._session = session
        self._context = context
        self._tags: tuple[OpcUaTag, ...] = session.settings.tags
        self._book = TypeBook(session)
        self._met = np.zeros(len(self._tags), np.bool_)
        self._enumerations: dict[int, str] = {}
        self._named = np.zeros(len(self._tags), np.bool_)
        self._parted = np.zeros(len(self._tags), np.bool_)
        self._active: dict[int, set[int]] = {}
        self._own: dict[int, str] = {}
        self._refused: set[int] = set()
        self._unfit: set[tuple[int, str]] = set()
        for row, (tag, _) in enumerate(context.parts.since(0), len(self._tags)):
            self._active.setdefault(tag, set()).add(row)
            self._parted[tag] = True

    async def rows(self, tag: NDArray[Any], columns: Columns) -> list[Columns]:
        """The readings that columns stand for; `Columns.handle` of the result is the row of the tag table.

        Args:
            tag: configured tag of each item, integers, shape (n,).
            columns: decoded items.

        Raises:
            LinkError: the link ended.
        """
        if isinstance(columns, RawColumns):
            return await self._structured(tag, columns)
        out = [Columns(tag, columns.time_ns, columns.value, columns.status, columns.timed)]
        if columns.value.dtype == np.int64:
            if not self._met[tag].all():
                await self._meet()
            if self._enumerations:
                out += self._texts(tag, columns)
        if self._active:
            for at in np.flatnonzero(self._parted[tag]).tolist():
                one, status = int(tag[at]), int(columns.status[at])
                if status & SEVERITY_MASK == BAD:
                    self._own.pop(one, None)
                    out += self._spread(one, _only(columns, at), status)
                elif gone := self._without_parts(one, columns.value.dtype.name):
                    out.append(_bad_rows(gone, _only(columns, at), BAD_NO_DATA))
        return out

    def _without_parts(self, tag: int, kind: str) -> list[int]:
        """The value is one number or text now: rows of parts that it had when its type was another."""
        active = self._active[tag]
        text = self._row(tag, TEXT_SUFFIX) if kind == "int64" and tag in self._enumerations else None
        gone = sorted(active - {text})
        if gone:
            self._own.pop(tag, None)
            self._active[tag] = active & {text}
            self._parted[tag] = text in active
        return gone

    async def _meet(self) -> None:
        """Ask for the data types of tags that were not asked for yet."""
        nodes = {tag: node for tag, node in self._identity.nodes.items() if not self._met[tag]}
        self._met[:] = True
        with link_errors(self._session.settings.endpoint):
            found = await self._book.of_nodes(nodes)
        for tag, data_type in found.items():
            if self._book.is_enumeration(data_type):
                self._enumerations[tag] = data_type
                self._named[tag] = True

    def _texts(self, tag: NDArray[Any], columns: Columns) -> list[Columns]:
        """Texts of enumerations' numbers; those of bad readings are told with the other parts."""
        where = np.flatnonzero(self._named[tag] & (columns.status & SEVERITY_MASK != BAD))
        rows, texts, states, kept = [], [], [], []
        for at in where.tolist():
            one = int(tag[at])
            row = self._row(one, TEXT_SUFFIX)
            if row is None:
                continue
            text, status = text_of(
                self._book.types, self._enumerations[one], int(columns.value[at]), int(columns.status[at])
            )
            self._active.setdefault(one, set()).add(row)
            self._parted[one] = True
            rows.append(row)
            texts.append(text)
            states.append(status)
            kept.append(at)
        if not rows:
            return []
        return [
            Columns(
                np.array(rows, np.int64),
                columns.time_ns[kept],
                objects(texts),
                np.array(states, np.uint32),
                columns.timed[kept],
            )
        ]

    async def _structured(self, tag: NDArray[Any], columns: RawColumns) -> list[Columns]:
        out: list[Columns] = []
        for at in range(len(tag)):
            one, raw, status = int(tag[at]), columns.value[at], int(columns.status[at])
            item = _only(columns, at)
            if status & SEVERITY_MASK == BAD:
                found = Decoded(None, status)
            else:
                found = await self._decode(one, raw)
            if found.node is None:
                out += self._bad(one, item, found, given=bool(status & SEVERITY_MASK == BAD))
            else:
                out += self._good(one, item, found.node, status)
        return _merged(out)

    async def _decode(self, tag: int, raw: bytes) -> Decoded:
        """The value, after asking for as many of its types as need be."""
        settings = self._tags[tag]
        limits = Limits(settings.max_elements, settings.max_bytes)
        found = decode_variant(raw, self._book.types, limits)
        for _ in range(_MOST_UNKNOWN):
            if not found.unknown:
                break
            if not self._met[tag]:
                await self._meet()
            with link_errors(self._session.settings.endpoint):
                await self._book.learn_encoding(found.unknown)
            again = decode_variant(raw, self._book.types, limits)
            if again.unknown == found.unknown:
                break
            found = again
        return found

    def _good(self, tag: int, item: Columns, node: Node, status: int) -> list[Columns]:
        self._works(tag)
        if isinstance(node, Leaf):
            value = objects([node.value]) if node.kind == "object" else np.array([node.value], node.kind)
            return [
                Columns(np.array([tag], np.int64), item.time_ns, value, np.array([node.status | status]), item.timed)
            ]
        parts = Parts(self._book.types, self._tags[tag].arrays)
        parts.add(node)
        out = []
        rows: set[int] = set()
        for kind, found in parts.rows.items():
            made = self._columns(tag, found, item, status, kind)
            rows |= set(made.handle.tolist())
            out.append(made)
        whole = tag in rows
        rows.discard(tag)
        gone = self._active.get(tag, set()) - rows
        if rows or tag in self._active:
            self._active[tag] = rows
            self._parted[tag] = True
        if gone:
            out.append(_bad_rows(sorted(gone), item, BAD_NO_DATA))
        if not whole and (self._own.get(tag) != (said := _own_text(node)) or self._tags[tag].stale_after_s):
            self._own[tag] = said
            out.append(
                Columns(
                    np.array([tag], np.int64), item.time_ns, objects([said]), np.array([status], np.uint32), item.timed
                )
            )
        return out

    def _columns(self, tag: int, found: Rows, item: Columns, status: int, kind: str) -> Columns:
        """The parts of one dtype; those whose name another field has are left out, and the log is told."""
        rows = [self._row(tag, suffix) if suffix else tag for suffix in found.suffix]
        value = np.concatenate(found.value) if len(found.value) > 1 else found.value[0]
        states = np.concatenate(found.status) if len(found.status) > 1 else found.status[0]
        kept = [at for at, row in enumerate(rows) if row is not None]
        if len(kept) < len(rows):
            rows, value, states = [rows[at] for at in kept], value[kept], states[kept]
        if status:
            states = np.where(states & SEVERITY_MASK, states, np.uint32(status))
        n = len(rows)
        value = value if value.dtype.name == kind else value.astype(kind)
        return Columns(np.array(rows, np.int64), np.repeat(item.time_ns, n), value, states, np.repeat(item.timed, n))

    def _row(self, tag: int, suffix: str) -> int | None:
        row = self._context.parts.row(tag, suffix)
        if row is None:
            self._context.stats.rejected["part_refused"] += 1
            if (tag, suffix) not in self._unfit and len(self._unfit) < _MOST_UNFIT:
                self._unfit.add((tag, suffix))
                self._context.note("part_refused", tag=self._tags[tag].name, part=self._tags[tag].name + suffix)
        return row

    def _bad(self, tag: int, item: Columns, found: Decoded, *, given: bool) -> list[Columns]:
        """The whole value is bad: the tag says so, and so does every part that had a value."""
        if not given and tag not in self._refused:
            self._refused.add(tag)
            self._context.note(
                "value_refused", tag=self._tags[tag].name, status=status_name(found.status), type=found.unknown
            )
        if not given:
            self._context.stats.refused[tag] = found.status
        self._own.pop(tag, None)
        return [_bad_rows([tag], item, found.status), *self._spread(tag, item, found.status)]

    def _works(self, tag: int) -> None:
        if tag in self._refused:
            self._refused.discard(tag)
            self._context.stats.refused.pop(tag, None)

    def _spread(self, tag: int, item: Columns, status: int) -> list[Columns]:
        rows = sorted(self._active.get(tag, ()))
        return [_bad_rows(rows, item, status)] if rows else []


def _only(columns: Columns, at: int) -> Columns:
    """One item."""
    return columns.take(np.array([at]))


def _bad_rows(rows: list[int], item: Columns, status: int) -> Columns:
    n = len(rows)
    return Columns(
        np.array(rows, np.int64),
        np.repeat(item.time_ns, n),
        np.full(n, np.nan),
        np.full(n, status, np.uint32),
        np.repeat(item.timed, n),
    )


def _own_text(node: Node) -> str:
    if isinstance(node, dict):
        return f"{{{len(node)}}}"
    shape = node.shape if isinstance(node, Numbers | Many) else ()
    return f"[{','.join(map(str, shape))}]"


def _merged(found: list[Columns]) -> list[Columns]:
    """One set of columns for each dtype, so that a message of many small values stays few scans."""
    by_kind: dict[str, list[Columns]] = {}
    for one in found:
        by_kind.setdefault(one.value.dtype.name, []).append(one)
    return [
        several[0]
        if len(several) == 1
        else Columns(
            np.concatenate([one.handle for one in several]),
            np.concatenate([one.time_ns for one in several]),
            np.concatenate([one.value for one in several]),
            np.concatenate([one.status for one in several]),
            np.concatenate([one.timed for one in several]),
        )
        for several in by_kind.values()
    ]
