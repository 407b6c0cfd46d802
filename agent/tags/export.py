"""Entries of a device as a configuration file, or as a CSV that `tags_file` takes. Pure."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from agent.tags.names import tag_names
from connectors.base import Found
from pipelines.settings import ConnectionSettings

_HEAD: Final = """\
# Written by `agent browse {where}`. Change company, site and machine, remove what nobody needs; then `agent check` it.
company: my-company
site: my-site

machines:
  device: {{class: device}}

connections:
"""
REMARK: Final = "#"
"""A column whose heading begins with it is for people."""


def as_yaml(settings: ConnectionSettings, found: Sequence[Found]) -> str:
    """A complete configuration file."""
    fields = settings.model_dump(mode="json", exclude_unset=True, exclude={"tags", "machine"}) | {"machine": "device"}
    lines = [f"    {key}: {json.dumps(value, ensure_ascii=False)}" for key, value in fields.items()]
    lines[0] = f"  - {lines[0].strip()}"
    tags = [f"      - {flow(tag)}{_comment(one)}" for tag, one in zip(tags_of(found), found, strict=True)]
    return _HEAD.format(where=settings.where()) + "\n".join([*lines, "    tags:", *tags]) + "\n"


def as_csv(found: Sequence[Found]) -> str:
    """Keys of the tags in the first line, nested ones with a dot; columns that begin with `#` are for people."""
    tags = tags_of(found)
    keys = list(dict.fromkeys(key for tag in tags for key in _flat(tag)))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([*keys, *(f"{REMARK}{one}" for one in ("path", "type", "value", "usual_low", "usual_high"))])
    for tag, one in zip(tags, found, strict=True):
        flat = dict(_flat_items(tag))
        usual = one.usual or ("", "")
        writer.writerow([*(flat.get(key, "") for key in keys), one.path, one.datatype, one.value, *usual])
    return out.getvalue()


def tags_of(found: Sequence[Found]) -> list[dict[str, Any]]:
    """Settings of a tag for each entry that can be collected: name, address, unit, possible range, label."""
    out = []
    for one, name in zip(found, tag_names([each.path for each in found]), strict=True):
        tag: dict[str, Any] = {"name": name, **(one.tag or {})}
        if one.unit:
            tag["engineering_unit"] = one.unit
        if one.possible:
            tag["range"] = {"low": one.possible[0], "high": one.possible[1]}
        if one.label:
            tag["label"] = {"en": one.label}
        out.append(tag)
    return out


def flow(value: Any) -> str:
    """A value as YAML on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {flow(one)}" for key, one in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)


def _comment(one: Found) -> str:
    usual = f"usually {one.usual[0]:g} to {one.usual[1]:g}" if one.usual else ""
    text = ", ".join(part for part in (one.datatype, one.value, usual) if part)
    shown = "".join(letter if letter.isprintable() else "?" for letter in text)
    return f"  # {shown}" if shown else ""


def _flat(tag: Mapping[str, Any]) -> list[str]:
    return [key for key, _ in _flat_items(tag)]


def _flat_items(tag: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tag.items():
        if isinstance(value, Mapping):
            yield from _flat_items(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value
