"""What somebody tries who wants in, or to see what is not theirs: over HTTP, on the real pages and a real store."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from argon2.profiles import CHEAPEST
from starlette.applications import Starlette
from starlette.routing import Mount, Route

from pipelines.clock import SystemClock
from pipelines.sinks.duckdb import DuckDbSink
from tests.set_clock import SetClock
from tests.viewer.browser import PASSWORD, Browser
from tests.viewer.plant import COMPANY, NS, SITE, readings
from viewer.access import guard
from viewer.access.access import Access
from viewer.access.forms import Form, parse_form
from viewer.access.guard import MAX_BYTES
from viewer.access.mode import Mode
from viewer.access.passwords import Passwords
from viewer.access.roles import Role
from viewer.app import make_app
from viewer.book.book import Book
from viewer.catalog import Catalog
from viewer.routes import pages as pages_module
from viewer.stores.duckdb import DuckDbStore

OTHER = "비밀제강"
SECRET_TAG, SECRET_VALUE, SECRET_MACHINE = "furnace_recipe_x", "7654321", "로9호기"
OTHER_SITE = {
    "company": OTHER,
    "site": "비밀공장",
    "line": "비밀라인",
    "machines": {SECRET_MACHINE: {"class": "furnace", "label": {"ko": "비밀 가열로", "en": "Secret furnace"}}},
    "connections": [{"name": "c", "machine": SECRET_MACHINE, "tags": [{"name": SECRET_TAG}]}],
}
ALARM, AGENT = "과열경보7", "수집기7"
THEIRS = (OTHER, SECRET_TAG, SECRET_VALUE, "7,654,321", SECRET_MACHINE, "비밀 가열로", "비밀공장", ALARM, AGENT)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDbStore]:
    sink = DuckDbSink(tmp_path_factory.mktemp("guard") / "site.duckdb")
    now_ns = time.time_ns()
    for body in readings(now_ns - 300 * NS, now_ns):
        asyncio.run(sink.write(COMPANY, body))
    tags = f"company={OTHER},site=비밀공장,line=비밀라인,machine={SECRET_MACHINE}"
    lines = [f"furnace,{tags} {SECRET_TAG}={SECRET_VALUE}i {now_ns - n * NS}" for n in range(60)]
    lines.append(f'state,{tags} code=1i,reason="1",since={now_ns}i {now_ns}')
    lines.append(f'alarm,{tags},alarm={ALARM} active=true,state="UNACK",event="raised",priority="urgent" {now_ns - NS}')
    lines.append(f"agent,company={OTHER},site=비밀공장,machine={AGENT} connections=1i,connected=1i {now_ns}")
    lines.append(f'gap,{tags},tag={SECRET_TAG} cause="비밀",end={now_ns}i {now_ns - 9 * NS}')
    asyncio.run(sink.write(OTHER, "\n".join(lines).encode()))
    yield DuckDbStore(sink.cursor)
    asyncio.run(sink.close())


@pytest.fixture
def clock() -> SetClock:
    return SetClock(time.time_ns())


@pytest.fixture
def access(clock: SetClock) -> Access:
    return filled(Book(), clock)


def filled(book: Book, clock: SetClock) -> Access:
    """A user of every role."""
    access = Access(book, clock, Mode.AUTO, passwords=Passwords(CHEAPEST))
    for name, role, scope in (
        ("boss", Role.MANAGER, ()),
        ("kim", Role.COMPANY, (COMPANY,)),
        ("lee", Role.COMPANY, (OTHER,)),
        ("maker", Role.SUPPLIER, (COMPANY,)),
        ("coord", Role.COORDINATOR, (COMPANY,)),
        ("order", Role.ORDERING, ("한국모터스",)),
        ("reader", Role.READER, (COMPANY,)),
        ("empty", Role.COMPANY, ()),
    ):
        access.users.add(name, role, scope, access.hash(PASSWORD, name))
    return access


@pytest.fixture
def app(store: DuckDbStore, access: Access) -> Starlette:
    return make_app(store, Catalog.of([SITE, OTHER_SITE]), SystemClock(), [], access)


def addresses(app: Starlette, company: str, site: str, machine: str) -> list[str]:
    """Every page there is, with a place filled in; pages that come later are tried too."""
    filled = {"company": company, "site": site, "line": "비밀라인", "machine": machine, "number": "1", "deed": "change"}
    found = []
    for route in app.routes:
        if isinstance(route, Route):
            path = re.sub(r"\{(\w+)(?::\w+)?\}", lambda match: quote(filled.get(match[1], "1"), safe=""), route.path)
            found.append(path)
        else:
            assert isinstance(route, Mount)
    return found


# ── before the log-in ───────────────────────────────────────────────────────────────────────────────────────────────


def test_nothing_is_seen_before_the_log_in(app: Starlette) -> None:
    browser = Browser(app)
    for path in addresses(app, OTHER, "비밀공장", SECRET_MACHINE):
        for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
            answer = browser.ask(method, path)
            assert not any(word in answer.text for word in (*THEIRS, COMPANY, "프레스")), (method, path)
            if path not in {"/login", "/setup", "/healthz"}:
                assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/login")
                assert answer.text == ""


def test_an_address_that_is_none_says_no_more_than_one_that_is(app: Starlette) -> None:
    browser = Browser(app)
    answers = [
        browser.get(path) for path in (f"/machine/{OTHER}/비밀공장/{SECRET_MACHINE}", "/machine/x/y/z", "/nothing")
    ]
    assert {answer.status_code for answer in answers} == {303}


def test_style_and_health_need_no_log_in(app: Starlette) -> None:
    browser = Browser(app)
    assert browser.get("/static/app.css").status_code == 200
    assert browser.get("/healthz").json() == {"status": "ok"}


def test_health_does_not_tell_strangers_where_the_store_is(app: Starlette, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipelines.errors import DependencyError  # noqa: PLC0415 - only here

    def down(*_: object) -> None:
        raise DependencyError("InfluxDB http://db.secret:8086", "no route to db.secret")

    monkeypatch.setattr("viewer.stores.duckdb.DuckDbStore.latest", down)
    answer = Browser(app).get("/healthz")
    assert answer.status_code == 503
    assert "secret" not in answer.text


def test_the_way_back_after_the_log_in(app: Starlette) -> None:
    browser = Browser(app)
    answer = browser.get("/audit?before=5&lang=en")
    assert answer.headers["location"] == "/login?next=%2Faudit%3Fbefore%3D5%26lang%3Den"
    page = browser.get(answer.headers["location"])
    assert 'name="next" value="/audit?before=5&amp;lang=en"' in page.text
    assert browser.log_in("boss", next="/audit?before=5").headers["location"] == "/audit?before=5"


@pytest.mark.parametrize(
    "following",
    ["//evil.com", "/\\evil.com", "\\\\evil.com", "https://evil.com", "javascript:alert(1)", "", "evil", "/a\r\nX: y"],
)
def test_nobody_is_sent_elsewhere(app: Starlette, following: str) -> None:
    assert Browser(app).log_in("kim", next=following).headers["location"] == "/"
    browser = Browser(app)
    browser.log_in("kim")
    assert browser.get("/login?next=" + quote(following, safe="")).headers["location"] == "/"


# ── tenants ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["kim", "maker", "coord", "reader", "order", "empty"])
def test_no_page_shows_anything_of_another_company(app: Starlette, name: str) -> None:
    browser = Browser(app)
    browser.log_in(name)
    for path in addresses(app, OTHER, "비밀공장", SECRET_MACHINE):
        for query in (
            "",
            "?lang=en",
            "?period=1d",
            "?part=live",
            f"?company={quote(OTHER)}",
            "?from=1&to=4102444799999",
            f"?unit={quote(OTHER)}/{quote('비밀공장')}/-/-",
            f"?unit={quote(OTHER)}/{quote('비밀공장')}/{quote('비밀라인')}/{quote(SECRET_MACHINE)}&kind=stop",
        ):
            answer = browser.get(path + query)
            said = answer.text.replace(quote(OTHER, safe=""), "").replace(quote(SECRET_MACHINE, safe=""), "")
            found = [word for word in THEIRS if word in said]
            assert not found, (path + query, found)


def test_everybody_sees_their_own(app: Starlette) -> None:
    for name, mine, not_mine in (("kim", "프레스 1호기", "비밀 가열로"), ("lee", "비밀 가열로", "프레스 1호기")):
        browser = Browser(app)
        browser.log_in(name)
        page = browser.get("/").text
        assert mine in page
        assert not_mine not in page
    browser = Browser(app)
    browser.log_in("boss")
    assert all(word in browser.get("/machines").text for word in ("프레스 1호기", "비밀 가열로"))


@pytest.mark.parametrize(
    "path",
    [
        f"/machine/{quote(OTHER)}/{quote('비밀공장')}/{quote(SECRET_MACHINE)}",
        *(
            f"/{page}/{quote(OTHER)}/{quote('비밀공장')}/{quote(SECRET_MACHINE)}"
            for page in ("cycles", "cycles.csv", "spc")
        ),
        f"/machine/{quote(OTHER)}/-/{quote(SECRET_MACHINE)}",
        f"/machine/%2e%2e/{quote(OTHER)}/{quote(SECRET_MACHINE)}",
        f"/machine/{quote(COMPANY)}/../{quote(OTHER)}/{quote('비밀공장')}/{quote(SECRET_MACHINE)}",
        f"//machine/{quote(OTHER)}/{quote('비밀공장')}/{quote(SECRET_MACHINE)}",
        f"/machine/{quote(COMPANY)}/{quote('비밀공장')}/{quote(SECRET_MACHINE)}",
        f"/machine/{quote(OTHER.encode().decode('utf-8'))}%00/{quote('비밀공장')}/{quote(SECRET_MACHINE)}",
    ],
)
def test_anothers_machine_is_one_that_is_not_there(app: Starlette, path: str) -> None:
    browser = Browser(app)
    browser.log_in("kim")
    answer = browser.get(path)
    assert answer.status_code == 404
    assert "이 주소에 해당하는 화면이 없습니다" in answer.text
    assert not any(word in answer.text for word in THEIRS)


def test_anothers_report_is_one_that_is_not_there(app: Starlette) -> None:
    month = time.strftime("%Y-%m", time.gmtime(time.time() + 9 * 3600))
    browser = Browser(app)
    browser.log_in("kim")
    theirs = f"unit={quote(f'{OTHER}/비밀공장/-/-')}&month={month}"
    for kind in ("kpi", "collection", "safety"):
        assert browser.get(f"/reports/{kind}.html?{theirs}").status_code == 404
    own = f"unit={quote(COMPANY)}/{quote(SITE['site'])}/-/-&month={month}"
    page = browser.get(f"/reports/collection.html?{own}")
    assert page.status_code == 200
    assert "프레스 1호기" in page.text
    assert not any(word in page.text for word in THEIRS)


def test_an_ordering_company_sees_no_reading_of_those_it_orders_from(app: Starlette) -> None:
    browser = Browser(app)
    browser.log_in("order")
    assert browser.get("/").headers["location"] == "/cluster"
    page = browser.get("/cluster").text
    assert "아직 공유하는 협력사가 없습니다" in page
    assert "프레스" not in page
    machine = f"/machine/{quote(COMPANY)}/{quote(SITE['site'])}/PRS-01"
    assert browser.get(machine).status_code == 404


def test_who_sees_no_company_is_told_so(app: Starlette) -> None:
    browser = Browser(app)
    browser.log_in("empty")
    assert "아직 볼 수 있는 기업이 없습니다" in browser.get("/").text


def test_requests_at_the_same_time_are_not_taken_for_each_others(app: Starlette) -> None:
    browsers = [Browser(app) for _ in range(4)]
    for browser, name in zip(browsers, ("kim", "lee", "kim", "lee"), strict=True):
        browser.log_in(name)

    async def together() -> list[str]:
        asked = [browser.ask_soon("GET", "/") for browser in browsers for _ in range(15)]
        return [answer.text for answer in await asyncio.gather(*asked)]

    for number, page in enumerate(asyncio.run(together())):
        mine, not_mine = (("프레스 1호기", "비밀 가열로"), ("비밀 가열로", "프레스 1호기"))[number // 15 % 2]
        assert mine in page
        assert not_mine not in page


def test_a_scope_that_was_narrowed_counts_for_pages_that_are_open(app: Starlette, access: Access) -> None:
    browser = Browser(app)
    browser.log_in("kim")
    assert "프레스 1호기" in browser.get("/").text
    user = access.users.find("kim")
    assert user is not None
    access.users.change(user, Role.COMPANY, [])
    assert "프레스 1호기" not in browser.get("/").text
    access.users.disable(user)
    assert browser.get("/").status_code == 303


@pytest.mark.parametrize("name", ["kim", "maker", "coord", "order", "reader"])
def test_users_and_the_log_are_for_managers(app: Starlette, access: Access, name: str) -> None:
    browser = Browser(app)
    browser.log_in(name)
    for path in ("/users", "/users/1", "/audit"):
        answer = browser.get(path)
        assert answer.status_code == 403
        assert "boss" not in answer.text
    before = access.users.all()
    for path in ("/users", "/users/1/disable", "/users/2/change", "/users/1/password"):
        fields = {"name": "x", "role": "manager", "password": PASSWORD, "again": PASSWORD, "companies": OTHER}
        assert browser.send("/password", path, **fields).status_code == 403
    assert access.users.all() == before


@pytest.mark.parametrize("name", ["order", "reader"])
def test_who_only_reads_sends_no_form_but_its_own(app: Starlette, name: str) -> None:
    browser = Browser(app)
    browser.log_in(name)
    assert browser.send("/password", "/").status_code == 403
    assert browser.send("/password", "/anything/later").status_code == 403
    assert browser.send("/password", "/logout").status_code == 303


# ── sessions and cookies ────────────────────────────────────────────────────────────────────────────────────────────


def test_cookie_flags(app: Starlette) -> None:
    browser = Browser(app)
    browser.log_in("kim")
    assert all("; Path=/; HttpOnly; SameSite=Strict" in line for line in browser.said)
    assert not any("Secure" in line or "Domain" in line for line in browser.said)
    assert set(browser.cookies) == {"session"}
    over_tls = Browser(app, base="https://view.example")
    over_tls.log_in("kim")
    assert set(over_tls.cookies) == {"__Host-session"}
    assert all(
        re.fullmatch(r"__Host-\w+=[\w-]*; Path=/; HttpOnly; SameSite=Strict; Secure(; Max-Age=0)?", line)
        for line in over_tls.said
    )
    assert over_tls.get("/").status_code == 200


def test_a_cookie_from_an_unencrypted_page_does_not_count_under_https(app: Starlette) -> None:
    plain = Browser(app)
    plain.log_in("kim")
    assert Browser(app, base="https://view.example", cookies=plain.cookies).get("/").status_code == 303


def test_a_session_that_was_planted_is_not_the_one_that_is_logged_in(app: Starlette) -> None:
    planted = "A" * 43
    victim = Browser(app, cookies={"session": planted, "browser": "B" * 43})
    assert victim.log_in("kim").status_code == 303
    assert victim.cookies["session"] not in {planted, "B" * 43}
    for stolen in (planted, "B" * 43):
        assert Browser(app, cookies={"session": stolen}).get("/").status_code == 303
    # A session of the attacker's own does not become the victim's either.
    attacker = Browser(app)
    attacker.log_in("lee")
    shared = Browser(app, cookies=dict(attacker.cookies))
    shared.send("/password", "/login", name="kim", password=PASSWORD)
    assert shared.cookies["session"] != attacker.cookies["session"]
    assert "프레스 1호기" not in attacker.get("/").text


def test_a_log_in_is_a_new_session_each_time(app: Starlette) -> None:
    tokens = set()
    for _ in range(3):
        browser = Browser(app)
        browser.log_in("kim")
        tokens.add(browser.cookies["session"])
    assert len(tokens) == 3


def test_after_the_log_out_the_cookie_opens_nothing(app: Starlette) -> None:
    browser = Browser(app)
    browser.log_in("kim")
    kept = dict(browser.cookies)
    answer = browser.send("/", "/logout")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert "session" not in browser.cookies
    assert Browser(app, cookies=kept).get("/").status_code == 303


def test_a_log_out_by_get_is_none(app: Starlette) -> None:
    browser = Browser(app)
    browser.log_in("kim")
    assert browser.get("/logout").status_code == 405
    assert browser.get("/").status_code == 200


def test_sessions_end(app: Starlette, clock: SetClock) -> None:
    browser = Browser(app)
    browser.log_in("kim")
    for _ in range(4):
        clock.at_ns += 25 * 60 * NS
        assert browser.get("/").status_code == 200
    clock.at_ns += 30 * 60 * NS
    assert browser.get("/").status_code == 303
    browser.log_in("kim")
    for _ in range(12 * 3):
        clock.at_ns += 20 * 60 * NS
        last = browser.get("/").status_code
    assert last == 303


def test_pages_that_refresh_themselves_keep_nobody_logged_in(app: Starlette, clock: SetClock) -> None:
    browser = Browser(app)
    browser.log_in("kim")
    statuses = []
    for _ in range(31):
        clock.at_ns += 60 * NS
        statuses.append(browser.get("/?part=live", **{"X-Refresh": "1"}).status_code)
    assert statuses == [200] * 29 + [303] * 2


def test_nothing_stays_in_the_browsers_cache(app: Starlette) -> None:
    browser = Browser(app)
    browser.log_in("kim")
    assert {browser.get(path).headers["cache-control"] for path in ("/", "/login", "/nothing")} == {"no-store"}


def test_the_policy_stays_strict(app: Starlette) -> None:
    browser = Browser(app)
    browser.log_in("boss")
    for path in ("/", "/users", "/users/2", "/audit", "/password", "/nothing", "/login"):
        answer = browser.get(path)
        assert answer.headers["content-security-policy"].startswith("default-src 'self'; base-uri 'none'")
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert not re.search(r"<style|<script(?![^>]*src=)|\sstyle=|\son\w+=|javascript:", answer.text)
    assert "frame-ancestors 'none'" in Browser(app).get("/login").headers["content-security-policy"]


# ── forms ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_form_of_every_page_begins_with_its_token() -> None:
    for file in sorted((Path(pages_module.__file__).parents[1] / "pages").glob("*.html")):
        for form in re.findall(r"<form\b[^>]*>.{0,40}", file.read_text(encoding="utf-8"), re.DOTALL):
            if 'method="post"' in form:
                assert re.match(r"<form\b[^>]*>\s*\{\{ csrf_field\(\) \}\}", form), f"{file.name}: {form}"
            else:
                assert 'method="get"' in form, f"{file.name}: {form}"


def test_a_form_without_its_token_does_nothing(app: Starlette, access: Access) -> None:
    browser, other = Browser(app), Browser(app)
    browser.log_in("boss")
    other.log_in("kim")
    good, others, before = browser.token("/users"), other.token("/password"), Browser(app).token("/login")
    fields = {"name": "new", "role": "manager", "password": PASSWORD, "again": PASSWORD, "companies": ""}
    for token in (None, "", "x", others, before, good[:-1], good + "0", good.upper(), "가"):
        answer = browser.ask("POST", "/users", data=fields | ({} if token is None else {"csrf": token}))
        assert answer.status_code == 403, token
        assert "다른 사이트에서 보낸 요청" in answer.text
    assert browser.ask("POST", "/users?csrf=" + good, data=fields).status_code == 403
    assert browser.ask("POST", "/users", json=fields | {"csrf": good}).status_code == 403
    assert (
        browser.ask("POST", "/users", content=f"csrf={good}", headers={"Content-Type": "text/plain"}).status_code == 403
    )
    assert access.users.find("new") is None
    for site in ("cross-site", "same-site"):
        answer = browser.ask("POST", "/users", data=fields | {"csrf": good}, headers={"Sec-Fetch-Site": site})
        assert answer.status_code == 403
    assert access.users.find("new") is None
    same = {"Sec-Fetch-Site": "same-origin"}
    assert browser.ask("POST", "/users", data=fields | {"csrf": good}, headers=same).status_code == 200
    assert access.users.find("new") is not None


def test_the_log_in_form_has_a_token_too(app: Starlette, access: Access) -> None:
    """Else a page of somebody else's could log a person in as another, and see what is entered then."""
    browser = Browser(app)
    fields = {"name": "kim", "password": PASSWORD}
    assert browser.ask("POST", "/login", data=fields).status_code == 403
    assert browser.ask("POST", "/login", data=fields | {"csrf": Browser(app).token("/login")}).status_code == 403
    assert access.audit.newest(5) == []
    assert browser.log_in("kim").status_code == 303


