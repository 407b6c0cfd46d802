"""Configuration files: what is refused, with which words, and that nothing else happens."""

from __future__ import annotations

import copy
import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.cli import run
from agent.config import ConfigFaults, load_site, load_sites
from pipelines.errors import ConfigError
from pipelines.place import MOVED_CLASSES, OWN_MEASUREMENTS

HERE: Final = Path(__file__).parent
GOOD: Final = HERE / "good.yaml"
BAD: Final = sorted((HERE / "bad").glob("*.yaml"))


def test_the_corpus_is_whole() -> None:
    assert len(BAD) >= 35
    assert {path.with_suffix(".expected") for path in BAD} == set((HERE / "bad").glob("*.expected"))
    assert load_site(GOOD).company == "hansol"


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_bad_configuration(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expected = path.with_suffix(".expected").read_text(encoding="utf-8").removesuffix("\n")
    assert re.match(r"\d+: \S", expected)
    assert run(["check", str(path)]) == 2
    said = capsys.readouterr()
    assert said.err == "".join(f"{path}:{line}\n" for line in expected.splitlines())
    assert not said.out
    assert "hunter2" not in said.err


def faults_of(path: Path, text: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What `agent check` says, without the file's name; the same as `--json` says."""
    path.write_text(text, encoding="utf-8")
    assert run(["check", str(path)]) == 2
    said = capsys.readouterr()
    assert not said.out
    lines = said.err.splitlines()
    assert run(["check", "--json", str(path)]) == 2
    said = capsys.readouterr()
    assert not said.err
    found = json.loads(said.out)
    assert found["ok"] is False
    assert [f"{one['file']}:{one['line']}: {one['message']}" for one in found["faults"]] == lines
    return [line.removeprefix(f"{path}:") for line in lines]


@pytest.mark.parametrize(
    ("changes", "faults"),
    [
        (
            [("prot: 1883", "port: 1883"), ("port: x", "port: 502")],
            [
                "15: connections[meter].port: must be a whole number, not 'x'",
                "34: mqtt.prot: unknown key; did you mean 'port'?",
            ],
        ),
        (  # YAML, a model and a rule across models, none of them the consequence of another
            [("site: daegu\nsite: ulsan", "site: daegu"), ("port: 99999", "port: 502"),
             ("tag: stat,", "tag: state,"), ("host: http://b", "host: broker.example")],
            [
                "3: site: stands twice, first in line 2; remove one",
                ("10: machines.PRS-01.state.tag: "
                 "no connection reads a tag 'stat' of PRS-01; add it to one, or remove state"),
                "16: connections[meter].port: must be at most 65535, not 99999",
                "34: mqtt.host: must be a host name or an IP address alone; no scheme, user, port or path",
            ],
        ),
        (  # two things are missing, only one of them under a wrong name
            [("- {nam: state, node", "- {name: state, node"), ("    endpoint: opc.tcp://192.168.0.21:4840\n", None)],
            [
                "25: connections[press].endpoint: is missing; add it",
                "29: connections[press].tags[#1].nam: unknown key; did you mean 'name'?",
            ],
        ),
        (  # a tag that is left out is not missed by the machine's state
            [("node: press", "node: ns=2;s=Press.State"), ("company: [a]", "company: hansol")],
            ["1: company: must be text; put it in quotes", "NODE"],
        ),
        (  # nor is a machine whose group is wrong
            [("  MTR-01: 7\n", "  MTR-01: {class: meter, label: {ko: 전력량계, en: Meter}}\n")],
            ["6: machines.MTR-01: must be a group of keys, not 7"],
        ),
        (
            [("    machin: MTR-01", "    machine: MTR-01")],
            ["16: connections[meter].machin: unknown key; did you mean 'machine'?"],
        ),
    ],
    ids=["two", "levels", "missing", "left out", "machine", "misspelt"],
)  # fmt: skip
def test_every_independent_fault_is_one_line(
    changes: list[tuple[str, str | None]], faults: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = GOOD.read_text(encoding="utf-8")
    for new, old in changes:
        if old is None:
            text = text.replace(new, "")
        else:
            assert old in text
            text = text.replace(old, new, 1)
    found = faults_of(tmp_path / "site.yaml", text, capsys)
    assert [line for line in found if "node id" not in line] == [line for line in faults if line != "NODE"]
    assert len(found) == len(faults)


def test_a_fault_of_an_anchor_is_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = GOOD.read_text(encoding="utf-8").replace("{low: 0, high: 300}", "&r {low: 0, hihg: 300}")
    text = text.replace("        engineering_unit: W\n", "        range: *r\n        engineering_unit: W\n")
    assert faults_of(tmp_path / "site.yaml", text, capsys) == [
        "18: connections[meter].tags[voltage].range.hihg: unknown key; did you mean 'high'?"
    ]


def test_faults_of_several_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [tmp_path / "a.yaml", tmp_path / "b.yaml", tmp_path / "gone.yaml"]
    for path in paths[:2]:
        path.write_text(GOOD.read_text(encoding="utf-8").replace("port: 502", "port: 0"), encoding="utf-8")
    assert run(["check", *map(str, paths)]) == 2
    port = "15: connections[meter].port: must be at least 1, not 0"
    assert capsys.readouterr().err.splitlines() == [
        f"{paths[0]}:{port}", f"{paths[1]}:{port}", f"{paths[2]}: cannot read: No such file or directory",
    ]  # fmt: skip


def test_other_commands_say_the_first_fault_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "site.yaml"
    text = GOOD.read_text(encoding="utf-8").replace("port: 502", "port: x")
    path.write_text(text, encoding="utf-8")
    first = f"error: {path}:15: connections[meter].port: must be a whole number, not 'x'"
    assert run(["read", str(path)]) == 2
    assert capsys.readouterr().err == f"{first}\n"
    path.write_text(text.replace("port: 1883", "prot: 1883").replace("max_bytes", "max_byte"), encoding="utf-8")
    assert run(["read", str(path)]) == 2
    assert capsys.readouterr().err == f"{first} (and 2 more; agent check {path} lists all)\n"


def test_a_company_that_is_still_the_template_s_is_noted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(GOOD.read_text(encoding="utf-8").replace("company: hansol", "company: demo"), encoding="utf-8")
    assert run(["check", str(path)]) == 0
    assert f"note: {path}:1: company: still `demo`" in capsys.readouterr().err


def test_secret_files_that_are_not_there_are_noted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "site.yaml"
    text = GOOD.read_text(encoding="utf-8").replace("port: 1883", "port: 1883\n  user: u\n  password_file: agent_mqtt")
    path.write_text(
        text.replace("    endpoint:", f"    user: u\n    password_file: {tmp_path / 'opc'}\n    endpoint:")
        + "\nshare: {technopark: {mqtt: {host: h, user: u, password_file: agent_technopark}}}\n",
        encoding="utf-8",
    )
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert run(["check", str(path)]) == 0
    looked_up = "it is looked up in $CREDENTIALS_DIRECTORY when the service runs"
    assert capsys.readouterr().err.splitlines() == [
        f"note: {path}:28: password_file {tmp_path / 'opc'} is not there now; it is read when the service runs",
        f"note: {path}:38: password_file agent_mqtt is not there now; {looked_up}",
        f"note: {path}:43: password_file agent_technopark is not there now; {looked_up}",
    ]
    for name, mode in (("opc", 0o644), ("agent_mqtt", 0o640), ("agent_technopark", 0o640)):
        (tmp_path / name).write_text("x")
        (tmp_path / name).chmod(mode)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert run(["check", str(path)]) == 0
    open_to_all = f"password_file {tmp_path / 'opc'} can be read by every user of this machine: chmod o-r it"
    assert capsys.readouterr().err.splitlines() == [f"note: {path}:28: {open_to_all}"]
    (tmp_path / "opc").chmod(0o600)
    assert run(["check", str(path)]) == 0
    assert not capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "reason"),
    [("gone.yaml", "cannot read: No such file or directory"), (".", "cannot read: Is a directory")],
)
def test_a_file_that_cannot_be_read(name: str, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", str(tmp_path / name)]) == 2
    assert capsys.readouterr().err == f"{tmp_path / name}: {reason}\n"


# ── what YAML is taken to mean ──────────────────────────────────────────────────────────────────────────────────────


def loaded(tmp_path: Path, *changes: tuple[str, str], encoding: str = "utf-8", newline: str = "\n") -> Any:
    text = GOOD.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path = tmp_path / "site.yaml"
    path.write_bytes(text.replace("\n", newline).encode(encoding))
    return load_site(path)


@pytest.mark.parametrize("text", ["NO", "on", "2026-01-31", "12_30", "1.2.3", "대구", "null-line"])
def test_text_stays_text(text: str, tmp_path: Path) -> None:
    assert loaded(tmp_path, ("line: workshop", f"line: {text}")).line == text


@pytest.mark.parametrize(("text", "address"), [("0100", 100), ("0x1F", 31), ("0o17", 15), ("+8", 8)])
def test_numbers(text: str, address: int, tmp_path: Path) -> None:
    assert loaded(tmp_path, ("address: 12", f"address: {text}")).connections[0].tags[1].address == address


@pytest.mark.parametrize(("text", "scale"), [("1e-3", 0.001), (".5", 0.5), ("2", 2.0)])
def test_fractions(text: str, scale: float, tmp_path: Path) -> None:
    assert (
        loaded(tmp_path, ("address: 12", f"address: 12\n        scale: {text}")).connections[0].tags[1].scale == scale
    )


@pytest.mark.parametrize(("encoding", "newline"), [("utf-8-sig", "\n"), ("utf-8", "\r\n")])
def test_files_from_windows(encoding: str, newline: str, tmp_path: Path) -> None:
    assert loaded(tmp_path, encoding=encoding, newline=newline) == load_site(GOOD)
    with pytest.raises(ConfigError, match=r"site\.yaml:15: "):
        loaded(tmp_path, ("port: 502", "port: x"), encoding=encoding, newline=newline)


def test_anchors_and_merge_keys(tmp_path: Path) -> None:
    twin = "  - name: twin\n    type: modbus\n    host: *host\n    machine: MTR-01\n    tags:\n"
    twin += "      - {<<: *first, name: current, address: 6}\n"
    site = loaded(
        tmp_path,
        ("    host: 192.168.0.20\n", "    host: &host 192.168.0.20\n"),
        ("{name: voltage, table: input,", "&first {name: voltage, table: input,"),
        ("  - name: press", f"{twin}  - name: press"),
    )
    tag = site.connections[1].tags[0]
    assert (site.connections[1].host, tag.name, tag.address, tag.datatype) == ("192.168.0.20", "current", 6, "float32")


def test_a_fault_behind_an_alias_is_told_where_it_stands(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"site\.yaml:18: connections\[twin\]\.tags\[voltage\]\.scael: unknown key"):
        loaded(
            tmp_path,
            ("      - {name: voltage, ", "      - &first {scael: 1, name: voltage, "),
            ("connections:\n", "connections:\n"),
            ("  - name: meter", "  - name: twin"),
            (
                "  - name: press",
                "  - {name: other, type: modbus, host: h, machine: MTR-01, tags: [*first]}\n  - name: press",
            ),
        )


def test_parsers_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.document.PARSER", yaml.SafeLoader)
    assert loaded(tmp_path) == load_site(GOOD)
    for path in BAD:
        with pytest.raises(ConfigFaults) as fault:
            load_site(path)
        expected = path.with_suffix(".expected").read_text(encoding="utf-8").splitlines()
        assert [f"{one.line}: {one.message}" for one in fault.value.faults] == expected


def test_ten_thousand_tags(tmp_path: Path) -> None:
    row = "      - {{name: t{0}, table: input, address: {0}, datatype: int16, label: {{ko: 전압, en: Voltage}}}}\n"
    many = "".join(row.format(number) for number in range(10_000))
    first = "      - {name: voltage"
    assert len(loaded(tmp_path, (first, many + first)).connections[0].tags) == 10_002
    with pytest.raises(ConfigError, match=r":18: connections\[meter\]\.tags\[t0\]\.tabel: unknown key; did you mean"):
        loaded(tmp_path, (first, many.replace("table", "tabel") + first))


# ── several files ───────────────────────────────────────────────────────────────────────────────────────────────────


def second(tmp_path: Path, *changes: tuple[str, str]) -> Path:
    text = GOOD.read_text(encoding="utf-8")
    for old, new in (("MTR-01", "MTR-02"), ("PRS-01", "PRS-02"), ("name: meter", "name: meter2"),
                     ("name: press", "name: press2"), *changes):  # fmt: skip
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "second.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_files_of_one_site_are_joined(tmp_path: Path) -> None:
    site = load_sites([GOOD, second(tmp_path)])
    assert sorted(site.machines) == ["MTR-01", "MTR-02", "PRS-01", "PRS-02"]
    assert [one.name for one in site.connections] == ["meter", "press", "meter2", "press2"]


def test_alarms_of_two_files_are_joined(tmp_path: Path) -> None:
    alarm = "alarms:\n  - {name: high, machine: MTR-01, tag: voltage, above: 250, priority: caution}\n\nmqtt:"
    first = tmp_path / "first.yaml"
    first.write_text(GOOD.read_text(encoding="utf-8").replace("mqtt:", alarm), encoding="utf-8")
    other = second(tmp_path, ("mqtt:", alarm.replace("MTR-01", "MTR-02")))
    assert [one.machine for one in load_sites([first, other]).alarms] == ["MTR-01", "MTR-02"]


TWO_TYPES: Final = (
    "is stored as int, the same tag of MTR-01 as float; in one class (meter) they must agree: rename one, or change its"
    " class"
)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (("site: daegu", "site: ulsan"), "2: site: is 'daegu' in the first file; files of one site agree"),
        (("MTR-02", "MTR-01"), "6: machines.MTR-01: stands in another file too; name one of them otherwise"),
        (
            ("name: press2", "name: press"),
            "25: connections[press].name: 'press' is used in another file too; name one of them otherwise",
        ),
        (("port: 1883", "port: 1884"), "32: mqtt: differs from the first file; write it in the first file only"),
        (
            ("datatype: float32\n        eng", "datatype: int32\n        eng"),
            f"19: connections[meter2].tags[power]: {TWO_TYPES}",
        ),
    ],
)
def test_files_that_clash(
    change: tuple[str, str], fault: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = second(tmp_path, change)
    assert run(["check", str(GOOD), str(other)]) == 2
    assert capsys.readouterr().err == f"{other}:{fault}\n"


# ── whatever people do to a file ────────────────────────────────────────────────────────────────────────────────────

TREE: Final = yaml.safe_load(GOOD.read_text(encoding="utf-8"))
SCALARS: Final = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12), st.dates(), st.binary(max_size=4),
    st.sampled_from(["modbus", "opcua", "input", "MTR-01", "", "a b", "…", "1", "<<", "=", "~", "*a", "!!x"]),
)  # fmt: skip
ANYTHING: Final = st.recursive(
    SCALARS, lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=4), below, max_size=3)
)


