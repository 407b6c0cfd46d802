"""YAML tables of figures that a site may replace by its own."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import ValidationError

from pipelines.errors import ConfigError
from pipelines.settings import Settings, first_fault
from pipelines.yaml_text import plain_yaml

_T = TypeVar("_T", bound=Settings)


def read_table(path: Path, model: type[_T], what: str) -> _T:
    """What is in a file.

    Args:
        path: of the file.
        model: of what it must hold.
        what: that, in words, such as `grading rule`.

    Raises:
        ConfigError: it cannot be read, or holds something else.
    """
    try:
        return model.model_validate(plain_yaml(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ConfigError(path, None, f"cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise ConfigError(path, None, f"is no {what}: {first_fault(error)}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(path, None, f"is no {what}: {error}") from error
