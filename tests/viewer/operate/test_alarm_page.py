"""`/alarm`: who may order what, what the real agent makes of it, and what the page says when nobody answers."""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from html import unescape
from itertools import count
from pathlib import Path

import orjson
import pytest

from agent.operating import SocketWay
from agent.supervise import keep_open
from pipelines.clock import SystemClock
from pipelines.delivery.mqtt import Message, MqttSession
from pipelines.delivery.mqtt_settings import MqttSettings
from pipelines.orders import AlarmOrder, OrderAnswer, order_of
from tests.agent.gas_room import GAS, LEVEL, running, site_of
from tests.connectors.modbus.device import Device
from tests.pipelines.waiting import until
from tests.services.mosquitto import Mosquitto
from tests.viewer.browser import Browser
from tests.viewer.one_shop import part, rows
from tests.viewer.operate.room import GAS_HIGH, KEY, LEVEL_HIGH, Room, address, beside, room, running_desk
from viewer.access.access import Access
from viewer.access.cookies import BROWSER
from viewer.access.current import csrf_of
from viewer.access.mode import Mode
from viewer.access.sessions import new_token
from viewer.book.book import Book
from viewer.operate.broker import BrokerWay
from viewer.operate.desk import OrderDesk
from viewer.operate.model import Fate, Given

pytestmark = pytest.mark.wire


@asynccontextmanager
async def agent_here(folder: Path) -> AsyncIterator[OrderDesk]:
    """An agent on this PC in which both alarms wait, and a desk that reaches it by its control socket."""
    desk = OrderDesk([("here", SocketWay(folder))], SystemClock(), keep_open)
    async with (
        Device(registers={GAS: 30, LEVEL: 95}) as device,
        running(site_of(device.port), folder, SystemClock()) as one,
    ):
        await until(lambda: sum(one.status()["alarms"]["unacknowledged"].values()) == 2)
        async with running_desk(desk):
            await until(lambda: desk.reaches(KEY, GAS_HIGH))
            yield desk


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    folder = tmp_path_factory.mktemp("room")
    with beside(lambda: agent_here(folder / "state")) as desk, room(folder, desk) as found:
        yield found


def send(browser: Browser, alarm: str, action: str, **said: str) -> int:
    """The form for an action, as it stands on the page, filled in."""
    page = browser.get(address(alarm)).text
    forms = dict(
        re.findall(r'name="id" value="([0-9a-f]{32})">\s*<input type="hidden" name="action" value="(\w+)"', page)
    )
    name = next((key for key, value in forms.items() if value == action), secrets.token_hex(16))
    sent = {"id": name, "action": action, **said}
    return browser.send(address(alarm), address(alarm, "/alarm/order"), **sent).status_code


def orders(browser: Browser, alarm: str) -> str:
    return part(browser.get(address(alarm)).text, 'id="orders"', "<section")


def test_what_is_ordered_the_agent_does_and_the_page_says_so(here: Room) -> None:
    person = here.browser("banjang-1")
    page = person.get(address(GAS_HIGH)).text
    assert "안전 경보는 보류할 수 없습니다" in page
    assert 'value="shelve"' not in page
    assert send(person, GAS_HIGH, "acknowledge", comment="환기 확인", author="somebody else") == 303
    said = orders(person, GAS_HIGH)
    assert said.startswith("확인 · 수집기가 기록함")
    assert said.endswith("확인됨 · banjang-1 · 환기 확인")
    state = part(person.get(address(GAS_HIGH)).text, 'id="now"', "</header>")
    assert state == "현재 상태 (저장소 기준) 미확인", "what was stored is shown, not what was ordered"
    assert send(person, GAS_HIGH, "shelve", minutes="60", comment="하지 말 것") == 303
    assert "보류 · 수집기가 거부함" in orders(person, GAS_HIGH)
    assert "안전 경보는 보류할 수 없습니다. (현재 상태: 확인됨)" in orders(person, GAS_HIGH)
    log = [(one.who, one.action, one.target, one.detail) for one in here.access.audit.newest(4)]
    assert [row[:3] for row in log] == [
        ("banjang-1", one, f"acme/hall/{GAS_HIGH}") for one in ("alarm_answer", "alarm_order") * 2
    ]
    assert [row[3].split(" ", 1)[1] for row in log[::2]] == ["refused safety", "done"]
    assert log[1][3].endswith(" 60 min")