def test_the_token_of_a_session_before_is_worth_nothing(app: Starlette) -> None:
    browser = Browser(app)
    browser.log_in("kim")
    old = browser.token("/password")
    browser.send("/", "/logout")
    browser.log_in("kim")
    assert browser.ask("POST", "/logout", data={"csrf": old}).status_code == 403
    assert browser.token("/password") != old


def test_a_token_may_stand_in_a_header_and_in_a_form_with_files(app: Starlette) -> None:
    browser = Browser(app)
    browser.log_in("kim")
    token = browser.token("/password")
    files = {"file": ("a.csv", b"1,2")}
    assert "12–256자" in browser.ask("POST", "/password", data={"csrf": token}, files=files).text
    assert "다른 사이트" in browser.ask("POST", "/password", data={"csrf": "x"}, files=files).text
    assert browser.ask("POST", "/logout", headers={"X-CSRF-Token": token}).status_code == 303


def test_forms_are_bounded(app: Starlette) -> None:
    browser = Browser(app)
    assert browser.ask("POST", "/login", data={"name": "a" * 20_000}).status_code == 413
    browser.log_in("kim")
    assert browser.ask("POST", "/password", content=b"a" * (MAX_BYTES + 1)).status_code == 413
    bad = {"Content-Type": "application/x-www-form-urlencoded"}
    assert browser.ask("POST", "/password", content=b"a=%ff", headers=bad).status_code == 400


