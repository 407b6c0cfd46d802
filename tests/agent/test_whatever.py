"""Whatever devices send, no rule makes a mistake of it: any value of any tag, in any order of times."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.config import load_site
from agent.derived import rules_of
from agent.shares import shares_of
from pipelines.derive.chain import Chain
from pipelines.derive.engine import Engine, Heard
from pipelines.derive.rule import Ref
from pipelines.point import BAD_NO_COMMUNICATION, GOOD, UNCERTAIN

SITE: Final = load_site(Path(__file__).with_name("whatever.yaml"))
T0: Final = 1_790_000_000 * 10**9
VALUES: Final = st.one_of(
    st.integers(0, 9),
    st.sampled_from([1e38, -1e38, 1.7e308, -1.7e308, 2.0**63, -(2.0**63), 5e-324, 0.5, True, False]),
    st.sampled_from([2**63 - 1, -(2**63), 2**32, 65_535]),
    st.sampled_from(["", "NG", "1", "²", "1e5", "nan", "CHG", "\x00", "한글", "9" * 5000]),
)
HEARD: Final = st.tuples(
    st.one_of(st.integers(0, 90), st.sampled_from([-3600, 7200, 10**6, -(10**6), 56 * 31_536_000])),
    st.sampled_from("abcde"),
    VALUES,
    st.sampled_from([GOOD, GOOD, GOOD, UNCERTAIN, BAD_NO_COMMUNICATION]),
)


def engine(kept: dict[str, bytes]) -> Engine:
    made = Engine(kept)
    made.follow(rules_of(SITE, Chain()), SITE.machine_places(), shares_of(SITE, "origin"))
    return made


@given(st.lists(HEARD, max_size=30), st.integers(0, 30))
@settings(max_examples=40, deadline=None)
def test_no_value_is_a_mistake(steps: list[tuple[int, str, str, int]], restart: int) -> None:
    made, kept, now_ns = engine({}), dict[str, bytes](), T0
    for number, (seconds, tag, value, status) in enumerate(steps):
        if number == restart:
            made = engine(kept)
        now_ns = min(max(0, now_ns + seconds * 10**9), 9 * 10**18)
        heard = Heard(now_ns, Ref("M1", tag), value, status)
        made.hear([heard])
        for lines in (made.gather(now_ns), made.tick(now_ns)):
            kept |= lines.resume if lines else {}
        assert not made.aside
