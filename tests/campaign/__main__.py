"""`python -m tests.campaign [NAME …] [-k …]`; without a name all. Exit code 1: a promise was broken."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Final

from tests.campaign import kills, lines, pages, reports, scale, soak
from tests.campaign.faults import CONNECTORS, RELIABILITY

CAMPAIGNS: Final[dict[str, Callable[[Sequence[str]], bool]]] = {
    "connectors": CONNECTORS.run,
    "reliability": RELIABILITY.run,
    "kills": lambda _: kills.main(),
    "soak": soak.main,
    "scale": lambda _: scale.main(),
    "lines": lambda _: lines.main(),
    "reports": lambda _: reports.main(),
    "pages": lambda _: pages.main(),
}


def main() -> None:
    words = sys.argv[1:]
    first = next((number for number, word in enumerate(words) if word.startswith("-")), len(words))
    wanted, chosen = words[:first] or list(CAMPAIGNS), words[first:]
    if unknown := set(wanted) - set(CAMPAIGNS):
        sys.exit(f"no such campaign: {', '.join(sorted(unknown))}; there are {', '.join(CAMPAIGNS)}")
    broken = [name for name in wanted if not CAMPAIGNS[name](chosen)]
    sys.exit(f"broken promises in: {', '.join(broken)}" if broken else 0)


if __name__ == "__main__":
    main()
