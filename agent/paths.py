"""Where things stand when nobody says otherwise."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

LINES: Final = Path(__file__).parent / "lines"
"""Line templates that come with the product."""
STATE_DIR: Final = Path(
    os.environ.get("STATE_DIRECTORY") or Path(os.environ.get("HOME") or "/var/lib") / ".local/state/shopfloor-agent"
)
"""State folder: systemd's when run by it, else the user's."""
STORE_FILE: Final = "points.duckdb"
"""The embedded store in its folder."""
VIEWER: Final = "viewer"
"""The viewer's state folder, in the folder of an embedded store or in the user's state folder."""
ENTRIES: Final = "entries"
"""What is entered by hand, in the viewer's state folder."""