def test_a_form_is_read_beside_the_loop(app: Starlette, monkeypatch: pytest.MonkeyPatch) -> None:
    loops: list[bool] = []

    def noted(content_type: str, body: bytes) -> Form:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            loops.append(False)
        else:
            loops.append(True)
        return parse_form(content_type, body)

    monkeypatch.setattr(guard, "parse_form", noted)
    assert Browser(app).log_in("kim").status_code == 303
    assert loops == [False]


# ── guessing ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_guessing_is_slowed_down_and_ends(app: Starlette, clock: SetClock) -> None:
    browser = Browser(app)
    statuses = [browser.log_in("kim", f"wrong password {n}").status_code for n in range(8)]
    assert statuses == [403] * 5 + [429] * 3
    answer = browser.log_in("kim")
    assert answer.status_code == 429, "also with the right password, which would tell otherwise"
    assert answer.headers["retry-after"] == "1"
    assert "1초 뒤에" in answer.text
    clock.at_ns += NS
    assert browser.log_in("kim").status_code == 303


def test_who_is_there_is_not_told(app: Starlette, access: Access) -> None:
    user = access.users.find("lee")
    assert user is not None
    access.users.disable(user)
    pages = []
    for name in ("kim", "nobody", "lee"):
        answer = Browser(app).log_in(name, PASSWORD if name == "lee" else "wrong password")
        assert "session" not in str(answer.headers)
        text = re.sub(r'name="csrf" value="\w+"', "", answer.text).replace(f'value="{name}"', "")
        pages.append((answer.status_code, text))
    assert pages[0] == pages[1] == pages[2]


