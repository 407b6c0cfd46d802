"""What is judged beside the plant's truth: requests of a tag, and that accepted and published points are kept."""

from __future__ import annotations

import numpy as np

from agent.config import load_site
from agent.simulate.judging import cuts_of, requests_of, scales_of
from agent.simulate.kept import overclaimed, repeated_reads, unkept
from agent.simulate.wire import Witness
from agent.templates.compose import template
from connectors.modbus.config import ModbusConnection
from connectors.modbus.plan import plan
from connectors.modbus.tag import ModbusTag
from pipelines.delivery.mqtt import Message
from simulators.evidence import modbus_key, opcua_key
from simulators.excuses import Outage
from simulators.plant import load_plant


def test_requests_of_a_tag_are_its_plan_and_the_halves_that_hold_it() -> None:
    tags = tuple(ModbusTag(name=f"t{at}", table="holding", address=at, datatype="uint16") for at in (0, 2, 4, 6))
    connection = ModbusConnection(name="plc", type="modbus", host="127.0.0.1", period_s=1, max_gap=4, tags=tags)
    assert [(one.address, one.count) for one in plan(connection)] == [(0, 7)]
    assert requests_of(connection, 0) == ((3, 0, 7), (3, 0, 3), (3, 0, 1))
    assert requests_of(connection, 3) == ((3, 0, 7), (3, 4, 3), (3, 6, 1))


def test_every_tag_of_the_lines_has_a_request() -> None:
    for line in ("auto_press_machining", "injection_molding"):
        for connection in load_site(template(line)).connections:
            if isinstance(connection, ModbusConnection):
                for index, tag in enumerate(connection.tag_list()):
                    _, address, count = requests_of(connection, index)[0]
                    assert address <= tag.address
                    assert tag.address + tag.width() <= address + count


def test_a_published_value_that_is_not_stored_is_named() -> None:
    stored = np.array([20, 30], dtype=np.int64)
    assert unkept("prs/ton", {10: 0, 20: 0, 30: 0}, stored, 20) == []
    assert unkept("prs/ton", {20: 0, 25: 0, 30: 0, 40: 0}, stored, 20) == [
        "prs/ton: 2 published values are not in the store, the first of 25"
    ]


def test_accepted_points_must_be_kept_or_be_the_same_point_again() -> None:
    assert overclaimed(100, 100, 0) == []
    assert overclaimed(100, 97, 3) == []
    assert overclaimed(100, 120, 0) == []  # accepted after the last look
    assert overclaimed(100, 96, 3) == ["collector: 100 points accepted, 1 of them are not in the store"]


def test_a_node_read_again_unchanged_is_the_same_point() -> None:
    truth = [
        {"k": "read", "ids": [1, 2], "times": [10, 10]},
        {"k": "read", "ids": [1, 2], "times": [10, 20]},
        {"k": "change", "id": 1, "time": 10},
    ]
    assert repeated_reads(truth) == 1


def test_a_gap_that_grows_is_one_point_told_again() -> None:
    witness = Witness(lambda: 0)
    gap = b"gap,cause=overrun,machine=P1,tag=%s filled=false,end=%di 7\n"
    sent = [
        ("e-1", gap % (b"a", 8)),
        ("e-2", gap % (b"a", 9) + gap % (b"b", 9)),
        ("e-2", gap % (b"a", 9)),
        ("e-3", gap % (b"a", 10)),
        ("e-4", gap % (b"c", 9) + gap % (b"c", 10)),
    ]
    for record, payload in sent:
        witness._on_message(Message("sf/c/s/a/data", payload, {"record": record}, 1, 1))
    assert witness.retold_gaps == 3


def test_the_witness_tells_when_each_value_was_stored_and_what_crossed_the_wire_twice() -> None:
    witness = Witness(iter((100, 200)).__next__)
    data = Message("sf/c/s/a/data", b"prs,machine=P1 ton=1.5 7\nprs,machine=P1 ton=2.5 8\n", {"record": "e-1"}, 1, 1)
    for message in (data, Message("sf/c/s/a/stored", b"e-1", {}, 2, 1)) * 2:
        witness._on_message(message)
    assert witness.accepted_ns("P1", "ton", np.array([7, 8, 9])).tolist() == [100, 100, 0]
    assert witness.wire_duplicates == 2
    assert witness.last == {("P1", "ton"): 2.5}


def test_scales_are_those_of_the_plant() -> None:
    scales = scales_of([one.header() for one in load_plant(["chemical_safety", "injection_molding"]).signals()])
    assert scales[modbus_key("chm_gas", 1, "input", 0)] == (0.001875, -0.75)
    assert scales[modbus_key("chm_plc", 1, "holding", 0)] == (1, 0)  # in engineering units already
    assert scales[opcua_key("imm", "Jobs/ActiveJobValues/LastCycleTime")] == (0.001, 0)
    recorded = {"device": "chm_gas", "unit": 1, "table": "input", "address": 0, "datatype": "uint16"}
    assert scales_of([recorded]) == {}


def test_an_outage_is_one_of_its_device() -> None:
    fault = {"k": "fault", "fault": "comm_loss", "how": "restart", "device": "imm", "cuts": True, "start_ns": 5}
    truth = [fault | {"end_ns": 9}, fault | {"end_ns": 7, "ended": True}]
    assert cuts_of(truth) == [Outage(5, 7, "restart", "imm")]
