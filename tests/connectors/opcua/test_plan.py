from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors.opcua import plan
from connectors.opcua.address import steps
from connectors.opcua.config import OpcUaConnection, OpcUaTag
from connectors.opcua.intake import Handles
from connectors.opcua.ledger import MOST_MISSING, Ledger, after
from connectors.opcua.resume import Part, ResumeState

from .conftest import connection, tag

GUID = "72962b91-fa75-4ae6-8d28-b404dc7daf63"
ENDPOINT = "opc.tcp://plc:4840/x"


@pytest.mark.parametrize(
    "node",
    ["i=1", "ns=2;s=a;b=c", "nsu=urn:x:y;s=한글", "ns=65535;i=4294967295", "b=AAE=", "s= x", f"g={GUID}"],
)
def test_node_addresses(node: str) -> None:
    assert OpcUaTag(name="a", node=node).node == node


@pytest.mark.parametrize("node", ["", "a", "ns=2", "ns=65536;i=1", "i=4294967296", "g=1", "nsu=;s=a", "ns=x;s=a", "s="])
def test_refused_node_addresses(node: str) -> None:
    with pytest.raises(ValidationError):
        OpcUaTag(name="a", node=node)


@pytest.mark.parametrize(
    "endpoint", ["http://x:1", "opc.tcp://x", "opc.tcp://:4840", "opc.tcp://u:p@x:4840", "x:4840", "opc.tcp://x:99999"]
)
def test_refused_endpoints(endpoint: str) -> None:
    with pytest.raises(ValidationError):
        connection(endpoint)


@pytest.mark.parametrize(
    "more",
    [
        {"user": "a"},
        {"password_file": "f"},
        {"keepalive_s": 10.0, "lifetime_s": 29.0},
        {"session_timeout_s": 1.0, "keepalive_s": 2.0},
        {"password": "x"},
        {"publishing_interval_s": 0},
    ],
)
def test_refused_connections(more: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        connection(ENDPOINT, **more)


def test_modes_have_their_own_keys() -> None:
    with pytest.raises(ValidationError, match="needs mode: read"):
        tag("a", "i=1", period_s=1)
    with pytest.raises(ValidationError, match="need mode: subscribe"):
        tag("a", "i=1", mode="read", queue_size=3)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/Objects", [(0, "Objects")]),
        (
            "/Objects/nsu=http://v.com/UA/;Press/Force",
            [(0, "Objects"), ("http://v.com/UA/", "Press"), ("http://v.com/UA/", "Force")],
        ),
        ("/Objects/2:프레스 1/0:EURange", [(0, "Objects"), (2, "프레스 1"), (0, "EURange")]),
        ("/a&/b&&c/d:e", [(0, "a/b&c"), (0, "d:e")]),
    ],
)
def test_browse_paths(path: str, found: list[tuple[str | int, str]]) -> None:
    assert [(step.namespace, step.name) for step in steps(path)] == found
    assert OpcUaTag(name="a", path=path).path == path


@pytest.mark.parametrize("path", ["Objects", "/", "//a", "/a/", "/70000:a", "/nsu=;a/", "/a&"])
def test_refused_browse_paths(path: str) -> None:
    with pytest.raises(ValidationError, match="must be a browse path"):
        OpcUaTag(name="a", path=path)


def test_a_tag_needs_an_address() -> None:
    with pytest.raises(ValidationError, match="a tag needs a node or a path"):
        OpcUaTag(name="a")


@pytest.mark.parametrize(
    ("more", "filter_"),
    [
        ({}, (2, 0, 0.0)),
        ({"trigger": "status"}, (0, 0, 0.0)),
        ({"deadband": {"type": "absolute", "value": 2}}, (2, 0, 0.0)),
        ({"deadband": {"type": "absolute", "value": 2}, "deadband_on": "server"}, (1, 1, 2.0)),
        ({"deadband": {"type": "absolute", "value": 2}, "deadband_on": "server", "scale": -0.1}, (1, 1, 20.0)),
        (
            {"deadband": {"type": "percent", "value": 5}, "range": {"low": -10, "high": 30}, "deadband_on": "server"},
            (1, 1, 2.0),
        ),
    ],
)
def test_filters_are_in_units_of_the_server(more: dict[str, Any], filter_: tuple[int, int, float]) -> None:
    trigger, kind, width = plan.server_filter(tag("a", "i=1", **more))
    assert (trigger, kind) == filter_[:2]
    assert width == pytest.approx(filter_[2], rel=1e-8)
    assert width >= filter_[2]


