"""A line of one machine with very many tags, each changing once a second: its plant and its site as files."""

from __future__ import annotations

from pathlib import Path

NAMESPACE = "urn:shopfloor:big"
KINDS = (
    ("Double", "{model: ou, mean: 20, sigma: 3, tau_s: 30, initial: 20}"),
    ("Float", "{model: ou, mean: 900, sigma: 40, tau_s: 5, initial: 900}"),
    ("UInt32", "{model: counter, add: 1}"),
    ("Double", "{model: ou, mean: 5, sigma: 1, tau_s: 60, initial: 5}"),
    ("Boolean", "{value: t % 2 >= 1}"),
)
"""Types taking turns; the physics of each."""
SITE = """\
company: demo
site: gyeongsan
line: big
machines:
  BIG-01: {class: gateway, label: {ko: 게이트웨이 1호기, en: Gateway 1}}
connections:
  - name: big
    type: opcua
    endpoint: opc.tcp://192.168.0.10:4840
    security: {policy: none}
    machine: BIG-01
    sampling_interval_s: 0
    timeout_s: 20
    keepalive_s: 5
    tags_file: tags.csv
"""


def write_line(folder: Path, tags: int) -> Path:
    """A folder that `agent simulate` takes: `tags` tags of one OPC UA server in folders of 500."""
    folder.mkdir(parents=True, exist_ok=True)
    plant = ["line: big", "step_s: 1.0", "variables:"]
    rows = ["name,node"]
    signals = []
    for number in range(tags):
        kind, first = number % len(KINDS), number < len(KINDS)
        datatype, physics = KINDS[kind]
        name, node = f"t{number:05d}", f"Unit{number // 500:02d}/Value{number:05d}"
        plant.append(f"  {name}: {f'&kind{kind} {physics}' if first else f'*kind{kind}'}")
        signals.append(f"      {name}: {{node: {node}, datatype: {datatype}, decimals: 4}}")
        rows.append(f"{name},nsu={NAMESPACE};s={node}")
    plant += ["devices:", "  big:", "    type: opcua", f"    namespace: {NAMESPACE}", "    signals:", *signals]
    for file, lines in (("plant.yaml", plant), ("site.yaml", [SITE]), ("tags.csv", rows)):
        (folder / file).write_text("\n".join([*lines, ""]), encoding="utf-8")
    return folder
