"""What of a configuration stands in a recording: what is read and what it means, never who reads it or where. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import ValidationError

from agent.site import Site
from connectors.registry import AnyConnection
from pipelines.errors import ConfigError
from pipelines.settings import first_fault

HERE: Final = "127.0.0.1"
ANONYMOUS: Final = "anonymous"
_ENDPOINT: Final = f"opc.tcp://{HERE}:4840"
REPLAYED: Final = ("modbus", "opcua")
"""Kinds of connections that are recorded."""
_KEPT: Final = ("company", "site", "line", "machines", "connections", "calendar", "alarms", "exposure", "kpis")
_OF_MACHINES: Final = {"class", "label", "line"}
"""Keys of a machine that name no tag."""
_WHERE_AND_WHO: Final = {
    "host", "port", "transport", "serial", "tls", "connect_per_poll", "backups", "tags_file",
    "endpoint", "reverse", "security", "user", "password_file", "user_certificate_file", "user_private_key_file",
}  # fmt: skip
"""Keys of a connection that a replay has no use for; it stands on this machine, unprotected."""
_FILES: Final = {"energy": "factors_file", "battery": "rule_file"}
"""Keys of a machine's parts that name files of the machine on which was recorded."""
_LEAST: Final = 3
_LEAST_BYTES: Final = 4
"""Shorter words than these would be found where they are none."""


def kept_site(site: Site, names: Sequence[str]) -> dict[str, Any]:
    """The configuration of these connections, at 127.0.0.1; JSON that is a valid site.

    What is derived of tags that are left out is left out too.
    """
    whole = site.model_dump(mode="json", by_alias=True, exclude_unset=True)
    kept: dict[str, Any] = {key: whole[key] for key in _KEPT if key in whole}
    kept["connections"] = [_here(one) for one in whole["connections"] if one["name"] in names]
    if _fault(kept):
        kept = {key: value for key, value in kept.items() if key not in {"alarms", "exposure", "kpis"}}
        kept["machines"] = {
            name: {key: value for key, value in one.items() if key in _OF_MACHINES}
            for name, one in kept["machines"].items()
        }
    return kept


def _here(connection: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in connection.items() if key not in _WHERE_AND_WHO}
    if connection["type"] == "modbus":
        return kept | {"host": HERE}
    return kept | {"endpoint": _ENDPOINT, "security": {"policy": "none"}}


def recorded_site(site: Site, names: Sequence[str], mask: Mask) -> dict[str, Any]:
    """What `kept_site` keeps, as it stands in a recording: without files of this machine, and masked.

    Raises:
        ConfigError: masked it is no configuration.
    """
    kept = kept_site(site, names)
    kept["machines"] = {name: _without_files(one) for name, one in kept["machines"].items()}
    kept = {**mask.text(kept)}
    if mask.active:
        kept |= {"company": ANONYMOUS, "site": ANONYMOUS}
    if fault := _fault(kept):
        raise ConfigError(None, None, f"cannot be kept in a recording{' anonymised' if mask.active else ''}: {fault}")
    return kept


def _without_files(machine: Mapping[str, Any]) -> dict[str, Any]:
    return {
        part: {key: value for key, value in one.items() if key != _FILES[part]} if part in _FILES and one else one
        for part, one in machine.items()
    }


def _fault(document: Mapping[str, Any]) -> str:
    """Why it is no configuration; empty = it is one."""
    try:
        Site.model_validate_json(json.dumps(document), strict=True)
    except ValidationError as error:
        return first_fault(error)
    return ""


def _vocabulary() -> frozenset[str]:
    """Texts that mean something in a configuration wherever they stand: its keys, and the words it may choose from."""
    found = {HERE, _ENDPOINT}
    waiting: list[Any] = [Site.model_json_schema()]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Mapping):
            found |= {word for word in (*one.get("enum", ()), one.get("const")) if isinstance(word, str)}
            found |= one.get("properties", {}).keys()
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
    return frozenset(found)


class Mask:
    """Takes names of hosts and of the company out of what is written.

    Args:
        words: the names; those under three characters are left as they are, under four bytes in raw values. A text
            that is a key or a word of configurations is left as it is, too.

    Attributes:
        active: whether anything is taken out.
    """

    def __init__(self, words: Sequence[str]) -> None:
        known = dict.fromkeys(word.lower() for word in words if len(word) >= _LEAST)
        self._instead = {word: ANONYMOUS + (f"-{number}" if number > 1 else "") for number, word in enumerate(known, 1)}
        longest = sorted(known, key=len, reverse=True)
        self.active = bool(words)
        self._left = _vocabulary() if words else frozenset()
        raw = [word.encode() for word in longest]
        self._text = re.compile("|".join(map(re.escape, longest)), re.IGNORECASE) if longest else None
        raw = [word for word in raw if len(word) >= _LEAST_BYTES]
        self._raw = re.compile(b"|".join(map(re.escape, raw)), re.IGNORECASE) if raw else None

    def text(self, value: Any) -> Any:
        """JSON without them: `anonymous` stands for the first, `anonymous-2` for the second and so on."""
        if isinstance(value, str):
            if self._text is None or value in self._left:
                return value
            return self._text.sub(lambda found: self._instead[found[0].lower()], value)
        if isinstance(value, Mapping):
            return {self.text(key): self.text(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [self.text(one) for one in value]
        return value

    def raw(self, data: bytes) -> bytes:
        """A value without them: as many asterisks stand for each, so that everything else stays where it is."""
        return self._raw.sub(lambda found: b"*" * len(found[0]), data) if self._raw else data


def words_of(site: Site) -> list[str]:
    """Names of company, site and hosts in a configuration."""
    return [word for word in (site.company, site.site, *_hosts(site.connections)) if word]


def _hosts(connections: Sequence[AnyConnection]) -> Iterator[str]:
    for one in connections:
        yield getattr(one, "host", "")
        yield urlsplit(getattr(one, "endpoint", "")).hostname or ""
        yield from (place.rpartition(":")[0].strip("[]") for place in one.backups)
