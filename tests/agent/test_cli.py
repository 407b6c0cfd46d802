"""The command line: every command, its help, its errors in one line, its exit codes."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
import yaml
from asyncua.ua.status_codes import StatusCodes
from schema import Refused, accept

from agent.cli import COMMANDS, module_of, run
from agent.commands import read
from agent.config import load_site, model_schema
from agent.urls import mqtt_settings, refuse_secrets
from pipelines.delivery.mqtt_settings import MqttSettings, TlsSettings
from pipelines.errors import ConfigError, LinkRefused
from pipelines.point import STATUS_NAMES, status_name
from pipelines.settings import Labels

ROOT: Final = Path(__file__).parents[2]
GOOD: Final = Path(__file__).parent / "good.yaml"
AGENT: Final = [sys.executable, "-m", "agent.cli"]
SITES: Final = [*sorted(ROOT.glob("deploy/examples/*.yaml")), *sorted(ROOT.glob("agent/lines/*/site.yaml"))]


def agent(*arguments: str | Path, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*AGENT, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60, input=stdin
    )


def one_line(said: str) -> str:
    assert said.startswith("error: ")
    assert said.endswith("\n")
    assert said.count("\n") == 1, said
    return said[len("error: ") : -1]


# ── every command ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", COMMANDS)
def test_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    function = importlib.import_module(f"agent.commands.{module_of(name)}").command
    summary = function.__doc__.strip().splitlines()[0]
    assert summary.endswith(".")
    assert run([name, "--help"]) == 0
    said = capsys.readouterr()
    assert summary.split(",")[0].split(":")[0][:40] in said.out
    assert not said.err


@pytest.mark.parametrize("name", COMMANDS)
def test_unknown_option(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--no-such-option"]) == 2
    said = capsys.readouterr()
    assert one_line(said.err) == f"agent {name}: No such option: --no-such-option. See `agent {name} --help`."
    assert not said.out


@pytest.mark.parametrize("arguments", [[], *([name] for name in COMMANDS)])
def test_short_help(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*arguments, "--help"]) == 0
    long = capsys.readouterr().out
    assert run([*arguments, "-h"]) == 0
    assert capsys.readouterr().out == long


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["version"]) == 0
    said = capsys.readouterr().out
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == said


def test_every_command_has_its_module() -> None:
    modules = {path.stem for path in (ROOT / "agent/commands").glob("[a-z]*.py")}
    assert modules == {module_of(name) for name in COMMANDS}


def test_without_arguments_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 0
    out = capsys.readouterr().out
    assert [name for name in COMMANDS if f" {name} " not in out] == []


LINE_NAMES = sorted(path.parent.name for path in (ROOT / "agent/lines").glob("*/site.yaml"))


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["chekc"], "agent: No such command 'chekc'; try `agent check`"),
        (["frobnicate"], "agent: No such command 'frobnicate'. See `agent --help`."),
        (["check"], "agent check: Missing argument 'config'. See `agent check --help`."),
        (
            ["init", "--line", "nosuch"],
            "no line is called 'nosuch'; there are " + ", ".join(LINE_NAMES),
        ),
        (["browse", "127.0.0.1:4840"], "browse: write opc.tcp://127.0.0.1:4840"),
        (["browse", "plc:4840/path"], "browse: write opc.tcp://plc:4840/path"),
        (["browse", "ftp://h:1"], "browse: expected opc.tcp://host:port or http://host:port; for Modbus, agent probe"),
        (
            ["browse", "opc.tcp://h"],
            "browse: the endpoint must be opc.tcp://host:port or opc.tcp://host:port/path",
        ),
        (
            ["browse", "opc.tcp://h:1", "--policy", "none", "--mode", "Sign"],
            "browse: policy: none protects nothing, so it has no mode; remove mode or name a policy",
        ),
        (["browse", "http://h:1", "--policy", "none"], "browse: mtconnect has no security; leave that option out"),
        (["browse", "opc.tcp://h:1", "--user", "u"], "browse: --user and --password-file belong together"),
        (["read", str(GOOD), "--connection", "x"], "--connection: no connection is called 'x'; there are meter, press"),
        (["read", str(GOOD), "--endpoint", "x=h:1"], "--endpoint: no connection is called 'x'; there are meter, press"),
        (["read", str(GOOD), "--endpoint", "meter=h:0"], "--endpoint: 'h:0' is not host:port"),
        (["read", str(GOOD), "--endpoint", "meter=h:99999"], "--endpoint: 'h:99999' is not host:port"),
    ],
)  # fmt: skip
def test_bad_arguments(arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    said = capsys.readouterr()
    assert one_line(said.err) == line
    assert not said.out


@pytest.mark.parametrize(
    ("command", "option", "value", "why"),
    [
        ("serve", "--port", "65536", "must be at most 65535"),
        ("serve", "--mqtt-port", "99999", "must be at most 65535"),
        ("view", "--port", "-1", "must be at least 0"),
        ("simulate", "--port", "x", "must be a whole number"),
        ("simulate", "--speed", "fast", "must be a number"),
    ],
)
def test_numbers_of_options_are_refused_in_plain_words(
    command: str, option: str, value: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([command, option, value]) == 2
    said = one_line(capsys.readouterr().err)
    assert said == f"agent {command}: Invalid value for '{option}': {why}. See `agent {command} --help`."


def test_errors_that_come_together_are_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise ExceptionGroup("", [ExceptionGroup("", [LinkRefused("opc.tcp://h:1", "no")]), LinkRefused("b", "no")])

    def break_down() -> None:
        raise ExceptionGroup("", [LinkRefused("b", "no"), ValueError("a bug")])

    monkeypatch.setattr("agent.commands.version.command", fail)
    assert run(["version"]) == 3
    assert one_line(capsys.readouterr().err) == "opc.tcp://h:1: no"
    monkeypatch.setattr("agent.commands.version.command", break_down)
    with pytest.raises(ExceptionGroup):
        run(["version"])


# ── secrets ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", str(GOOD), "--mqtt", "mqtt://u:hunter2@h"],
        ["run", str(GOOD), "--mqtt=mqtts://u:hunter2@h:8883"],
        ["bridge", "--mqtt", "mqtt://h", "--influx", "http://h?db=x&p=hunter2"],
        ["bridge", "--mqtt", "mqtt://h", "--influx", "http://h?org=x&bucket=y&token=hunter2"],
        ["view", "--influx", "http://u:hunter2@h:8086?db=x"],
        ["serve", "--mqtt", "u:hunter2@h"],
        ["serve", "--mqtt", "//u:hunter2@h"],
        ["serve", "--mqtt", "mqtt://u:hunter2@h:port"],
        ["serve", "--mqtt", "mqtt://[u:hunter2@h"],
        ["simulate", "--broker", "mqtt://u:hunter2@h"],
        ["browse", "opc.tcp://u:hunter2@h:4840"],
        ["nosuch", "http://u:hunter2@h"],
    ],
)
def test_secrets_in_addresses(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    said = capsys.readouterr()
    assert "hunter2" not in one_line(said.err)
    assert not said.out


def test_what_is_no_secret_passes() -> None:
    refuse_secrets(["http://h:8086?db=plant", "mqtt://user@h:1883", "http://h?org=o&bucket=b", "a:b@c", "--port=1"])


def test_another_address_changes_nothing_else() -> None:
    """Compression and waiting times of the file hold for the broker that `--mqtt` names."""
    of_file = MqttSettings(host="a", user="u", tls=TlsSettings(), compression="zstd", keepalive_s=7)
    assert mqtt_settings("mqtt://b", base=of_file) == MqttSettings(host="b", compression="zstd", keepalive_s=7)


@pytest.mark.parametrize(
    ("url", "host", "port", "user", "tls"),
    [
        ("mqtt://h", "h", 1883, None, False),
        ("mqtts://h", "h", 8883, None, True),
        ("mqtt://[::1]:99", "::1", 99, None, False),
        ("mqtt://edge%40plant@h/", "h", 1883, "edge@plant", False),
    ],
)
def test_broker_address(url: str, host: str, port: int, user: str | None, tls: bool) -> None:
    settings = mqtt_settings(url)
    assert (settings.host, settings.port, settings.user, settings.tls is not None) == (host, port, user, tls)


@pytest.mark.parametrize(
    "url", ["", "h", "http://h", "mqtt://", "mqtt://h:0", "mqtt://h:70000", "mqtt://h/t", "mqtt://h?x=1"]
)
def test_not_a_broker_address(url: str) -> None:
    with pytest.raises(ConfigError) as fault:
        mqtt_settings(url)
    assert "\n" not in str(fault.value)


# ── init, lines, schema, check ──────────────────────────────────────────────────────────────────────────────────────


def test_init_then_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "site.yaml"
    assert run(["init", str(path)]) == 0
    assert f"agent check {path}" in capsys.readouterr().err
    assert run(["check", str(path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("ok: ")
    path.write_text("mine")
    assert run(["init", str(path)]) == 2
    assert one_line(capsys.readouterr().err) == f"{path}: exists already; name another file or say --force"
    assert path.read_text() == "mine"
    assert run(["init", str(path), "--force", "--line", "injection_molding"]) == 0
    assert load_site(path).line == "injection-cell"


@pytest.mark.parametrize("name", ["gone/site.yaml", "."])
def test_init_where_nothing_can_be_written(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", str(tmp_path / name), "--force"]) == 2
    assert str(tmp_path / name) in one_line(capsys.readouterr().err)


def test_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["lines", "--json"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    found = {row["name"]: row["tags"] for row in json.loads(line)["lines"]}
    assert set(found) == {path.parent.name for path in ROOT.glob("agent/lines/*/site.yaml")}


def test_check_says_what_it_found(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", str(GOOD), "--json"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line) == {"ok": True, "machines": 2, "connections": {"meter": 2, "press": 1}, "tags": 3}
    assert run(["check", str(GOOD)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "meter: 2 tags at modbus://192.168.0.20:502",
        "press: 1 tag at opc.tcp://192.168.0.21:4840",
        "ok: 2 machines, 2 connections, 3 tags",
    ]


def test_schema_is_what_the_loader_takes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert schema == json.loads(json.dumps(model_schema()))
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert SITES
    for path in (*SITES, GOOD):
        load_site(path)
        accept(schema, json.loads(json.dumps(yaml.safe_load(path.read_text(encoding="utf-8")))))


@pytest.mark.parametrize(
    "name",
    ["misspelt_key", "wrong_type_port", "quoted_number", "missing_address", "unknown_connector_type", "misspelt_choice",
     "port_out_of_range", "key_of_no_model", "list_as_group", "inline_password"],
)  # fmt: skip
def test_schema_refuses_what_an_editor_can_see(name: str) -> None:
    bad = yaml.safe_load((Path(__file__).parent / f"bad/{name}.yaml").read_text(encoding="utf-8"))
    with pytest.raises(Refused):
        accept(json.loads(json.dumps(model_schema())), json.loads(json.dumps(bad)))


def test_every_setting_is_documented() -> None:
    schema = model_schema()
    bare = [
        f"{name}.{key}"
        for name, part in [("Site", schema), *schema["$defs"].items()]
        for key, one in part.get("properties", {}).items()
        if not one.get("description") and "$ref" not in one  # pydantic leaves out what the model itself says already
    ]
    assert not bare


# ── devices and agents that are not there ───────────────────────────────────────────────────────────────────────────


@pytest.fixture
def nobody() -> Iterator[int]:
    """A port that is taken and not listened on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.mark.wire
