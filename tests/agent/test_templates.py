"""A configuration from line, scale and level: every combination is valid, and a few are as written by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent import cli
from agent.config import load_site
from agent.site import Site
from agent.templates.compose import compose, line_names, template
from agent.templates.draft import Draft
from agent.templates.levels import LEVELS, Level, at_level
from agent.templates.scales import COPIES, SCALES, Scale, at_scale, buffer_bytes, points_per_s

TEXT = """\
# a shop
company: demo   # whose
kpis: [P-OEE, P-UPH, Q-PDR, C-KWH]

machines:
  A: {class: press, label: {ko: 가, en: "A, one"}}
  # about B
  B:
    class: lathe
    energy: {kw: kw}                # of B

alarms:
  - {name: x, machine: A}
  - {name: y, machine: B}
"""


@pytest.mark.parametrize(
    ("gone", "left"),
    [
        ([0], "[P-UPH, Q-PDR, C-KWH]"),
        ([1], "[P-OEE, Q-PDR, C-KWH]"),
        ([3], "[P-OEE, P-UPH, Q-PDR]"),
        ([0, 1], "[Q-PDR, C-KWH]"),
        ([2, 3], "[P-OEE, P-UPH]"),
        ([0, 3], "[P-UPH, Q-PDR]"),
        ([0, 2], "[P-UPH, C-KWH]"),
    ],
)
def test_entries_of_a_list_on_one_line(gone: list[int], left: str) -> None:
    assert Draft(TEXT).without(("kpis", one) for one in gone).text == TEXT.replace("[P-OEE, P-UPH, Q-PDR, C-KWH]", left)


def test_what_is_taken_out_takes_its_comments_along_and_nothing_else() -> None:
    draft = Draft(TEXT).without([("machines", "B"), ("alarms", 1)])
    assert draft.text == TEXT[: TEXT.index("  # about B")] + "\nalarms:\n  - {name: x, machine: A}\n"
    less = Draft(TEXT).without([("machines", "B", "energy"), ("alarms", 0), ("alarms", 1)])
    assert less.text.endswith("  # about B\n  B:\n    class: lathe\n\n")
    assert "alarms" not in less.text


def test_copies_stand_behind_the_first_and_keep_their_quotes() -> None:
    def values(copy: int) -> dict[tuple[str | int, ...], str]:
        return {("machines", "A", ""): f"A{copy}", ("machines", "A", "label", "en"): f"A, {copy}"}

    more = Draft(TEXT).multiplied(["machines", "exposure"], 3, values).text
    assert more.index("  A: {") < more.index("  B:") < more.index("  A2: {") < more.index("  A3: {")
    assert more.count("# about B") == 3
    assert '  A3: {class: press, label: {ko: 가, en: "A, 3"}}\n' in more


def test_without_scale_and_level_it_is_the_template() -> None:
    for line in line_names():
        text = template(line).read_text(encoding="utf-8")
        assert compose(text) == text


@pytest.mark.parametrize("line", line_names())
def test_every_combination_is_valid_and_keeps_what_must_stay(line: str) -> None:
    text = template(line).read_text(encoding="utf-8")
    comments = [one for one in text.splitlines() if one.startswith("#")]
    whole = Draft(text)
    for level in LEVELS:
        draft = at_level(whole, level)
        kept = names(draft.site)
        for scale in SCALES:
            composed = at_scale(draft, scale)
            site, times = composed.site, COPIES if scale == "medium" else 1
            assert [one for one in composed.text.splitlines() if one.startswith("#")] == comments
            assert len(names(site)) == times * len(kept) if scale != "workshop" else names(site) <= kept
            labels = [one.label for one in (*site.machines.values(), *site.alarms)]
            labels += [tag.label for one in site.connections for tag in one.tag_list()]
            assert all(one.ko and one.en for one in labels)
            assert (site.serve is None) == (scale == "medium") == (site.mqtt.tls is not None)
            assert list(site.share) == (["technopark"] if level == "advanced" else [])
            if scale != "workshop":
                assert critical(site) == times * critical(whole.site)
            copied = [one.where() for one in site.connections if ".invalid" in one.where()]
            assert len(copied) == len(set(copied)) == len(site.connections) * (times - 1) // times
            assert site.journal.max_bytes == buffer_bytes(points_per_s(site))


def names(site: Site) -> set[tuple[str, str]]:
    return {(tag.machine or one.machine or "", tag.name) for one in site.connections for tag in one.tag_list()}


def critical(site: Site) -> int:
    """Alarms and limits that no level leaves out."""
    return sum(one.safety or one.ccp for one in site.alarms) + len(site.exposure)


@pytest.mark.parametrize(("line", "scale", "level"), [
    ("chemical_safety", "workshop", "basic"),
    ("laser_cell", "medium", "mid1"),
    ("lite_workshop", "small", "advanced"),
    ("cnc_turning", None, "basic"),
    ("injection_molding", "medium", None),
])  # fmt: skip
def test_check_accepts_what_init_writes(line: str, scale: Scale | None, level: Level | None, tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    chosen = [*(["--scale", scale] if scale else []), *(["--level", level] if level else [])]
    assert cli.run(["init", str(path), "--line", line, *chosen]) == 0
    assert cli.run(["check", str(path)]) == 0
    assert compose(template(line).read_text(encoding="utf-8"), scale, level) == path.read_text(encoding="utf-8")


def test_scale_and_level_are_for_line_templates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "imported"
    folder.mkdir()
    for name in ("site.yaml", "plant.yaml"):
        (folder / name).write_bytes(template("lite_workshop").read_bytes())
    assert cli.run(["init", str(tmp_path / "a.yaml"), "--line", str(folder)]) == 0
    assert cli.run(["init", str(tmp_path / "b.yaml"), "--line", str(folder), "--level", "basic"]) == 2
    assert "lite_workshop" in capsys.readouterr().err


def test_basic_heat_treatment_by_hand(tmp_path: Path) -> None:
    """State and count of the furnace, its lot, and what its urgent alarms watch; nothing of belt and meter."""
    site = composed("heat_treatment", tmp_path, level="basic")
    furnace = {"state", "tray_count", "ng", "lot", "product", "n2_flow", *(f"z{zone}_pv" for zone in range(1, 7))}
    assert names(site) == {("FUR-01", tag) for tag in furnace} | {("QT-01", "oil_temp")}
    assert [one.name for one in site.alarms] == [*(f"z{zone}_over" for zone in range(1, 7)), "n2_low", "oil_hot"]
    assert site.kpis == ("P-UTIL", "P-UPH", "Q-PDR")
    assert [one.name for one in site.connections] == ["fur_bus", "fur_plc"]
    assert list(site.machines) == ["FUR-01", "QT-01"]
    assert site.machines["FUR-01"].cycle is site.machines["FUR-01"].energy is None


def test_first_intermediate_injection_molding_by_hand(tmp_path: Path) -> None:
    whole, site = composed("injection_molding", tmp_path), composed("injection_molding", tmp_path, level="mid1")
    assert names(site) == names(whole)
    assert site.alarms == whole.alarms
    assert set(whole.kpis) - set(site.kpis) == {"C-KWH"}
    assert site.machines["IMM-01"].energy is None
    assert site.machines["IMM-01"].cycle == whole.machines["IMM-01"].cycle


def test_energy_stays_at_every_level_where_nothing_is_counted(tmp_path: Path) -> None:
    site = composed("utilities_energy", tmp_path, level="basic")
    assert site.kpis == ("C-KWH", "E-PEAK", "E-CO2")
    assert site.machines["MTR-00"].energy is not None


def test_a_workshop_has_one_robot_by_hand(tmp_path: Path) -> None:
    whole, site = composed("laser_cell", tmp_path), composed("laser_cell", tmp_path, scale="workshop")
    assert set(whole.machines) - set(site.machines) == {"RBT-02"}
    assert names(whole) - names(site) == {one for one in names(whole) if one[0] == "RBT-02"}
    assert {one.name for one in whole.alarms} - {one.name for one in site.alarms} == {"robot_fault"}
    detectors = composed("chemical_safety", tmp_path, scale="workshop")
    assert [name for name in detectors.machines if name.startswith("GD-")] == [f"GD-0{one}" for one in range(1, 7)]


def test_a_medium_company_by_hand(tmp_path: Path) -> None:
    site = composed("lite_workshop", tmp_path, scale="medium", level="advanced")
    assert {name: one.label.ko for name, one in site.machines.items()} == {
        "MCH-01": "범용 밀링 1호기",
        "MCH-02": "범용 밀링 2호기",
        "MCH-03": "범용 밀링 3호기",
    }
    assert {one.name: one.where() for one in site.connections} == {
        "lite_mtr": "modbus://192.168.0.20:502",
        "lite_mtr-02": "modbus://lite_mtr-02.invalid:502",
        "lite_mtr-03": "modbus://lite_mtr-03.invalid:502",
    }
    watched = {tag.name: site.connections[0].polled_s(tag) for tag in site.connections[0].tag_list()}
    assert (watched["demand_kw"], watched["i_l1"]) == (1, 5)
    assert site.mqtt.endpoint == "mqtts://broker.invalid:8883"


def test_what_names_another_machine_follows_it(tmp_path: Path) -> None:
    site = composed("heat_treatment", tmp_path, scale="medium")
    furnace = site.machines["FUR-03"]
    assert furnace.label.ko == "연속로 3호기"
    assert furnace.energy is not None
    assert furnace.cycle is not None
    assert (furnace.energy.kwh, furnace.cycle.values[-1]) == ("MTR-03/kwh", "QT-03/oil_temp")
    assert {one.machine for one in site.alarms if one.name == "oil_hot"} == {"QT-01", "QT-02", "QT-03"}


def test_a_bus_keeps_its_periods_at_the_highest_level(tmp_path: Path) -> None:
    site = composed("heat_treatment", tmp_path, level="advanced")
    bus, meter = site.connections[0], site.connections[1]
    assert {bus.polled_s(tag) for tag in bus.tag_list() if tag.name == "z1_pv"} == {2}
    assert {meter.polled_s(tag) for tag in meter.tag_list() if tag.name == "kwh"} == {1}


def test_addresses_to_be_filled_in_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "site.yaml"
    assert cli.run(["init", str(path), "--line", "cnc_turning", "--scale", "medium"]) == 0
    capsys.readouterr()
    assert cli.run(["check", str(path)]) == 0
    told = [one.split(": ", 2)[2] for one in capsys.readouterr().err.splitlines() if "stands for" in one]
    assert told == [
        f"{place}: stands for an address of yours; write it here"
        for place in ("connections[trn-02].endpoint", "connections[trn-03].endpoint", "mqtt.host")
    ]


def composed(line: str, folder: Path, scale: Scale | None = None, level: Level | None = None) -> Site:
    path = folder / "site.yaml"
    path.write_text(compose(template(line).read_text(encoding="utf-8"), scale, level), encoding="utf-8")
    return load_site(path)


def test_the_buffer_holds_three_days() -> None:
    assert buffer_bytes(3.4) == 128 << 20
    assert buffer_bytes(100) == 2048 << 20
