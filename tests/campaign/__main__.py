"""`python -m tests.campaign [connectors] [kills]`; without a name all. Exit code 1: a promise was broken."""

from __future__ import annotations

import sys

from tests.campaign import connectors, kills

CAMPAIGNS = {"connectors": connectors.main, "kills": kills.main}


def main() -> None:
    wanted = sys.argv[1:] or list(CAMPAIGNS)
    if unknown := set(wanted) - set(CAMPAIGNS):
        sys.exit(f"no such campaign: {', '.join(sorted(unknown))}; there are {', '.join(CAMPAIGNS)}")
    broken = [name for name in wanted if not CAMPAIGNS[name]()]
    sys.exit(f"broken promises in: {', '.join(broken)}" if broken else 0)


if __name__ == "__main__":
    main()
