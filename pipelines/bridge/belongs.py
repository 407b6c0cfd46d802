"""Whether a body may stand in one request with others: every line ends where it seems to, and is its agent's own.

Bodies of several agents go to the store joined by newlines. One that ends inside a quoted string or an escape would
swallow the next one's first line; one with the tags of another company or site would write that one's history.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_SERIES: Final = rb'(?!#)[^\s"\\]*+(?:\\[,= ][^\s"\\]*+)*+'
_KEY: Final = rb'[^\s",=\\]*+(?:\\[,= ][^\s",=\\]*+)*+'
_FIELD: Final = _KEY + rb'=(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"|[^\s",=\\]++)'
_LINES: Final = re.compile(
    rb'(?:#[^"\\\n]*+|('
    + _SERIES
    + rb") "
    + _FIELD
    + rb"(?:,"
    + _FIELD
    + rb")*+(?: -?\d++)?)\r?(?:\n|\Z)|\n++|(.++)",  # what comes after the last line that is one, in one piece
    re.DOTALL,
)
"""InfluxData, "Line protocol", "Elements" and "Special characters", without what its readers disagree about: quotes
outside a field's value, and backslashes before anything but a comma, an equals sign or a space."""
_TAG_END: Final = re.compile(rb"(?<!\\),")
_SHOWN: Final = 120


def fault_of(body: bytes, company: str, site: str) -> str:
    """Why a body is not one its agent may send; empty when each line ends outside quotes and has its topic's tags.

    Args:
        body: line protocol, without the last newline.
        company: tag value every line must have.
        site: tag value every line must have.
    """
    plain = b'"' not in body and b"\\" not in body
    starts, rest = (_plain(body), b"") if plain else _quoted(body)
    if rest:
        shown = rest[:_SHOWN].decode(errors="replace")
        return f"no line protocol, or a quoted string or an escape in it is left open: {shown!r}"
    for series in starts:
        if not series.startswith(b"#") and not _is_own(series, company, site):
            shown = series[:_SHOWN].decode(errors="replace")
            return f"a line without the tags company={company} and site={site} of its topic: {shown!r}"
    return ""


def _plain(body: bytes) -> set[bytes]:
    """What the lines start with, each once; most bodies are of one machine, which needs no object per line."""
    series = body.partition(b" ")[0]
    if body.count(b"\n" + series + b" ") == body.count(b"\n") and b"\n" not in series and body:
        return {series}
    return {line.partition(b" ")[0] for line in body.split(b"\n") if line}


def _quoted(body: bytes) -> tuple[set[bytes], bytes]:
    """What the lines start with, each once, and what comes after the last line that is one."""
    found = set(_LINES.findall(body))
    return {series for series, _ in found} - {b""}, max((rest for _, rest in found), default=b"")


@lru_cache(maxsize=4096)
def _is_own(series: bytes, company: str, site: str) -> bool:
    tags = _TAG_END.split(series)[1:]
    for key, value in ((b"company=", company), (b"site=", site)):
        if [tag for tag in tags if tag.startswith(key)] != [key + value.encode()]:
            return False
    return True