@pytest.mark.parametrize(
    "text", ["' OR '1'='1", "kim'--", "kim\x00", "%", "\\", '"', "a" * 9000, "kim' UNION SELECT 1--"]
)
def test_characters_of_sql_open_nothing(app: Starlette, access: Access, text: str) -> None:
    assert Browser(app).log_in(text).status_code == 403
    assert Browser(app).log_in("kim", text).status_code == 403
    assert len(access.users.all()) == 8
    browser = Browser(app)
    browser.log_in("boss")
    for query in ("?before=1;DROP TABLE audit", "?before=-1", "?before=" + "9" * 30, "?before=٣"):
        assert browser.get("/audit" + query).status_code == 200
    assert browser.get("/users/" + "9" * 30).status_code == 404
    assert access.audit.broken() is None


# ── this PC only ────────────────────────────────────────────────────────────────────────────────────────────────────


def opened(store: DuckDbStore, mode: Mode = Mode.AUTO) -> Starlette:
    access = Access(Book(), SystemClock(), mode, passwords=Passwords(CHEAPEST))
    return make_app(store, Catalog.of([SITE, OTHER_SITE]), SystemClock(), [], access)


@pytest.mark.parametrize(
    "base", ["http://evil.com", "http://127.0.0.1.evil.com:8080", "http://192.168.0.5", "http://[2001:db8::1]"]
)
def test_without_a_log_in_other_names_that_lead_here_show_nothing(store: DuckDbStore, base: str) -> None:
    """A page of somebody else's in this PC's browser could read everything by a name that it lets lead here."""
    answer = Browser(opened(store), base=base).get("/")
    assert answer.status_code == 421
    assert COMPANY not in answer.text
    assert Browser(opened(store, Mode.OPEN), base=base).get("/").status_code == 421
    assert Browser(opened(store, Mode.OPEN_TO_ALL), base=base).get("/").status_code == 200


