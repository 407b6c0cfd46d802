"""What deploy/ ships, tried on the real programs."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import subprocess
import time
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
import urllib3
import yaml
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.subscribeoptions import SubscribeOptions

from pipelines.journal.journal import JournalSettings
from tests.services.certificates import make_certificates
from tests.services.mosquitto import HOST, Mosquitto, binary
from tests.services.ports import free_port
from tests.services.shipped_acl import add_site, shipped_acl

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
EXAMPLES = sorted((DEPLOY / "examples").glob("*.yaml"))
EXPOSURE_LIMIT = 15  # tenths: 1.5 of 10
SLOW_CARD_BYTES_PER_S = 5_000_000
DEADLINE_S = 15.0
SECRETS = {"bridge": "b-secret", "demo.gyeongsan": "g-secret", "other.seoul": "s-secret", "technopark": "t-secret"}
SECRETS |= {"viewer": "v-secret", "erp": "e-secret"}


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_unit_exposure(unit: Path) -> None:
    command = [binary("systemd-analyze", "systemd"), "security", "--no-pager", "--offline=true"]
    done = subprocess.run(
        [*command, f"--threshold={EXPOSURE_LIMIT}", unit], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-300:] + done.stderr


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_unit_has_no_unknown_key_and_what_the_design_asks(unit: Path, tmp_path: Path) -> None:
    there = tmp_path / unit.name  # the program is not in /opt here: everything else must be right
    there.write_text(unit.read_text().replace("/opt/shopfloor-agent/bin/agent", "/bin/true"))
    command = [binary("systemd-analyze", "systemd"), "verify", "--man=no", "--recursive-errors=no", str(there)]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Unknown" not in said.stderr, said.stderr
    assert "Failed to parse" not in said.stderr, said.stderr
    read = configparser.ConfigParser(strict=False, interpolation=None)
    read.optionxform = str  # type: ignore[assignment,method-assign]  # systemd's keys have capitals
    read.read_string(unit.read_text())
    service = read["Service"]
    wanted = {"Type": "notify", "Restart": "always", "DynamicUser": "yes", "LimitCORE": "0"}
    wanted["WatchdogSec"] = "15" if unit.stem == "shopfloor-agent" else "30"
    assert {key: service[key] for key in wanted} == wanted
    assert service["LoadCredential"].split(":")[1].startswith("/etc/shopfloor/credentials/")
    assert service["StateDirectory"] == unit.stem
    assert read["Unit"]["StartLimitIntervalSec"] == "0"


def test_the_lines_that_let_serial_ports_into_the_sandbox(tmp_path: Path) -> None:
    page = (ROOT / "docs/configuration.md").read_text()
    (lines,) = re.findall(r"```ini\n((?:(?!```).)*DeviceAllow=(?:(?!```).)*)```", page, re.DOTALL)
    unit = tmp_path / "shopfloor-agent.service"
    text = (DEPLOY / "systemd/shopfloor-agent.service").read_text()
    unit.write_text(text.replace("/opt/shopfloor-agent/bin/agent", "/bin/true"))
    (tmp_path / f"{unit.name}.d").mkdir()
    (tmp_path / f"{unit.name}.d/override.conf").write_text(lines)
    analyze = binary("systemd-analyze", "systemd")
    command = [analyze, "verify", "--man=no", "--recursive-errors=no", str(unit)]
    assert subprocess.run(command, capture_output=True, text=True, check=False).stderr == ""
    command = [analyze, "security", "--no-pager", "--offline=true", f"--threshold={EXPOSURE_LIMIT}", str(unit)]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout[-300:] + said.stderr
    assert all(f"char-tty{kind}:rw" in said.stdout for kind in ("USB", "ACM", "S"))


def test_the_agent_may_read_a_full_journal_before_it_is_ready() -> None:
    unit = (DEPLOY / "systemd/shopfloor-agent.service").read_text()
    found = re.search(r"^TimeoutStartSec=(\d+)min$", unit, re.MULTILINE)
    assert found is not None
    assert int(found[1]) * 60 > JournalSettings().max_bytes / SLOW_CARD_BYTES_PER_S


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_unit_starts_a_command_with_options_it_has(unit: Path) -> None:
    import typer  # noqa: PLC0415 - only here

    from agent import cli  # noqa: PLC0415

    group: Any = typer.main.get_command(cli.app)
    lines = re.findall(r"^Exec(Start|Reload)=((?:.*\\\n)*.*)", unit.read_text(), re.MULTILINE)
    assert [key for key, _ in lines] == (["Start", "Reload"] if unit.stem == "shopfloor-agent" else ["Start"])
    for _, line in lines:
        program, name, *arguments = shlex.split(line.replace("\\\n", " "))
        assert program == "/opt/shopfloor-agent/bin/agent"
        command = group.get_command(None, name)
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in arguments if word.startswith("--")} <= known


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_example_loads(example: Path) -> None:
    from agent import config  # noqa: PLC0415 - only here

    site = config.load_site(example)
    assert site.connections
    document: dict[str, Any] = yaml.safe_load(example.read_text())
    assert {"company", "site", "machines", "connections"} <= document.keys()
    machines = set(document["machines"])
    for connection in document["connections"]:
        assert connection["machine"] in machines
    if "mqtt" in document:
        assert "password" not in document["mqtt"]
        assert re.fullmatch(r"agent_[\w-]+", document["mqtt"]["password_file"])
        assert document["mqtt"]["user"] == f"{document['company']}.{document['site']}"


# ── broker ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def acl(tmp_path: Path) -> str:
    """shopfloor.acl after add-site.sh ran for two companies, with the real mosquitto_passwd."""
    return shipped_acl(tmp_path, "demo.gyeongsan", "other.seoul")


def test_add_site_refuses_a_second_time_and_wildcards(acl: str, tmp_path: Path) -> None:
    again = add_site(tmp_path, "demo.gyeongsan", check=False)
    assert (again.returncode, "already" in again.stderr) == (1, True)
    wild = add_site(tmp_path, "demo.+", check=False)
    assert wild.returncode == 2
    assert (tmp_path / "acl").read_text() == acl
    assert {line.split(":")[0] for line in (tmp_path / "passwd").read_text().splitlines()} == {
        "demo.gyeongsan",
        "other.seoul",
    }


class _Client:
    """A blocking MQTT 5 client."""

    def __init__(self, port: int, user: str) -> None:
        self.codes: dict[int, int] = {}
        self.got: list[tuple[str, bytes]] = []
        self.granted = False
        self.connected: int | None = None
        self.paho = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        self.paho.username_pw_set(user, SECRETS.get(user, "wrong"))
        self.paho.on_publish = lambda _c, _u, mid, code, _p: self.codes.__setitem__(mid, int(code.value))
        self.paho.on_message = lambda _c, _u, message: self.got.append((message.topic, message.payload))
        self.paho.on_connect = lambda _c, _u, _f, code, _p: setattr(self, "connected", int(code.value))
        self.paho.on_subscribe = lambda *_: setattr(self, "granted", True)
        self.paho.connect(HOST, port)
        self.until(lambda: self.connected is not None)

    def until(self, true: Any) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not true():
            assert time.monotonic() < deadline
            self.paho.loop(0.01)

    def subscribe(self, *topics: str) -> None:
        self.granted = False
        self.paho.subscribe([(topic, SubscribeOptions(qos=1)) for topic in topics])
        self.until(lambda: self.granted)

    def publish(self, topic: str, payload: bytes = b"x") -> int:
        sent = self.paho.publish(topic, payload, qos=1)
        self.until(lambda: sent.mid in self.codes)
        return self.codes[sent.mid]


REFUSED = 0x87
DENIED_TO_AN_AGENT = (
    "sf/other/seoul/a9/data",  # another company
    "sf/demo/busan/a1/data",  # another site of the same company
    "sf/demo/gyeongsan/a1/stored",  # only a bridge says so
    "sf/demo/gyeongsan/a1/rejected",
    "sf/demo/gyeongsan/data",
    "elsewhere",
)


@pytest.mark.wire
def test_no_site_can_write_or_read_what_is_anothers(acl: str, tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "broker", users=SECRETS, acl=acl) as broker:
        agent, other = _Client(broker.port, "demo.gyeongsan"), _Client(broker.port, "other.seoul")
        bridge = _Client(broker.port, "bridge")
        bridge.subscribe("$share/bridge/sf/+/+/+/data", "sf/+/+/+/birth")
        other.subscribe("#", "sf/other/seoul/+/stored")
        agent.subscribe("sf/demo/gyeongsan/+/stored", "sf/demo/gyeongsan/+/rejected")
        for topic in DENIED_TO_AN_AGENT:
            assert agent.publish(topic) == REFUSED, topic
        assert agent.publish("sf/demo/gyeongsan/a1/data", b"points") == 0
        assert agent.publish("sf/demo/gyeongsan/a1/birth", b"born") == 0
        bridge.until(lambda: len(bridge.got) == 2)
        assert sorted(bridge.got) == [("sf/demo/gyeongsan/a1/birth", b"born"), ("sf/demo/gyeongsan/a1/data", b"points")]
        assert bridge.publish("sf/demo/gyeongsan/a1/data") == REFUSED
        assert bridge.publish("sf/demo/gyeongsan/a1/stored", b"1") == 0
        assert bridge.publish("sf/demo/gyeongsan/a1/rejected", b"2") == 0
        agent.until(lambda: len(agent.got) == 2)
        assert bridge.publish("sf/other/seoul/a9/stored", b"own") == 0
        other.until(lambda: other.got)
        # Subscribed to everything, it got only its own: what came before it in time never arrived.
        assert set(other.got) == {("sf/other/seoul/a9/stored", b"own")}
        stranger = _Client(broker.port, "nobody")
        assert stranger.connected == REFUSED


@pytest.mark.wire
def test_a_viewer_takes_entries_and_confirms_no_record(acl: str, tmp_path: Path) -> None:
    """By shopfloor.acl, with a program whose rights docs/entries.md names."""
    named = re.findall(r"`topic (write|read) (sf/<company>/<site>/\S+)`", (ROOT / "docs/entries.md").read_text())
    assert len(named) == 2
    rights = "\n".join(f"topic {may} {topic}" for may, topic in named)
    rights = rights.replace("<company>", "demo").replace("<site>", "gyeongsan")
    with Mosquitto(tmp_path / "broker", users=SECRETS, acl=f"{acl}\nuser erp\n{rights}\n") as broker:
        viewer, erp = _Client(broker.port, "viewer"), _Client(broker.port, "erp")
        agent, bridge = _Client(broker.port, "demo.gyeongsan"), _Client(broker.port, "bridge")
        entry, own = "sf/demo/gyeongsan/entry", "sf/demo/gyeongsan/desk-1"
        viewer.subscribe(f"$share/entries/{entry}", f"{own}/stored", f"{own}/rejected", f"{own}/birth")
        erp.subscribe(f"{entry}/answer", "#")
        bridge.subscribe("$share/bridge/sf/+/+/+/data")
        assert agent.publish(entry) == REFUSED, "an agent reads machines and enters nothing"
        assert erp.publish(f"{own}/data") == erp.publish("sf/other/seoul/entry") == REFUSED
        assert erp.publish(entry, b"{}") == 0
        viewer.until(lambda: (entry, b"{}") in viewer.got)
        assert viewer.publish(f"{entry}/answer", b"saved") == viewer.publish(f"{own}/data", b"entry") == 0
        assert viewer.publish(f"{own}/stored") == viewer.publish(entry) == REFUSED
        bridge.until(lambda: bridge.got == [(f"{own}/data", b"entry")])
        assert bridge.publish(f"{own}/stored", b"1") == 0
        viewer.until(lambda: (f"{own}/stored", b"1") in viewer.got)
        erp.until(lambda: erp.got)
        assert set(erp.got) == {(f"{entry}/answer", b"saved")}


@pytest.mark.wire
def test_a_destination_reads_what_is_shared_with_it_and_nothing_else(acl: str, tmp_path: Path) -> None:
    """By the access list of docs/sharing.md."""
    theirs = re.findall(r"```\n(user technopark\n.*?)```", (ROOT / "docs/sharing.md").read_text(), re.DOTALL)[0]
    with Mosquitto(tmp_path / "broker", users=SECRETS, acl=f"{acl}\n{theirs}") as broker:
        agent, there = _Client(broker.port, "demo.gyeongsan"), _Client(broker.port, "technopark")
        bridge = _Client(broker.port, "bridge")
        there.subscribe("#")
        bridge.subscribe("sf/+/+/+/data", "sf/+/+/+/shared/+")
        agent.subscribe("sf/demo/gyeongsan/+/shared/+/stored", "sf/demo/gyeongsan/+/shared/+/rejected")
        own, shared = "sf/demo/gyeongsan/a1/data", "sf/demo/gyeongsan/a1/shared/technopark"
        for topic in (own, shared, f"{shared}/birth", "sf/demo/gyeongsan/a1/shared/customer"):
            assert agent.publish(topic) == 0, topic
        assert agent.publish("sf/other/seoul/a9/shared/technopark") == REFUSED
        assert agent.publish(f"{shared}/stored") == REFUSED
        for topic in (own, shared, "sf/demo/gyeongsan/a1/stored", f"{shared}/birth"):
            assert there.publish(topic) == REFUSED, topic
        for topic in (f"{shared}/stored", f"{shared}/rejected"):
            assert there.publish(topic, b"1") == 0, topic
        agent.until(lambda: len(agent.got) == 2)
        assert agent.publish(shared, b"last") == 0
        there.until(lambda: there.got[-1:] == [(shared, b"last")])
        assert {topic for topic, _ in there.got} == {shared, f"{shared}/birth"}
        assert agent.publish(own, b"last") == 0
        bridge.until(lambda: bridge.got[-1:] == [(own, b"last")])
        assert {topic for topic, _ in bridge.got} == {own}


@pytest.mark.wire
def test_mosquitto_takes_our_configuration_inside_debians(acl: str, tmp_path: Path) -> None:
    """Debian's own mosquitto.conf, including ours; only ports and folders are exchanged."""
    included = tmp_path / "conf.d"
    included.mkdir()
    make_certificates(tmp_path)
    ports = (free_port(), free_port())
    text = (DEPLOY / "mosquitto/shopfloor.conf").read_text()
    text = text.replace("listener 8883", f"listener {ports[0]} {HOST}").replace("listener 1883", f"listener {ports[1]}")
    text = text.replace("/etc/mosquitto/certs", str(tmp_path))
    text = text.replace("/etc/mosquitto/shopfloor.passwd", str(tmp_path / "passwd"))
    text = text.replace("/etc/mosquitto/shopfloor.acl", str(tmp_path / "acl"))
    assert "/etc/" not in "".join(line for line in text.splitlines() if not line.startswith("#"))
    (included / "shopfloor.conf").write_text(text)
    debian = f"""
pid_file {tmp_path}/pid
persistence true
persistence_location {tmp_path}/
log_dest file {tmp_path}/log
include_dir {included}
{"user root" if os.geteuid() == 0 else ""}
"""
    (tmp_path / "mosquitto.conf").write_text(debian)
    command = [binary("mosquitto", "mosquitto"), "-c", str(tmp_path / "mosquitto.conf")]
    subscribe = [binary("mosquitto_sub", "mosquitto-clients"), "-h", "localhost", "-p", str(ports[0]), "-V", "mqttv5"]
    login = ["-u", "demo.gyeongsan", "-P", "secret", "--cafile", str(tmp_path / "ca.crt")]
    with subprocess.Popen(command) as broker:
        try:
            deadline = time.monotonic() + DEADLINE_S
            while True:
                # -E: leave after the subscription was acknowledged
                done = subprocess.run([*subscribe, *login, "-t", "sf/#", "-E"], capture_output=True, check=False)
                if done.returncode == 0 or time.monotonic() > deadline or broker.poll() is not None:
                    break
            assert done.returncode == 0, (done.stderr, (tmp_path / "log").read_text())
            wrong = subprocess.run([*subscribe, "-u", "bridge", "-P", "no", *login[4:], "-t", "#", "-E"], check=False)
            assert wrong.returncode != 0
        finally:
            broker.terminate()
            broker.wait(10)


