"""`agent record`: what stands in the file, and what never does."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from pydantic import TypeAdapter

from agent.cli import run
from agent.config import load_site
from agent.paths import LINES
from agent.record.kept import REPLAYED, Mask, kept_site, recorded_site, words_of
from agent.record.recorder import Recorder
from agent.record.seen import seen_by
from agent.record.writer import Writer
from agent.site import MachineSettings, Site
from connectors.registry import KINDS
from pipelines.clock import SystemClock
from pipelines.derive.battery import grading
from pipelines.derive.energy import factors
from pipelines.errors import ConfigError, DependencyError
from pipelines.point import Gap
from simulators.replay.recording import FORMAT, VERSION, Recording, frames
from tests.services.ports import free_port

MODBUS: dict[str, Any] = {
    "name": "plc", "type": "modbus", "transport": "tls", "host": "plc7.daehan.example", "machine": "M",
    "backups": ["10.1.2.3:502"], "tls": {"ca_file": "/secret/ca.pem", "server_name": "plc7.daehan.example"},
    "tags": [{"name": "a", "address": 0, "datatype": "uint16", "label": {"ko": "대한 a", "en": "Daehan-Press a"}}],
}  # fmt: skip
OPCUA: dict[str, Any] = {
    "name": "cell", "type": "opcua", "endpoint": "opc.tcp://cell.daehan.example:4840/x", "machine": "M",
    "user": "kim", "password_file": "/secret/password", "security": {"policy": "Basic256Sha256"},
    "tags": [{"name": "b", "node": "nsu=urn:vendor:plc;s=B"}],
}  # fmt: skip
SITE: dict[str, Any] = {
    "company": "daehan-press", "site": "ulsan-2", "line": "l", "machines": {"M": {"class": "m"}},
    "connections": [MODBUS, OPCUA],
    "mqtt": {"host": "broker.daehan.example", "user": "agent", "password_file": "/secret/mqtt"},
}  # fmt: skip
ALARM: dict[str, Any] = {"name": "high", "machine": "M", "tag": "a", "above": 1, "priority": "info"}


def site() -> Site:
    return Site.model_validate(SITE)


LINE_NAMES = {path.parent.name for path in LINES.glob("*/site.yaml")} - {"cnc_turning"}
"""That one has MTConnect alone, which is not recorded."""


@pytest.mark.parametrize("line", sorted(LINE_NAMES))
def test_the_configuration_in_a_recording_reads_the_same(line: str) -> None:
    before = load_site(LINES / line / "site.yaml")
    names = [one.name for one in before.connections if one.type in REPLAYED]
    kept = Site.model_validate_json(json.dumps(kept_site(before, names)), strict=True)
    both = {one.name: one for one in before.connections}
    assert [one.name for one in kept.connections] == names
    for one in kept.connections:
        assert one.tag_list() == both[one.name].tag_list()
        assert kept.places(one) == before.places(both[one.name])
    assert len(seen_by(kept)) > 0


def test_no_secret_and_no_host_is_kept() -> None:
    text = json.dumps(kept_site(site(), ["plc", "cell"]))
    for word in ("secret", "kim", "agent", "broker", "daehan.example", "10.1.2.3", "Basic256"):
        assert word not in text, word
    assert "daehan-press" in text


@pytest.mark.parametrize("kind", REPLAYED)
def test_every_file_and_place_of_a_connection_is_left_out(kind: str) -> None:
    """Whatever a connection learns to name one day: what the schema calls a path, a host or an endpoint is not kept."""
    from agent.record.kept import _WHERE_AND_WHO  # noqa: PLC0415 - looks inside

    schema = TypeAdapter(KINDS[kind].settings).json_schema()["properties"]
    named = {key for key, one in schema.items() if '"format": "path"' in json.dumps(one)}
    assert named <= _WHERE_AND_WHO
    assert {"host", "endpoint", "user", "security", "tls", "serial"} <= _WHERE_AND_WHO


def test_anonymous_is_without_company_site_and_hosts(tmp_path: Path) -> None:
    one = site()
    mask, writer = Mask(words_of(one)), Writer(tmp_path / "r")
    recorder = Recorder(one.connections, writer, SystemClock(), tmp_path, mask)
    header = {"format": FORMAT, "version": VERSION, "started": 0, "connections": []}
    writer.write("header", site=recorded_site(one, ["plc"], mask), **header)
    uris = ["http://opcfoundation.org/UA/", "urn:CELL-PC:server", "urn:daehan-press:cell"]
    recorder.heard(1, "nodes", namespaces=uris, nodes=[(0, "ns=2;s=B", "")])
    recorder.heard(0, "modbus", q=1, unit=1, fc=3, at=0, n=6, s=1, data=b"DAEHAN-PRESS")
    raw = b"\x01\x0c\x0c\x00\x00\x00ulsan-2 oven"
    recorder.heard(1, "opcua", via="read", items=[(0, raw)])
    writer.close()
    text = b"".join(frames(tmp_path / "r")).decode().lower()
    for word in ("daehan-press", "ulsan-2", "plc7.daehan", "cell-pc"):
        assert word not in text, word
    nodes, modbus, opcua = list(Recording(tmp_path / "r").lines())
    assert nodes["namespaces"] == ["http://opcfoundation.org/UA/", "urn:anonymous:server", "urn:anonymous:cell"]
    assert bytes.fromhex(modbus["data"]) == b"*" * 12
    assert orjson.loads(orjson.dumps(opcua["items"]))[0][1] != ""


@pytest.mark.parametrize("word", ["site", "modbus", "opc", "opcua", "type", "machines", "uint16", "plc", "cell"])
def test_anonymous_is_a_configuration_whatever_the_names(word: str) -> None:
    """Also where a name is a word of configurations, or one that connections are called by."""
    for key in ("company", "site", "host"):
        names = {"company": "daehan", "site": "ulsan", "host": "127.0.0.1", key: word}
        host = names.pop("host")
        connections = [MODBUS | {"host": host, "backups": []}, OPCUA | {"endpoint": f"opc.tcp://{host}:4840"}]
        one = Site.model_validate(SITE | names | {"connections": connections, "alarms": [ALARM]})
        kept = recorded_site(one, ["plc", "cell"], Mask(words_of(one)))
        again = Site.model_validate_json(json.dumps(kept), strict=True)
        assert (again.company, again.site) == ("anonymous", "anonymous")
        assert [connection.type for connection in again.connections] == ["modbus", "opcua"]
        assert [connection.tag_list()[0].name for connection in again.connections] == ["a", "b"]
        assert again.alarms == one.alarms
        assert word not in {"plc", "cell"} or word not in {connection.name for connection in again.connections}


def test_names_that_anonymous_ones_would_clash_with_are_refused_before_anything_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    machines = {"daehan-press": {"class": "m"}, "anonymous": {"class": "m"}}
    connections = [MODBUS | {"machine": name, "name": name} for name in machines]
    for one in connections:
        del one["tls"], one["transport"]
    Path("site.yaml").write_text(yaml.safe_dump(SITE | {"machines": machines, "connections": connections}))
    assert run(["record", "site.yaml", "-o", "new", "--anonymise"]) == 2
    assert "cannot be kept in a recording anonymised: " in capsys.readouterr().err
    assert not Path("new").exists()


def test_words_of_the_recording_itself_are_no_names(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "r")
    recorder = Recorder(
        site().connections, writer, SystemClock(), tmp_path, Mask(["nodes", "event", "refused", "cause"])
    )
    writer.write("header")
    recorder.heard(1, "link", event="refused")
    recorder.heard(1, "nodes", namespaces=["http://opcfoundation.org/UA/"], nodes=[(0, "ns=0;s=nodes", "")])
    recorder.gap(0, Gap(0, "refused", 1, 2))
    writer.close()
    link, nodes, gap = [orjson.loads(line) for line in b"".join(frames(tmp_path / "r")).splitlines()[1:]]
    assert (link["event"], gap["cause"]) == ("refused", "refused")
    assert nodes["nodes"] == [[0, "ns=0;s=anonymous", ""]]


def test_no_file_of_the_machine_that_recorded_is_kept(tmp_path: Path) -> None:
    """Whatever a machine learns to name one day: what the schema calls a path is not in a recording."""
    for name, table in (("f", factors.TABLE), ("r", grading.RULE)):
        (tmp_path / name).write_bytes(table.read_bytes())
    battery = {"channels": {"c": {"state": "a", "v": "a", "i": "a"}}, "rule_file": str(tmp_path / "r")}
    machine = {"class": "m", "energy": {"kw": "a", "factors_file": str(tmp_path / "f")}, "battery": battery}
    one = Site.model_validate(SITE | {"machines": {"M": machine}})
    kept = recorded_site(one, ["plc"], Mask([]))
    assert kept["machines"]["M"]["energy"] == {"kw": "a"}
    assert set(kept["machines"]["M"]["battery"]) == {"channels"}
    assert str(tmp_path) not in json.dumps(kept)
    schema = json.dumps(TypeAdapter(MachineSettings).json_schema())
    assert schema.count('"format": "path"') == 2


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"site": {"company": "c"}, "connections": [], "started": 1},
        {"site": {"company": "c", "site": "s"}, "connections": [{"name": "a"}], "started": 1},
        {"site": {"company": "c", "site": "s"}, "connections": [], "started": "now"},
        {"site": {"company": "c", "site": "s"}, "connections": 3, "started": 1},
    ],
)
def test_a_bad_header_is_told_in_a_line(
    header: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    writer = Writer(Path("r"))
    writer.write("header", format=FORMAT, version=VERSION, **header)
    writer.close()
    assert run(["record", "show", "r"]) == 2
    said = capsys.readouterr().err
    assert "has a header that does not say what was recorded" in said
    assert said.count("\n") == 1


def test_a_disk_that_takes_nothing_ends_the_recording(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "r")
    writer._file.close()
    with Path("/dev/full").open("wb", buffering=0) as writer._file:
        writer.write("header", format=FORMAT, version=VERSION)
        recorder = Recorder(site().connections[:1], writer, SystemClock(), tmp_path, Mask([]))
        with pytest.raises(DependencyError, match="r: cannot write: No space left on device"):
            asyncio.run(recorder.run(asyncio.Event(), 10**9))


def test_two_meanings_of_one_address_are_told() -> None:
    tags = [{"name": "a", "address": 0, "datatype": "uint16"}, {"name": "b", "address": 0, "datatype": "int16"}]
    one = Site.model_validate(SITE | {"connections": [MODBUS | {"tags": tags}]})
    with pytest.raises(ConfigError, match="a and b read the same address"):
        seen_by(one)


def test_bits_of_one_word_are_one_meaning() -> None:
    tags = [{"name": name, "address": 0, "datatype": "bool", "bit": bit} for bit, name in enumerate("ab")]
    tags.append({"name": "word", "address": 0, "datatype": "uint16"})
    (seen,) = seen_by(Site.model_validate(SITE | {"connections": [MODBUS | {"tags": tags}]}))
    assert seen["datatype"] == "uint16"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["record", "site.yaml"], "name the file with --out"),
        (["record", "site.yaml", "-o", "there"], "there: exists"),
        (["record", "site.yaml", "-o", "/dev/full"], "/dev/full: is a device or a folder"),
        (["record", "site.yaml", "-o", "new", "--connection", "x"], "no connection is called 'x'"),
        (["record", "show", "site.yaml"], "site.yaml is no recording"),
        (["record", "show", "gone"], "gone: cannot read"),
        (["record", "show"], "name one recording"),
        (["simulate", "--replay", "site.yaml"], "site.yaml is no recording"),
        (["simulate", "--replay", "there", "--scale", "2"], "leave --faults, --scale and --import away"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_line(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("site.yaml").write_text(yaml.safe_dump(SITE))
    Path("there").touch()
    assert run(arguments) == 2
    assert said in capsys.readouterr().err
    assert not Path("new").exists()


def test_nothing_is_kept_of_devices_that_do_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    connection = {key: value for key, value in MODBUS.items() if key not in {"tls", "transport", "backups"}}
    Path("site.yaml").write_text(yaml.safe_dump(SITE | {"connections": [connection]}))
    where = f"plc=127.0.0.1:{free_port()}"
    assert run(["record", "site.yaml", "-o", "r", "--for", "0.5s", "--endpoint", where, "--json"]) == 1
    said = capsys.readouterr()
    answer = orjson.loads(said.out)
    assert answer["answers"] == 0
    assert answer["losses"] >= 1
    assert "no device answered: r is not kept" in said.err
    assert not Path("r").exists()
