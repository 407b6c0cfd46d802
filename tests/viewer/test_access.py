"""Users, passwords, sessions, failed tries, the audit log, the first code: each by itself."""

from __future__ import annotations

import sqlite3
import threading
from functools import partial

import pytest
from argon2 import Parameters, extract_parameters
from argon2.exceptions import VerifyMismatchError
from argon2.profiles import CHEAPEST, RFC_9106_LOW_MEMORY
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import ConfigError, DependencyError
from tests.set_clock import SetClock
from viewer.access import current, manage
from viewer.access.access import Access, embedded
from viewer.access.mode import Mode, is_loopback
from viewer.access.passwords import Passwords, checked_password
from viewer.access.refused import AccessRefused
from viewer.access.roles import Permission, Role
from viewer.access.sessions import Limits
from viewer.access.tries import FREE, LONGEST_S, network, wait_s
from viewer.access.users import ANYBODY, ANYBODY_ANYWHERE, User
from viewer.book.book import Book

NS = 1_000_000_000
NOW = 1_700_000_000 * NS
GOOD = "포항 바다 갈매기 세 마리"


@pytest.fixture
def clock() -> SetClock:
    return SetClock(NOW)


@pytest.fixture
def access(clock: SetClock) -> Access:
    return Access(Book(), clock, Mode.LOGIN, limits=Limits(600, 3600), passwords=Passwords(CHEAPEST))


def person(access: Access, name: str = "kim", role: Role = Role.COMPANY, *companies: str) -> User:
    return access.users.add(name, role, companies, access.hash(GOOD, name))


# ── roles and users ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_roles_may_what_they_are_for() -> None:
    may = {role: {one for one in Permission if User(1, "a", role).may(one)} for role in Role}
    view, enter, confirm = Permission.VIEW, Permission.ENTER, Permission.CONFIRM
    assert may == {
        Role.COMPANY: {view, enter, Permission.OPERATE, Permission.SHARE},
        Role.SUPPLIER: {view, enter},
        Role.COORDINATOR: {view, enter, confirm},
        Role.MANAGER: set(Permission) - {Permission.SHARED},
        Role.ORDERING: {Permission.SHARED},
        Role.READER: {view},
    }


def test_who_is_not_known_looks_after_no_users() -> None:
    assert ANYBODY.companies is None
    assert not ANYBODY.may(Permission.MANAGE)
    assert not ANYBODY.may(Permission.SHARE)
    assert ANYBODY.may(Permission.OPERATE), "on this PC, as its own command"
    assert not ANYBODY_ANYWHERE.may(Permission.OPERATE)
    assert ANYBODY_ANYWHERE.may(Permission.VIEW)


def test_scopes(access: Access) -> None:
    assert person(access, "a", Role.COMPANY, "대한정밀 ", "", "대한정밀").companies == {"대한정밀"}
    assert person(access, "b", Role.READER).companies == frozenset()
    assert person(access, "c", Role.MANAGER, "대한정밀").companies is None
    ordering = person(access, "d", Role.ORDERING, "대한정밀")
    assert ordering.scope == {"대한정밀"}
    assert ordering.companies == frozenset()
    assert [one.name for one in access.users.all()] == ["a", "b", "c", "d"]
    assert access.users.all()[0] == access.users.find("a")


def test_a_name_is_one_whatever_its_case_and_keyboard(access: Access) -> None:
    person(access, "김Lee")
    for name in ("김lee", " 김LEE ", "\u1100\u1175\u11b7lee"):
        found = access.users.find(name)
        assert found is not None
        assert found.name == "김Lee"
        with pytest.raises(AccessRefused, match="exists already"):
            person(access, name)


@pytest.mark.parametrize("name", ["", " ", "a b", "a\nb", "\x00", "\u200b", "a" * 65])
def test_names_that_cannot_be(access: Access, name: str) -> None:
    with pytest.raises(AccessRefused, match="a user's name"):
        person(access, name)
    assert not access.users.exist()


