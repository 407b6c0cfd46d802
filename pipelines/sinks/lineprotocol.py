"""The one parser of InfluxDB line protocol: strict, by columns, with the escaping rules of InfluxDB 1.x and 2.x.

Rules: "Line protocol", InfluxDB documentation, and `models/points.go` of InfluxDB 1.6. A backslash escapes a comma,
an equals sign or a space in names, a quote or a backslash in strings, and is itself anywhere else. Stricter than
InfluxDB in three places: every line has a time, unsigned integers are refused, and a field keeps its type in a body.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn

import numpy as np

from pipelines.errors import RecordRejected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

Kind = Literal["float", "int", "bool", "string"]
Tags = tuple[tuple[str, str], ...]

_INT: Final = rb"-?\d{1,19}i"
_FLOAT: Final = rb"-?(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][+-]?\d++)?"
_BOOL: Final = rb"(?:true|True|TRUE|t|T|false|False|FALSE|f|F)"
_STRING: Final = rb'"(?:[^"\\]|\\.)*+"'
_KINDS: Final[tuple[tuple[Kind, bytes], ...]] = (
    ("int", _INT),
    ("float", _FLOAT),
    ("bool", _BOOL),
    ("string", _STRING),
)
_VALUE: Final = {kind: re.compile(text, re.DOTALL) for kind, text in _KINDS}
_COLUMN: Final = {kind: re.compile(text + rb"(?:," + text + rb")*+", re.DOTALL) for kind, text in _KINDS}

_KEY: Final = rb"(?:[^,= \\\n]|\\++[^\\\n])++"
_PAIR: Final = re.compile(rb"(" + _KEY + rb")=(" + _STRING + rb'|[^,=" \\\n]++)(?:,|\Z)', re.DOTALL)
_FIELDS: Final = rb"(?:" + _KEY + rb"=(?:" + _STRING + rb'|[^,=" \\\n]++)(?:,(?!\s)|(?= )))++'
_LINE: Final = re.compile(
    rb"((?:[^ \\\n]|\\++[^\\\n])++) ++(" + _FIELDS + rb") ++(-?\d{1,19}) *+\r?(?=\n|\Z)", re.DOTALL
)
_LOOSE: Final = re.compile(rb"[^ ]+ +[^ ]+ *+\r?\Z")
_TAG: Final = re.compile(rb",(" + _KEY + rb")=(" + _KEY + rb")")
_MEASUREMENT: Final = re.compile(rb"(?:[^, \\\n]|\\++[^\\\n])++")
_ESCAPED: Final = re.compile(rb"\\([,= ])")
_ESCAPED_IN_STRING: Final = re.compile(rb'\\(["\\])')
_TIME_LIMIT_NS: Final = 2**63 - 1
_SHOWN_BYTES: Final = 60


@dataclass(frozen=True, slots=True)
class Column:
    """Every value a body holds of one field of one series, in the order of the lines.

    Attributes:
        measurement: unescaped.
        tags: (key, value) pairs sorted by key, unescaped.
        field: unescaped.
        kind: the field's type.
        time_ns: ns since 1970 UTC, int64, shape (n,).
        value: float64, int64, bool or object (str), shape (n,).
        line: 1-based line of each value, int32, shape (n,).
    """

    measurement: str
    tags: Tags
    field: str
    kind: Kind
    time_ns: NDArray[np.int64]
    value: NDArray[Any]
    line: NDArray[np.int32]


class _Raw:
    """What the lines say about one field of one series, not yet converted."""

    __slots__ = ("texts", "where")

    def __init__(self) -> None:
        self.texts: list[bytes] = []
        self.where: list[int] = []


_Fields = dict[bytes, _Raw]


def _shown(text: bytes) -> str:
    cut = text[:_SHOWN_BYTES].decode(errors="replace")
    return repr(cut) + ("…" if len(text) > _SHOWN_BYTES else "")


class _Parser:
    def __init__(self, sink: str) -> None:
        self.sink = sink
        self.spelled: dict[bytes, _Fields] = {}
        self.series: dict[tuple[str, Tags], _Fields] = {}
        self.times: list[int] = []
        self.lines: list[int] = []

    def fail(self, line: int, reason: str) -> NoReturn:
        raise RecordRejected(self.sink, f"line {line}: {reason}")

    def read(self, body: bytes) -> None:
        position, line, end = 0, 0, len(body)
        while position < end:
            line += 1
            stop = body.find(b"\n", position)
            if stop < 0:
                stop = end
            text = body[position:stop]
            if b'"' in text or b"\\" in text:
                matched = _LINE.match(body, position)
                if matched is None and not self.empty(text):
                    self.explain(line, text)
                if matched is not None:
                    self.add(line, matched[1], _PAIR.findall(matched[2]), matched[3])
                    stop = matched.end()
                    line += matched[0].count(b"\n")
            else:
                parts = text.split(b" ")
                if len(parts) == 3:  # noqa: PLR2004 - series, fields, time
                    pairs = [pair.split(b"=", 1) for pair in parts[1].split(b",")]
                    self.add(line, parts[0], pairs, parts[2].rstrip(b"\r"))
                elif not self.empty(text):
                    matched = _LINE.match(text)
                    if matched is None:
                        self.explain(line, text)
                    self.add(line, matched[1], _PAIR.findall(matched[2]), matched[3])
            position = stop + 1

    @staticmethod
    def empty(text: bytes) -> bool:
        return not text.strip() or text.startswith(b"#")

    def explain(self, line: int, text: bytes) -> NoReturn:
        if _LOOSE.match(text):
            self.fail(line, f"has no time; every line ends with a time in ns: {_shown(text)}")
        self.fail(line, f"is not 'measurement[,tag=value…] field=value[,…] time': {_shown(text)}")

    def add(self, line: int, spelled: bytes, pairs: Any, time: bytes) -> None:
        fields = self.spelled.get(spelled)
        if fields is None:
            fields = self.spelled[spelled] = self.series.setdefault(self.name_of(line, spelled), {})
        try:
            time_ns = int(time)
        except ValueError:
            time_ns = _TIME_LIMIT_NS
        if not -_TIME_LIMIT_NS < time_ns < _TIME_LIMIT_NS or b"_" in time or b"+" in time:
            self.fail(line, f"{_shown(time)} is not a time in ns")
        where = len(self.times)
        self.times.append(time_ns)
        self.lines.append(line)
        try:
            for key, text in pairs:
                raw = fields.get(key)
                if raw is None:
                    raw = fields[key] = _Raw()
                raw.texts.append(text)
                raw.where.append(where)
        except ValueError:
            self.fail(line, "a field is not key=value")

    def name_of(self, line: int, spelled: bytes) -> tuple[str, Tags]:
        start = _MEASUREMENT.match(spelled)
        if start is None:
            self.fail(line, f"has no measurement: {_shown(spelled)}")
        tags: dict[str, str] = {}
        position = start.end()
        while position < len(spelled):
            tag = _TAG.match(spelled, position)
            if tag is None:
                self.fail(line, f"a tag is not key=value: {_shown(spelled[position:])}")
            key = self.text_of(line, _ESCAPED.sub(rb"\1", tag[1]))
            if key in tags:
                self.fail(line, f"tag {key!r} is there twice")
            tags[key] = self.text_of(line, _ESCAPED.sub(rb"\1", tag[2]))
            position = tag.end()
        return self.text_of(line, _ESCAPED.sub(rb"\1", start[0])), tuple(sorted(tags.items()))

    def text_of(self, line: int, text: bytes) -> str:
        try:
            return text.decode()
        except UnicodeDecodeError:
            self.fail(line, f"{_shown(text)} is not UTF-8")

    def columns(self) -> Iterator[Column]:
        times = np.array(self.times, dtype=np.int64)
        lines = np.array(self.lines, dtype=np.int32)
        for (measurement, tags), fields in self.series.items():
            for key, raw in fields.items():
                line = lines[raw.where]
                field = self.field_of(int(line[0]), key)
                kind = self.kind_of(field, raw.texts, line)
                value = self.convert(field, kind, raw.texts, line)
                yield Column(measurement, tags, field, kind, times[raw.where], value, line)

    def field_of(self, line: int, key: bytes) -> str:
        if not re.fullmatch(_KEY, key):
            self.fail(line, f"a field has no proper name: {_shown(key)}")
        return self.text_of(line, _ESCAPED.sub(rb"\1", key))

    def kind_of(self, field: str, texts: list[bytes], line: NDArray[np.int32]) -> Kind:
        joined = b",".join(texts)
        for kind, pattern in _COLUMN.items():
            if pattern.fullmatch(joined):
                return kind
        first: Kind | None = None
        for at, text in zip(line.tolist(), texts, strict=True):
            kind_here = next((kind for kind, pattern in _VALUE.items() if pattern.fullmatch(text)), None)
            if kind_here is None:
                unsigned = re.fullmatch(rb"\d+u", text)
                hint = "; unsigned integers are not stored, write an i" if unsigned else ""
                self.fail(at, f"field {field!r}: {_shown(text)} is no value{hint}")
            if first is not None and kind_here != first:
                self.fail(at, f"field {field!r} is {kind_here} here, but {first} in line {int(line[0])}")
            first = kind_here
        msg = "a column that fits no type has a value that fits none"  # pragma: no cover
        raise AssertionError(msg)  # pragma: no cover

    def convert(self, field: str, kind: Kind, texts: list[bytes], line: NDArray[np.int32]) -> NDArray[Any]:
        if kind == "float":
            numbers = np.array(list(map(float, texts)), dtype=np.float64)
            wrong = np.flatnonzero(~np.isfinite(numbers))
            if len(wrong):
                self.fail(int(line[wrong[0]]), f"field {field!r}: {_shown(texts[wrong[0]])} is beyond a 64-bit float")
            return numbers
        if kind == "int":
            whole = list(map(int, b",".join(texts).replace(b"i", b"").split(b",")))
            try:
                return np.array(whole, dtype=np.int64)
            except OverflowError:
                at = next(i for i, number in enumerate(whole) if not -(2**63) <= number < 2**63)
                self.fail(int(line[at]), f"field {field!r}: {_shown(texts[at])} is beyond a 64-bit integer")
        if kind == "bool":
            return np.array([text[:1] in b"tT" for text in texts], dtype=np.bool_)
        strings = np.empty(len(texts), dtype=object)
        unescape: Callable[[bytes], bytes] = lambda text: _ESCAPED_IN_STRING.sub(rb"\1", text[1:-1])  # noqa: E731
        strings[:] = [self.text_of(at, unescape(text)) for at, text in zip(line.tolist(), texts, strict=True)]
        return strings


def parse(body: bytes, sink: str = "line protocol") -> list[Column]:
    """The columns a body of line protocol holds, by first appearance.

    Args:
        body: line protocol, times in ns; blank lines and comments (`#`) are passed over.
        sink: name for the error.

    Raises:
        RecordRejected: names the first line found wrong and what is wrong with it.
    """
    parser = _Parser(sink)
    parser.read(body)
    return list(parser.columns())
