"""Raw scans to stored readings: scale, offset, range to quality, types pinned, deadband.

Pure but for the memory of what each tag last stored; columns in, columns out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipelines.point import BAD, BAD_OUT_OF_RANGE, BAD_TYPE_MISMATCH, SEVERITY_MASK, Scan
from pipelines.settings import TagSettings

_KIND: Final = {"f": "float", "i": "int", "u": "int", "b": "bool", "O": "string"}
_INT64_MAX: Final = 2**63 - 1


def _factor(scale: float) -> tuple[float, float]:
    """(multiplier, divisor) of a scale: 10⁻ⁿ divides by 10ⁿ, since raw × 0.1 and raw / 10 differ in the last digit."""
    power = round(-math.log10(abs(scale)))
    if power > 0 and scale == float(f"{math.copysign(1, scale):.0f}e-{power}"):
        return math.copysign(1.0, scale), 10.0**power
    return scale, 1.0


class Normalizer:
    """Scaling, range, type and deadband of one connection's tags.

    Args:
        tags: the connection's tag table.
        kinds: type pinned per tag by an earlier process: `float`, `int`, `bool`, `string`.

    Attributes:
        kinds: type pinned per tag name.
        suppressed: readings held back by a deadband since the start.
        mismatched: rows whose last usable reading was of another type: (its type, the pinned one).
    """

    def __init__(self, tags: Sequence[TagSettings], kinds: dict[str, str] | None = None) -> None:
        self.kinds = dict(kinds or {})
        self.suppressed = 0
        self.mismatched: dict[int, tuple[str, str]] = {}
        self._tags: list[TagSettings] = []
        self._last = np.empty(0)
        self._last_status = np.empty(0, dtype=np.uint32)
        self.extend(tags)

    def extend(self, tags: Sequence[TagSettings]) -> None:
        """More rows behind the known ones."""
        new = len(tags)
        self._tags += tags
        tags = self._tags
        self._keys = [f"{tag.machine or ''}/{tag.name}" for tag in tags]
        self._multiplier = np.array([_factor(tag.scale)[0] for tag in tags], dtype=np.float64)
        self._divisor = np.array([_factor(tag.scale)[1] for tag in tags], dtype=np.float64)
        self._offset = np.array([tag.offset for tag in tags], dtype=np.float64)
        self._scaled = np.array([tag.scale != 1 or tag.offset != 0 for tag in tags], dtype=bool)
        self._low = np.array([tag.range.low if tag.range else -math.inf for tag in tags], dtype=np.float64)
        self._high = np.array([tag.range.high if tag.range else math.inf for tag in tags], dtype=np.float64)
        self._deadband = np.array([_deadband(tag) for tag in tags], dtype=np.float64)
        self._has_deadband = bool((self._deadband > 0).any())
        self._any_scaled = bool(self._scaled.any())
        self._text = np.array([tag.store_as == "string" for tag in tags], dtype=bool)
        self._any_text = bool(self._text.any())
        self._any_ranged = any(tag.range is not None for tag in tags)
        self._last = np.append(self._last, np.full(new, math.nan))
        self._last_status = np.append(self._last_status, np.full(new, 0xFFFF_FFFF, dtype=np.uint32))
        self._kind = [self.kinds.get(key, "") for key in self._keys]
        self._pinned: dict[str, NDArray[np.bool_]] = {}

    def normalize(self, scan: Scan, *, historical: bool = False, known_from_ns: int = 0) -> list[Scan]:
        """The readings as they are stored; a reading never disappears here but for its tag's deadband.

        Args:
            scan: raw readings.
            historical: they lie before what was stored last: no deadband holds.
            known_from_ns: of readings before this time, ns since 1970 UTC, it is not known what was stored: no deadband
                holds them back.
        """
        return self.kept(self.typed(scan), historical=historical, known_from_ns=known_from_ns)

    def kept(self, scans: list[Scan], *, historical: bool, known_from_ns: int) -> list[Scan]:
        """What deadbands leave of `typed` readings; see `normalize`."""
        if self._has_deadband and not historical:
            return [kept for one in scans if len(kept := self._apply_deadband(one, known_from_ns))]
        return scans

    def typed(self, scan: Scan) -> list[Scan]:
        """The readings scaled, judged and of their tags' types, before any deadband."""
        if not len(scan):
            return []
        if self._any_text and scan.value.dtype.kind != "O":
            text = self._text[scan.tag]
            if text.all():
                return self._finish(_as_text(scan))
            if text.any():
                return self._finish(_as_text(scan.take(text))) + self._numbers(scan.take(~text))
        return self._numbers(scan)

    def _numbers(self, scan: Scan) -> list[Scan]:
        if self._any_scaled and scan.value.dtype.kind in "fiu":
            scaled = self._scaled[scan.tag]
            if scaled.all():
                return self._finish(self._scale(scan))
            if scaled.any():
                return self._finish(self._scale(scan.take(scaled))) + self._finish(scan.take(~scaled))
        return self._finish(scan)

    def is_text(self, tag: int) -> bool:
        """Whether this tag is stored as text."""
        return self._kind[tag] == "string"

    def forget_deadband(self, tags: NDArray[np.int32]) -> None:
        """The next reading of these tags is stored, however small its change (after a gap)."""
        self._last_status[tags] = 0xFFFF_FFFF

    def _scale(self, scan: Scan) -> Scan:
        tag = scan.tag
        value = scan.value.astype(np.float64) * self._multiplier[tag] / self._divisor[tag] + self._offset[tag]
        return Scan(tag, scan.time_ns, value, scan.status)

    def _finish(self, scan: Scan) -> list[Scan]:
        value, status = scan.value, scan.status
        bad = np.zeros(len(scan), dtype=bool)
        if value.dtype.kind == "f":
            bad |= ~np.isfinite(value)
        elif value.dtype.kind == "u":
            bad |= value > _INT64_MAX
            value = value.astype(np.int64)
        if self._any_ranged and value.dtype.kind in "fi":
            bad |= (value < self._low[scan.tag]) | (value > self._high[scan.tag])
        if bad.any():
            status = np.where(bad & (status & SEVERITY_MASK != BAD), np.uint32(BAD_OUT_OF_RANGE), status)
        return self._pin(Scan(scan.tag, scan.time_ns, value, status))

    def _pin(self, scan: Scan) -> list[Scan]:
        """Hold every tag to the type it was first stored with; integers may become the float they were pinned as."""
        kind = _KIND[scan.value.dtype.kind]
        fits = self._pinned.setdefault(kind, np.zeros(len(self._tags), dtype=bool))
        known = fits[scan.tag]
        if not known.all():
            self._learn(scan.take(~known), kind)
            known = fits[scan.tag]
        if self.mismatched:
            self._fitting(scan.tag[known])
        if known.all():
            return [scan]
        rest = scan.take(~known)
        bad = rest.status & SEVERITY_MASK == BAD
        if kind == "int":
            exact = np.array([self._kind[tag] == "float" for tag in rest.tag]) & (np.abs(rest.value) <= 2**53)
            floats = Scan(rest.tag, rest.time_ns, rest.value.astype(np.float64), rest.status).take(exact & ~bad)
        else:
            exact = np.zeros(len(rest), dtype=bool)
            floats = rest.take(exact)
        if self.mismatched:
            self._fitting(floats.tag)
        self.mismatched |= {tag: (kind, self._kind[tag]) for tag in rest.tag[~exact & ~bad].tolist()}
        others = rest.take(~exact | bad)
        mismatch = np.where(others.status & SEVERITY_MASK == BAD, others.status, np.uint32(BAD_TYPE_MISMATCH))
        parts = [scan.take(known), floats, Scan(others.tag, others.time_ns, others.value, mismatch)]
        return [part for part in parts if len(part)]

    def _learn(self, scan: Scan, kind: str) -> None:
        for tag in set(scan.tag[scan.status & SEVERITY_MASK != BAD].tolist()):
            if not self._kind[tag]:
                self._kind[tag] = kind
                self.kinds[self._keys[tag]] = kind
            if self._kind[tag] == kind:
                self._pinned[kind][tag] = True

    def _fitting(self, tags: NDArray[np.int32]) -> None:
        """These tags have their type again."""
        for tag in self.mismatched.keys() & set(tags.tolist()):
            del self.mismatched[tag]

    def _apply_deadband(self, scan: Scan, known_from_ns: int) -> Scan:
        band = self._deadband[scan.tag]
        if scan.value.dtype.kind not in "fi" or not (band > 0).any():
            return scan
        tag, value = scan.tag, scan.value.astype(np.float64)
        keep = band <= 0
        if known_from_ns:
            keep |= scan.time_ns < known_from_ns
        if len(np.unique(tag)) == len(tag):
            good = scan.status & SEVERITY_MASK != BAD
            change = ~(np.abs(value - self._last[tag]) < band)
            keep |= (good & change) | (scan.status != self._last_status[tag])
            self._last[tag[keep & good]] = value[keep & good]
            self._last_status[tag[keep]] = scan.status[keep]
        else:
            self._one_by_one(scan, value, band, keep)
        self.suppressed += int(len(keep) - keep.sum())
        return scan if keep.all() else scan.take(keep)

    def _one_by_one(self, scan: Scan, value: NDArray[Any], band: NDArray[Any], keep: NDArray[np.bool_]) -> None:
        """Several readings of one tag: each is compared with the one stored before it."""
        for index in np.flatnonzero(band > 0).tolist():
            tag, status = scan.tag[index], scan.status[index]
            good = status & SEVERITY_MASK != BAD
            moved = good and not abs(value[index] - self._last[tag]) < band[index]
            if keep[index] or moved or status != self._last_status[tag]:
                keep[index] = True
                self._last_status[tag] = status
                if good:
                    self._last[tag] = value[index]


def _as_text(scan: Scan) -> Scan:
    """The same readings as text: all digits of an integer, the shortest exact form of a float, `true` and `false`."""
    value: NDArray[Any] = np.empty(len(scan), dtype=object)
    status = scan.status
    if scan.value.dtype.kind == "b":
        value[:] = ["true" if one else "false" for one in scan.value.tolist()]
    else:
        value[:] = [repr(one) for one in scan.value.tolist()]
    if scan.value.dtype.kind == "f":
        bad = ~np.isfinite(scan.value) & (status & SEVERITY_MASK != BAD)
        status = np.where(bad, np.uint32(BAD_OUT_OF_RANGE), status)
    return Scan(scan.tag, scan.time_ns, value, status)


def _deadband(tag: TagSettings) -> float:
    if tag.deadband is None:
        return 0.0
    if tag.deadband.type == "absolute":
        return tag.deadband.value
    if tag.range is None:
        return 0.0  # of a range that only the device knows, which applies it
    return tag.deadband.value / 100 * (tag.range.high - tag.range.low)
