"""Who an agent is: the same over restarts, another on another machine, new when a person says so."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipelines import identity
from pipelines.errors import ConfigError, JournalError
from pipelines.identity import agent_id


def test_the_same_at_each_start_and_another_in_each_folder(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    assert agent_id(tmp_path) == agent_id(tmp_path) != agent_id(tmp_path / "other")


def test_a_new_identity_is_durable_before_anything_is_sent_under_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, synced = os.fsync, []

    def watched(fd: int) -> None:
        synced.append((str(Path(f"/proc/self/fd/{fd}").readlink()), (tmp_path / "identity.json").exists()))
        real(fd)

    monkeypatch.setattr(os, "fsync", watched)
    agent_id(tmp_path)
    assert synced == [(str(tmp_path / "identity.new"), False), (str(tmp_path), True)]


def test_a_folder_of_another_machine_is_refused_and_the_remedy_keeps_what_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = agent_id(tmp_path)
    (tmp_path / "journal").mkdir()
    monkeypatch.setattr(identity, "_machine", lambda: "another")
    with pytest.raises(ConfigError, match=r"identity.json: made on another machine; delete this file"):
        agent_id(tmp_path)
    (tmp_path / "identity.json").unlink()
    assert agent_id(tmp_path) != before
    assert (tmp_path / "journal").is_dir()


@pytest.mark.parametrize("kept", [b"", b"{", b"[]", b'{"agent": "x"}', b"7"])
def test_a_damaged_identity_is_named(tmp_path: Path, kept: bytes) -> None:
    (tmp_path / "identity.json").write_bytes(kept)
    with pytest.raises(ConfigError, match=r"identity.json: is damaged .*; delete it to begin as a new agent"):
        agent_id(tmp_path)


def test_an_identity_that_cannot_be_kept_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="cannot keep the agent's identity: No such file or directory; free space"):
        agent_id(tmp_path / "gone")


def test_the_id_of_the_machine_is_not_shown(tmp_path: Path) -> None:
    agent_id(tmp_path)
    path = Path("/etc/machine-id")
    machine = path.read_text(encoding="ascii").strip() if path.exists() else ""
    assert not machine or machine not in (tmp_path / "identity.json").read_text(encoding="utf-8")
