"""An alarm that stood and is configured no more is ended, once, in every store that heard of it."""

from __future__ import annotations

import pytest

from pipelines.derive.alarm_rule import alarm_rules, removed_rules
from pipelines.derive.alarm_settings import AlarmSettings
from pipelines.derive.chain import Chain
from pipelines.derive.engine import Engine, Heard
from pipelines.derive.rule import Ref
from pipelines.lines import Lines
from pipelines.place import Place
from pipelines.share.rule import Share

S = 10**9
NOW = 1_790_000_000 * S
FUR, PRS = Place("furnace", "acme", "daegu", "L1", "FUR-01"), Place("press", "acme", "daegu", "L2", "PRS-01")
PV = Ref("FUR-01", "pv")


def alarm(name: str, *, safety: bool = False) -> AlarmSettings:
    priority = "urgent" if safety else "important"
    return AlarmSettings.model_validate(
        {"name": name, "machine": "FUR-01", "tag": "pv", "above": 100, "priority": priority, "safety": safety}
    )


class Agent:
    """One agent's rules and what its journal keeps, over restarts and reloads."""

    def __init__(self) -> None:
        self.journal: dict[str, bytes] = {}
        self.said: list[str] = []

    def starts(self, places: dict[str, Place], *settings: AlarmSettings) -> None:
        self.engine, self.chain = Engine(self.journal), Chain()
        self.reloads(places, *settings)

    def reloads(self, places: dict[str, Place], *settings: AlarmSettings) -> None:
        rules = alarm_rules(settings, self.chain)
        self.share = Share("tp", "x", {PV: "aggregate"}, {}, {"FUR-01": FUR, "PRS-01": PRS})
        self.engine.follow([*rules, *removed_rules(self.engine.kept, rules, self.chain)], places, [self.share])

    def keeps(self, lines: Lines | None) -> list[str]:
        """The lines of a record, without their times."""
        if lines is None:
            return []
        self.journal |= lines.resume
        return [one.rsplit(" ", 1)[0] for one in lines.body.decode().splitlines() if not one.startswith("shared,")]

    def reads(self, value: float) -> list[str]:
        self.engine.hear([Heard(NOW, PV, value, 0)])
        return self.keeps(self.engine.gather(NOW))

    def ticks(self) -> list[str]:
        return self.keeps(self.engine.tick(NOW + S))


ENDED = (
    "alarm,alarm=hot,company=acme,line=L1,machine=FUR-01,site=daegu "
    'active=false,shelved=false,retain=false,acknowledged=true,event="removed",state="NORM"'
)


@pytest.mark.parametrize("reload", [True, False])
@pytest.mark.parametrize("places", [{"FUR-01": FUR}, {"PRS-01": PRS}])
def test_it_is_ended_once_also_where_its_machine_is_gone(places: dict[str, Place], *, reload: bool) -> None:
    agent = Agent()
    agent.starts({"FUR-01": FUR}, alarm("hot"))
    assert len(agent.reads(120)) == 1
    (agent.reloads if reload else agent.starts)(places, alarm("other"))
    assert agent.ticks() == [ENDED]
    assert any('event="removed"' in batch.body for batch in agent.share.pending), "who heard of it hears of its end"
    agent.starts(places, alarm("other"))
    assert agent.ticks() == []
    assert "alarm/FUR-01/hot" not in agent.engine.kept


def test_one_that_was_normal_goes_without_a_word() -> None:
    agent = Agent()
    agent.starts({"FUR-01": FUR}, alarm("hot"))
    assert agent.reads(20) == []
    agent.starts({"FUR-01": FUR}, alarm("other"))
    assert agent.ticks() == []
    assert agent.reads(20) == []
    assert agent.engine.kept == ["alarm/FUR-01/other"]


@pytest.mark.parametrize("left", [(), ("cold",)])
def test_the_log_of_safety_events_has_its_end(left: tuple[str, ...]) -> None:
    agent = Agent()
    agent.starts({"FUR-01": FUR}, alarm("hot", safety=True), *(alarm(one, safety=True) for one in left))
    agent.reads(20)
    agent.engine.hear([Heard(NOW + 1, PV, 120, 0)])
    agent.keeps(agent.engine.gather(NOW + 1))
    seq = agent.chain.head.seq
    agent.starts({"FUR-01": FUR}, *(alarm(one, safety=True) for one in left))
    ended = agent.ticks()
    assert [one.split(",")[0] for one in ended] == ["alarm", "event_log"]
    assert r"\"event\":\"removed\"" in ended[1]
    assert agent.chain.head.seq == seq + 1
    agent.starts({"FUR-01": FUR}, *(alarm(one, safety=True) for one in left))
    assert agent.ticks() == []


def test_a_safety_alarm_depends_on_no_other_one() -> None:
    """One that fails is set aside alone; the log goes on, also behind a restart."""
    agent, one, other = Agent(), alarm("one", safety=True), alarm("other", safety=True)
    agent.starts({"FUR-01": FUR}, one, other)
    agent.engine.hear([Heard(NOW - S, PV, 120, 0)])
    assert len(agent.keeps(agent.engine.gather(NOW - S))) == 4
    (broken, _) = agent.engine.rules
    broken.take = None  # type: ignore[method-assign, assignment]
    assert [text.split(",")[1] for text in agent.reads(20)] == ["alarm=other"] * 2
    assert list(agent.engine.aside) == ["alarm/FUR-01/one"]
    head = agent.chain.head
    agent.starts({"FUR-01": FUR}, one, other)
    assert (agent.chain.head, head.seq) == (head, 3)
    assert not agent.engine.aside
    agent.engine.hear([Heard(NOW + 2 * S, PV, 20, 0)])
    assert [text.split(",")[1] for text in agent.keeps(agent.engine.gather(NOW + 2 * S))] == ["alarm=one"] * 2
    assert agent.chain.head.seq == 4