def test_shelving_needs_a_reason_and_ends_when_it_is_told(here: Room) -> None:
    person = here.browser("banjang-1")
    before = len(here.desk.of(KEY, LEVEL_HIGH))
    assert send(person, LEVEL_HIGH, "shelve", minutes="60") == 422
    assert send(person, LEVEL_HIGH, "shelve", minutes="1500", comment="너무 길다") == 422
    assert len(here.desk.of(KEY, LEVEL_HIGH)) == before
    assert send(person, LEVEL_HIGH, "shelve", minutes="120", comment="센서 <교체>") == 303
    assert re.search(
        r"보류 · 수집기가 기록함 [\d:]+ 보류 · .*까지 · banjang-1 · 센서 &lt;교체&gt;", orders(person, LEVEL_HIGH)
    )
    assert send(person, LEVEL_HIGH, "unshelve") == 303
    assert "보류 해제 · 수집기가 기록함" in orders(person, LEVEL_HIGH)


@pytest.mark.parametrize("name", ["builder", "visitor", "reader"])
def test_who_only_looks_after_a_company_does_not_silence_its_alarms(here: Room, name: str) -> None:
    person, before = here.browser(name), len(here.desk.of(KEY, GAS_HIGH))
    page = person.get(address(GAS_HIGH)).text
    assert "이 역할은 경보를 볼 수만 있습니다" in page
    assert "/alarm/order" not in page
    token = person.token("/password")
    sent = {"csrf": token, "id": "1" * 32, "action": "acknowledge"}
    assert person.ask("POST", address(GAS_HIGH, "/alarm/order"), data=sent).status_code == 403
    assert len(here.desk.of(KEY, GAS_HIGH)) == before


def test_another_company_sees_and_orders_nothing(here: Room) -> None:
    person, before = here.browser("stranger"), len(here.desk.of(KEY, GAS_HIGH))
    assert person.get(address(GAS_HIGH)).status_code == 404
    own = address(GAS_HIGH, site="other/hall")
    page = person.get(own).text
    assert "연결되어 있지 않습니다" in page, "its own agent takes no orders here"
    assert "banjang-1" not in page
    sent = {"csrf": person.token("/password"), "id": "1" * 32, "action": "acknowledge"}
    for wanted, code in (
        (address(GAS_HIGH, "/alarm/order"), 404),
        (address(GAS_HIGH, "/alarm/order", "other/hall"), 409),
    ):
        assert person.ask("POST", wanted, data=sent).status_code == code
    assert len(here.desk.of(KEY, GAS_HIGH)) == before


def test_a_form_without_its_token_does_nothing(here: Room) -> None:
    person, before = here.browser("banjang-1"), len(here.desk.of(KEY, GAS_HIGH))
    sent = {"id": "1" * 32, "action": "acknowledge"}
    assert person.ask("POST", address(GAS_HIGH, "/alarm/order"), data=sent).status_code == 403
    assert len(here.desk.of(KEY, GAS_HIGH)) == before


def test_the_life_of_an_alarm(here: Room) -> None:
    page = here.browser("reader").get(address(LEVEL_HIGH)).text
    life = [row[1:] for row in rows(page, "life")]
    assert life == [
        ["발생", "미확인", "95", "–", "–"],
        ["조건 해소", "정상", "–", "–", "–"],
        ["확인", "확인됨", "–", "기사-2", "배수함"],
        ["발생", "미확인", "95", "–", "–"],
    ]
    assert "2번 발생" in page
    english = here.browser("reader").get(address(LEVEL_HIGH) + "&lang=en").text
    assert not re.search("[가-힣]", re.sub("한국어|기사-2|배수함|센서 &lt;교체&gt;", "", english))
    assert here.browser("reader").get(address("GD-01/no_such")).status_code == 404


async def test_an_agent_that_went_away_is_not_taken_for_one_that_says_nothing(tmp_path: Path) -> None:
    said = {"id": "1" * 32, "sent_ns": 1, "action": "acknowledge", "alarm": LEVEL_HIGH, "by": "반장-1"}
    given = Given(KEY, AlarmOrder.model_validate(said), 1)
    await SocketWay(tmp_path).send(given)
    assert (given.fate, given.trouble) == (Fate.NOT_SENT, "agent_away")


@asynccontextmanager
async def silent_agent(mqtt: MqttSettings, took: list[Message]) -> AsyncIterator[tuple[OrderDesk, MqttSession]]:
    """An agent that says what it takes, takes it, and answers when the test has it do so."""
    desk = OrderDesk([("mqtt", BrokerWay(mqtt, "sf-orders-test", [KEY]))], SystemClock(), keep_open, answer_s=0.05)
    async with MqttSession(mqtt, "silent", took.append) as session, running_desk(desk):
        await session.subscribe(["sf/acme/hall/edge-1/order"])
        session.publish("sf/acme/hall/edge-1/birth", orjson.dumps({"orders": [LEVEL_HIGH]}), retain=True)
        await until(lambda: desk.reaches(KEY, LEVEL_HIGH))
        yield desk, session


