"""The long fault runs: `make campaign`, or `make campaign ARGS=reliability` for one of them."""

from pathlib import Path
from typing import Final

RESULTS: Final = Path(__file__).parents[2] / "docs" / "results"
FIGURES_VARIABLE: Final = "SHOPFLOOR_FIGURES"
"""Names the file that fault tests append their figures to; set, they run at full size."""
