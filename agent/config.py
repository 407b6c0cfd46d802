"""Loading a configuration file: every fault is one line, `file:line: where it stands, what is wrong, the remedy`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from agent.document import Node, read_document
from agent.explain import explain, locate, path_of
from agent.rules import PlacedError
from agent.site import Site
from pipelines.errors import ConfigError

_SCHEMA: Final = "https://json-schema.org/draft/2020-12/schema"


def load_site(path: Path) -> Site:
    """The site in a configuration file.

    Raises:
        ConfigError: unreadable, not YAML, or not a valid site; names file and line.
    """
    return _load(path)[0]


def load_sites(paths: Sequence[Path]) -> Site:
    """Several files of one site, joined.

    Raises:
        ConfigError: one of them is not valid, or they clash.
    """
    site = load_site(paths[0])
    for path in paths[1:]:
        other, root = _load(path)
        try:
            site = site.joined(other)
        except PlacedError as error:
            where = path_of(root, error.place)
            raise ConfigError(path, locate(root, error.place)[0], f"{where}: {error}") from error
    return site


def _load(path: Path) -> tuple[Site, Node]:
    root = read_document(path)
    if root.data is None:
        raise ConfigError(path, 1, "the file is empty; `agent init` writes one to begin with")
    if not isinstance(root.data, dict):
        raise ConfigError(path, root.line, "the file must hold keys: company, site, machines and connections")
    try:
        # As JSON, because strict then means: text is no number and true is no 1, yet a list may be a tuple.
        return Site.model_validate_json(json.dumps(root.data), strict=True), root
    except ValidationError as error:
        raise ConfigError(path, *explain(root, error)) from None


def model_schema(model: type[BaseModel] = Site) -> dict[str, Any]:
    """JSON Schema of the configuration, for editors."""
    return {"$schema": _SCHEMA} | model.model_json_schema(by_alias=True)
