"""A recording as what is simulated: its configuration, or another one, and what that reads of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import orjson

from agent.config import load_site, load_sites
from agent.record.kept import kept_site
from agent.record.seen import seen_by
from agent.simulate.session import Tape
from pipelines.errors import ConfigError
from simulators.replay.recording import Recording, RecordingError


def open_recording(path: Path) -> Recording:
    """The recording in a file.

    Raises:
        ConfigError: it cannot be read, or is none, or does not say what was read.
    """
    try:
        recording = Recording(path)
    except OSError as error:
        raise ConfigError(path, None, f"cannot read: {error.strerror}") from error
    except RecordingError as error:
        raise ConfigError(None, None, str(error)) from error
    site = recording.header.get("site")
    if not isinstance(site, dict) or not {"company", "site"} <= site.keys():
        raise ConfigError(path, None, "has a header that does not say what was recorded; record it again")
    return recording


def replayed(file: Path, configs: Sequence[Path], folder: Path) -> Tape:
    """Lay out in `folder` what is needed.

    Args:
        file: the recording.
        configs: files of another configuration; none = the one in the recording.
        folder: of the run.

    Raises:
        ConfigError: the file is no recording, or it knows nothing of a connection that is to be read.
    """
    recording = open_recording(file)
    document = recording.header["site"]
    if configs:
        site = load_sites(configs)
        known = [one["name"] for one in recording.header["connections"]]
        if unknown := [one.name for one in site.connections if one.name not in known]:
            raise ConfigError(configs[0], None, f"{file} knows no connection {unknown[0]!r}; it has {', '.join(known)}")
        document = kept_site(site, known)
    path, seen = folder / "replay.yaml", folder / "seen.json"
    path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))
    seen.write_bytes(orjson.dumps(seen_by(load_site(path))))
    return Tape(file.absolute(), seen, path)
