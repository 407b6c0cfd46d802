"""A configuration changes under a running agent: a good one is taken over without a loss, a bad one changes nothing."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.foreign_parts import Child, Places, Plc, Store, agent, collector, site_of, write_site
from tests.faults.delivery.changes import counted, lost, unexplained

pytestmark = [pytest.mark.wire, pytest.mark.fault(33)]


def reload(running: Child) -> tuple[int, str]:
    done = agent("reload", "--state-dir", str(running.state))
    return done.returncode, (done.stdout + done.stderr).decode()


def readings(running: Child) -> int:
    """Of the kept link, since it was opened: one that is opened anew begins at 0, and may lose nothing either."""
    return int(running.status()["connections"]["kept"]["readings"])


def test_a_good_one_is_taken_over_and_nothing_is_lost(
    places: Places, plc: Plc, tmp_path: Path, size: Any, figure: Any
) -> None:
    store, rounds = Store(places.influx, "reload"), size(2, 20)
    kept = plc.connection("kept", plc.tag("Counter0"))
    site = site_of("reload", [kept, plc.connection("grows", plc.tag("Counter1"))])
    with collector(tmp_path, site, places.broker) as running:
        counted(running, 100)
        begun = running.status()
        for number in range(rounds):
            more = [plc.tag("Counter2")] if number % 2 == 0 else []
            others = [plc.connection("grows", plc.tag("Counter1"), *more)]
            others += [plc.connection("late", plc.tag("Counter2"))] if number % 2 == 0 else []
            write_site(tmp_path, site_of("reload", [kept, *others]))
            before = readings(running)
            code, said = reload(running)
            assert code == 0, said
            assert readings(running) >= before > 0
            assert "kept: kept" in said
            assert "anew: grows" in said
            assert ("added: late" if number % 2 == 0 else "removed: late") in said or number == 0, said
            counted(running, 100)
            assert list(running.status()["connections"]) == ["kept", "grows", *(["late"] if number % 2 == 0 else [])]
        ended = running.status()
        assert ended["epoch"] == begun["epoch"]
        assert ended["connections"]["kept"]["opened"] == 1
        assert ended["points"]["imbalance"] == 0
        assert running.stop() == 0
    assert lost(plc, store, "kept", "Counter0") == []
    assert unexplained(plc, store, "grows", "Counter1") == []
    assert len(store.rows("late")["Counter2"]) > 10
    assert not [row for row in store.gaps() if row["machine"] == "kept"]
    figure("configurations taken over under load; changes lost of a kept link", asked="0", measured=f"0 in {rounds}")
    figure("changes lost of a link opened anew with other tags, in no gap that is told", asked="0", measured=0)


BAD: dict[str, tuple[str, str, str]] = {
    "a fault in the file": ("publishing_interval_s: 0.1", "publishing_interval_s: soon", r"site.yaml:"),
    "another company": ("company: refused", "company: thief", "company: refused → thief"),
    "another journal": (
        "journal:\n  max_bytes: 8388608",
        "journal:\n  max_bytes: 9388608",
        "journal: max_bytes 8388608 →",
    ),
}


def test_a_bad_one_changes_nothing_and_says_why(places: Places, plc: Plc, tmp_path: Path, figure: Any) -> None:
    store = Store(places.influx, "refused")
    site = site_of("refused", [plc.connection("kept", plc.tag("Counter0"))], journal={"max_bytes": 8388608})
    with collector(tmp_path, site, places.broker) as running:
        counted(running, 50)
        path = tmp_path / "site.yaml"
        good = path.read_text()
        for name, (old, new, why) in BAD.items():
            path.write_text(good.replace(old, new))
            assert path.read_text() != good, name
            before = readings(running)
            code, said = reload(running)
            assert (code, why in said) == (2, True), (name, said)
            assert readings(running) >= before > 0
            assert troubles(running, why), name
            assert why in running.events("configuration_refused")[-1]["reason"]
            counted(running, 50)
        told = len(running.events("configuration_refused"))
        running.process.send_signal(signal.SIGHUP)  # without an answer, but for the log
        running.until(lambda: len(running.events("configuration_refused")) > told)
        path.write_text(good)
        running.process.send_signal(signal.SIGHUP)
        running.until(lambda: running.events("configuration_taken_over"))
        assert not troubles(running, "configuration from before")
        counted(running, 50)
        assert running.status()["connections"]["kept"]["opened"] == 1
        assert running.stop() == 0
    assert lost(plc, store, "kept", "Counter0") == []
    figure(
        "bad configurations at a reload: refused, told, changes lost",
        asked="all, all, 0",
        measured=f"{len(BAD)}, {len(BAD)}, 0",
    )


def troubles(running: Child, words: str) -> Sequence[str]:
    return [text for text in running.status()["troubles"] if words in text]
