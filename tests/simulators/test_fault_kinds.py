"""Faults without sockets: what each does to what a device shows, when it begins and ends, and what a script says."""

from __future__ import annotations

import math
import struct
from typing import Any

import orjson
import pytest

from simulators.control import Control
from simulators.device import INTEGERS, Signal
from simulators.faults.board import Board
from simulators.faults.orders import read_order
from simulators.faults.script import ScriptError, read_script
from simulators.faults.table import FAULTS
from simulators.faults.values import BAD_DEVICE_FAILURE, BAD_SENSOR_FAILURE, FLOAT_OPEN, UNCERTAIN_LAST_USABLE
from simulators.panel import ANY_BAD, Panel
from simulators.plant import Plant, line_names, load_plant, plant_of
from simulators.points import encoded
from simulators.signals.physics import STEP_NS, STEP_S
from simulators.words import integer_limits

HOLDING = {"table": "holding"}
DOCUMENT: dict[str, Any] = {
    "line": "a",
    "faults": {"heater_break": {"label": {"ko": "히터 단선", "en": "heater break"}, "for_s": 90}},
    "variables": {
        "temp": {"value": "20 + t - 60 * heater_break"},
        "count": {"model": "counter", "initial": 1000, "add": "1"},
        "energy": {"model": "integrator", "initial": 70000.5, "rate": 1},
        "text": {"value": "'A' if t < 1 else 'B'"},
    },
    "devices": {
        "tk": {
            "type": "modbus",
            "areas": [{"table": "holding", "first": 0, "last": 9}],
            "signals": {
                "pv": {
                    "table": "holding",
                    "address": 0,
                    "datatype": "int16",
                    "decimals": 1,
                    "open": 31000,
                    "of": "temp",
                },
                "n": {"table": "holding", "address": 1, "datatype": "uint32", "words": "CDAB", "of": "count"},
                "kwh": {"table": "holding", "address": 3, "datatype": "float32", "of": "energy"},
                "on": {"table": "coil", "address": 0, "datatype": "bool", "of": "count"},
            },
        },
        "mc": {
            "type": "opcua",
            "namespace": "urn:a",
            "signals": {
                "temp": {"node": "Temp", "datatype": "Double", "of": "temp"},
                "n": {"node": "N", "datatype": "UInt16", "of": "count"},
                "program": {"node": "Program", "datatype": "String", "of": "text"},
            },
        },
        "mt": {
            "type": "mtconnect",
            "signals": {
                "temp": {"item": "t", "category": "SAMPLE", "type": "TEMPERATURE", "datatype": "Double", "of": "temp"}
            },
        },
    },
}


@pytest.fixture
def plant() -> Plant:
    return plant_of([DOCUMENT])


@pytest.fixture
def board(plant: Plant) -> Board:
    return Board(plant)


def put(board: Board, plant: Plant, **said: Any) -> None:
    board.add(read_order(said, plant), plant.steps)
    board.turn(plant.steps)


def signal(plant: Plant, device: str, name: str) -> tuple[Panel, Signal]:
    return plant.panels[device], next(s for s in plant.devices[device].signals if s.name == name)


def shown(plant: Plant, device: str, name: str) -> Any:
    panel, one = signal(plant, device, name)
    return panel.shown(one)


def status(plant: Plant, device: str, name: str) -> int:
    panel, one = signal(plant, device, name)
    return panel.status(one)


def test_an_open_sensor_is_a_sentinel_in_a_register_and_bad_elsewhere(plant: Plant, board: Board) -> None:
    put(board, plant, fault="open_sensor", device="tk", signal="pv", for_s=1)
    put(board, plant, fault="open_sensor", device="tk", signal="kwh", for_s=1)
    put(board, plant, fault="open_sensor", device="mc", signal="temp", for_s=1)
    put(board, plant, fault="open_sensor", device="mt", signal="temp", for_s=1)
    panel, pv = signal(plant, "tk", "pv")
    assert (panel.raw(pv), panel.shown(pv)) == (31000, 3100.0)
    assert shown(plant, "tk", "kwh") == FLOAT_OPEN
    assert (status(plant, "mc", "temp"), status(plant, "mt", "temp")) == (BAD_SENSOR_FAILURE, ANY_BAD)
    board.advance(21)
    assert shown(plant, "tk", "pv") == round(plant.values["temp"], 1)
    assert not status(plant, "mc", "temp")


def test_what_is_stuck_stands_still_and_only_there(plant: Plant, board: Board) -> None:
    put(board, plant, fault="stuck", device="mc", for_s=2)
    board.advance(30)
    assert (shown(plant, "mc", "temp"), shown(plant, "mc", "program")) == (20.05, "A")
    assert shown(plant, "mt", "temp") == pytest.approx(plant.values["temp"])
    board.advance(30)
    assert (shown(plant, "mc", "temp"), shown(plant, "mc", "program")) == (pytest.approx(plant.values["temp"]), "B")


