"""Many machines of the same kind: copies of a line's configuration with machines and connections of their own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from agent.document import read_document
from agent.templates.numbering import numbered, renamed_machines
from pipelines.errors import ConfigError

MOST: Final = 1000


def copies(template: Path, number: int, folder: Path) -> list[Path]:
    """The configuration itself and `number` - 1 copies of it, written into `folder`.

    In a copy PRS-01 is PRS-02, PRS-03 and so on, and the connection `prs` is `prs-02` …, as the plant has it.

    Raises:
        ConfigError: the template cannot be read.
    """
    root, findings = read_document(template)
    if root is None or findings:
        raise ConfigError(template, findings[-1].line, findings[-1].message)
    folder.mkdir(parents=True, exist_ok=True)
    found = [template]
    for copy in range(2, number + 1):
        path = folder / f"{template.parent.name}-{copy:02d}.yaml"
        path.write_text(yaml.safe_dump(_copy(root.data, copy, template.parent), allow_unicode=True, sort_keys=False))
        found.append(path)
    return found


def _copy(site: Mapping[str, Any], copy: int, folder: Path) -> Any:
    machines = renamed_machines(list(site["machines"]), copy)
    connections = {one["name"]: f"{one['name']}-{copy:02d}" for one in site["connections"]}
    changed = _renamed(site, machines)
    for name, machine in changed["machines"].items():
        if "label" in machine:
            machine["label"] = {key: numbered(text, name, copy) for key, text in machine["label"].items()}
    for one in changed["connections"]:
        one["name"] = connections[one["name"]]
        if "tags_file" in one:
            one["tags_file"] = str(folder / one["tags_file"])
    return changed


def _renamed(value: Any, machines: Mapping[str, str]) -> Any:
    """Machines wherever they are named: as keys, as values, and before the `/` of another machine's tag."""
    if isinstance(value, Mapping):
        return {machines.get(key, key): _renamed(one, machines) for key, one in value.items()}
    if isinstance(value, list):
        return [_renamed(one, machines) for one in value]
    if not isinstance(value, str):
        return value
    machine, slash, tag = value.partition("/")
    return machines.get(machine, machine) + slash + tag
