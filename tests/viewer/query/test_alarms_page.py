"""From points of alarms to `/alarms`, the same of both stores."""

from __future__ import annotations

import html
import re
from urllib.parse import quote, urlencode

import pytest

from tests.viewer.conftest import Write
from tests.viewer.one_shop import COMPANY, HOUR, MINUTE, SECOND, T0, A, beats, page, part, rows, tags
from viewer.query.agents import agents_of, all_alive
from viewer.query.alarm_list import alarm_list
from viewer.stores.base import Store

pytestmark = pytest.mark.wire

NOW = T0 + 2 * HOUR
"""10:00."""


def event(alarm: str, at: int, event: str, state: str, *, active: bool, priority: str, more: str = "") -> str:
    """A point of an agent's alarm."""
    acknowledged, shelved = state not in {"UNACK", "RTN_UNACK", "LATCHED"}, state == "SHELVED"
    return (
        f"alarm,{tags('PRS-01', alarm=alarm)} active={active},acknowledged={acknowledged},shelved={shelved},"
        f'retain={state != "NORM"},priority="{priority}",event="{event}",state="{state}",message="경보"{more} {at}'
    )


def lines() -> list[str]:
    """Two hours: 15 alarms, of which air_low 12 times within five minutes; four stand at the end."""
    found = list(beats(T0, NOW))
    lube, ack = T0 + 10 * MINUTE, T0 + 11 * MINUTE
    found += [
        event("lube_low", lube, "raised", "UNACK", active=True, priority="important", more=",value=0.21"),
        event("lube_low", ack, "acknowledged", "ACKED", active=True, priority="important"),
        event(
            "lube_low", lube + 150 * SECOND, "cleared", "NORM", active=False, priority="important", more=",value=0.3"
        ),
        f'alarm_action,{tags("PRS-01", alarm="lube_low")} action="acknowledged",by="반장-1",comment="보충함" {ack}',
    ]
    for n in range(12):
        at = T0 + HOUR + n * 25 * SECOND
        found += [
            event("air_low", at, "raised", "UNACK", active=True, priority="caution", more=",value=0.4"),
            event("air_low", at + 10 * SECOND, "cleared", "RTN_UNACK", active=False, priority="caution"),
        ]
    stop, shelved = T0 + 90 * MINUTE, T0 + 95 * MINUTE
    hot = 'active=true,acknowledged=false,severity=700i,event="LimitAlarm",message="Spindle <hot>"'
    found += [
        event("estop", stop, "raised", "UNACK", active=True, priority="urgent", more=',value=1,cause="condition"'),
        event("estop", stop + 10 * SECOND, "cleared", "LATCHED", active=False, priority="urgent"),
        event("die_life", shelved, "shelved", "SHELVED", active=True, priority="info"),
        f'alarm_action,{tags("PRS-01", alarm="die_life")} action="shelved",by="7",until={NOW + HOUR}i {shelved}',
        f"alarm,{tags('CNC-01', alarm='Spindle.Hot')} {hot} {T0 + 100 * MINUTE}",
    ]
    return found


@pytest.fixture
def filled(store: tuple[Store, Write]) -> Store:
    reader, write = store
    write("\n".join(lines()).encode())
    return reader


def test_the_load_by_hand_is_on_the_page(filled: Store) -> None:
    """15 alarms in 2 h are 7.5 an hour; 12 in ten minutes; one window of twelve is a flood: 8.3 %."""
    text = page(filled, "/alarms", NOW)
    assert part(text, 'id="per-hour"', "</article>") == (
        "시간당 경보 7.5 건/h 목표 초과 · 목표 6 건/h 이하 건수 15 감시 시간 2시간 (100.0 %)"
    )
    assert part(text, 'id="busiest"', "</article>").startswith(
        "10분 최다 경보 12 건 목표 초과 · 목표 10 건 이하 시각 09:00:00"
    )
    assert "8.3 %" in part(text, 'id="flood"', "</article>")
    assert "잦은 반복 공압 저하" in part(text, 'id="top-share"', "</article>")
    assert rows(text, "frequent")[0] == ["공압 저하 air_low", "프레스 1호기", "12", "80.0 %"]
    assert rows(text, "longest")[0] == [
        "중요",
        "Spindle &lt;hot&gt; Spindle.Hot",
        "가공기 1호기",
        "09:40:00",
        "20분 지속 중",
    ]


def test_what_stands_says_what_to_do_and_where_to_look(filled: Store) -> None:
    text = page(filled, "/alarms", NOW)
    standing = text.split('id="standing"', 1)[1].split("</section>", 1)[0]
    titles = re.findall(r"<h3>(.*?)</h3>", standing, re.DOTALL)
    assert [" ".join(re.sub("<[^>]+>", " ", one).split()) for one in titles] == [
        "긴급 비상정지 안전 estop",
        "중요 Spindle &lt;hot&gt; Spindle.Hot",
        "주의 공압 저하 air_low",
        "정보 die_life die_life",
    ]
    stop, device, _, shelved = standing.split("<article")[1:]
    assert "유지·확인 필요" in stop
    assert "사람이 안전한지 확인" in stop
    moment = f"/machine/{COMPANY}/A/PRS-01?from={(T0 + 80 * MINUTE) // 10**6}&to={(T0 + 100 * MINUTE) // 10**6}"
    assert moment in html.unescape(stop).replace("%ED%95%9C%EA%B5%AD%EA%B8%88%EC%86%8D", COMPANY)
    link = f"/alarm?{urlencode({'unit': quote(COMPANY) + '/A/-/-', 'alarm': 'PRS-01/estop'})}"
    assert f'href="{link}">확인·이력<' in html.unescape(stop)
    assert ">이력 보기<" in device, "a device keeps its own"
    assert ">보류 해제·이력<" in shelved
    assert "11:00:00까지" in shelved
    assert part(text, 'id="alarm-summary"', "</dl>") == "긴급 1 중요 1 주의 1 정보 0 미확인 3 보류 1"


