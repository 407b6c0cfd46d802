"""`python -m benchmarks [STAGE …]`: a table on stderr, one JSON object as the last line on stdout."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from benchmarks import broker, ledger, modbus, opcua, opcua_server, pipeline
from benchmarks.timing import measure


def main() -> None:
    """Measure the named stages, or all."""
    wanted = set(sys.argv[1:])
    results = {}
    with tempfile.TemporaryDirectory(prefix="sf-bench-") as folder, broker.Background(Path(folder)) as background:
        stages = [
            *opcua.stages(),
            *opcua_server.stages(),
            *modbus.stages(),
            *pipeline.stages(Path(folder)),
            *ledger.stages(),
            *broker.stages(background),
        ]
        print(f"broker: {background.kind}", file=sys.stderr)
        for stage in stages:
            if wanted and stage.name not in wanted:
                continue
            results[stage.name] = measure(stage)
            shown = results[stage.name]
            print(
                f"{stage.name:<14} {shown['values_per_cpu_s']:>12,.0f} values/CPU-s  {shown['ratio']:>7.1f} x "
                f"({stage.what}; against {stage.theirs})",
                file=sys.stderr,
            )
        background.finish()
    print(json.dumps({"stages": results}))


if __name__ == "__main__":
    main()
