"""kill -9 of each part, one at a time, while a plant runs: nothing is lost, doubled or altered."""

from pathlib import Path

import pytest

from tests.e2e.harness import assert_nothing_lost, assert_verified, simulation
from tests.services.influxd import free_port, running_influxd
from tests.services.mosquitto import Mosquitto

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.timeout(300)]


def test_kill_of_the_collector(tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "mosquitto") as broker, running_influxd() as database:
        places = ["--broker", f"mqtt://127.0.0.1:{broker.port}", "--influx", f"{database.url}?db=shopfloor"]
        with simulation(tmp_path / "run", *places) as run:
            run.pid_of("collector")
            run.until_stored(200)
            assert_verified(run.work, *places[2:])
            run.kill("collector")
            run.until_stored(200)
            assert_verified(run.work, *places[2:])
            answer = run.stop()
        assert_verified(run.work, *places[2:])
    assert_nothing_lost(answer, outages=True)


def test_kill_of_bridge_mosquitto_and_influxd(tmp_path: Path) -> None:
    """No gap explains anything: the collector has it all."""
    port, data = free_port(), tmp_path / "influxd"
    with Mosquitto(tmp_path / "mosquitto") as broker:
        places = ["--broker", f"mqtt://127.0.0.1:{broker.port}", "--influx", f"http://127.0.0.1:{port}?db=shopfloor"]
        with running_influxd(data, port=port) as database, simulation(tmp_path / "run", *places) as run:
            run.pid_of("collector")
            run.until_stored(200)
            assert_verified(run.work, *places[2:])
            run.kill("bridge")
            run.until_stored(200)
            assert_verified(run.work, *places[2:])
            broker.kill()
            broker.start()
            run.until_stored(200)
            assert_verified(run.work, *places[2:])
            database.process.kill()
            database.process.wait()
            with running_influxd(data, port=port):
                run.until_stored(200)
                answer = run.stop()
                assert_verified(run.work, *places[2:])
    assert_nothing_lost(answer)


def test_kill_of_the_site_server(tmp_path: Path) -> None:
    with simulation(tmp_path / "run") as run:
        run.pid_of("serve")
        run.until_stored(200)
        assert_verified(run.work, "--store", str(run.work / "store"))
        run.kill("serve")
        run.until_stored(200)
        assert_verified(run.work, "--store", str(run.work / "store"))
        answer = run.stop()
    assert_verified(run.work, "--store", str(run.work / "store"))
    assert_nothing_lost(answer)
