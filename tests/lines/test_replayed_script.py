"""A script of faults that is played again raises and clears the same alarms at the same plant times."""

from __future__ import annotations

from tests.lines.playing import Line

SCRIPT = """\
- {at: 1m, fault: misfeed, for: 100s}
- {at: 200s, fault: overload_stop, for: 100s}
- {at: 5m, fault: comm_loss, device: prs, for: 1m}
- {at: 700s, fault: lube_low, for: 100s}
- {at: 15m, fault: ng_burst, for: 100s}
- {at: 20m, fault: tool_break, for: 100s}
- {at: 25m, fault: bearing_wear, for: 100s}
- {at: 1700s, fault: feed_ovr_70, for: 100s}
- {at: 2000s, fault: stuck, device: cnc, for: 1m}
- {at: 2200s, fault: open_sensor, device: mtr, signal: power_kw, for: 1m}
"""


def alarms(seed: int = 5) -> list[tuple[int, str, str, object]]:
    """Plant time, machine, name and event of what the alarms did."""
    line = Line("auto_press_machining", seed)
    line.script(SCRIPT)
    line.play(2400, 2)
    told = (one for one in line.points if one.measurement == "alarm")
    return [(one.time_ns, one.machine, dict(one.tags)["alarm"], one.fields["event"]) for one in told]


def test_ten_faults_replayed_give_the_same_alarms_at_the_same_plant_times() -> None:
    first = alarms()
    assert len({name for _, _, name, event in first if event == "raised"}) >= 6
    assert alarms() == first