@pytest.mark.parametrize(
    "base", ["http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:8080", "http://LOCALHOST"]
)
def test_this_pcs_own_names(store: DuckDbStore, base: str) -> None:
    assert COMPANY in Browser(opened(store), base=base).get("/").text


@pytest.mark.parametrize("host", ["[", "a b", "127.0.0.1:99999999", "x/y", "127.0.0.1@evil.com", ""])
def test_names_that_are_none(app: Starlette, host: str) -> None:
    assert Browser(app).get("/", Host=host).status_code == 400


def test_without_a_log_in_forms_have_tokens_too(store: DuckDbStore) -> None:
    browser = Browser(opened(store))
    assert browser.ask("POST", "/setup", data={}).status_code == 403
    assert browser.token("/setup")
    assert browser.get("/users").status_code == 403, "who is not known looks after no users"


# ── the first manager ───────────────────────────────────────────────────────────────────────────────────────────────


def test_the_first_manager_by_the_page(store: DuckDbStore) -> None:
    access = Access(Book(), SystemClock(), Mode.LOGIN, passwords=Passwords(CHEAPEST))
    app = make_app(store, Catalog.of([SITE]), SystemClock(), [], access)
    browser, code = Browser(app), access.first.new()
    assert browser.get("/").headers["location"] == "/login"
    assert browser.get("/login").headers["location"] == "/setup"
    fields = {"code": code, "name": "boss", "password": PASSWORD, "again": PASSWORD}
    for wrong, words in (
        ({"code": "AAAA-BBBB"}, "설정 코드가 맞지 않"),
        ({"again": PASSWORD + "!"}, "서로 다릅니다"),
        ({"password": "short", "again": "short"}, "12–256자"),
        ({"name": "a b"}, "띄어쓰기"),
    ):
        answer = browser.send("/setup", "/setup", **(fields | wrong))
        assert answer.status_code == 403
        assert words in answer.text
        assert code not in answer.text
        assert PASSWORD not in answer.text
    assert not access.users.exist()
    answer = browser.send("/setup", "/setup", **fields)
    assert (answer.status_code, answer.headers["location"]) == (303, "/users")
    assert "boss" in browser.get("/users").text
    assert Browser(app).get("/setup").status_code == 404
    assert Browser(app).send("/login", "/setup", **(fields | {"name": "second"})).status_code == 404