def places(node: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    for key, below in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield (*above, key)
        yield from places(below, (*above, key))


PLACES: Final = list(places(TREE))


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    tree = copy.deepcopy(TREE)
    *way, last = draw(st.sampled_from(PLACES))
    node = tree
    for step in way:
        node = node[step]
    action = draw(st.sampled_from(["delete", "rename", "type", "duplicate", "scalar"]))
    if action == "delete":
        del node[last]
    elif action == "type":
        node[last] = [node[last]] if draw(st.booleans()) else {"value": node[last]}
    elif action == "duplicate" and isinstance(node, list):
        node.append(node[last])
    elif action == "rename" and isinstance(node, dict):
        node[draw(SCALARS)] = node.pop(last)
    else:
        node[last] = draw(ANYTHING)
    return tree


def loads_or_names_the_line(raw: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "site.yaml")
        path.write_bytes(raw)
        fault = refused(path)
    if fault is None:
        return
    words = str(fault)
    assert re.match(rf"{re.escape(str(path))}:\d+: \S", words), words
    assert 1 <= (fault.line or 0) <= raw.count(b"\n") + raw.count(b"\r") + 2, words
    assert words.isprintable(), words
    assert not re.search("pydantic|[Ii]nput should|<unicode string>", words), words


def refused(path: Path) -> ConfigError | None:
    try:
        load_site(path)
    except ConfigError as fault:
        return fault
    return None


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(mutated())
def test_mutated_trees(tree: Any) -> None:
    loads_or_names_the_line(yaml.safe_dump(tree, allow_unicode=True).encode("utf-8", "surrogatepass"))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(st.data())
def test_mutated_bytes(data: st.DataObject) -> None:
    raw = GOOD.read_bytes()
    start = data.draw(st.integers(0, len(raw)))
    end = data.draw(st.integers(start, min(len(raw), start + 20)))
    new = data.draw(
        st.binary(max_size=3) | st.sampled_from([b"\t", b"\n", b": ", b"- ", b"{", b"]", b'"', b"'", b"*a", b"&a "])
    )
    loads_or_names_the_line(raw[:start] + new + raw[end:])


@pytest.mark.parametrize("name", sorted(MOVED_CLASSES))
def test_a_class_that_is_called_like_what_the_agent_derives_now_goes_on(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its readings are the ledger's, the bridge's and the viewer's as those of any class are."""
    path = tmp_path / "site.yaml"
    path.write_text(GOOD.read_text(encoding="utf-8").replace("class: meter", f"class: {name}"), encoding="utf-8")
    site = load_site(path)
    stored = {place.measurement for one in site.connections for place in site.places(one)}
    assert f"{name}_machine" in stored
    assert stored.isdisjoint(OWN_MEASUREMENTS)
    assert run(["check", str(path)]) == 0
    assert f"what it reads is stored as '{name}_machine'" in capsys.readouterr().err


def test_two_classes_that_are_stored_as_one_agree_on_types(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (HERE / "bad" / "one_field_two_types.yaml").read_text(encoding="utf-8")
    text = text.replace("{class: meter, label", "{class: energy, label").replace(
        "class: meter}", "class: energy_machine}"
    )
    (found,) = faults_of(tmp_path / "site.yaml", text, capsys)
    assert "in one class (energy_machine) they must agree" in found
