"""Peak memory of this process (proc(5))."""

from __future__ import annotations

import gc
import re
from pathlib import Path

_STATUS = Path("/proc/self/status")


def forget_peak() -> float:
    """Start a new peak; returns the memory held now, MiB."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    return _mib("VmRSS")


def peak_mib() -> float:
    """Highest resident memory since `forget_peak`, MiB."""
    return _mib("VmHWM")


def _mib(name: str) -> float:
    found = re.search(rf"{name}:\s+(\d+) kB", _STATUS.read_text())
    assert found
    return int(found[1]) / 1024