# ── secrets ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_no_password_and_no_token_is_written_or_sent_anywhere(
    store: DuckDbStore,
    clock: SetClock,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    book = Book(tmp_path / "viewer.db")
    app = make_app(store, Catalog.of([SITE]), SystemClock(), [], filled(book, clock))
    caplog.set_level(logging.DEBUG)
    typed = ["wrong-Password-1", PASSWORD, "new words of mine 3", "someone elses words 4"]
    browser = Browser(app)
    answers = [browser.log_in("kim", typed[0]), browser.log_in("kim"), browser.get("/")]
    first = browser.cookies["session"]
    answers.append(browser.send("/password", "/password", now=PASSWORD, password=typed[2], again=typed[2]))
    assert "바꾸었습니다" in answers[-1].text
    assert Browser(app, cookies={"session": first}).get("/").status_code == 303
    assert browser.get("/").status_code == 200
    boss = Browser(app)
    boss.log_in("boss")
    fields = {"name": "new", "role": "reader", "companies": COMPANY, "password": typed[3], "again": typed[3]}
    answers += [boss.send("/users", "/users", **fields), boss.get("/audit"), boss.get("/users/9")]
    tokens = [first, browser.cookies["session"], boss.cookies["session"]]
    for answer in answers:
        assert not any(secret in answer.text or secret in str(answer.url) for secret in (*typed, *tokens))
        assert not any(secret in answer.headers.get("location", "") for secret in (*typed, *tokens))
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    book.close()
    said = caplog.text + "".join(capfd.readouterr())
    for secret in (*typed, *tokens):
        assert secret.encode() not in written
        assert secret not in said


