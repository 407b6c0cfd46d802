"""Machines of all classes share the measurements of what is derived: in a real store no field has two types."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.config import load_site
from agent.derived import rules_of
from agent.shares import shares_of
from pipelines.derive.chain import Chain
from pipelines.derive.cycle import CycleRule
from pipelines.derive.engine import Engine, Heard
from pipelines.derive.rule import Ref, Value
from pipelines.derive.usable import field_of
from pipelines.point import BAD_NO_COMMUNICATION, GOOD
from pipelines.share.rule import Share
from tests.services.influxd import Influxd

S = 10**9
T0 = 1_790_000_040 * S
WHATEVER = Path(__file__).parents[2] / "agent" / "whatever.yaml"
KINDS: list[list[Value]] = [[1, 2, 3], [1.5, 2.0, 3.25], [True, False, True], ["1", "NG", "한글"]]


def derived(company: str, kinds: dict[str, list[Value]]) -> Iterator[bytes]:
    """All lines of some minutes of a site with every kind of rule; its tags are of these types."""
    site = load_site(WHATEVER).model_copy(update={"company": company})
    engine, shares = Engine({}), shares_of(site, "origin")
    engine.follow(rules_of(site, Chain()), site.machine_places(), shares)
    for second in range(0, 7600, 60):
        now_ns = T0 + second * S
        for tag, values in kinds.items():
            status = BAD_NO_COMMUNICATION if second % 720 == 0 else GOOD
            engine.hear([Heard(now_ns, Ref("M1", tag), values[second // 60 % 3], status)])
        yield from (one.body for one in (engine.gather(now_ns), engine.tick(now_ns)) if one is not None)
    assert not engine.aside
    for one in shares:  # but for readings, whose measurement is their class
        lines = (line for batch in one.pending for line in batch.body.encode().splitlines(keepends=True))
        yield from (line for line in lines if not line.startswith(b"press,"))


def test_a_store_takes_what_sites_of_any_types_derive(influxd: Influxd) -> None:
    """Four companies in one database: what is a whole number here is a text, a float or a bit there."""
    influxd.create("types")
    for turn in range(4):
        kinds = {tag: KINDS[(turn + position) % 4] for position, tag in enumerate("abcde")}
        influxd.write("types", b"".join(derived(f"company{turn}", kinds)))
    keys = json.loads(influxd.query("SHOW FIELD KEYS", "types"))["results"][0]["series"]
    found = {one["name"]: dict(one["values"]) for one in keys}
    assert all(len(found[one["name"]]) == len(one["values"]) for one in keys), "a field has two types"
    assert {"state", "count", "cycle", "alarm", "energy", "exposure", "aggregate"} <= found.keys()
    assert found["cycle"]["c"] == "float"
    assert found["cycle"]["c_text"] == "string"
    assert found["aggregate"]["a_last"] == "float"
    assert found["aggregate"]["a_text"] == "string"


@pytest.mark.parametrize("tag", ["x", "x_text", "x_text_text", "x_value"])
def test_the_name_of_a_field_says_its_type(tag: str) -> None:
    """A field that ends in `_text` is a text, whatever tags are called, and no other one is."""
    for value in (1, 1.5, True, "text"):
        name, stored = field_of(tag, value)
        assert name.endswith("_text") is isinstance(stored, str)
        assert isinstance(stored, (float, str))


def test_a_cycle_of_texts_and_whole_numbers() -> None:
    rule = CycleRule("M", Ref("M", "n"), (Ref("M", "lot"), Ref("M", "big"), Ref("M", "ok")))
    for second, values in enumerate([(1, "L-7", 2**40, True), (2, "L-8", 2**40 + 1, False)]):
        for name, value in zip(("lot", "big", "ok", "n"), (*values[1:], values[0]), strict=True):
            rule.take(Ref("M", name), T0 + second * S, value, GOOD)
    again = CycleRule("M", Ref("M", "n"), (Ref("M", "lot"), Ref("M", "big"), Ref("M", "ok")))
    again.restore(rule.state())
    (point,) = rule.lines()
    own = {"number": 2, "counts": 1, "duration_s": 1.0}
    assert point.fields == {"lot_text": "L-8", "big": float(2**40 + 1), "ok": 0.0} | own
    again.take(Ref("M", "n"), T0 + 2 * S, 3, GOOD)
    (point,) = again.lines()
    assert point.fields["lot_text"] == "L-8"


def test_a_minute_of_text_and_of_numbers() -> None:
    sites = {"text": "run", "number": 3}
    found = {}
    for kind, value in sites.items():
        site = load_site(WHATEVER)
        share = Share("park", "o", {Ref("M1", "a"): "aggregate"}, {}, site.machine_places())
        share.take(Ref("M1", "a"), T0, value, GOOD)
        share.tick(T0 + 120 * S)
        share.lines()
        found[kind] = share.pending[0].body.split(" ")[1]
    assert found["text"].startswith('a_text="run",a_count=1i')
    assert found["number"].startswith("a_min=3.0,a_mean=3.0,a_max=3.0,a_last=3.0,a_count=1i")
