"""Files that commands write for people."""

from __future__ import annotations

from pathlib import Path

from pipelines.errors import ConfigError


def write_new(path: Path, text: str, *, force: bool) -> None:
    """Write a file that is not there yet, or any with `force`.

    Raises:
        ConfigError: it exists, or cannot be written.
    """
    try:
        with path.open("w" if force else "x", encoding="utf-8", newline="") as file:
            file.write(text)
    except FileExistsError as error:
        raise ConfigError(path, None, "exists already; name another file or say --force") from error
    except OSError as error:
        raise ConfigError(path, None, f"cannot write: {error.strerror}") from error
