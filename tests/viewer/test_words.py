"""How things are said."""

from __future__ import annotations

import math

import pytest
import yaml

from pipelines import point
from viewer import words as module
from viewer.catalog import STATES, TagInfo
from viewer.overview import NS, Freshness, TagView
from viewer.words import LANGUAGES, Words, number_text

KO, EN = Words("ko"), Words("en")


def keys(node: object, path: str = "") -> set[str]:
    if isinstance(node, dict):
        return {found for key, value in node.items() for found in keys(value, f"{path}/{key}")}
    return {path}


def test_both_languages_say_the_same_things() -> None:
    texts = [module.texts(language) for language in LANGUAGES]
    assert keys(texts[0]) == keys(texts[1])
    assert all(len(text["states"]) == len(STATES) for text in texts)
    assert all(set(text["freshness"]) == set(Freshness) for text in texts)


def test_no_key_is_said_twice() -> None:
    """A page's own words must not take the place of another's."""
    for language in LANGUAGES:
        files = [module._FOLDER / f"{language}.yaml", *(module._FOLDER / language).glob("*.yaml")]
        assert sum(len(yaml.safe_load(file.read_text())) for file in files) == len(module.texts(language))


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (0, None, "0"),
        (1234567, None, "1,234,567"),
        (2**63 - 1, None, "9,223,372,036,854,775,807"),
        (840.5, 1, "840.5"),
        (840.0, 1, "840.0"),
        (-12.3456, None, "-12.35"),
        (1.121999979019165, None, "1.122"),
        (1.121999979019165, 2, "1.12"),
        (0.550000011920929, None, "0.5500"),
        (math.nan, None, "nan"),
        (123.456, None, "123.5"),
        (12345.6, None, "12,346"),
        (0.0, None, "0.00"),
        (0.00042, None, "0.00042"),
        (1.5e12, None, "1.5e+12"),
    ],
)
def test_numbers(value: float, decimals: int | None, text: str) -> None:
    assert number_text(value, decimals) == text


def test_nothing_collected_is_never_zero() -> None:
    assert KO.tag_value(TagView(TagInfo("t"))) == "미수집"
    assert KO.tag_quality(TagView(TagInfo("t"))) == "미수집"
    assert EN.tag_value(TagView(TagInfo("t"))) == "No data"


def test_a_bad_value_says_why() -> None:
    assert KO.tag_value(TagView(TagInfo("t"), None, None, 1, point.BAD_SENSOR_FAILURE)) == "센서 고장"


@pytest.mark.parametrize("name", [name for name in dir(point) if name.startswith("BAD")])
def test_every_quality_we_write_has_words(name: str) -> None:
    assert "0x" not in KO.quality(getattr(point, name)) or name == "BAD"
    assert "0x" not in EN.quality(getattr(point, name)) or name == "BAD"


def test_other_qualities_say_their_severity_and_number() -> None:
    assert KO.quality(0) == "양호"
    assert KO.quality(0x0000_0400) == "양호"
    assert KO.quality(0x40AA_0000) == "불확실 (0x40AA0000)"
    assert KO.quality(0x80AB_0000) == "불량 (0x80AB0000)"
    assert EN.quality(0x8031_0400) == "No communication"


@pytest.mark.parametrize(
    ("age_s", "text"),
    [(0, "0초 전"), (59, "59초 전"), (60, "1분 전"), (7200, "2시간 전"), (200_000, "2일 전"), (-5, "0초 전")],
)
def test_ages(age_s: int, text: str) -> None:
    assert KO.age(1_700_000_000 * NS, (1_700_000_000 + age_s) * NS) == text


def test_times_are_korean() -> None:
    at = 1_700_000_000 * NS
    assert KO.moment(at) == "2023-11-15 07:13:20 KST"
    assert KO.clock(at, at) == "07:13:20"
    assert KO.clock(at, at + 86_400 * NS) == "2023-11-15 07:13:20"
    assert (KO.clock(None, at), EN.age(None, at)) == ("미수집", "No data")


def test_labels_fall_back() -> None:
    assert EN.label({"ko": "온도", "en": "Temp."}, "t") == "Temp."
    assert EN.label({"ko": "온도"}, "t") == "온도"
    assert EN.label({}, "t") == "t"
    assert (KO.value(value=True), EN.value("x")) == ("켜짐", "x")