def test_a_spike_is_gone_after_it(plant: Plant, board: Board) -> None:
    put(board, plant, fault="spike", device="mc", signal="temp", for_s=0.1, factor=3)
    assert shown(plant, "mc", "temp") == pytest.approx(3 * 20.05)
    board.advance(3)
    assert shown(plant, "mc", "temp") == pytest.approx(20.2)


def test_counters_begin_again_and_stay_so(plant: Plant, board: Board) -> None:
    put(board, plant, fault="counter_reset", device="tk", signal="n")
    assert shown(plant, "tk", "n") == 0
    board.advance(100)
    assert shown(plant, "tk", "n") == 100
    put(board, plant, fault="rollover", device="mc", signal="n", before=2)
    seen = []
    for _ in range(4):
        seen.append(shown(plant, "mc", "n"))
        board.advance(1)
    assert seen == [65534, 65535, 0, 1]
    put(board, plant, fault="rollover", device="tk", signal="n", before=1)
    board.advance(1)
    assert shown(plant, "tk", "n") == 0
    put(board, plant, fault="rollover", device="tk", signal="kwh", before=0.5)
    assert shown(plant, "tk", "kwh") == 999_999.5


@pytest.mark.parametrize("line", line_names())
@pytest.mark.parametrize(
    ("fault", "more"), [("counter_reset", {}), ("rollover", {}), ("spike", {"factor": 1e6}), ("spike", {"factor": -1})]
)
def test_an_integer_node_stays_one_whatever_befalls_its_variable(line: str, fault: str, more: dict[str, Any]) -> None:
    plant = load_plant([line])
    board = Board(plant)
    for one in plant.signals():
        if one.table or one.datatype not in INTEGERS:
            continue
        low, high = integer_limits(INTEGERS[one.datatype])
        plant.values[one.of] = 7
        put(board, plant, fault=fault, device=one.device, signal=one.name, **more)
        for value in (7, 0, 3, high):
            plant.values[one.of] = value
            assert low <= shown(plant, one.device, one.name) <= high
            encoded(shown(plant, one.device, one.name), one.datatype, 0, 0)


def test_words_in_the_wrong_order_are_what_a_client_makes_of_them(plant: Plant, board: Board) -> None:
    kwh = shown(plant, "tk", "kwh")
    put(board, plant, fault="word_order", device="tk")
    assert shown(plant, "tk", "n") == 1001 << 16
    high, low = struct.unpack(">HH", struct.pack(">f", kwh))
    assert shown(plant, "tk", "kwh") == struct.unpack(">f", struct.pack(">HH", low, high))[0]
    assert shown(plant, "tk", "pv") == pytest.approx(20, abs=0.1)  # one register has no order
    board.advance(121 * 20)
    assert shown(plant, "tk", "n") == plant.values["count"]


def test_qualities_and_clocks(plant: Plant, board: Board) -> None:
    put(board, plant, fault="bad_quality", device="mt", for_s=1)
    put(board, plant, fault="bad_quality", device="mc", for_s=1)
    put(board, plant, fault="uncertain_quality", device="mc", for_s=2)
    put(board, plant, fault="clock_skew", device="mc", for_s=2, by_s=-3)
    assert (status(plant, "mt", "temp"), status(plant, "mc", "temp")) == (ANY_BAD, UNCERTAIN_LAST_USABLE)
    assert plant.panels["mc"].skew_ns == -3_000_000_000
    board.advance(30)
    assert status(plant, "mc", "temp") == UNCERTAIN_LAST_USABLE
    board.end("uncertain_quality", "mc")
    board.advance(1)
    assert status(plant, "mc", "temp") == 0
    put(board, plant, fault="bad_quality", device="mc", for_s=1)
    assert status(plant, "mc", "temp") == BAD_DEVICE_FAILURE
    board.advance(20)
    assert plant.panels["mc"].skew_ns == 0


@pytest.mark.parametrize(
    ("fault", "device", "more", "before", "during"),
    [
        ("comm_loss", "tk", {}, {"reachable": True, "closed": 0}, {"reachable": False, "closed": 1}),
        ("comm_loss", "mc", {"how": "silent"}, {"silent": 0}, {"silent": 1, "reachable": False}),
        ("power_off", "mc", {}, {"closed": 0}, {"closed": 1}),
        ("queue_overflow", "mc", {"queue": 5}, {"queue": 0}, {"queue": 5}),
    ],
)
def test_a_link_is_as_before_when_the_fault_is_over(
    plant: Plant, board: Board, fault: str, device: str, more: dict[str, Any], before: Any, during: Any
) -> None:
    panel = plant.panels[device]
    assert {key: getattr(panel, key) for key in before} == before
    put(board, plant, fault=fault, device=device, for_s=1, **more)
    assert {key: getattr(panel, key) for key in during} == during
    board.advance(21)
    assert {key: getattr(panel, key) for key in before} == before


