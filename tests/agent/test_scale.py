"""Copies of a line: machines and connections of their own in the configuration, and the same devices in the plant."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.config import load_site, load_sites
from agent.paths import LINES
from agent.simulate.scale import copies
from simulators.plant import line_names, load_plant

SITE = """\
company: demo
site: gyeongsan
machines:
  PRS-01: {class: press, label: {ko: 프레스 1호기, en: Press 1}, state: {tag: MTR-A/running}}
  PRS-02: {class: press, label: {ko: 프레스 2호기, en: Press 2}}
  MTR-A: {class: meter, label: {ko: 계량기, en: Meter}}
connections:
  - {name: prs, type: modbus, host: 192.168.0.9, machine: PRS-01, tags_file: tags.csv}
  - {name: mtr, type: modbus, host: 192.168.0.8, machine: MTR-A, tags: [{name: running, address: 1, datatype: uint16}]}
"""


def test_machines_go_on_counting_and_references_follow(tmp_path: Path) -> None:
    template = tmp_path / "cell" / "site.yaml"
    template.parent.mkdir()
    template.write_text(SITE, encoding="utf-8")
    (template.parent / "tags.csv").write_text("name,address,datatype\nspm,3,uint16\n", encoding="utf-8")
    found = copies(template, 3, tmp_path / "sites")
    assert [path.name for path in found] == ["site.yaml", "cell-02.yaml", "cell-03.yaml"]
    third = load_site(found[2])
    assert {name: one.label.ko for name, one in third.machines.items()} == {
        "PRS-05": "프레스 5호기",
        "PRS-06": "프레스 6호기",
        "MTR-A-03": "계량기 3",
    }
    state = third.machines["PRS-05"].state
    assert state is not None
    assert state.tag == "MTR-A-03/running"
    assert [(one.name, one.machine, [tag.name for tag in one.tag_list()]) for one in third.connections] == [
        ("prs-03", "PRS-05", ["spm"]),
        ("mtr-03", "MTR-A-03", ["running"]),
    ]


@pytest.mark.parametrize("line", line_names())
def test_every_line_can_be_multiplied(line: str, tmp_path: Path) -> None:
    site = load_sites(copies(LINES / line / "site.yaml", 3, tmp_path))
    assert {one.name for one in site.connections} <= load_plant([line], scale=3).devices.keys()
    assert len(site.machines) == 3 * len(load_site(LINES / line / "site.yaml").machines)


def test_a_copy_has_random_numbers_of_its_own_and_the_first_is_the_line_itself() -> None:
    one, three = load_plant(["auto_press_machining"]), load_plant(["auto_press_machining"], scale=3)
    one.step(2000)
    three.step(2000)
    assert {name: three.values[name] for name in one.values} == one.values
    shown = [
        [three.panels[f"prs{copy}"].shown(signal) for signal in three.devices[f"prs{copy}"].signals]
        for copy in ("", "-02", "-03")
    ]
    assert shown[0] != shown[1] != shown[2]
    assert [signal.id for signal in three.signals()] == list(range(3 * sum(1 for _ in one.signals())))
