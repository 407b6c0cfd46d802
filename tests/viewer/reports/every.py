"""Every kind of report, with data and without any."""

from __future__ import annotations

from tests.viewer.reports.shift import HOUR, SHIFT, T0, seen, subject
from viewer.kpi.goal import Goal, score
from viewer.kpi.result import Evidence, Result, missing
from viewer.kpi.words import Text
from viewer.reports.cluster import Alarms, Member, cluster_report
from viewer.reports.groups import GROUPINGS
from viewer.reports.kinds import KINDS
from viewer.reports.model import Report
from viewer.reports.programme import Company, ProgrammeFile, Target, programme_report

NOW = T0 + 24 * HOUR
POHANG, GUMI = (Text(name, name) for name in ("포항시", "구미시"))
GOALS = [
    (Goal(code="P-OEE", baseline=60.0, target=80.0), seen(80.0, "P-OEE")),
    (Goal(code="Q-PDR", baseline=4.0, target=1.0), seen(2.0, "Q-PDR")),
]
"""One of two goals is met; (4 − 2) / (4 − 1) = 66.67 %, both together 83.33 %."""


def company(name: str, site: str, seen_ns: int | None) -> Company:
    """A site of three machines, of which 97.5 % was collected."""
    rate = Result("DQ-RATE", 97.5, Evidence(period=SHIFT, samples=480, cover=97.5))
    return Company(name=name, site=site, machines=3, tags=42, seen_ns=seen_ns, rate=rate)


def member(name: str, group: Text | None, oee: float | None, raised: int = 0) -> Member:
    """A site of a cluster; without an OEE nothing of it was heard."""
    found = missing("P-OEE", Evidence(period=SHIFT, samples=0)) if oee is None else seen(oee, "P-OEE")
    return Member(
        company=company(name, "1공장", None if oee is None else NOW - HOUR // 100),
        group=group,
        oee=found,
        score=score(GOALS),
        alarms=None if oee is None else Alarms(raised=raised, urgent=1, noted=raised),
    )


FIVE = [member(f"가{n}", POHANG, oee, n) for n, oee in enumerate((50.0, 60.0, 70.0, 80.0, 95.0))]


def month(members: list[Member], *, lines: bool = True) -> Report:
    """The month of a cluster, by town."""
    return cluster_report("전체", GROUPINGS["town"].title, members, SHIFT, NOW, lines=lines)


def every(*, silent: bool = False) -> dict[str, Report]:
    """By the name of its kind; `silent`: nothing at all was stored."""
    found = {kind: make(subject(silent=silent)) for kind, make in KINDS.items()}
    targets = (Target(name="지원기업수", target=160, actual=None if silent else 260), Target(name="활성", target=2))
    file = ProgrammeFile(name="경북 스마트공장 2026", targets=targets)
    companies = (company("가나", "A", None if silent else NOW - HOUR),)
    found["programme"] = programme_report(file, companies, SHIFT, NOW)
    found["cluster"] = month([] if silent else [*FIVE, member("나", GUMI, 99.0), member("다", None, None)])
    return found
