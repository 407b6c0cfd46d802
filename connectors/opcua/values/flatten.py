"""A tree of values as the parts of a tag, or as one JSON text. Pure."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, Literal

import numpy as np
import orjson
from numpy.typing import NDArray

from connectors.opcua.columnar.layouts import objects
from connectors.opcua.values.definitions import Types
from connectors.opcua.values.variants import BAD_LIMITS_EXCEEDED, Leaf, Many, Node, Numbers
from pipelines.point import BAD, SEVERITY_MASK, UNCERTAIN
from pipelines.settings import RESERVED_ENDINGS

Arrays = Literal["elements", "json"]
_UNSAFE: Final = re.compile(r"[^\w.\-]", re.UNICODE)
TEXT_SUFFIX: Final = "_text"
LONGEST_JSON: Final = 65_535
"""Bytes; InfluxDB 1.x and 2.x take no longer text in a field."""


@dataclass(slots=True)
class Rows:
    """Parts of one dtype: parallel lists of suffixes, values and StatusCodes."""

    suffix: list[str] = field(default_factory=list)
    value: list[NDArray[Any]] = field(default_factory=list)
    status: list[NDArray[np.uint32]] = field(default_factory=list)


class Parts:
    """The parts of one value by dtype.

    Args:
        types: texts of enumerations.
        arrays: whether an array becomes a part for each element or one JSON text.
    """

    def __init__(self, types: Types, arrays: Arrays) -> None:
        self.rows: dict[str, Rows] = {}
        self._types = types
        self._arrays = arrays
        self._taken: set[str] = set()

    def add(self, node: Node, suffix: str = "") -> None:
        """Take `node` under `suffix`."""
        if isinstance(node, dict):
            for name, one in node.items():
                self.add(one, f"{suffix}_{_UNSAFE.sub('_', name)}")
        elif isinstance(node, Leaf):
            self._leaf(node, suffix)
        elif self._arrays == "json":
            self._leaf(json_of(node), suffix)
        elif isinstance(node, Many):
            for place, one in zip(_places(node.shape), node.items, strict=True):
                self.add(one, f"{suffix}{place}")
        else:
            self._numbers(node, suffix)

    def _numbers(self, node: Numbers, suffix: str) -> None:
        places = _places(node.shape)
        names = places if not suffix else tuple(f"{suffix}{place}" for place in places)
        self._put(node.values.dtype.name, names, node.values, np.zeros(len(names), np.uint32))
        if node.enumeration:
            for name, number in zip(names, node.values.tolist(), strict=True):
                self._text(node.enumeration, number, f"{name}{TEXT_SUFFIX}", 0)

    def _leaf(self, leaf: Leaf, suffix: str) -> None:
        value = objects([leaf.value]) if leaf.kind == "object" else np.array([leaf.value], leaf.kind)
        self._put(leaf.kind, (suffix,), value, np.array([leaf.status], np.uint32))
        if leaf.enumeration:
            self._text(leaf.enumeration, leaf.value, f"{suffix}{TEXT_SUFFIX}", leaf.status)

    def _text(self, enumeration: str, number: int, suffix: str, status: int) -> None:
        text, own = text_of(self._types, enumeration, number, status)
        self._put("object", (suffix,), objects([text]), np.array([own], np.uint32))

    def _put(self, kind: str, suffix: tuple[str, ...], value: NDArray[Any], status: NDArray[np.uint32]) -> None:
        rows = self.rows.setdefault(kind, Rows())
        rows.suffix += [self._free(one) for one in suffix]
        rows.value.append(value)
        rows.status.append(status)

    def _free(self, suffix: str) -> str:
        """A name that nothing else has, be it another field or the tag's own quality."""
        while suffix in self._taken or suffix.endswith(RESERVED_ENDINGS):
            suffix += "_"
        self._taken.add(suffix)
        return suffix


def text_of(types: Types, enumeration: str, number: int, status: int) -> tuple[str, int]:
    """The text of an enumeration's number and its StatusCode: a number without a text is Uncertain."""
    text = types.texts(enumeration).get(number)
    if text is None:
        return "", status if status & SEVERITY_MASK else status | UNCERTAIN
    return text, status


@lru_cache(maxsize=256)
def _places(shape: tuple[int, ...]) -> tuple[str, ...]:
    """`_0`, `_1`, … or `_0_0`, `_0_1`, …, row by row."""
    return tuple("".join(f"_{at}" for at in place) for place in itertools.product(*(range(one) for one in shape)))


def json_of(node: Node) -> Leaf:
    """One JSON text; numbers that JSON has not are texts (OPC 10000-6 §5.4.2.4), bad values are null.

    A text longer than `LONGEST_JSON` is refused.
    """
    text = orjson.dumps(_plain(node))
    if len(text) > LONGEST_JSON:
        return Leaf("object", "", BAD_LIMITS_EXCEEDED)
    return Leaf("object", text.decode())


def _plain(node: Node) -> Any:
    if isinstance(node, dict):
        return {name: _plain(one) for name, one in node.items()}
    if isinstance(node, Leaf):
        return None if node.status & SEVERITY_MASK == BAD else _number(node.value)
    flat = map(_number, node.values.tolist()) if isinstance(node, Numbers) else map(_plain, node.items)
    return _nested(iter(flat), node.shape)


def _nested(flat: Iterator[Any], shape: tuple[int, ...]) -> list[Any]:
    if len(shape) == 1:
        return list(itertools.islice(flat, shape[0]))
    return [_nested(flat, shape[1:]) for _ in range(shape[0])]


def _number(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value