@pytest.mark.parametrize("name", ["'--", "a';DROP/**/TABLE/**/users;--", "%", "_", '"', "\\"])
def test_characters_of_sql_are_characters(access: Access, name: str) -> None:
    other = person(access, "other")
    user = person(access, name, Role.COMPANY, name)
    assert access.users.find(name) == user
    assert user.companies == {name}
    assert access.users.find("other") == other
    assert access.log_in(name, GOOD, "::1").token
    assert access.log_in(name + "' OR '1'='1", GOOD, "::1").token is None


def test_the_last_manager_stays(access: Access) -> None:
    boss = person(access, "boss", Role.MANAGER)
    for deed in (
        lambda: manage.disable(access, boss, access_note),
        lambda: manage.change(access, boss, Role.READER, [], access_note),
    ):
        with pytest.raises(AccessRefused, match="last TP manager"):
            deed()
    assert access.users.get(boss.id) == boss
    person(access, "second", Role.MANAGER)
    manage.disable(access, boss, access_note)
    found = access.users.get(boss.id)
    assert found is not None
    assert found.disabled


def access_note(action: str, target: str = "", detail: str = "") -> None:
    """Nobody writes it down."""


# ── passwords ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_passwords_are_hashed_as_rfc_9106_recommends() -> None:
    kept = Passwords().hash(GOOD)
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert extract_parameters(kept) == RFC_9106_LOW_MEMORY


@given(st.text(min_size=1, max_size=40))
def test_only_the_same_password_is_right(password: str) -> None:
    passwords = Passwords(CHEAPEST)
    kept = passwords.hash(password)
    assert passwords.is_right(kept, password)
    assert not passwords.is_right(kept, password + "x")
    assert not passwords.is_right(None, password)
    assert passwords.hash(password) != kept


def test_a_korean_password_is_one_on_every_keyboard() -> None:
    passwords = Passwords(CHEAPEST)
    assert passwords.is_right(passwords.hash("가나다라 마바사"), "\u1100\u1161나다라 마바사")


def test_a_spoilt_hash_is_nobodys() -> None:
    assert not Passwords(CHEAPEST).is_right("x", "x")


@pytest.mark.parametrize("parameters", [CHEAPEST, RFC_9106_LOW_MEMORY])
def test_nobodys_hash_costs_what_others_cost(parameters: Parameters) -> None:
    passwords = Passwords(parameters)
    assert extract_parameters(passwords._nobody) == parameters
    with pytest.raises(VerifyMismatchError):  # it was reckoned through, not found to be none
        passwords._hasher.verify(passwords._nobody, GOOD)


@pytest.mark.parametrize(
    ("password", "word"),
    [
        ("", "length"),
        ("가나다라마바사아자차카", "length"),
        ("a" * 257, "length"),
        ("abababababab", "guessed"),
        ("Password1234", "guessed"),
        ("비밀번호비밀번호비밀1", "length"),
        ("비밀번호비밀번호비밀번호12", "guessed"),
        ("kim-daehan-kim-daehan", "guessed"),
    ],
)
def test_passwords_that_cannot_be_chosen(password: str, word: str) -> None:
    with pytest.raises(AccessRefused) as refused:
        checked_password(password, "kim-daehan")
    assert refused.value.word == word
    assert password == "" or password not in str(refused.value)


@pytest.mark.parametrize("password", [GOOD + "!!", "correct horse battery", "정답은 말 배터리 스테이플"])
def test_passwords_that_can(password: str) -> None:
    assert checked_password(password, "kim") == password


# ── sessions ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_session_is_a_number_that_the_book_does_not_hold(access: Access) -> None:
    user = person(access)
    tokens = {access.sessions.open(user) for _ in range(50)}
    assert len(tokens) == 50
    assert all(len(token) == 43 for token in tokens)
    held = [bytes(row["token"]) for row in access.book.read("SELECT token FROM sessions")]
    assert len(held) == 50
    assert not any(token.encode() in held for token in tokens)
    assert all(access.sessions.user(token, active=True) == user for token in tokens)


@pytest.mark.parametrize("token", ["", "x", "'", "가", "\ud800", "a" * 10_000])
def test_what_is_no_session(access: Access, token: str) -> None:
    person(access)
    assert access.sessions.user(token, active=True) is None


