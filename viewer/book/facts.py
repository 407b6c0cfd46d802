"""What is known of a company beside its readings: trade, town, project, levels. Pure; nothing here is ever guessed.

Of a business registration number (사업자등록번호) only what pages may show is kept: its first five digits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Final

SIZES: Final = {"micro": "소상공인", "small": "소기업", "medium": "중기업", "middle": "중견기업", "large": "대기업"}
"""규모, by the classes of the framework acts on small and on middle-standing enterprises."""
LEVELS: Final = {"basic": "기초", "middle1": "중간1", "middle2": "중간2", "advanced": "고도화"}
"""도입수준, the programme's four steps, the lowest first."""
MOST: Final = 100
"""Longest text."""
_WEIGHTS: Final = (1, 3, 7, 1, 3, 7, 1, 3, 5)
_MASKED: Final = re.compile(r"\d{3}-\d{2}-\*{5}")
_NUMBER: Final = re.compile(r"(\d{3})-?(\d{2})-?(\d{5})")
_KSIC: Final = re.compile(r"[A-U]?\d{2,5}")
_DIVISION: Final = re.compile(r"[A-U]?(\d{2})")
_YEAR: Final = re.compile(r"20\d\d")


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one company; empty = not known.

    Attributes:
        company: its name, spelt as the store has it.
        registration: 사업자등록번호 as pages show it, `123-45-*****`.
        ksic: code of the Korean Standard Industrial Classification, such as `C25924`.
        town: 시·군.
        size: one of `SIZES`.
        programme: kind of the project (사업유형).
        year: of the project.
        project: its number (과제번호).
        level: 도입수준 now, one of `LEVELS`.
        aim: 목표수준, one of `LEVELS`.
        supplier: 공급기업.
        coordinator: who looks after the company (담당 코디네이터).
        until: last day on which data is collected for the project, ISO 8601.
        cluster: digital cluster (디지털 클러스터) that it belongs to, such as `자동차부품`.
    """

    company: str
    registration: str = ""
    ksic: str = ""
    town: str = ""
    size: str = ""
    programme: str = ""
    year: str = ""
    project: str = ""
    level: str = ""
    aim: str = ""
    supplier: str = ""
    coordinator: str = ""
    until: str = ""
    cluster: str = ""

    @property
    def division(self) -> str:
        """The two digits of its trade (KSIC 중분류); empty = not known."""
        found = _DIVISION.match(self.ksic)
        return found[1] if found else ""

    @property
    def last_day(self) -> date | None:
        """`until` as a day."""
        return date.fromisoformat(self.until) if self.until else None


NAMES: Final = tuple(one.name for one in fields(Facts) if one.name != "company")
"""What can be known, in the order of the form."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What of a form or a row cannot be.

    Attributes:
        field: of `Facts`.
        word: `facts_bad_<word>` of `viewer/i18n` says why.
    """

    field: str
    word: str


def checked(company: str, said: Mapping[str, str], before: Facts | None = None) -> tuple[Facts, list[Fault]]:
    """Facts as somebody typed them.

    Args:
        company: whose.
        said: field to text; what is not named stays as it was.
        before: as it was.

    Returns:
        The facts, and what of them cannot be: with any fault they are not to be kept.
    """
    known = before or Facts(company)
    texts = {name: " ".join(said[name].split()) for name in NAMES if name in said}
    faults = [Fault(name, "long") for name, text in texts.items() if len(text) > MOST]
    for name, names in (("size", SIZES), ("level", LEVELS), ("aim", LEVELS)):
        if texts.get(name):
            texts[name] = next((code for code, word in names.items() if texts[name] in {code, word}), "?")
            faults += [Fault(name, "choice")] if texts[name] == "?" else []
    if texts.get("registration"):
        texts["registration"] = _masked(texts["registration"])
        faults += [] if texts["registration"] else [Fault("registration", "registration")]
    texts |= {"ksic": texts["ksic"].upper()} if "ksic" in texts else {}
    for name, pattern in (("ksic", _KSIC), ("year", _YEAR)):
        if texts.get(name) and not pattern.fullmatch(texts[name]):
            faults.append(Fault(name, name))
    if texts.get("until") and not _is_day(texts["until"]):
        faults.append(Fault("until", "until"))
    return replace(known, **texts), faults


def changes(before: Facts, after: Facts) -> str:
    """What is different, for the audit log: field, old and new."""
    pairs = ((name, getattr(before, name), getattr(after, name)) for name in NAMES)
    return "; ".join(f"{name}: {old or '-'} → {new or '-'}" for name, old, new in pairs if old != new)


def _masked(text: str) -> str:
    """A registration number as it may be shown; empty when its check digit (국세청) is wrong."""
    if _MASKED.fullmatch(text):
        return text
    found = _NUMBER.fullmatch(text)
    if found is None:
        return ""
    digits = [int(one) for one in "".join(found.groups())]
    total = sum(digit * weight for digit, weight in zip(digits, _WEIGHTS, strict=False)) + digits[8] * 5 // 10
    return f"{found[1]}-{found[2]}-*****" if -total % 10 == digits[9] else ""


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
