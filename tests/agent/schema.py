"""As much of JSON Schema 2020-12 as `agent schema` uses, so that what an editor would mark is known without one."""

from __future__ import annotations

import re
from typing import Any, Final

_KNOWN: Final = {
    "$ref", "$defs", "$schema", "additionalProperties", "anyOf", "const", "default", "description", "discriminator",
    "enum", "exclusiveMaximum", "exclusiveMinimum", "format", "items", "maxLength", "maxProperties", "maximum",
    "minItems", "minLength", "minProperties", "minimum", "oneOf", "pattern", "patternProperties", "properties",
    "propertyNames", "required", "title", "type",
}  # fmt: skip


class Refused(Exception):
    """The schema does not take the document."""


def accept(root: dict[str, Any], value: Any, schema: dict[str, Any] | None = None) -> None:
    """Nothing, or `Refused`; an unknown keyword is an error of the schema."""
    schema = root if schema is None else schema
    assert set(schema) <= _KNOWN, set(schema) - _KNOWN
    if "$ref" in schema:
        accept(root, value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")])
    for word, wanted in (("anyOf", range(1, 99)), ("oneOf", (1,))):
        if word in schema and sum(_accepts(root, value, one) for one in schema[word]) not in wanted:
            raise Refused(word, value)
    _scalar(value, schema)
    if isinstance(value, list):
        if len(value) < schema.get("minItems", 0):
            raise Refused("minItems", value)
        for one in value:
            accept(root, one, schema.get("items", {}))
    if isinstance(value, dict):
        _group(root, value, schema)


def _accepts(root: dict[str, Any], value: Any, schema: dict[str, Any]) -> bool:
    try:
        accept(root, value, schema)
    except Refused:
        return False
    return True


def _group(root: dict[str, Any], value: dict[str, Any], schema: dict[str, Any]) -> None:
    if missing := set(schema.get("required", ())) - set(value):
        raise Refused("required", missing)
    if len(value) > schema.get("maxProperties", len(value)):
        raise Refused("maxProperties", value)
    if len(value) < schema.get("minProperties", 0):
        raise Refused("minProperties", value)
    for key, one in value.items():
        accept(root, key, schema.get("propertyNames", {}))
        below = schema.get("properties", {}).get(key, schema.get("additionalProperties", True))
        if below is False:
            raise Refused("additionalProperties", key)
        if below is not True:
            accept(root, one, below)


def _scalar(value: Any, schema: dict[str, Any]) -> None:
    kinds = {
        "string": isinstance(value, str),
        "boolean": isinstance(value, bool),
        "integer": isinstance(value, int) and not isinstance(value, bool),
        "number": isinstance(value, int | float) and not isinstance(value, bool),
        "null": value is None,
        "array": isinstance(value, list),
        "object": isinstance(value, dict),
    }
    if "type" in schema and not kinds[schema["type"]]:
        raise Refused(schema["type"], value)
    if "const" in schema and value != schema["const"]:
        raise Refused("const", value)
    if "enum" in schema and value not in schema["enum"]:
        raise Refused("enum", value)
    if isinstance(value, str):
        long = len(value) > schema.get("maxLength", len(value)) or len(value) < schema.get("minLength", 0)
        if long or not re.search(schema.get("pattern", ""), value):
            raise Refused("length or pattern", value)
    if kinds["number"]:
        fits = (
            value >= schema.get("minimum", value) and value <= schema.get("maximum", value)
            and not value <= schema.get("exclusiveMinimum", value - 1)
            and not value >= schema.get("exclusiveMaximum", value + 1)
        )  # fmt: skip
        if not fits:
            raise Refused("range", value)
