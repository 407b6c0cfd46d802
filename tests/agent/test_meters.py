"""From a site's settings to rules of energy and batteries."""

from __future__ import annotations

from pathlib import Path

from agent.config import load_site
from agent.derived import rules_of
from pipelines.derive.battery.rule import BatteryRule
from pipelines.derive.chain import Chain
from pipelines.derive.energy.rule import EnergyRule
from pipelines.derive.energy.span import HOUR_NS
from pipelines.derive.rule import Ref
from pipelines.point import GOOD

SITE = """
company: demo
site: gyeongsan
machines:
  MTR-01: {class: meter}
  PRS-01:
    class: press
    count: {total: shots}
    energy: {kw: MTR-01/kw, lot: lot_id}
  IMM-01: {class: imm, energy: {kw: kw}}
  CYC-01:
    class: cycler
    battery:
      states: {"1": CHG}
      channels:
        ch1: {state: ch1_state, v: ch1_v, i: ch1_i, t: [ch1_t1, ch1_t2]}
        ch2: {state: ch1_state, v: ch1_v, i: ch1_i}
connections:
  - name: meter
    type: modbus
    host: 127.0.0.1
    port: 1
    machine: MTR-01
    tags: [{name: kw, table: input, address: 12, datatype: float32, engineering_unit: kW}]
  - name: press
    type: modbus
    host: 127.0.0.1
    port: 1
    unit: 2
    machine: PRS-01
    tags:
      - {name: shots, table: holding, address: 0, datatype: uint16}
      - {name: lot_id, table: holding, address: 1, datatype: string, length: 8}
  - name: others
    type: opcua
    endpoint: opc.tcp://127.0.0.1:1
    security: {policy: none}
    tags:
      - {name: kw, machine: IMM-01, node: ns=2;s=kw}
      - {name: ch1_state, machine: CYC-01, node: ns=2;s=a}
      - {name: ch1_v, machine: CYC-01, node: ns=2;s=b}
      - {name: ch1_i, machine: CYC-01, node: ns=2;s=c}
      - {name: ch1_t1, machine: CYC-01, node: ns=2;s=d}
      - {name: ch1_t2, machine: CYC-01, node: ns=2;s=e}
"""
H0 = 497_000 * HOUR_NS
S = 10**9


def test_machines_have_the_rules_they_say(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(SITE)
    rules = {one.name: one for one in rules_of(load_site(tmp_path / "site.yaml"), Chain())}
    press = rules["energy/PRS-01"]
    assert isinstance(press, EnergyRule)
    assert press.reads == {Ref("PRS-01", "shots"), Ref("PRS-01", "lot_id"), Ref("MTR-01", "kw")}
    assert isinstance(rules["battery/CYC-01/ch1"], BatteryRule)
    assert len(rules["battery/CYC-01/ch1"].reads) == 5
    assert len(rules["battery/CYC-01/ch2"].reads) == 3
    # A power over a subscription holds while it says nothing; of a meter that is polled nothing is made up.
    imm = rules["energy/IMM-01"]
    for rule, tag in ((imm, Ref("IMM-01", "kw")), (press, Ref("MTR-01", "kw"))):
        rule.take(tag, H0, 10.0, GOOD)
        rule.take(tag, H0 + HOUR_NS, 10.0, GOOD)
        rule.tick(H0 + HOUR_NS + 200 * S)
    assert [one.fields["kwh"] for one in imm.lines()] == [10.0]
    assert list(press.lines()) == []
