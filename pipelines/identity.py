"""Who this agent is: a random id in its state folder, bound to the machine it was made on."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

import orjson

from pipelines.errors import ConfigError, JournalError
from pipelines.journal.segment import sync_folder


def agent_id(state_dir: Path, kind: str = "edge") -> str:
    """The id of the agent whose state is in `state_dir`; made at the first start.

    Args:
        state_dir: its state folder.
        kind: what a new id begins with.

    Raises:
        ConfigError: the folder was copied from another machine, or the identity in it is damaged.
        JournalError: it cannot be read or kept.
    """
    path = state_dir / "identity.json"
    machine = _machine()
    try:
        if path.exists():
            kept = orjson.loads(path.read_bytes())
            if kept["machine"] != machine:
                reason = "made on another machine; delete this file to begin as a new agent, which sends what waits"
                raise ConfigError(path, None, reason)
            return str(kept["agent"])
        agent = f"{kind}-{secrets.token_hex(4)}"
        fresh = path.with_suffix(".new")
        fresh.write_bytes(orjson.dumps({"agent": agent, "machine": machine}))
        with fresh.open("rb") as file:
            os.fsync(file.fileno())
        fresh.rename(path)
        sync_folder(state_dir)
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(path, None, f"is damaged ({error}); delete it to begin as a new agent") from error
    except OSError as error:
        raise JournalError(
            path, f"cannot keep the agent's identity: {error.strerror}; free space on this disk"
        ) from error
    return agent


def _machine() -> str:
    """A hash of the machine's id (machine-id(5): never to be shown as it is), or of the host name without one."""
    try:
        text = Path("/etc/machine-id").read_text(encoding="ascii").strip()
    except OSError:
        text = ""
    return hashlib.sha256(f"shopfloor-agent:{text or os.uname().nodename}".encode()).hexdigest()