def test_a_password_of_ones_own_needs_the_one_before(app: Starlette) -> None:
    browser, new = Browser(app), "new words of mine 3"
    browser.log_in("kim")
    for fields, words in (
        ({"now": "wrong", "password": new, "again": new}, "맞지 않습니다"),
        ({"now": PASSWORD, "password": new, "again": "other"}, "서로 다릅니다"),
        ({"now": PASSWORD, "password": "short", "again": "short"}, "12–256자"),
    ):
        answer = browser.send("/password", "/password", **fields)
        assert answer.status_code == 403
        assert words in answer.text
    assert Browser(app).log_in("kim").status_code == 303
    for _ in range(9):
        answer = browser.send("/password", "/password", now="wrong", password=new, again=new)
    assert "초 뒤에" in answer.text, "it is no way to guess"


# ── users and the log ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_manager_looks_after_users(app: Starlette, access: Access) -> None:
    boss = Browser(app)
    boss.log_in("boss")
    fields = {"name": "park", "role": "coordinator", "companies": f"{COMPANY}\r\n\r\n", "password": PASSWORD}
    assert "만들었습니다" in boss.send("/users", "/users", again=PASSWORD, **fields).text
    assert "이미 있는 아이디" in boss.send("/users", "/users", again=PASSWORD, **fields).text
    assert "역할을 고르" in boss.send("/users", "/users", again=PASSWORD, **(fields | {"role": "root"})).text
    park = access.users.find("park")
    assert park is not None
    assert (park.role, park.scope) == (Role.COORDINATOR, {COMPANY})
    page = f"/users/{park.id}"
    assert "저장했습니다" in boss.send(page, page + "/change", role="reader", companies=OTHER).text
    browser = Browser(app)
    browser.log_in("park")
    assert "비밀 가열로" in browser.get("/").text
    assert "저장했습니다" in boss.send(page, page + "/disable").text
    assert browser.get("/").status_code == 303
    assert Browser(app).log_in("park").status_code == 403
    boss.send(page, page + "/enable")
    new = "words that the boss chose"
    assert "저장했습니다" in boss.send(page, page + "/password", password=new, again=new).text
    assert Browser(app).log_in("park", new).status_code == 303
    assert boss.send(page, page + "/nothing").status_code == 404
    first = access.users.find("boss")
    assert first is not None
    assert "마지막 TP 관리자" in boss.send(page, f"/users/{first.id}/disable").text
    log = boss.get("/audit?lang=en").text
    for words in (
        "User added",
        "coordinator: 대한정밀",
        "coordinator: 대한정밀 → reader: 비밀제강",
        "Password set anew",
        "Log-in failed",
    ):
        assert words in log
    assert "192.168.0.9" in log
    assert "as they were written" in log
    assert access.audit.newest(1)[0].hash.hex() in log


