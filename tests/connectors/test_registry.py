"""Everything that belongs to a connector is there; what is missing is named."""

from __future__ import annotations

import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from connectors.base import Connector
from connectors.registry import KINDS
from pipelines.settings import ConnectionSettings
from tests.connectors.conformance import ABILITIES, ConnectorConformance

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SOURCE = ROOT / "connectors"


def missing_parts(kind: str, root: Path = ROOT) -> Iterator[str]:
    """What a connector has beside its classes, as far as it is not there."""
    for name in ("config", "plan", "decode", "link"):
        if not (root / f"connectors/{kind}/{name}.py").is_file():
            yield f"connectors/{kind}/{name}.py"
    if not (root / f"tests/connectors/{kind}/test_conformance.py").is_file():
        yield f"tests/connectors/{kind}/test_conformance.py, a subclass of ConnectorConformance"
    if not (root / f"simulators/{kind}.py").is_file():
        yield f"simulators/{kind}.py, a device for the plant"
    if kind not in {one["type"] for line in root.glob("simulators/lines/*/plant.yaml") for one in _devices(line)}:
        yield f"a device with `type: {kind}` in a simulators/lines/*/plant.yaml"
    page = root / "docs/configuration.md"
    if not page.is_file() or f"### `connections[]` with `type: {kind}`" not in page.read_text(encoding="utf-8"):
        yield f"a section for `type: {kind}` in docs/configuration.md: name its models in tests/agent/reference.py"
    if not any(_uses(path, kind) for path in root.glob("deploy/examples/*.yaml")):
        yield f"a site with `type: {kind}` in deploy/examples/"
    if not any(_uses(path, kind) for path in root.glob("agent/lines/*/site.yaml")):
        yield f"a line with `type: {kind}` in agent/lines/"
    contracts = root / "pyproject.toml"
    if not contracts.is_file() or f'"connectors.{kind}"' not in contracts.read_text(encoding="utf-8"):
        yield f"connectors.{kind} in the import contracts of pyproject.toml"


def _devices(plant: Path) -> list[dict[str, str]]:
    return list(yaml.safe_load(plant.read_text(encoding="utf-8"))["devices"].values())


def _uses(site: Path, kind: str) -> bool:
    return re.search(rf"^ *type: {kind}\b", site.read_text(encoding="utf-8"), re.MULTILINE) is not None


@pytest.mark.parametrize("kind", KINDS)
def test_complete(kind: str) -> None:
    missing = list(missing_parts(kind))
    assert not missing, f"connector {kind} lacks:\n" + "\n".join(f"  {one}" for one in missing)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "connectors/new").mkdir(parents=True)
    (tmp_path / "connectors/new/config.py").touch()
    missing = "\n".join(missing_parts("new", tmp_path))
    for part in ("new/plan.py", "new/decode.py", "new/link.py", "simulators/new.py", "test_conformance.py", "docs/"):
        assert part in missing
    assert "config.py" not in missing


@pytest.mark.parametrize("kind", KINDS)
def test_settings_and_link(kind: str) -> None:
    settings = KINDS[kind].settings
    assert issubclass(settings, ConnectionSettings)
    assert settings.model_fields["type"].annotation.__args__ == (kind,), f"{settings.__name__}.type is not '{kind}'"
    assert "tags" in settings.model_fields
    for name in ("where", "moved"):
        own = getattr(settings, name) is not getattr(ConnectionSettings, name)
        assert own, f"{settings.__name__} does not say {name}()"
    module, _, name = KINDS[kind].link.partition(":")
    assert issubclass(getattr(importlib.import_module(module), name), Connector)


def suite_of(kind: str) -> type[ConnectorConformance]:
    module = importlib.import_module(f"tests.connectors.{kind}.test_conformance")
    suites = [
        item
        for _, item in inspect.getmembers(module, inspect.isclass)
        if issubclass(item, ConnectorConformance) and item is not ConnectorConformance
    ]
    assert [suite.kind for suite in suites] == [kind], f"tests/connectors/{kind} has no ConnectorConformance subclass"
    return suites[0]


@pytest.mark.parametrize("kind", KINDS)
def test_conformance_subclass(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every ability is supplied, or its lack has a reason; no test of the suite is replaced."""
    suite = suite_of(kind)
    own = {
        name for name in dir(ConnectorConformance) if getattr(suite, name) is not getattr(ConnectorConformance, name)
    }
    for ability, reason in suite.cannot.items():
        with capsys.disabled():
            print(  # noqa: T201 - what no test can show is said
                f"\n{kind} cannot {ability} ({ABILITIES[ability]}): {reason}", end=""
            )
        assert len(reason.split()) >= 3, f"{suite.__name__}.cannot[{ability!r}] gives no reason"
    if "requests" not in suite.cannot:
        assert {"requests_in", "requests_per_s"} <= own, f"{suite.__name__} counts no requests"
    if "secret" not in suite.cannot:
        assert "secret" in own, f"{suite.__name__} supplies no settings with a password"
    replaced = [name for name in own if name.startswith("test_")]
    assert not replaced, f"{suite.__name__} replaces {', '.join(replaced)}"


def test_every_folder_is_registered() -> None:
    folders = {path.parent.name for path in SOURCE.glob("*/config.py")}
    assert folders == set(KINDS), f"not in connectors/registry.py: {', '.join(folders - set(KINDS))}"


def test_load_imports_a_protocol_library_and_no_other() -> None:
    """Before links have deadlines to keep, and never what a site does not use."""
    code = "import sys; from connectors.registry import load; load(['modbus']); print(*sorted(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(ran.stdout.split())
    assert {"pymodbus", "connectors.modbus.link"} <= loaded
    assert not loaded & {"asyncua", "httpx", "connectors.opcua.link"}


def test_a_collector_has_loaded_its_links_before_it_runs(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from agent.collector import Collector
from agent.config import load_site
from pipelines.clock import SystemClock
Collector(load_site(Path(sys.argv[1])), Path(sys.argv[2]), SystemClock())
print("asyncua" in sys.modules, "pymodbus" in sys.modules)
"""
    arguments = [sys.executable, "-c", code, str(ROOT / "tests/agent/good.yaml"), str(tmp_path / "state")]
    ran = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["True", "True"]
