"""Secrets by reference: a file, never a value in a configuration, a log or a URL."""

from __future__ import annotations

import os
from pathlib import Path

from pipelines.errors import ConfigError


def read_secret(path: Path) -> str:
    """The first line of the file; a bare name is looked up in `$CREDENTIALS_DIRECTORY` (systemd LoadCredential).

    Raises:
        ConfigError: it cannot be read or is empty; the message names the file, never its content.
    """
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if folder and path.parent == Path():
        path = Path(folder) / path
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(path, None, f"cannot read the secret: {error.strerror}") from error
    if not text.strip():
        raise ConfigError(path, None, "the secret file is empty")
    return text.splitlines()[0].strip()
