"""Who published a birth: this agent, one before it on this folder, or another."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from pipelines.delivery.births import Births
from pipelines.errors import JournalError

A, B, C = "a" * 32, "b" * 32, "c" * 32


def births(folder: Path, epoch: str, journaled: tuple[str, ...] = ()) -> Births:
    folder.mkdir(exist_ok=True)
    return Births(folder, epoch, journaled, {"agent": "edge"})


def test_own_restarts_and_crashes_do_not_alarm(tmp_path: Path) -> None:
    first = births(tmp_path, A)
    first.keep()
    retained = first.birth()
    second = births(tmp_path, B)
    second.heard(retained, retained=True)
    second.keep()  # killed before its birth went out
    third = births(tmp_path, C)
    third.heard(retained, retained=True)
    third.keep()
    third.heard(second.birth(), retained=True)  # killed after it went out
    own = third.birth()
    third.heard(own, retained=False)
    third.heard(own, retained=True)
    assert (second.rival, third.rival) == ("", "")


def test_many_sessions_and_a_broker_that_lost_what_it_kept_do_not_alarm(tmp_path: Path) -> None:
    for number in range(200):
        one = births(tmp_path, f"{number:032x}")
        one.keep()
        for _ in range(3):
            one.heard(one.birth(), retained=True)
        one.heard(b"", retained=False)
        assert one.rival == ""
    assert len(orjson.loads((tmp_path / "epochs.json").read_bytes())) == 64


def test_a_pc_that_was_replaced_takes_over(tmp_path: Path) -> None:
    old = births(tmp_path / "old", A)
    old.keep()
    new = births(tmp_path / "new", B)
    new.heard(old.birth(), retained=True)
    assert new.rival == ""
    new.keep()
    old.heard(new.birth(), retained=True)
    assert "another agent runs under the same identity: 'bbbbbbbb'" in old.rival
    assert "this one is aaaaaaaa" in old.rival


def test_the_copy_is_told_and_a_restart_is_a_decision(tmp_path: Path) -> None:
    first = births(tmp_path / "one", A)
    first.keep()
    (tmp_path / "two").mkdir()
    (tmp_path / "two/epochs.json").write_bytes((tmp_path / "one/epochs.json").read_bytes())
    copy = births(tmp_path / "two", B)
    copy.heard(first.birth(), retained=True)
    assert copy.rival == ""
    copy.keep()
    retained = copy.birth()
    first.heard(retained, retained=True)
    assert first.rival
    copy.heard(first.protest(), retained=False)
    assert "'aaaaaaaa'" in copy.rival
    again = births(tmp_path / "one", C)
    again.heard(retained, retained=True)
    assert again.rival == ""


def test_a_copy_of_a_running_process_is_told_by_its_session(tmp_path: Path) -> None:
    one, other = births(tmp_path, A), births(tmp_path, A)
    one.heard(one.birth(), retained=True)
    other.heard(one.birth(), retained=True)
    assert one.rival == ""
    assert "a copy of this running process" in other.rival


def test_what_the_broker_kept_says_nothing_of_now_but_what_it_retained_does(tmp_path: Path) -> None:
    """A protest or a birth that came while nobody listened; its own birth is where that ends."""
    one, other = births(tmp_path, A), births(tmp_path, B)
    one.keep()
    own = one.birth()
    assert not one.heard(other.protest(), retained=False, kept=True)
    assert not one.heard(other.birth(), retained=False, kept=True)
    assert one.rival == ""
    assert one.heard(own, retained=False, kept=True)
    assert one.heard(one.birth(), retained=False, kept=True)
    assert not one.heard(own, retained=False, kept=True)
    assert not one.heard(other.birth(), retained=True, kept=True)
    assert one.rival


def test_whose_epoch_a_record_has(tmp_path: Path) -> None:
    one = births(tmp_path, A, (B,))
    assert [one.is_own(epoch) for epoch in (A, B, C)] == [True, True, False]


@pytest.mark.parametrize("payload", [b"\xff", b"[]", b"3", b"{}", b'{"agent": "edge"}', b"null"])
def test_what_is_no_birth_is_passed_over(tmp_path: Path, payload: bytes) -> None:
    one = births(tmp_path, A)
    one.heard(payload, retained=True)
    one.heard(payload, retained=False)
    assert one.rival == ""


@pytest.mark.parametrize("kept", [b"", b"{", b"{}", b"7", b"[1, null]"])
def test_a_damaged_list_of_epochs_is_begun_anew(tmp_path: Path, kept: bytes) -> None:
    (tmp_path / "epochs.json").write_bytes(kept)
    one = births(tmp_path, A)
    one.keep()
    assert orjson.loads((tmp_path / "epochs.json").read_bytes())[-1] == A


def test_what_cannot_be_kept_names_the_remedy(tmp_path: Path) -> None:
    one = births(tmp_path / "gone", A)
    (tmp_path / "gone").rmdir()
    with pytest.raises(JournalError, match="cannot keep an epoch: No such file or directory; free space on this disk"):
        one.keep()