def test_servers_begin_a_new_life(plant: Plant, board: Board) -> None:
    panel = plant.panels["mc"]
    for number, fault in enumerate(("restart", "certificate_change", "power_off"), 1):
        put(board, plant, fault=fault, device="mc", for_s=1)
        assert panel.lives == 1 + number
    assert (panel.renumbered, panel.certificate) == (1, 2)
    put(board, plant, fault="half_open", device="mc", for_s=600)
    put(board, plant, fault="stuck", device="mc", for_s=600)
    assert panel.deaf == 1
    board.heal()
    board.advance(1)
    assert panel.deaf == 0
    assert [one.order.fault for one in board.active] == ["stuck"]


def test_exchanges_go_wrong_at_every_nth_request(plant: Plant, board: Board) -> None:
    panel = plant.panels["tk"]
    for fault, kind in (
        ("timeout", "timeout"),
        ("late_reply", "late"),
        ("wrong_reply", "wrong"),
        ("exception", "exception"),
    ):
        put(board, plant, fault=fault, device="tk", for_s=1, every=3)
        assert panel.exchange is not None
        assert panel.exchange.kind == kind
        assert [panel.exchange.hits() for _ in range(6)] == [False, False, True] * 2
        board.advance(21)
        assert panel.exchange is None


def test_of_faults_that_overlap_the_last_one_wins_and_none_outlives_its_end(plant: Plant, board: Board) -> None:
    spans = (
        ("1s", "3s", "fault: timeout, device: tk"),
        ("2s", "4s", "fault: exception, device: tk"),
        ("3s", "10s", "fault: late_reply, device: tk"),
        ("1s", "2s", "fault: queue_overflow, device: mc, queue: 5"),
        ("2s", "2s", "fault: queue_overflow, device: mc, queue: 7"),
        ("2.5s", "4s", "fault: queue_overflow, device: mc, queue: 5"),
        ("1s", "3s", "fault: word_order, device: tk"),
        ("2s", "4s", "fault: word_order, device: tk, signal: n"),
        ("1s", "3s", "fault: heater_break"),
        ("2s", "4s", "fault: heater_break"),
        ("6s", "1s", "fault: heater_break"),
    )
    script = "".join(f"- {{at: {at}, for: {span}, {what}}}\n" for at, span, what in spans)
    for order in read_script(script, plant):
        board.add(order, 0)
    seen = {}
    for second in (0.5, 1.5, 2.2, 3.2, 4.5, 5.5, 6.5, 8.0, 14.0):
        board.advance(round(second / STEP_S) - plant.steps)
        tk, mc = plant.panels["tk"], plant.panels["mc"]
        swapped = shown(plant, "tk", "n") != plant.values["count"]
        seen[second] = (tk.exchange and tk.exchange.kind, mc.queue, swapped, plant.values["heater_break"])
    assert not board.busy
    assert seen == {
        0.5: (None, 0, False, 0),
        1.5: ("timeout", 5, True, 1),
        2.2: ("exception", 7, True, 1),
        3.2: ("late", 5, True, 1),
        4.5: ("late", 5, True, 1),
        5.5: ("late", 5, True, 1),
        6.5: ("late", 0, False, 1),
        8.0: ("late", 0, False, 0),
        14.0: (None, 0, False, 0),
    }


def test_a_fault_of_the_line_moves_its_physics(plant: Plant, board: Board) -> None:
    put(board, plant, fault="heater_break")
    board.advance(20)
    assert plant.values["temp"] == pytest.approx(20 + 1.05 - 60)
    assert plant.values["heater_break_t"] == pytest.approx(1)
    board.advance(90 * 20)
    assert plant.values["temp"] > 20


SCRIPT = """\
- {at: 1, fault: heater_break, for: 2s}
- at: 2s
  fault: stuck
  device: mc
  for: 0.02m
- {at: 1s, fault: spike, device: tk, signal: pv, factor: 2}
"""


def played() -> tuple[list[Any], list[dict[str, Any]]]:
    plant, told = plant_of([DOCUMENT], seed=3), []
    board = Board(plant, lambda _kind, **fields: told.append(fields), start_ns=10**18)
    for order in read_script(SCRIPT, plant):
        board.add(order, plant.steps)
    rows = []
    for _ in range(100):
        board.advance(1)
        rows.append([plant.panels[s.device].shown(s) for s in plant.signals()])
    return rows, told


