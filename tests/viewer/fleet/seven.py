"""Seven companies on a Monday at 10:00, each in another state; five of them in one town."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.viewer.one_shop import HOUR, MINUTE, SECOND, T0
from viewer.book.facts import Facts
from viewer.catalog import Catalog

NOW = T0 + 2 * HOUR
DAY = 24 * HOUR
FINE, LATE, LOST, SILENT, NEVER, OTHER, LAST = "가나", "다라", "마바", "사아", "자차", "카타", "파하"
SITES: list[dict[str, Any]] = [
    {
        "company": company,
        "site": "A",
        "calendar": {"day_start": "08:00", "shifts": [{"name": "주간", "from": "08:00", "to": "20:00"}]},
        "machines": {"PRS-01": {"class": "press", "state": {"tag": "state"}}},
        "connections": [{"name": "c", "machine": "PRS-01", "period_s": 10, "tags": [{"name": "spm"}]}],
    }
    for company in (FINE, NEVER)
]
CATALOG = Catalog.of(SITES)
FACTS = [
    Facts(FINE, town="포항시", ksic="C25924", size="small", level="basic", coordinator="코디네이터1"),
    Facts(LATE, town="포항시", ksic="C24112", size="small", level="basic", coordinator="코디네이터1"),
    Facts(LOST, town="포항시", ksic="C25111", coordinator="코디네이터2"),
    Facts(SILENT, town="포항시", until="2026-09-06"),
    Facts(NEVER, town="포항시", until="2026-09-20"),
    Facts(OTHER, town="구미시", level="basic"),
    Facts(LAST, town="구미시", level="advanced"),
]


def bodies() -> Iterator[tuple[str, str]]:
    """Company and line protocol: half of today's readings of the first, one reading of each other."""
    where = f"company={FINE},site=A,machine=PRS-01"
    lines = [f"press,{where} spm=50i {at}" for at in range(NOW - HOUR, NOW, 10 * SECOND)]
    lines += [f'state,{where} code=4i,reason="",since={NOW}i {at}' for at in range(T0, T0 + 40 * MINUTE, MINUTE)]
    lines.append(
        f'alarm,{where},alarm=estop active=true,acknowledged=false,priority="urgent",event="raised",state="UNACK" {T0}'
    )
    yield FINE, "\n".join(lines)
    for company, ago in ((LATE, 5 * MINUTE), (LOST, 2 * HOUR), (SILENT, 4 * DAY), (OTHER, SECOND), (LAST, SECOND)):
        yield company, f"m,company={company},site=A,machine=M x=1 {NOW - ago}"