def test_no_answer_is_said_and_one_that_comes_late_is_shown(tmp_path: Path) -> None:
    took: list[Message] = []
    with Mosquitto(tmp_path / "broker") as broker:
        mqtt = MqttSettings(host=broker.host, port=broker.port)
        with beside(lambda: silent_agent(mqtt, took)) as (desk, session), room(tmp_path, desk) as found:
            person = found.browser("banjang-1")
            assert send(person, LEVEL_HIGH, "acknowledge") == 303
            assert "확인 · 보냈음, 응답 없음" in orders(person, LEVEL_HIGH)
            assert "처리되었는지 알 수 없습니다" in orders(person, LEVEL_HIGH)
            assert found.access.audit.newest(1)[0].detail.endswith(" sent")
            asked = order_of(took[0].payload)
            answer = OrderAnswer(id=asked.id, at_ns=asked.sent_ns, done=True, state="ACKED")
            session.publish("sf/acme/hall/edge-1/order/answer", answer.packed())
            assert desk.find(KEY, asked.id) is not None
            while "수집기가 기록함" not in orders(person, LEVEL_HIGH):
                pass
            session.publish("sf/acme/hall/edge-1/birth", b"", retain=True)  # it takes nothing any more
            while desk.reaches(KEY, LEVEL_HIGH):
                pass
            page = unescape(person.get(address(LEVEL_HIGH)).text)
            assert "연결되어 있지 않습니다" in page
            assert "agent alarms ack GD-01/level_high --by 이름" in page


def test_where_nobody_logs_in_only_this_pc_silences_alarms(here: Room, tmp_path: Path) -> None:
    """With `open-to-all` whoever reaches the address would: nobody knows who that is, and from where."""
    before = len(here.desk.of(KEY, LEVEL_HIGH))
    for mode, code in ((Mode.OPEN_TO_ALL, 403), (Mode.OPEN, 422)):
        access = Access(Book(), SystemClock(), mode)
        with room(tmp_path / mode.value, here.desk, access) as found:
            token = new_token()
            person = Browser(found.app, cookies={BROWSER: token})
            assert ("/alarm/order" in person.get(address(LEVEL_HIGH)).text) is (mode is Mode.OPEN)
            sent = {"csrf": csrf_of(token), "id": "1" * 32, "action": "acknowledge"}
            assert person.ask("POST", address(LEVEL_HIGH, "/alarm/order"), data=sent).status_code == code
    assert len(here.desk.of(KEY, LEVEL_HIGH)) == before


class Meanwhile(str):  # noqa: SLOT000 - what happens is set later
    """A word during whose comparison something else happens, as it does in another thread."""

    happens: Callable[[], object]

    def __hash__(self) -> int:
        self.happens()
        return super().__hash__()

    def __eq__(self, other: object) -> bool:
        return super().__eq__(other)


def test_an_agent_that_comes_while_a_page_asks_disturbs_it_not() -> None:
    way = BrokerWay(MqttSettings(), "sf-orders-test", [KEY])
    numbers = count()

    def comes() -> None:
        birth = orjson.dumps({"orders": [LEVEL_HIGH]})
        way._take(Message(f"sf/acme/hall/edge-{next(numbers)}/birth", birth, {}, 1, 1))

    comes()
    comes()
    alarm = Meanwhile(LEVEL_HIGH)
    alarm.happens = comes
    assert way.takers(KEY, alarm) == 2
    assert way.takers(KEY, LEVEL_HIGH) == 4


async def test_a_site_that_invents_agents_is_not_followed_without_end(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker:
        mqtt = MqttSettings(host=broker.host, port=broker.port)
        way = BrokerWay(mqtt, "sf-orders-test", [KEY])
        async with (
            MqttSession(mqtt, "many", [].append) as session,
            running_desk(OrderDesk([("mqtt", way)], SystemClock(), keep_open)),
        ):
            for number in range(100):
                birth = orjson.dumps({"orders": [LEVEL_HIGH, 1, None]})
                session.publish(f"sf/acme/hall/edge-{number}/birth", birth, retain=True)
            await until(lambda: way.takers(KEY, LEVEL_HIGH) == 64)
            session.publish("sf/acme/hall/edge-0/birth", b"", retain=True)
            await until(lambda: way.takers(KEY, LEVEL_HIGH) == 63)