def test_a_script_played_twice_is_the_same_to_the_step() -> None:
    rows, told = played()
    assert (rows, told) == played()
    begun = [((one["start_ns"] - 10**18) / STEP_NS, one["fault"]) for one in told if "ended" not in one]
    assert begun == [(20, "heater_break"), (20, "spike"), (40, "stuck")]
    ends = [((one["end_ns"] - 10**18) / STEP_NS, one["fault"]) for one in told if "ended" in one]
    assert ends == [(40, "spike"), (60, "heater_break"), (64, "stuck")]
    assert told[1]["signal"] == "pv"
    assert told[1]["factor"] == 2


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("fault: stuck", 1, "expected a list: - {at: 30s"),
        ("- stuck", 1, "expected {at: 30s, fault"),
        (
            "- {fault: stuck, device: mc}\n- {fault: stuk, device: mc}",
            2,
            "fault: there is no 'stuk'; did you mean stuck",
        ),
        ("- fault: stuck\n  device: mx", 2, "device: there is no 'mx'; there are tk, mc, mt"),
        ("- fault: restart", 1, "device: restart needs one of mc, mt"),
        ("- device: tk", 1, "fault: it is missing; there are comm_loss, power_off, "),
        ("- fault: restart\n  device: tk", 2, "device: restart needs mtconnect or opcua: mc, mt"),
        ("- fault: spike\n  device: mc", 1, "signal: spike needs one of temp, n"),
        ("- fault: spike\n  device: mc\n  signal: program", 3, "signal: there is no 'program'; there are temp, n"),
        ("- fault: power_off\n  device: mc\n  signal: temp", 3, "signal: power_off befalls the whole device"),
        ("- fault: comm_loss\n  device: mc\n  how: gently", 3, "how: must be one of close, silent, restart"),
        ("- fault: timeout\n  device: tk\n  every: 1.5", 3, "every: must be a whole number"),
        ("- fault: timeout\n  device: tk\n  every: 0", 3, "every: must be at least 1"),
        ("- fault: queue_overflow\n  device: mc\n  queue: 1", 3, "queue: must be at least 2"),
        ("- fault: stuck\n  device: tk\n  hard: 1", 3, "hard: stuck has no parameters"),
        ("- fault: heater_break\n  device: tk", 2, "device: heater_break befalls its own line"),
        ("- fault: stuck\n  device: tk\n  for: soon", 3, "for: 'soon' is no time; write 30s, 10m or 2h"),
        ("- fault: stuck\n  device: tk\n  for: 0.0001", 3, "for: must be a time of at least 0.001 s"),
        ("- fault: stuck\n  at: -1\n  device: tk", 2, "at: must be a time of at least 0 s"),
        ("- {fault: stuck", 1, "not YAML"),
    ],
)
def test_a_bad_script_is_told_by_its_line(plant: Plant, text: str, line: int, words: str) -> None:
    with pytest.raises(ScriptError, match=words.replace("{", r"\{")) as found:
        read_script(text, plant)
    assert found.value.line == line


def test_an_empty_script_asks_for_nothing(plant: Plant) -> None:
    assert read_script("# nothing yet\n", plant) == []


def ask(control: Control, said: Any) -> dict[str, Any]:
    return control.answer(orjson.dumps(said))


def test_orders_while_it_runs(plant: Plant, board: Board) -> None:
    control = Control(plant, board)
    order = {"fault": "stuck", "device": "mc", "for_s": 5}
    assert ask(control, order) == {"injected": {"fault": "stuck", "device": "mc"}, "for_s": 5.0}
    board.advance(1)
    assert ask(control, order)["refused"].startswith("stuck is under way there")
    listed = ask(control, {"list": True})
    assert listed["active"] == [{"fault": "stuck", "device": "mc", "for_s": 5.0}]
    rows = {row["fault"]: row for row in listed["faults"]}
    assert rows["heater_break"] == {
        "fault": "heater_break",
        "ko": "히터 단선",
        "en": "heater break",
        "for_s": 90.0,
        "devices": {},
    }
    assert set(rows) == {"heater_break", *FAULTS}
    assert rows["spike"]["devices"] == {"tk": ["pv", "n", "kwh"], "mc": ["temp", "n"], "mt": ["temp"]}
    assert ask(control, {"end": "stuck"}) == {"ended": 1}
    board.advance(1)
    assert ask(control, {"end": "stuck"}) == {"ended": 0}
    assert ask(control, [])["refused"] == "an order is a JSON object"
    assert "refused" in control.answer(b"stuck\n")


def test_every_fault_has_both_labels_and_finite_times() -> None:
    assert all(kind.ko and kind.en and math.isfinite(kind.for_s) and kind.for_s > 0 for kind in FAULTS.values())