def test_idling_ends_it(access: Access, clock: SetClock) -> None:
    user = person(access)
    token = access.sessions.open(user)
    for _ in range(3):
        clock.at_ns += 599 * NS
        assert access.sessions.user(token, active=True) == user
    clock.at_ns += 600 * NS
    assert access.sessions.user(token, active=True) is None
    clock.at_ns -= 600 * NS
    assert access.sessions.user(token, active=True) is None, "what is over stays over"


def test_a_page_that_refreshes_itself_does_not_keep_it_awake(access: Access, clock: SetClock) -> None:
    token = access.sessions.open(person(access))
    for _ in range(19):
        clock.at_ns += 30 * NS
        assert access.sessions.user(token, active=False)
    clock.at_ns += 30 * NS
    assert access.sessions.user(token, active=False) is None


def test_it_ends_however_busy(access: Access, clock: SetClock) -> None:
    token = access.sessions.open(person(access))
    for _ in range(11):
        clock.at_ns += 300 * NS
        assert access.sessions.user(token, active=True)
    clock.at_ns += 300 * NS
    assert access.sessions.user(token, active=True) is None


def test_a_clock_set_back_ends_it(access: Access, clock: SetClock) -> None:
    token = access.sessions.open(person(access))
    clock.at_ns -= 3600 * NS
    assert access.sessions.user(token, active=True) is None


def test_what_is_over_is_forgotten(access: Access, clock: SetClock) -> None:
    user = person(access)
    access.sessions.open(user)
    clock.at_ns += 601 * NS
    access.sessions.open(user)
    assert access.book.read("SELECT count(*) FROM sessions")[0][0] == 1


def test_new_password_and_disabling_end_every_session(access: Access) -> None:
    user = person(access)
    for deed in (
        lambda: manage.set_password(access, user, GOOD + "!", access_note),
        lambda: manage.disable(access, user, access_note),
    ):
        tokens = [access.sessions.open(user), access.sessions.open(user)]
        deed()
        assert [access.sessions.user(token, active=True) for token in tokens] == [None, None]


def test_another_scope_counts_at_once(access: Access) -> None:
    user = person(access, "kim", Role.COMPANY, "A")
    token = access.sessions.open(user)
    manage.change(access, user, Role.READER, ["B"], access_note)
    found = access.sessions.user(token, active=True)
    assert found is not None
    assert (found.role, found.companies) == (Role.READER, {"B"})


# ── failed tries ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_waits_grow_and_end() -> None:
    waits = [wait_s("account", failures) for failures in range(FREE["account"] + 10)]
    assert waits[: FREE["account"]] == [0.0] * FREE["account"]
    assert waits[FREE["account"] :][:6] == [1, 2, 4, 8, 16, 32]
    assert waits == sorted(waits)
    assert wait_s("account", 10**9) == LONGEST_S


def test_guessing_one_account_from_everywhere_gets_slow(access: Access, clock: SetClock) -> None:
    person(access)
    checked = 0
    for second in range(3600):
        clock.at_ns = NOW + second * NS
        checked += access.log_in("kim", "wrong password", f"10.0.{second // 250}.{second % 250}").wait_s == 0
    assert checked <= FREE["account"] + 6 + 3600 / LONGEST_S
    clock.at_ns += int(LONGEST_S) * NS
    assert access.log_in("KIM", GOOD, "10.1.1.1").token, "nobody is locked out for ever"
    assert access.log_in("kim", "wrong password", "10.1.1.1").wait_s == 0, "and begins anew"


def test_guessing_many_accounts_from_one_address_gets_slow(access: Access, clock: SetClock) -> None:
    checked = 0
    for second in range(3600):
        clock.at_ns = NOW + second * NS
        checked += access.log_in(f"user{second}", "wrong password", "10.0.0.1").wait_s == 0
    assert checked <= FREE["address"] + 6 + 3600 / LONGEST_S
    assert access.log_in("x", "wrong password", "10.0.0.2").wait_s == 0


def test_an_account_of_ones_own_does_not_free_an_address(access: Access, clock: SetClock) -> None:
    person(access, "own")
    person(access, "victim")
    waited = False
    for n in range(60):
        waited = waited or access.log_in(f"victim{n}", "wrong password", "10.0.0.1").wait_s > 0
        access.log_in("own", GOOD, "10.0.0.1")
    assert waited


