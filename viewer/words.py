"""How numbers, times, states and qualities are said in one language. Times are Korean Standard Time."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from pipelines.point import SEVERITY_MASK
from pipelines.yaml_text import plain_yaml
from viewer.kpi.words import Text
from viewer.overview import NS, TagView, is_bad
from viewer.stores.base import Value

LANGUAGES: Final = ("ko", "en")
KST: Final = dt.timezone(dt.timedelta(hours=9), "KST")
_FOLDER: Final = Path(__file__).parent / "i18n"
_CODE_BITS: Final = 0xFFFF_0000
_AGES: Final = ((60, 1, "seconds_ago"), (3600, 60, "minutes_ago"), (86_400, 3600, "hours_ago"))
_DAY_S: Final = 86_400
_DIGITS: Final = 4
"""Significant digits of a number of unknown resolution; a float32 has seven."""


def local(time_ns: int) -> dt.datetime:
    """A moment in KST; digits below a microsecond are cut."""
    return dt.datetime.fromtimestamp(time_ns // NS, KST).replace(microsecond=time_ns % NS // 1000)


def number_text(value: float, decimals: int | None = None) -> str:
    """A number with thousands separators; without known decimals four significant digits are shown.

    Integers keep every digit, and so does what stands before the point.
    """
    if isinstance(value, int):
        return f"{value:,}"
    if decimals is not None:
        return f"{value:,.{decimals}f}"
    size = abs(value)
    if size and not 0.01 <= size < 1e9:  # noqa: PLR2004 - too many zeros, or no number at all
        return f"{value:.4g}"
    return f"{value:,.{max(0, _DIGITS - 1 - math.floor(math.log10(size))) if size else 2}f}"


@cache
def texts(language: str) -> Mapping[str, Any]:
    """Words of a language by their keys, read once: `<language>.yaml`, and of each kind of page a file of its own."""
    files = [_FOLDER / f"{language}.yaml", *sorted((_FOLDER / language).glob("*.yaml"))]
    found: dict[str, Any] = {}
    for file in files:
        found |= plain_yaml(file.read_text(encoding="utf-8"))
    return found


class Words:
    """The words of one language.

    Args:
        language: one of `LANGUAGES`.
    """

    def __init__(self, language: str) -> None:
        self.language = language
        self._texts = texts(language)

    def __call__(self, key: str, **values: object) -> str:
        """The text under a key, with its `{names}` filled in."""
        return str(self._texts[key]).format(**values)

    def text(self, text: Text) -> str:
        """What is said in both languages, in this one."""
        return text.ko if self.language == LANGUAGES[0] else text.en

    def label(self, label: Mapping[str, str], name: str) -> str:
        """A label in this language, else in any, else the name."""
        return label.get(self.language) or next((text for text in label.values() if text), name)

    def choice(self, key: str, word: str) -> str:
        """The text of a word under a key, such as the cause of a gap; the word itself where it has none."""
        return str(self._texts[key].get(word, word))

    def state(self, code: int) -> str:
        """A canonical state."""
        return str(self._texts["states"][code])

    def freshness(self, word: str) -> str:
        """A freshness."""
        return str(self._texts["freshness"][word])

    def role(self, role: str) -> str:
        """A role of a user."""
        return str(self._texts["roles"][role])

    def word(self, kind: str, code: str) -> str:
        """A word of a list, such as `facts_size`; what is not in it says nothing."""
        return str(self._texts[kind].get(code, ""))

    def trade(self, ksic: str) -> str:
        """A trade with the name of its division (KSIC 중분류), where that is one of manufacturing."""
        name = self.word("trades", ksic.lstrip("ABCDEFGHIJKLMNOPQRSTU")[:2])
        return f"{ksic} {name}" if name else ksic

    def action(self, action: str) -> str:
        """What the audit log says was done; one without words of its own as it is."""
        return str(self._texts["actions"].get(action, action))

    def refused(self, word: str, **values: object) -> str:
        """Why something that was chosen cannot be."""
        return str(self._texts["refused"][word]).format(**values)

    def trouble(self, status: int, detail: str) -> str:
        """Why there is no page: an HTTP status, or a word of ours that says more."""
        known = self._texts["troubles"]
        return str(known.get(detail) or known.get(str(status)) or detail)

    def quality(self, status: int) -> str:
        """A StatusCode; one without words of its own says its severity and number."""
        known = self._texts["qualities"]
        if status & SEVERITY_MASK == 0:
            return str(known["good"])
        text = known.get(f"{status & _CODE_BITS:08X}")
        severity = known["bad" if is_bad(status) else "uncertain"]
        return str(text) if text else f"{severity} (0x{status:08X})"

    def value(self, value: Value | None, decimals: int | None = None) -> str:
        """A value without its unit; nothing collected is said in words, never as 0."""
        match value:
            case None:
                return self("no_data")
            case bool():
                return self("on" if value else "off")
            case str():
                return value
            case _:
                return number_text(value, decimals)

    def tag_value(self, tag: TagView) -> str:
        """The value of a tag, or why there is none."""
        if tag.value is None and is_bad(tag.status):
            return self.quality(tag.status)
        return self.value(tag.value, tag.info.decimals)

    def tag_quality(self, tag: TagView) -> str:
        """The quality of a tag; one that was never read has none."""
        return self("no_data") if tag.place is None else self.quality(tag.status)

    def age(self, time_ns: int | None, now_ns: int) -> str:
        """How long ago."""
        if time_ns is None:
            return self("never")
        age_s = max(0, (now_ns - time_ns) // NS)
        for limit_s, unit_s, key in _AGES:
            if age_s < limit_s:
                return self(key, n=age_s // unit_s)
        return self("days_ago", n=age_s // _DAY_S)

    def clock(self, time_ns: int | None, now_ns: int) -> str:
        """Time of day; with the date when it is another day."""
        if time_ns is None:
            return self("never")
        moment = local(time_ns)
        same_day = moment.date() == local(now_ns).date()
        return f"{moment:%H:%M:%S}" if same_day else f"{moment:%Y-%m-%d %H:%M:%S}"

    def moment(self, time_ns: int) -> str:
        """Date and time with the zone."""
        return f"{local(time_ns):%Y-%m-%d %H:%M:%S} KST"