@pytest.mark.wire
def test_broker_fixture_restarts_on_its_port_and_asks_for_a_certificate(tmp_path: Path) -> None:
    """tests/services/mosquitto.py, which other tests stand on."""
    command = [binary("mosquitto_sub", "mosquitto-clients"), "-h", "localhost", "-V", "mqttv5", "-q", "1"]
    with Mosquitto(tmp_path / "kept", persistence=True) as broker:
        listen = [*command, "-p", str(broker.port), "-i", "s", "-c", "-x", "3600", "-t", "a/b"]
        subprocess.run([*listen, "-E"], check=True)
        publish = [binary("mosquitto_pub", "mosquitto-clients"), "-h", HOST, "-p", str(broker.port), "-V", "mqttv5"]
        subprocess.run([*publish, "-q", "1", "-t", "a/b", "-m", "kept"], check=True)
        broker.stop()
        broker.start()
        got = subprocess.run([*listen, "-C", "1", "-W", "10"], check=True, capture_output=True, text=True)
        assert got.stdout == "kept\n"
        first = broker.pid
        broker.kill()
        assert broker.start().pid != first
        subprocess.run([*listen, "-E"], check=True)
    with Mosquitto(tmp_path / "tls", require_certificate=True) as broker:
        secure = [*command, "-p", str(broker.port), "--cafile", str(broker.ca_file), "-t", "#", "-E"]
        assert subprocess.run(secure, check=False, capture_output=True).returncode != 0
        mine = ["--cert", str(broker.client_cert_file), "--key", str(broker.client_key_file)]
        subprocess.run([*secure, *mine], check=True)


