"""Everything that belongs to a connector is there; what is missing is named."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

import pytest

from connectors.base import Connector
from connectors.registry import KINDS
from pipelines.settings import ConnectionSettings
from tests.connectors.conformance import ConnectorConformance

HERE = Path(__file__).parent
SOURCE = HERE.parents[1] / "connectors"


@pytest.mark.parametrize("kind", KINDS)
def test_complete(kind: str) -> None:
    missing = [
        f"connectors/{kind}/{name}.py"
        for name in ("config", "plan", "decode", "link")
        if not (SOURCE / kind / f"{name}.py").is_file()
    ]
    if not (HERE / kind / "test_conformance.py").is_file():
        missing.append(f"tests/connectors/{kind}/test_conformance.py")
    assert not missing, f"connector {kind} lacks {', '.join(missing)}"


@pytest.mark.parametrize("kind", KINDS)
def test_settings_and_link(kind: str) -> None:
    settings = KINDS[kind].settings
    assert issubclass(settings, ConnectionSettings)
    assert settings.model_fields["type"].annotation.__args__ == (kind,), f"{settings.__name__}.type is not '{kind}'"
    assert "tags" in settings.model_fields
    assert settings.where is not ConnectionSettings.where, f"{settings.__name__} does not say where() it is"
    module, _, name = KINDS[kind].link.partition(":")
    assert issubclass(getattr(importlib.import_module(module), name), Connector)


@pytest.mark.parametrize("kind", KINDS)
def test_conformance_subclass(kind: str) -> None:
    module = importlib.import_module(f"tests.connectors.{kind}.test_conformance")
    suites = [
        item
        for _, item in inspect.getmembers(module, inspect.isclass)
        if issubclass(item, ConnectorConformance) and item is not ConnectorConformance
    ]
    assert [suite.kind for suite in suites] == [kind], f"tests/connectors/{kind} has no ConnectorConformance subclass"


def test_every_folder_is_registered() -> None:
    folders = {path.parent.name for path in SOURCE.glob("*/config.py")}
    assert folders == set(KINDS), f"not in connectors/registry.py: {', '.join(folders - set(KINDS))}"
