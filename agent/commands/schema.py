"""`agent schema`."""

from __future__ import annotations

import orjson

from agent.config import model_schema
from agent.output import emit


def command() -> None:
    """Print the JSON Schema of the configuration file, for editors."""
    emit(orjson.dumps(model_schema(), option=orjson.OPT_INDENT_2).decode())