# ── database ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.wire
def test_influxd_takes_our_configuration_and_asks_for_a_login(tmp_path: Path) -> None:
    http, rpc = free_port(), free_port()
    text = (DEPLOY / "influxdb/influxdb.conf").read_text().replace("/var/lib/influxdb", str(tmp_path))
    assert text.count("127.0.0.1:8086") == text.count("127.0.0.1:8088") == 1
    text = text.replace("127.0.0.1:8086", f"{HOST}:{http}").replace("127.0.0.1:8088", f"{HOST}:{rpc}")
    (tmp_path / "influxdb.conf").write_text(text)
    url = f"http://{HOST}:{http}"
    pool = urllib3.PoolManager(retries=urllib3.Retry(connect=None, total=None, backoff_factor=0))
    with (tmp_path / "log").open("wb") as log:
        command = [binary("influxd", "influxdb"), "-config", str(tmp_path / "influxdb.conf")]
        with subprocess.Popen(command, stdout=log, stderr=log) as server:
            try:
                deadline = time.monotonic() + DEADLINE_S
                while True:
                    try:
                        assert pool.request("GET", f"{url}/ping", retries=False).status == 204
                        break
                    except urllib3.exceptions.HTTPError:
                        assert time.monotonic() < deadline, (tmp_path / "log").read_text()
                        assert server.poll() is None, (tmp_path / "log").read_text()
                line = b"meter,company=demo power=1.5"
                for query, login in (
                    ("CREATE USER admin WITH PASSWORD 'a' WITH ALL PRIVILEGES", None),
                    ("CREATE DATABASE shopfloor WITH DURATION 730d", "admin:a"),
                    ("CREATE USER bridge WITH PASSWORD 'b'", "admin:a"),
                    ("GRANT ALL ON shopfloor TO bridge", "admin:a"),
                ):
                    headers = urllib3.make_headers(basic_auth=login) if login else {}
                    answer = pool.request("POST", f"{url}/query", fields={"q": query}, headers=headers)
                    assert (answer.status, b"error" in answer.data) == (200, False), answer.data
                assert pool.request("POST", f"{url}/write?db=shopfloor", body=line).status == 401
                bridge = urllib3.make_headers(basic_auth="bridge:b")
                assert pool.request("POST", f"{url}/write?db=shopfloor", body=line, headers=bridge).status == 204
            finally:
                server.terminate()
                server.wait(10)


def test_the_test_components_are_all_there() -> None:
    done = subprocess.run([DEPLOY / "test-components.sh"], capture_output=True, text=True, check=False, timeout=100)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