def test_read_nobody(nobody: int, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["read", str(GOOD), "--endpoint", f"meter=127.0.0.1:{nobody}", "--connection", "meter", "--json"]
    assert run(arguments) == 3
    said = capsys.readouterr()
    assert one_line(said.err).startswith(f"modbus://127.0.0.1:{nobody} ")
    (line,) = said.out.splitlines()
    assert [row["quality"] for row in json.loads(line)["tags"]] == ["missing", "missing"]
    assert run(arguments[:-1]) == 3
    (row,) = capsys.readouterr().out.splitlines()
    assert row.split() == ["MTR-01", "meter:", "2", "tags", "-", "missing:", f"modbus://127.0.0.1:{nobody}"]


def test_read_shows_labels_digits_and_names_of_qualities(capsys: pytest.CaptureFixture[str]) -> None:
    site = load_site(GOOD)
    tag = site.connections[0].tags[0].model_copy(update={"label": Labels(ko="전압", en="Voltage")})
    connection = site.connections[0].model_copy(update={"tags": (tag, site.connections[0].tags[1])})
    values = [(float(np.float32(220.1)), "Good"), (None, "0x803C0000")]
    rows = [
        (one, {"machine": "MTR-01", "tag": one.name, "value": value, "unit": "V", "quality": quality})
        for one, (value, quality) in zip(connection.tags, values, strict=True)
    ]
    read.show(site, connection, rows)
    first, second = capsys.readouterr().out.splitlines()
    assert first.split() == ["MTR-01", "voltage", "전압", "/", "Voltage", "220.1", "V", "Good"]
    assert second.split() == ["MTR-01", "power", "-", "BadOutOfRange"]
    assert len(first) + 2 - len("Good") == len(second) - len("BadOutOfRange")  # Hangul is two columns wide


def test_names_of_status_codes() -> None:
    assert status_name(0) == "Good"
    assert status_name(0x8032_0000) == "BadWaitingForInitialData"
    assert status_name(0x8034_0400) == "BadNodeIdUnknown"
    assert status_name(0x8FFF_0001) == "0x8FFF0001"
    assert {name: getattr(StatusCodes, name) for name in STATUS_NAMES.values()} == {
        name: code for code, name in STATUS_NAMES.items()
    }


@pytest.mark.wire
def test_browse_nobody(nobody: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["browse", f"opc.tcp://127.0.0.1:{nobody}"]) == 3
    said = capsys.readouterr()
    assert one_line(said.err).startswith(f"opc.tcp://127.0.0.1:{nobody}: ")
    assert not said.out


def test_status_without_an_agent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in (tmp_path, tmp_path / "gone", tmp_path / ("x" * 120)):
        assert run(["status", "--state-dir", str(folder)]) == 3
        line = one_line(capsys.readouterr().err)
        assert line.startswith(f"{folder}: no agent answers")
        assert "start it with `agent run`, or name its --state-dir" in line


# ── output into pipes ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("command", ["schema", "lines", "--help", "lines --json"])
def test_nobody_reads_on(command: str) -> None:
    """As before `| head -0`: the reader is gone before the first line."""
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "wb") as output:  # noqa: PTH123 - a file descriptor
        done = subprocess.run(
            [*AGENT, *command.split()], cwd=ROOT, stdout=output, stderr=subprocess.PIPE, check=False, timeout=60
        )
    assert done.stderr == b""
    assert done.returncode == 141


