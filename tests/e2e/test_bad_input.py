"""Wrong node, absent PLC, absent broker, a store that refuses, a full disk: one clear line each, nothing lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.point import BAD_NO_COMMUNICATION, BAD_SENSOR_FAILURE
from tests.connectors.opcua.conftest import run_foreign
from tests.e2e.foreign_parts import Places, Plc, Store, agent, bridge, collector, site_of, write_site
from tests.services.influxd import free_port
from tests.services.mosquitto import Mosquitto
from tests.small_disk import fill, small_disk

pytestmark = [pytest.mark.wire, pytest.mark.slow]

BAD_NODE_ID_UNKNOWN = 0x8034_0000
COUNTERS = tuple(f"Counter{i}" for i in range(3))


def test_an_unreachable_plc_and_a_wrong_node(places: Places, plc: Plc, tmp_path: Path) -> None:
    nobody = f"opc.tcp://127.0.0.1:{free_port()}"
    modes = {"good": "subscribe", "wrong": "subscribe", "wrong_read": "read"}
    fine = [{**plc.tag("Double0"), "name": name, "mode": mode} for name, mode in modes.items()]
    for tag in fine[1:]:
        tag["node"] = f"nsu={plc.server.namespace};s=Duoble0"
    away = plc.connection("away", *({**plc.tag("Double0"), "name": name} for name in "abc"), endpoint=nobody)
    register = {"name": "gone", "address": 1, "datatype": "int16"}
    silent = {"type": "modbus", "name": "silent", "host": "127.0.0.1", "port": free_port(), "tags": [register]}
    site = site_of("faults", [plc.connection("fine", *fine, plc.tag("Counter0")), away, silent])
    store = Store(places.influx, "faults")
    with collector(tmp_path, site, places.broker) as running:
        running.until(lambda: running.points()["stored"] >= 100)
        running.until(lambda: store.has("away", "abc") and store.has("silent", ["gone"]) and store.has("fine", modes))
        assert running.status()["connections"]["away"]["connected"] is False
        assert running.stop() == 0
    down = running.events("link_down")
    assert sorted(one["link"] for one in down) == ["away", "silent"]
    assert any(nobody in one["reason"] for one in down)
    assert any(f"modbus://127.0.0.1:{silent['port']}" in one["reason"] for one in down)
    for machine, names in (("away", "abc"), ("silent", ["gone"])):
        rows = store.rows(machine)
        assert rows.keys() == {f"{name}_quality" for name in names}
        for name in names:
            assert [status for _, status in rows[f"{name}_quality"]] == [BAD_NO_COMMUNICATION]
    rows = store.rows("fine")
    assert [value for _, value in rows["good"]] == [0.1]
    for name in ("wrong", "wrong_read"):
        assert name not in rows
        assert {status for _, status in rows[f"{name}_quality"]} == {BAD_NODE_ID_UNKNOWN}


def test_a_plc_that_comes_back_is_good_again(places: Places, tmp_path: Path) -> None:
    """Also a tag that has not changed since: its source time is older than the loss of the link."""
    port = str(free_port())
    with run_foreign(tmp_path / "first", PORT=port) as server:
        tags = [Plc(server, tmp_path).tag(name) for name in ("Double0", "Bad", "Counter0")]
        site = site_of("back", [Plc(server, tmp_path).connection("plant", *tags)])
        store = Store(places.influx, "back")
        with collector(tmp_path, site, places.broker) as running:
            running.until(lambda: store.has("plant", ["Double0", "Bad"]))
            server.process.kill()
            running.until(lambda: len(store.rows("plant")["Double0_quality"]) == 2)
            with run_foreign(tmp_path / "second", PORT=port):
                running.until(lambda: len(store.rows("plant")["Double0_quality"]) == 3)
                running.until(lambda: len(store.rows("plant")["Bad_quality"]) == 3)
                assert running.points()["quarantined"] == 0
                assert running.stop() == 0
    rows = store.rows("plant")
    ((time_ns, value),) = rows["Double0"]
    assert value == 0.1
    times, statuses = zip(*rows["Double0_quality"], strict=True)
    assert statuses == (0, BAD_NO_COMMUNICATION, 0)
    assert times[0] == time_ns < times[1] < times[2]
    assert [status for _, status in rows["Bad_quality"]] == [
        BAD_SENSOR_FAILURE,
        BAD_NO_COMMUNICATION,
        BAD_SENSOR_FAILURE,
    ]
    assert [one["link"] for one in running.events("link_down")] == [one["link"] for one in running.events("link_up")]
    assert len(running.events("link_down")) == 1
    assert "127.0.0.1:" + port in running.events("link_down")[0]["reason"]


def test_reading_an_unreachable_plc_once(plc: Plc, tmp_path: Path) -> None:
    nobody = f"opc.tcp://127.0.0.1:{free_port()}"
    site = site_of("once", [plc.connection("away", plc.tag("Double0"), endpoint=nobody)])
    answer = agent("read", str(write_site(tmp_path, site)))
    assert answer.returncode == 3
    (line,) = answer.stderr.decode().splitlines()
    assert line.startswith(f"error: {nobody}: ")
    (row,) = answer.stdout.decode().splitlines()
    assert "away" in row
    assert "missing" in row


def test_a_closed_broker_loses_nothing(places: Places, plc: Plc, tmp_path: Path) -> None:
    mosquitto = Mosquitto(tmp_path / "mosquitto")
    broker = f"mqtt://127.0.0.1:{mosquitto.port}"
    site = site_of("closed", [plc.connection("changes", *map(plc.tag, COUNTERS))])
    with collector(tmp_path, site, broker) as running:
        running.until(lambda: running.points()["accepted"] >= 200)
        assert running.points()["stored"] == 0
        (down,) = running.events("link_down")
        assert f"127.0.0.1:{mosquitto.port}" in down["reason"]
        assert agent("status", "--json", "--state-dir", str(running.state)).returncode == 1
        with mosquitto, bridge(tmp_path, broker, places.influx.url):
            running.until(lambda: running.points()["stored"] >= 300)
            assert running.stop() == 0
    _assert_every_change(plc, Store(places.influx, "closed"))


def _assert_every_change(plc: Plc, store: Store) -> None:
    """Every change of the counters from the first stored one to the last, once, with the time the PLC gave it."""
    for name in COUNTERS:
        truth, stored = plc.written(name), store.rows("changes")[name]
        first, last = stored[0][1], stored[-1][1]
        assert last - first > 50
        assert stored == [(truth[value], value) for value in range(first, last + 1)], name
    assert store.gaps() == []


def test_a_type_the_database_refuses(places: Places, plc: Plc, tmp_path: Path) -> None:
    names = ["Double0", "String1", "Int640"]
    places.influx.create("refusing")
    (time_ns,) = (one["source_time_ns"] for one in plc.server.values if one["node"].endswith("s=Double0"))
    places.influx.write("refusing", f'plant,machine=other Double0="text" {time_ns}\n'.encode())  # types are per shard
    site = site_of("refusing", [plc.connection("plant", *map(plc.tag, [*names, "Counter0"]))])
    store = Store(places.influx, "refusing")
    with collector(tmp_path, site, places.broker) as running:
        running.until(lambda: running.points()["quarantined"] and running.points()["stored"] >= 50)
        points = running.points()
        assert (points["quarantined"], points["imbalance"], points["dropped"]) == (1, 0, 0)
        status = agent("status", "--json", "--state-dir", str(running.state))
        assert json.loads(status.stdout)["points"]["quarantined"] == 1
        listed = agent("quarantine", "--json", "--state-dir", str(running.state))
        again = agent("quarantine", "retry", "--all", "--json", "--state-dir", str(running.state))
        assert json.loads(again.stdout)["points"] == 1
        running.until(lambda: running.points()["quarantined"] == 2)
        running.until(lambda: running.points()["retried"] == 1 and not running.points()["imbalance"])
        back = agent("quarantine", "--json", "--state-dir", str(running.state))
        assert running.stop() == 0
    assert listed.returncode == 1
    (record,) = json.loads(listed.stdout)["records"]
    (refused,) = record["refused"]
    assert "Double0=0.1" in refused["line"]
    assert "field type conflict" in refused["reason"]
    (returned,) = json.loads(back.stdout)["records"]
    assert returned["refused"] == record["refused"]
    assert returned["record"] != record["record"]
    told, _ = running.events("point_quarantined")
    assert told["reason"] == refused["reason"]
    rows = store.rows("plant")
    assert [value for _, value in rows["Double0"]] == ["text"]
    assert [status for _, status in rows["Double0_quality"]] == [0]
    assert [value for name in names[1:] for _, value in rows[name]] == ["한글 프레스 1호기", -(2**63)]
    counted = [value for _, value in rows["Counter0"]]
    assert counted == list(range(counted[0], counted[-1] + 1))


@pytest.mark.parametrize("min_free_bytes", [0, 256 << 10], ids=["no space left", "below min_free_bytes"])
def test_a_full_disk(places: Places, plc: Plc, tmp_path: Path, min_free_bytes: int) -> None:
    company = f"full{min_free_bytes}"
    journal = {"min_free_bytes": min_free_bytes, "max_bytes": 2 << 20, "segment_bytes": 64 << 10}
    site = site_of(company, [plc.connection("changes", *map(plc.tag, COUNTERS))], journal=journal)
    store = Store(places.influx, company)
    with small_disk(tmp_path / "disk") as disk, collector(tmp_path, site, places.broker, disk / "state") as running:
        running.until(lambda: running.points()["stored"] >= 100)
        somebody_elses = fill(disk)
        (failing,) = running.until(lambda: running.events("journal_failing"))
        assert str(disk / "state" / "journal") in failing["reason"]
        assert "free space" in failing["reason"]
        assert running.status()["healthy"] is False
        accepted = running.points()["accepted"]
        counted = max(plc.written("Counter0"))
        running.until(lambda: max(plc.written("Counter0")) > counted + 50)
        assert running.points()["accepted"] == accepted
        somebody_elses.unlink()
        running.until(lambda: running.points()["stored"] >= accepted + 200)
        points = running.points()
        assert (points["dropped"], points["quarantined"]) == (0, 0)
        assert running.status()["healthy"] is True
        assert running.stop() == 0
    assert len(running.events("journal_failing")) == len(running.events("journal_recovered")) == 1
    _assert_every_change(plc, store)


def test_a_disk_that_is_full_at_the_first_start(plc: Plc, tmp_path: Path) -> None:
    site = site_of("start", [plc.connection("changes", plc.tag("Counter0"))], journal={"min_free_bytes": 0})
    config = write_site(tmp_path, site)
    with small_disk(tmp_path / "disk") as disk:
        fill(disk)
        answer = agent("run", str(config), "--state-dir", str(disk / "state"), "--mqtt", "mqtt://127.0.0.1:1")
    assert answer.returncode == 3
    (line,) = answer.stderr.decode().splitlines()
    assert line.startswith(f"error: {disk / 'state'}")
    assert "No space left on device" in line


def test_a_journal_folder_that_is_a_file(plc: Plc, tmp_path: Path) -> None:
    site = site_of("start", [plc.connection("changes", plc.tag("Counter0"))])
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "journal").write_text("in the way")
    answer = agent("run", str(write_site(tmp_path, site)), "--state-dir", str(tmp_path / "state"))
    assert answer.returncode == 3
    (line,) = answer.stderr.decode().splitlines()
    assert line == f"error: {tmp_path / 'state' / 'journal'}: cannot use the journal's folder: File exists"