@pytest.mark.parametrize(
    ("count", "most", "found"),
    [(0, 3, []), (5, 0, [(0, 5)]), (5, 5, [(0, 5)]), (5, 3, [(0, 2), (2, 5)]), (6, 2, [(0, 2), (2, 4), (4, 6)])],
)
def test_shares(count: int, most: int, found: list[tuple[int, int]]) -> None:
    assert plan.shares(count, most) == found


def test_where_says_no_secret() -> None:
    more = {"user": "u", "password_file": "/run/secret"}
    assert connection(ENDPOINT, **more).where() == ENDPOINT


def test_every_key_is_documented() -> None:
    for model in (OpcUaConnection, OpcUaTag):
        assert all(field.description for field in model.model_fields.values()), model


def test_queues_hold_what_is_sampled_between_two_publishes() -> None:
    assert plan.default_queue_size(0.25, 0.5) == 240
    assert plan.default_queue_size(60, 1) == 10
    assert plan.default_queue_size(1, 600) == 1200
    assert plan.default_queue_size(0, 1) == plan.default_queue_size(0.001, 1) == plan.MAX_DEFAULT_QUEUE


def test_items_take_the_tags_own_values_first() -> None:
    settings = connection(
        ENDPOINT,
        tag("a", "i=1"),
        tag("b", "i=2", sampling_interval_s=2, queue_size=7),
        tag("c", "i=3", mode="read"),
        sampling_interval_s=0.5,
    )
    assert plan.items(settings) == [plan.Item(0, 500.0, 120), plan.Item(1, 2000.0, 7)]


def test_items_of_equal_type_stand_together() -> None:
    wanted = [plan.Item(i, 1.0, 1) for i in range(6)]
    assert [item.tag for item in plan.in_runs(wanted, {0: "i=11", 1: "i=1", 2: "i=11", 3: "i=1"})] == [4, 5, 1, 3, 0, 2]


@given(st.lists(st.integers()), st.integers(1, 9))
def test_batches_hold_everything_in_order(wanted: list[int], most: int) -> None:
    found = plan.batches(wanted, most)
    assert [one for piece in found for one in piece] == wanted
    assert all(0 < len(piece) <= most for piece in found)


def test_reads_by_period() -> None:
    tags = [tag("a", "i=1", mode="read"), tag("b", "i=2", mode="read", period_s=5), tag("c", "i=3", mode="read")]
    assert plan.reads(connection(ENDPOINT, *tags)) == {1.0: [0, 2], 5.0: [1]}


@pytest.mark.parametrize(("rate", "publishing_ms"), [(1.0, 100.0), (2.0, 50.0), (60.0, 50.0)])
def test_rates(rate: float, publishing_ms: float) -> None:
    rates = plan.rates(connection(ENDPOINT), rate)
    assert rates.publishing_ms == publishing_ms
    assert rates.lifetime_count >= 3 * rates.keepalive_count


def test_fingerprints_differ_with_node_handle_and_rate() -> None:
    item = plan.Item(0, 1.0, 1)
    base = plan.fingerprint([item], {0: "ns=2;s=a"})
    assert base == plan.fingerprint([item], {0: "ns=2;s=a", 9: "other"})
    assert base != plan.fingerprint([item], {0: "ns=3;s=a"})
    assert base != plan.fingerprint([plan.Item(1, 1.0, 1)], {1: "ns=2;s=a"})
    assert base != plan.fingerprint([plan.Item(0, 2.0, 1)], {0: "ns=2;s=a"})


