"""The store to verify, wherever it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from agent.control.client import SOCKET, ask
from agent.control.readings import ServedStore
from agent.influx import influx_store
from agent.paths import STORE_FILE
from pipelines.errors import DependencyError
from viewer.stores.base import ExactStore
from viewer.stores.duckdb import DuckDbStore

OfCompany = Callable[[str], ExactStore]
"""The store of a company."""


def embedded(folder: Path) -> OfCompany:
    """The embedded store in a folder: asked of the process that serves it, else read from its file."""
    return lambda _company: _embedded(folder)


def _embedded(folder: Path) -> ExactStore:
    if (folder / SOCKET).exists():
        try:
            ask(folder, "/healthz")
        except DependencyError:
            pass  # left by a process that was killed
        else:
            return ServedStore(folder)
    return DuckDbStore(folder / STORE_FILE)


def influx(url: str, user: str | None, password_file: Path | None) -> OfCompany:
    """InfluxDB; `{company}` in the name of the database or bucket stands for the company.

    Raises:
        ConfigError: the URL names no database, or holds a secret.
    """
    influx_store(url, user, password_file).close()
    return lambda company: influx_store(url, user, password_file, company)