def test_a_hundred_tries_at_once_are_no_way_round(access: Access) -> None:
    person(access)
    waits: list[float] = []

    def guess(n: int) -> None:
        waits.append(access.tries.begin("kim", f"10.0.0.{n}"))

    threads = [threading.Thread(target=guess, args=(n,)) for n in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(wait == 0 for wait in waits) == FREE["account"]


def test_failures_outlast_the_process(clock: SetClock, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("tries") / "viewer.db"
    for _ in range(3):
        book = Book(path)
        last = [Access(book, clock, passwords=Passwords(CHEAPEST)).log_in("a", "b", "c").wait_s for _ in range(3)]
        book.close()
    assert last[-1] > 0


def test_an_ipv6_network_is_one_address() -> None:
    assert network("2001:db8::1") == network("2001:db8::ffff:1") != network("2001:db8:0:1::1")
    assert network("::ffff:10.0.0.1") == network("10.0.0.1") == "10.0.0.1"
    assert network("") == ""


def test_the_same_work_is_done_for_who_is_not_there(access: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not measured but counted: one hash is checked and one line written, whoever it is."""
    gone = person(access, "gone")
    person(access, "kim")
    person(access, "boss", Role.MANAGER)
    access.users.disable(gone)
    verified: list[str] = []
    real = access.passwords._hasher

    class Counted:
        def verify(self, kept: str, given: str) -> bool:
            verified.append(kept)
            return real.verify(kept, given)

    monkeypatch.setattr(access.passwords, "_hasher", Counted())
    outcomes = [access.log_in(name, word, "a") for name, word in (("kim", "no"), ("nobody", "no"), ("gone", GOOD))]
    assert len(set(outcomes)) == 1
    assert len(verified) == 3
    assert all(extract_parameters(kept) == CHEAPEST for kept in verified)
    assert [deed.action for deed in access.audit.newest(3)] == ["login_failed"] * 3


def test_what_was_typed_as_a_name_is_not_written_down(access: Access) -> None:
    person(access)
    access.log_in(GOOD, "kim", "a")
    access.log_in("kim", "secret of mine", "a")
    held = str([tuple(row) for row in access.book.read("SELECT * FROM audit")])
    assert GOOD not in held
    assert "secret of mine" not in held
    assert [deed.target for deed in access.audit.newest(2)] == ["kim", "?"]


def test_an_older_hash_is_made_anew_at_the_log_in(clock: SetClock) -> None:
    book = Book()
    user = person(Access(book, clock, passwords=Passwords(CHEAPEST)))
    access = Access(book, clock)
    token = access.log_in("kim", GOOD, "a").token
    assert token
    assert extract_parameters(access.users.password(user)) == RFC_9106_LOW_MEMORY
    assert access.sessions.user(token, active=True) == user


# ── audit log ───────────────────────────────────────────────────────────────────────────────────────────────────────


def written(access: Access, count: int = 5) -> None:
    for n in range(count):
        access.audit.write(f"user{n}", "10.0.0.1", "login", f"대상{n}", "내용")


def test_rows_are_numbered_and_chained(access: Access) -> None:
    assert access.audit.broken() is None
    written(access, 1001)
    assert access.audit.broken() is None
    assert [deed.id for deed in access.audit.newest(3)] == [1001, 1000, 999]
    assert [deed.id for deed in access.audit.newest(3, before=999)] == [998, 997, 996]
    assert len({deed.hash for deed in access.audit.newest(2000)}) == 1001


@pytest.mark.parametrize("deed", ["UPDATE audit SET who = 'x' WHERE id = 3", "DELETE FROM audit WHERE id = 3"])
def test_rows_stay(access: Access, deed: str) -> None:
    written(access)
    with pytest.raises((sqlite3.IntegrityError, DependencyError), match="only grows"), access.book.write() as cursor:
        cursor.execute(deed)
    assert access.audit.broken() is None


@pytest.mark.parametrize(
    ("deed", "first"),
    [
        ("UPDATE audit SET who = 'x' WHERE id = 3", 3),
        ("UPDATE audit SET address = 'x' WHERE id = 3", 3),
        ("UPDATE audit SET action = 'x' WHERE id = 3", 3),
        ("UPDATE audit SET detail = 'x' WHERE id = 3", 3),
        ("UPDATE audit SET time_ns = time_ns + 1 WHERE id = 2", 2),
        ("DELETE FROM audit WHERE id = 3", 3),
        ("DELETE FROM audit WHERE id = 1", 1),
        ("UPDATE audit SET hash = zeroblob(32) WHERE id = 5", 5),
        ("INSERT INTO audit SELECT 7, time_ns, who, address, action, target, detail, hash FROM audit WHERE id = 5", 6),
    ],
)
def test_who_goes_around_the_triggers_breaks_the_chain(access: Access, deed: str, first: int) -> None:
    written(access)
    with access.book.write() as cursor:
        cursor.execute("DROP TRIGGER audit_keeps_rows")
        cursor.execute("DROP TRIGGER audit_keeps_words")
        cursor.execute(deed)
    assert access.audit.broken() == first


def test_a_deed_that_was_not_done_is_not_written(access: Access) -> None:
    boss = person(access, "boss", Role.MANAGER)
    with pytest.raises(AccessRefused):
        manage.disable(access, boss, partial(access.audit.write, "boss", "local"))
    assert access.audit.newest(5) == []


@given(st.text(st.characters(), max_size=600))
def test_any_text_can_be_written(text: str) -> None:
    access = embedded(SetClock(NOW))
    access.audit.write(text, text, "x", text, text)
    assert access.audit.broken() is None
    assert len(access.audit.newest(1)[0].who) <= 500


# ── the first manager ───────────────────────────────────────────────────────────────────────────────────────────────


def test_the_code_makes_one_manager_once(access: Access) -> None:
    code = access.first.new()
    assert access.make_first("x" + code, "boss", GOOD, "a") is None
    user = access.make_first(code.lower().replace("-", " "), "boss", GOOD, "a")
    assert user is not None
    assert user.role is Role.MANAGER
    assert access.make_first(code, "second", GOOD, "a") is None
    assert not access.first.is_open()
    assert access.first.new()
    assert not access.first.is_open(), "no code opens anything once there is a user"
    assert [deed.action for deed in access.audit.newest(5)] == ["setup"]


def test_the_code_holds_for_an_hour_and_until_the_next(access: Access, clock: SetClock) -> None:
    code, second = access.first.new(), access.first.new()
    assert len(code.replace("-", "")) == 24
    assert not access.first.holds(code)
    assert access.first.holds(second)
    clock.at_ns += 3600 * NS
    assert not access.first.holds(second)


def test_without_a_code_nothing_holds(access: Access) -> None:
    assert not access.first.holds("")
    assert not access.first.is_open()


# ── modes and where nobody asks ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("mode", "host", "before", "after"),
    [
        (Mode.AUTO, "127.0.0.1", True, False),
        (Mode.AUTO, "localhost", True, False),
        (Mode.AUTO, "::1", True, False),
        (Mode.AUTO, "0.0.0.0", False, False),  # noqa: S104 - what is refused
        (Mode.AUTO, "192.168.0.5", False, False),
        (Mode.AUTO, "scada.local", False, False),
        (Mode.LOGIN, "127.0.0.1", False, False),
        (Mode.OPEN, "127.0.0.1", True, True),
        (Mode.OPEN_TO_ALL, "192.168.0.5", True, True),
    ],
)
def test_when_a_log_in_is_asked_for(clock: SetClock, mode: Mode, host: str, *, before: bool, after: bool) -> None:
    access = Access(Book(), clock, mode, host, passwords=Passwords(CHEAPEST))
    assert access.is_open() is before
    person(access)
    assert access.is_open() is after


def test_open_is_refused_where_others_reach_it(clock: SetClock) -> None:
    with pytest.raises(ConfigError, match=r"--access open with --host 192\.168\.0\.5: .*--access open-to-all"):
        Access(Book(), clock, Mode.OPEN, "192.168.0.5")


def test_loopback() -> None:
    assert all(is_loopback(host) for host in ("127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost", "LocalHost"))
    assert not any(is_loopback(host) for host in ("", "0.0.0.0", "::", "127.0.0.1.nip.io", "localhost.evil.com"))  # noqa: S104


def test_where_no_request_is_answered_nobody_sees_anything() -> None:
    assert current.user_or_none() is None
    assert current.companies() == frozenset()