def test_a_log_that_was_changed_says_so(app: Starlette, access: Access) -> None:
    boss = Browser(app)
    boss.log_in("boss")
    with access.book.write() as cursor:
        cursor.execute("DROP TRIGGER audit_keeps_words")
        cursor.execute("UPDATE audit SET who = 'kim' WHERE id = 1")
    assert "1번부터 적힌 것과 다릅니다" in boss.get("/audit").text


def test_a_long_log_has_pages(app: Starlette, access: Access) -> None:
    for n in range(150):
        access.audit.write("x", "y", "test", f"대상 {n}")
    boss = Browser(app)
    boss.log_in("boss")
    first = boss.get("/audit").text
    link = re.search(r'href="(\?before=\d+)"', first)
    assert link
    assert "대상 149" in first
    second = boss.get("/audit" + link[1]).text
    assert "대상 0" in second
    assert "대상 149" not in second
    assert "이전 기록" not in second


def test_a_book_that_cannot_be_read_lets_nobody_in(app: Starlette, access: Access) -> None:
    browser = Browser(app)
    browser.log_in("kim")
    with access.book.write() as cursor:
        cursor.execute("ALTER TABLE sessions RENAME TO gone")
    answer = browser.get("/")
    assert answer.status_code == 503
    assert "프레스" not in answer.text
