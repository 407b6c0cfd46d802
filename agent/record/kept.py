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

HERE: Final = "127.0.0.1"
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
    if not _valid(kept):
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
    return kept | {"endpoint": f"opc.tcp://{HERE}:4840", "security": {"policy": "none"}}


def _valid(document: Mapping[str, Any]) -> bool:
    try:
        Site.model_validate_json(json.dumps(document), strict=True)
    except ValidationError:
        return False
    return True


class Mask:
    """Takes names of hosts and of the company out of what is written.

    Args:
        words: the names; those under three characters are left as they are, under four bytes in raw values.

    Attributes:
        active: whether anything is taken out.
    """

    def __init__(self, words: Sequence[str]) -> None:
        longest = sorted({word for word in words if len(word) >= _LEAST}, key=len, reverse=True)
        self.active = bool(words)
        raw = [word.encode() for word in longest]
        self._text = re.compile("|".join(map(re.escape, longest)), re.IGNORECASE) if longest else None
        raw = [word for word in raw if len(word) >= _LEAST_BYTES]
        self._raw = re.compile(b"|".join(map(re.escape, raw)), re.IGNORECASE) if raw else None

    def text(self, value: Any) -> Any:
        """JSON without them: `anonymous` stands for each."""
        if isinstance(value, str):
            return self._text.sub("anonymous", value) if self._text else value
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