def test_an_alarm_that_no_agent_takes_orders_about_names_the_command(filled: Store) -> None:
    where = {"unit": f"{quote(COMPANY)}/A/-/-", "alarm": "PRS-01/die_life"}
    text = page(filled, "/alarm", NOW, **where)
    assert "agent alarms unshelve PRS-01/die_life --by 이름" in html.unescape(text)
    assert rows(text, "life") == [["09:35:00", "보류", "보류 · 11:00:00까지", "–", "7", "–"]]
    text = page(filled, "/alarm", NOW, **where | {"alarm": "PRS-01/estop"})
    assert "agent alarms ack PRS-01/estop --by 이름" in html.unescape(text)
    assert "alarms shelve" not in text, "a safety alarm is never shelved"
    assert [row[1:4] for row in rows(text, "life")] == [
        ["조건 해소", "유지·확인 필요", "–"],
        ["발생", "미확인", "1"],
    ]
    text = page(filled, "/alarm", NOW, **where | {"alarm": "CNC-01/Spindle.Hot"})
    assert "설비 자체의 경보" in text


def test_what_people_did_is_listed(filled: Store) -> None:
    assert rows(page(filled, "/alarms", NOW), "who-did-what") == [
        ["09:35:00", "보류 · 11:00:00까지", "die_life die_life", "프레스 1호기", "7", "–"],
        ["08:11:00", "확인", "윤활 압력 저하 lube_low", "프레스 1호기", "반장-1", "보충함"],
    ]
    text = page(filled, "/alarms", NOW, priority="important")
    assert [row[2] for row in rows(text, "who-did-what")] == ["윤활 압력 저하 lube_low"]


def test_history_says_who_took_note(filled: Store) -> None:
    history = rows(page(filled, "/alarms", NOW), "history")
    assert len(history) == 15
    assert history[-1] == ["08:10:00", "중요", "윤활 압력 저하 lube_low", "프레스 1호기", "0.2100 MPa", "2분 30초",
                           "1분 뒤 · 반장-1 · 보충함"]  # fmt: skip
    assert history[0][-1] == "미확인"


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"priority": "urgent"}, 1),
        ({"name": "공압"}, 12),
        ({"name": "SPINDLE"}, 1),
        ({"unit": f"{COMPANY}/A/L1/CNC-01"}, 1),
        ({"unit": f"{COMPANY}/A/L1/-"}, 15),
        ({"priority": "no such"}, 15),
    ],
)
def test_filters(filled: Store, query: dict[str, str], count: int) -> None:
    assert len(rows(page(filled, "/alarms", NOW, **query), "history")) == count


def test_a_period_without_an_agent_is_no_calm_one(filled: Store) -> None:
    text = page(filled, "/alarms", NOW + 5 * 24 * HOUR, period="today")
    assert "미수집" in part(text, 'id="per-hour"', "</article>")
    assert "0.0" not in part(text, 'id="flood"', "</article>")
    assert "수집기가 감시하지 않았습니다" in text


def test_english_has_no_korean(filled: Store) -> None:
    text = page(filled, "/alarms", NOW, lang="en")
    assert "Emergency stop" in text
    assert not re.search("[가-힣]", re.sub("한국어|한국금속|반장-1|보충함", "", text))


def test_a_cover_ends_and_an_alarm_comes_again(store: tuple[Store, Write]) -> None:
    """What came under a shelving is not an alarm; a removed one stands no more."""
    reader, write = store
    write(
        "\n".join(
            [
                event("a", T0, "shelved", "SHELVED", active=False, priority="info"),
                event("a", T0 + HOUR, "shelving_over", "UNACK", active=True, priority="info"),
                event("b", T0, "raised", "UNACK", active=True, priority="info"),
                event("b", T0 + MINUTE, "removed", "NORM", active=False, priority="info"),
                event("c", T0, "raised", "UNACK", active=True, priority="info", more=',cause="fault"'),
                event("c", T0 + MINUTE, "raised", "UNACK", active=True, priority="info", more=',cause="condition"'),
            ]
        ).encode()
    )
    found = alarm_list(reader, A, (T0, NOW))
    assert [(one.key[1], one.raised_ns - T0, one.ended_ns) for one in found.occurrences] == [
        ("b", 0, T0 + MINUTE),
        ("c", 0, T0 + MINUTE),
        ("c", MINUTE, None),
    ]
    assert [(one.key[1], one.state, one.since_ns - T0) for one in found.standing] == [
        ("a", "UNACK", HOUR),
        ("c", "UNACK", MINUTE),
    ]


def test_an_agent_lives_for_half_a_minute_from_each_word(store: tuple[Store, Write]) -> None:
    reader, write = store
    write("\n".join([*beats(T0, T0 + MINUTE), *beats(T0 + 5 * MINUTE, T0 + 6 * MINUTE)]).encode())
    assert all_alive(reader, agents_of(reader, A), (T0 - HOUR, T0 + HOUR)) == [
        (T0, T0 + 80 * SECOND),
        (T0 + 5 * MINUTE, T0 + 6 * MINUTE + 20 * SECOND),
    ]