def test_refused_tags_are_asked_for_ever_more_seldom() -> None:
    retest = plan.Retest()
    now, waits = 0.0, []
    for _ in range(8):
        retest.failed(4, now)
        at = retest.due[4][0]
        assert retest.ready(at - 0.1) == []
        assert retest.ready(at) == [4]
        waits.append(at - now)
        now = at
    assert waits == [10, 20, 40, 80, 160, 300, 300, 300]
    retest.worked(4)
    assert retest.ready(1e9) == []


def test_ledger_names_what_is_missing() -> None:
    ledger = Ledger()
    assert ledger.missing(5) == [], "the first message sets where counting starts"
    ledger.take(5)
    assert ledger.missing(6) == []
    assert ledger.missing(9) == [6, 7, 8]
    assert ledger.distance(5) < 0
    assert ledger.missing(5) == []


def test_a_resumed_ledger_expects_the_first_message() -> None:
    assert Ledger(0, fresh=False).missing(3) == [1, 2]


def test_ledger_wraps() -> None:
    assert after(0xFFFF_FFFF) == 1
    ledger = Ledger(0xFFFF_FFFE, fresh=False)
    assert ledger.missing(2) == [0xFFFF_FFFF, 1]
    ledger.take(1)
    assert ledger.distance(0xFFFF_FFFF) < 0


def test_ledger_does_not_ask_for_more_than_it_should() -> None:
    missing = Ledger(1, fresh=False).missing(1_000_000)
    assert (len(missing), missing[-1]) == (MOST_MISSING, 999_999)


def test_each_accepted_number_is_handed_out_once() -> None:
    ledger = Ledger()
    ledger.accept(3)
    ledger.accept(4)
    assert ledger.acknowledge() == [3, 4]
    assert ledger.acknowledge() == []


def test_resume_state_survives_bytes() -> None:
    parts = (Part(7, 0, 2, "f", 9, 1_795_310_958_081_354_900, ((1, 5),)), Part(8, 2, 3, "g", 0, 5))
    state = ResumeState(ENDPOINT, "2026", "i=1", "00ff", 6, parts, (1, 2))
    assert state.last_ns == 5
    assert ResumeState.from_bytes(state.to_bytes()) == state


@pytest.mark.parametrize("raw", [None, b"", b"x", b"[]", b"{}", b'{"version":1}', b'{"version":2,"refused":[]}'])
def test_unknown_resume_state_is_none(raw: bytes | None) -> None:
    assert ResumeState.from_bytes(raw) is None


def test_only_what_an_earlier_link_committed_is_acknowledged_for_it() -> None:
    ledger = Ledger(5, fresh=False, before=5)
    ledger.take(6)
    assert [number for number in range(3, 9) if ledger.committed(number)] == [3, 4, 5]
    assert not Ledger(0, fresh=False).committed(1)


def test_a_new_subscription_starts_with_the_lowest_number_the_server_holds() -> None:
    ledger = Ledger()
    ledger.begin((2, 1, 2))
    assert ledger.missing(2) == [1]
    ledger.take(2)
    ledger.begin((1, 3))
    assert ledger.distance(1) < 0, "begun once"


def test_no_handle_ever_means_another_tag() -> None:
    handles = Handles(3)
    first = handles.offer(1)
    handles.settle(1, first, taken=False)
    assert handles.offer(1) == first, "a refused handle is used again, or a day of refusals would use them up"
    handles.settle(1, first, taken=True)
    second = handles.offer(1)
    found, known = handles.tags(np.array([0, 1, 2, first, second, second + 1, 7]))
    assert found[known].tolist() == [0, 2, 1, 1]
    handles.settle(1, second, taken=True)
    later = Handles(3, handles.again.items())
    assert later.tags(np.array([1, first, second]))[1].tolist() == [False, False, True]
    lost = later.offer(1)  # made at the server, and the answer never came: no other tag gets this handle
    assert lost not in {Handles(3, handles.again.items()).offer(tag) for tag in (0, 2)}
    assert Handles.fit(handles.again.items())
    assert not Handles.fit([(1, 20_001)])


def test_handles_stay_below_those_of_notifiers() -> None:
    handles = Handles(1)
    for _ in range(3000):
        handle = handles.offer(0)
        handles.settle(0, handle, taken=True)
        assert 0 < handle < 0x8000_0000
        assert handles.tags(np.array([handle]))[1].all()
