"""What is wrong with an entry, in Korean and English."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError

from pipelines.errors import ShopfloorError
from viewer.entries.kinds import FIELDS
from viewer.kpi.words import Text

_TEXTS: Final = {
    "needed": Text("필수 항목입니다", "is needed"),
    "number": Text("숫자여야 합니다", "must be a number"),
    "low": Text("{ge:g} 이상이어야 합니다", "must be {ge:g} or more"),
    "high": Text("{le:g} 이하여야 합니다", "must be {le:g} or less"),
    "long": Text("{max_length}자까지 쓸 수 있습니다", "may have {max_length} characters"),
    "control": Text("줄바꿈과 제어 문자는 쓸 수 없습니다", "must not hold line breaks or control characters"),
    "moment": Text("2026-11-22 08:30 과 같은 일시여야 합니다", "must be a moment such as 2026-11-22 08:30"),
    "early": Text("2000년 이후여야 합니다", "must be after the year 2000"),
    "future": Text("아직 오지 않은 때입니다", "lies in the future"),
    "far": Text("앞으로 {days}일 이내여야 합니다", "must be within {days} days from now"),
    "order": Text("시작보다 뒤여야 합니다", "must be after the start"),
    "span": Text("시작부터 {days}일까지 쓸 수 있습니다", "must be within {days} days of the start"),
    "part": Text("{of:g} 이하여야 합니다", "must be {of:g} or less"),
    "nothing": Text("0보다 커야 합니다", "must be above 0"),
    "name": Text("글자·숫자와 '_', '.', '-'만 쓸 수 있습니다", "may hold letters, digits, '_', '.' and '-' only"),
    "unknown": Text("{known} 가운데 하나여야 합니다", "must be one of {known}"),
    "elsewhere": Text("{line} 라인의 설비가 아닙니다", "does not stand in line {line}"),
    "not_for_kind": Text("이 구분에는 없는 항목입니다", "is no field of this kind"),
    "no_field": Text("알 수 없는 항목입니다", "is no field of an entry"),
    "no_moment": Text(
        "수주확정·시작·종료·납기·출하 중 하나가 필요합니다", "needs one of confirmed, start, end, due, shipped"
    ),
    "uuid": Text("UUID여야 합니다", "must be a UUID"),
    "flag": Text("true 또는 false여야 합니다", "must be true or false"),
    "taken": Text(
        "이미 다른 내용으로 저장된 입력입니다. 목록에서 정정하십시오",
        "is that of an entry that was saved with something else in it; correct that one in the list",
    ),
    "own": Text("자기 자신을 정정할 수 없습니다", "must not replace itself"),
    "other_kind": Text("다른 구분의 입력입니다", "is an entry of another kind"),
    "object": Text("JSON 객체여야 합니다", "must be a JSON object"),
    "large": Text("파일은 {mib} MiB까지입니다", "a file may have {mib} MiB"),
    "many": Text("한 파일에 {rows}줄까지입니다", "a file may have {rows} rows"),
    "encoding": Text(
        "UTF-8도 CP949도 아닙니다. CSV UTF-8로 저장하십시오", "neither UTF-8 nor CP949; save it as CSV UTF-8"
    ),
    "csv": Text("CSV가 아닙니다: {reason}", "not CSV: {reason}"),
    "no_rows": Text("제목 줄 아래에 내용이 없습니다", "there is no row below the headings"),
    "cells": Text("제목보다 칸이 많습니다", "has more cells than there are headings"),
    "heading": Text("알 수 없는 제목입니다", "is no heading that is known"),
    "twice": Text("제목이 두 번 있습니다", "stands twice in the headings"),
    "text": Text("글자여야 합니다", "must be text"),
}
_OF_PYDANTIC: Final = {
    "missing": "needed",
    "float_parsing": "number",
    "float_type": "number",
    "finite_number": "number",
    "greater_than_equal": "low",
    "less_than_equal": "high",
    "string_too_long": "long",
    "string_too_short": "needed",
    "string_type": "text",
    "extra_forbidden": "no_field",
    "bool_parsing": "flag",
    "bool_type": "flag",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong.

    Attributes:
        where: field of the entry; empty = all of it.
        what: which of the texts.
        values: that the text names.
    """

    where: str
    what: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def text(self, language: str) -> str:
        """In one language, without the field's name."""
        return str(getattr(_TEXTS[self.what], language)).format(**self.values)

    def line(self, language: str) -> str:
        """In one language, with the field's name."""
        name = FIELDS.get(self.where)
        return f"{getattr(name, language) if name else self.where}: {self.text(language)}".removeprefix(": ")


class EntryRefused(ShopfloorError):
    """An entry that is not taken; the same entry is never taken later.

    Attributes:
        faults: everything that is wrong with it.
    """

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(f"{one.line('ko')} / {one.line('en')}" for one in self.faults))


def of_pydantic(error: ValidationError) -> list[Fault]:
    """What pydantic found, in our words; our own validators raise an error that is called like the text."""
    found = []
    for one in error.errors(include_url=False, include_input=False):
        what = _OF_PYDANTIC.get(one["type"], one["type"])
        found.append(Fault(".".join(map(str, one["loc"])), what if what in _TEXTS else "text", one.get("ctx", {})))
    return found