def test_only_the_first_line_is_read() -> None:
    script = f"{sys.executable} -m agent.cli schema | head -1"
    done = subprocess.run(["sh", "-c", script], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "{\n", "")


def test_a_terminal_without_korean() -> None:
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [*AGENT, "lines"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "injection_molding" in done.stdout


def test_an_interrupt_while_the_command_line_is_being_imported() -> None:
    entry = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]["agent"]
    program = """
import importlib, os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored
module, _, name = sys.argv.pop(1).partition(":")
main = getattr(importlib.import_module(module), name)
class Interrupting:
    def find_spec(self, name, *_):
        if name == "typer.main":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
main()
"""
    command = [sys.executable, "-c", program, entry, "version"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


# ── a plant that is there ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Endpoints `host:port` of a simulated line by connection name."""
    truth = tmp_path_factory.mktemp("plant") / "truth"
    arguments = ["--line", "auto_press_machining", "--truth", str(truth)]
    process = subprocess.Popen(
        [sys.executable, "-m", "simulators", *arguments], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        assert select.select([process.stdout], [], [], 60)[0], "the plant said nothing"
        ready: dict[str, Any] = json.loads(process.stdout.readline())
        yield {name: f"{where['host']}:{where['port']}" for name, where in ready["endpoints"].items()}
    finally:
        os.kill(process.pid, signal.SIGTERM)
        process.wait(30)
        for stream in (process.stdin, process.stdout):
            with contextlib.suppress(BrokenPipeError):
                stream.close()  # type: ignore[union-attr]


LINE: Final = ROOT / "agent/lines/auto_press_machining/site.yaml"


def elsewhere(plant: dict[str, str]) -> list[str]:
    return [word for name, where in plant.items() for word in ("--endpoint", f"{name}={where}")]


@pytest.mark.wire
@pytest.mark.slow
def test_read_every_tag(plant: dict[str, str]) -> None:
    done = agent("read", LINE, *elsewhere(plant), "--json")
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = done.stdout.splitlines()
    rows = json.loads(line)["tags"]
    site = load_site(LINE)
    assert [row["tag"] for row in rows] == [tag.name for one in site.connections for tag in one.tag_list()]
    assert {row["quality"] for row in rows} == {"Good"}
    assert all(row["value"] is not None for row in rows)


@pytest.mark.wire
@pytest.mark.slow
def test_read_one_connection_as_a_table(plant: dict[str, str]) -> None:
    name = next(one.name for one in load_site(LINE).connections if one.type == "modbus")
    done = agent("read", LINE, *elsewhere(plant), "--connection", name)
    assert (done.returncode, done.stderr) == (0, "")
    tags = {tag.name for one in load_site(LINE).connections if one.name == name for tag in one.tag_list()}
    assert {row.split()[1] for row in done.stdout.splitlines()} == tags
    assert all(row.endswith("Good") for row in done.stdout.splitlines())


@pytest.mark.wire
@pytest.mark.slow
def test_a_tag_that_the_device_lacks(plant: dict[str, str], tmp_path: Path) -> None:
    name = next(one.name for one in load_site(LINE).connections if one.type == "modbus")
    path = tmp_path / "site.yaml"
    tree = yaml.safe_load(LINE.read_text(encoding="utf-8"))
    connection = next(one for one in tree["connections"] if one["name"] == name)
    connection.setdefault("tags", []).append(
        {"name": "nowhere", "table": "holding", "address": 60000, "datatype": "int16"}
    )
    path.write_text(yaml.safe_dump(tree, allow_unicode=True), encoding="utf-8")
    done = agent("read", path, *elsewhere(plant), "--connection", name, "--json")
    assert done.returncode == 1
    rows = {row["tag"]: row for row in json.loads(done.stdout)["tags"]}
    assert rows["nowhere"]["value"] is None
    assert rows["nowhere"]["quality"] != "Good"
    assert all(row["quality"] == "Good" for tag, row in rows.items() if tag != "nowhere")


@pytest.mark.wire
@pytest.mark.slow
def test_browse_finds_what_a_configuration_needs(plant: dict[str, str], tmp_path: Path) -> None:
    connection = next(one for one in load_site(LINE).connections if one.type == "opcua")
    endpoint = f"opc.tcp://{plant[connection.name]}"
    done = agent("browse", endpoint, "--policy", "none", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = done.stdout.splitlines()
    nodes = json.loads(line)["nodes"]
    variables = [one["address"] for one in nodes if one["value"]]  # a standard node may have none
    assert {tag.node for tag in connection.tag_list()} <= set(variables)
    tags = [{"name": f"t{number}", "node": node} for number, node in enumerate(variables)]
    tree = {
        "company": "c", "site": "s", "machines": {"M": {"class": "cnc"}},
        "connections": [
            {
                "name": "x", "type": "opcua", "endpoint": endpoint, "security": {"policy": "none"}, "machine": "M",
                "tags": tags,
            },
        ],
    }  # fmt: skip
    path = tmp_path / "site.yaml"
    path.write_text(yaml.safe_dump(tree))
    read = agent("read", path, "--json")
    bad = [row for row in json.loads(read.stdout)["tags"] if row["quality"] != "Good"]
    assert not bad
    assert (read.returncode, read.stderr) == (0, "")
    table = agent("browse", endpoint, "--policy", "none")
    assert [row.split("\t")[1] for row in table.stdout.splitlines()] == [one["address"] for one in nodes]


@pytest.mark.wire
@pytest.mark.slow
def test_browse_into_a_closed_pipe(plant: dict[str, str]) -> None:
    connection = next(one for one in load_site(LINE).connections if one.type == "opcua")
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "wb") as output:  # noqa: PTH123 - a file descriptor
        done = subprocess.run(
            [*AGENT, "browse", f"opc.tcp://{plant[connection.name]}", "--policy", "none"],
            cwd=ROOT, stdout=output, stderr=subprocess.PIPE, check=False, timeout=60,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_store_that_cannot_be_made_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["serve", "--store", "/dev/null/store"]) == 3
    said = one_line(capsys.readouterr().err)
    assert said == "/dev/null/store: cannot make the folder of the store: Not a directory; name another with --store"


def test_a_serial_port_is_no_address_of_probe(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["probe", "/dev/ttyUSB0"]) == 2
    said = one_line(capsys.readouterr().err)
    assert said == "probe: write modbus+rtu:///dev/ttyUSB0?baudrate=9600&parity=N&stop_bits=1"
