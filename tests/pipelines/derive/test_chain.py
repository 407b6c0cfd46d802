"""The hash-chained log: every change of what was written is found, and a power cut leaves it whole."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.derive.chain import FIRST_PREV, MOST_UNWRITTEN, Chain, Entry, Head, entry_after, verify
from pipelines.derive.chain_file import FILE_BYTES, FOLDER, MOST_BYTES, MOST_FILES, ChainFile, verify_folder
from pipelines.errors import JournalError
from tests.small_disk import fill, small_disk

SAID: Final = {"machine": "GD-01", "alarm": "hcl_high", "event": "raised", "time_ns": "1750000000000000000"}


def written(count: int) -> list[bytes]:
    chain = Chain()
    return [chain.add(SAID | {"number": str(number)}).line() for number in range(count)]


def walked(lines: list[bytes], last: Head) -> str:
    return verify(((str(number), line) for number, line in enumerate(lines)), 1, last).broken


def head_of(line: bytes) -> Head:
    said = json.loads(line)
    return Head(said["seq"], said["hash"])


def test_the_hash_is_what_the_page_says() -> None:
    first, second = map(json.loads, written(2))
    assert first["prev"] == FIRST_PREV
    assert second["prev"] == first["hash"]
    said = {key: one for key, one in second.items() if key != "hash"}
    canonical = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert second["hash"] == hashlib.sha256(canonical).hexdigest()


def test_a_whole_chain() -> None:
    lines = written(20)
    found = verify(((str(number), line) for number, line in enumerate(lines)), 1, head_of(lines[-1]))
    assert (found.entries, found.first, found.head, found.broken) == (20, 1, head_of(lines[-1]), "")
    assert verify([], 1, Head()).broken == ""


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_whatever_is_changed_is_found(data: st.DataObject) -> None:
    lines = written(data.draw(st.integers(2, 12)))
    last, before = head_of(lines[-1]), list(lines)
    position = data.draw(st.integers(0, len(lines) - 1))
    match data.draw(st.sampled_from(["byte", "field", "remove", "move", "repeat", "again", "put_in"])):
        case "byte":
            at = data.draw(st.integers(0, len(lines[position]) - 2))
            value = data.draw(st.integers(0, 255).filter(lambda one: one != lines[position][at]))
            lines[position] = lines[position][:at] + bytes([value]) + lines[position][at + 1 :]
        case "field":  # with a hash that fits it
            said = json.loads(lines[position])
            seq, prev, _ = said.pop("seq"), said.pop("prev"), said.pop("hash")
            lines[position] = entry_after(Head(seq - 1, prev), said | {"event": "cleared"}).line()
        case "remove":
            count = data.draw(st.integers(1, len(lines)))
            del lines[position : position + count]
        case "move":
            lines.insert(data.draw(st.integers(0, len(lines) - 1)), lines.pop(position))
        case "repeat":
            lines.insert(position, lines[position])
        case "again":  # all that follows written anew, each hash right
            head = head_of(lines[position - 1]) if position else Head()
            for number in range(position, len(lines)):
                entry = entry_after(head, SAID | {"number": "x"})
                lines[number], head = entry.line(), entry.head
        case "put_in":
            head = head_of(lines[position - 1]) if position else Head()
            lines.insert(position, entry_after(head, SAID | {"number": "x"}).line())
    assert bool(walked(lines, last)) == (lines != before)


def entries(chain: Chain, count: int) -> list[Entry]:
    return [chain.add(SAID) for _ in range(count)]


def test_appended_and_opened_again(tmp_path: Path) -> None:
    chain, file = Chain(), ChainFile(tmp_path)
    file.append(entries(chain, 3))
    file.append(chain.unwritten)  # once more: they are there already
    chain.written(file.head)
    assert (chain.unwritten, file.head) == ([], chain.head)
    file = ChainFile(tmp_path)
    file.append(entries(chain, 2))
    found = verify_folder(tmp_path)
    assert (found.entries, found.head, found.broken, file.trouble) == (5, chain.head, "", "")


@pytest.mark.parametrize("left", [1, 40, 200])
def test_a_torn_tail_is_cut_off_and_written_again(tmp_path: Path, left: int) -> None:
    chain, file = Chain(), ChainFile(tmp_path)
    file.append(entries(chain, 3))
    chain.written(file.head)
    [path] = (tmp_path / FOLDER).glob("*.jsonl")
    [last] = entries(chain, 1)
    with path.open("ab") as torn:
        torn.write(last.line()[:left])
    found = verify_folder(tmp_path)
    assert (found.entries, found.torn, found.broken) == (3, True, "")
    file = ChainFile(tmp_path)
    file.append(chain.unwritten)
    found = verify_folder(tmp_path)
    assert (found.entries, found.head, found.torn, found.broken, file.trouble) == (4, last.head, False, "", "")


@pytest.mark.parametrize("more", [1, 30], ids=["the note does not fit", "the entries do not fit"])
def test_a_full_disk_takes_each_entry_once(tmp_path: Path, more: int) -> None:
    chain = Chain()
    with small_disk(tmp_path / "disk", "64k") as disk:
        file = ChainFile(disk)
        file.append(entries(chain, 2))
        somebody_elses = fill(disk)
        new = entries(chain, more)
        for _ in range(3):
            with pytest.raises(JournalError, match="No space left"):
                file.append(new)
        assert verify_folder(disk).broken == ""
        somebody_elses.unlink()
        file.append(new)
        found = verify_folder(disk)
        assert (found.entries, found.head, found.broken, file.trouble) == (2 + more, chain.head, "", "")
        assert not file.behind
        again = ChainFile(disk)
        assert (again.head, again.behind, again.trouble) == (chain.head, False, "")


def test_a_torn_entry_that_was_written_for_good_is_missing(tmp_path: Path) -> None:
    file = ChainFile(tmp_path)
    file.append(entries(Chain(), 3))
    [path] = (tmp_path / FOLDER).glob("*.jsonl")
    path.write_bytes(path.read_bytes()[:-5])
    assert "entry 3 is cut off" in verify_folder(tmp_path).broken
    assert ChainFile(tmp_path).trouble


def test_a_removed_end_or_log_is_found(tmp_path: Path) -> None:
    file = ChainFile(tmp_path)
    file.append(entries(Chain(), 3))
    [path] = (tmp_path / FOLDER).glob("*.jsonl")
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
    assert verify_folder(tmp_path).broken == "the entries after 2 are missing: 3 was written"
    path.unlink()
    assert verify_folder(tmp_path).broken
    assert "gone" in ChainFile(tmp_path).trouble


def test_an_entry_written_and_not_yet_remembered_is_no_break(tmp_path: Path) -> None:
    """A power cut between the entry and the note which entry is the last."""
    chain, file = Chain(), ChainFile(tmp_path)
    file.append(entries(chain, 2))
    note = (tmp_path / FOLDER / "head.json").read_bytes()
    file.append(entries(chain, 1))
    (tmp_path / FOLDER / "head.json").write_bytes(note)
    assert verify_folder(tmp_path).broken == ""
    assert ChainFile(tmp_path).head == chain.head


def test_the_oldest_file_goes_and_the_chain_says_so(tmp_path: Path) -> None:
    chain, file = Chain(), ChainFile(tmp_path, file_bytes=600, most_files=2)
    for _ in range(12):
        file.append(entries(chain, 1))
    files = sorted((tmp_path / FOLDER).glob("*.jsonl"))
    found = verify_folder(tmp_path)
    assert len(files) == 2
    assert found.first == int(files[0].stem) == file.rotated + 1 > 1
    assert (found.head, found.broken) == (chain.head, "")
    files[0].unlink()
    assert "entries are missing" in verify_folder(tmp_path).broken


def test_the_folder_has_a_bound() -> None:
    """Files that are full, each with the largest write behind it, and one more while the oldest goes."""
    texts = {"machine": "m" * 64, "alarm": "a" * 64, "by": "김" * 64, "comment": "환" * 500, "value": "-1.2345e-123"}
    line = Chain().add(SAID | texts | {"cause": "condition", "state": "RTN_UNACK", "until_ns": "1" * 19}).line()
    assert (MOST_FILES + 1) * (FILE_BYTES + MOST_UNWRITTEN * len(line)) <= MOST_BYTES


def test_the_journal_remembers_what_the_file_has_not(tmp_path: Path) -> None:
    chain, file = Chain(), ChainFile(tmp_path)
    file.append(entries(chain, 2))
    chain.written(file.head)
    entries(chain, 2)
    again = Chain()
    again.written(ChainFile(tmp_path).head)
    again.restore(chain.kept())
    file = ChainFile(tmp_path)
    file.append(again.unwritten)
    again.written(file.head)
    assert (again.unwritten, again.head) == ([], chain.head)
    assert verify_folder(tmp_path).entries == 4


def test_a_journal_that_lost_its_end_goes_on_behind_the_file(tmp_path: Path) -> None:
    chain, file = Chain(), ChainFile(tmp_path)
    old = chain.kept()
    file.append(entries(chain, 2))
    again = Chain()
    again.written(file.head)
    again.restore(old)
    assert again.head == chain.head


def test_a_log_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "head.json").write_text("{}")
    with pytest.raises(JournalError, match="not as it was written"):
        verify_folder(tmp_path)
    with pytest.raises(JournalError, match="not as it was written"):
        ChainFile(tmp_path)


def test_what_waits_for_the_disk_is_bounded_and_what_is_missing_is_told(tmp_path: Path) -> None:
    chain, file = Chain(), ChainFile(tmp_path)
    entries(chain, MOST_UNWRITTEN + 5)
    assert len(chain.unwritten) == MOST_UNWRITTEN
    file.append(chain.unwritten)
    assert "entries after 0 are missing" in file.trouble
    assert "begins with entry 6, not 1" in verify_folder(tmp_path).broken


def test_a_log_that_was_deleted_is_found_by_what_the_journal_knows(tmp_path: Path) -> None:
    chain, file = Chain(), ChainFile(tmp_path)
    file.append(entries(chain, 1))
    assert verify_folder(tmp_path, chain).broken == ""
    shutil.rmtree(tmp_path / FOLDER)
    assert "the journal knows of 1" in verify_folder(tmp_path, chain).broken
    chain.written(file.head)
    entries(chain, 1)
    assert verify_folder(tmp_path, chain).broken == "the entries after 0 are missing: 1 was written"
    assert verify_folder(tmp_path, Chain()).broken == ""


def test_entries_that_only_the_journal_has_are_no_break(tmp_path: Path) -> None:
    """The agent was killed before they were in the file; it writes them at its next start."""
    chain, file = Chain(), ChainFile(tmp_path)
    file.append(entries(chain, 2))
    chain.written(file.head)
    entries(chain, 2)
    assert verify_folder(tmp_path, chain).broken == ""
