"""Bytes of resume state that a record carries for its rules: `python -m benchmarks.resume`.

One connection is polled once a second for ten minutes; each poll is a record. Values move with noise in their last
digits, as those of a plant do. The last line on stdout is one JSON object: bytes of a record by kind of rule, as the
journal writes them.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from statistics import mean
from typing import Final

import orjson

from pipelines.derive.alarm_rule import alarm_rules
from pipelines.derive.alarm_settings import AlarmSettings
from pipelines.derive.chain import Chain
from pipelines.derive.engine import Engine, Heard
from pipelines.derive.rule import Ref
from pipelines.journal.format import pack_state
from pipelines.place import Place
from pipelines.share.rule import Share

RULES: Final = 150
TAGS: Final = 60
POLLS: Final = 600
_S: Final = 10**9
_FIRST_NS: Final = 29_000_000 * 60 * _S


def alarms(**condition: object) -> list[AlarmSettings]:
    """So many alarms of one kind, each on a tag of its own."""
    label = {"ko": "경보", "en": "alarm"}
    about = {"machine": "FUR-01", "priority": "caution", "label": label, "action": label}
    named = [condition | ({"minus": f"z{index}_sv"} if "outside" in condition else {}) for index in range(RULES)]
    return [
        AlarmSettings.model_validate({"name": f"zone_dev_{index}", "tag": f"z{index}_pv", **about, **one})
        for index, one in enumerate(named)
    ]


def record_bytes(engine: Engine, refs: Sequence[Ref], polls: int, share: Share | None = None) -> float:
    """Mean bytes of state in the record of a poll; the destination of a share takes each batch at once."""
    noise = random.Random(1)
    sizes = []
    for poll in range(polls):
        now_ns = _FIRST_NS + poll * _S
        engine.hear([Heard(now_ns, ref, round(840 + noise.gauss(0, 0.8), 1), 0) for ref in refs])
        lines = engine.gather(now_ns)
        sizes.append(len(pack_state(lines.resume)) if lines else 0)
        engine.tick(now_ns)
        if share is not None and share.pending:
            share.given(share.pending[-1].number)
    return round(mean(sizes))


def measured(polls: int) -> dict[str, float]:
    """Bytes of a record for `RULES` alarms of a kind, and for each of `TAGS` tags that are shared by the minute."""
    place = {"FUR-01": Place("furnace", "acme", "daegu", "", "FUR-01")}
    kinds = {"minus": alarms(outside=50), "rises_by": alarms(rises_by=200, per_s=60), "above": alarms(above=900)}
    found = {}
    for name, settings in kinds.items():
        engine = Engine({})
        rules = alarm_rules(settings, Chain())
        engine.follow(rules, place)
        found[name] = record_bytes(engine, sorted(ref for rule in rules for ref in rule.reads), polls)
    refs = [Ref("FUR-01", f"z{index}_pv") for index in range(TAGS)]
    engine = Engine({})
    share = Share("tp", "0" * 32, dict.fromkeys(refs, "aggregate"), dict.fromkeys(refs, 1.0), place)
    engine.follow((), place, (share,))
    found["shared_tag"] = round(record_bytes(engine, refs, polls, share) / TAGS)
    return found


if __name__ == "__main__":
    sys.stdout.write(orjson.dumps({"rules": RULES, "tags": TAGS, "bytes": measured(POLLS)}).decode() + "\n")
