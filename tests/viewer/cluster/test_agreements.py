"""Agreements: what holds when, who has to agree, and that nothing in the book is changed or deleted."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.share.settings import LEVELS
from tests.set_clock import SetClock
from tests.viewer.cluster.members import KPI, NOW, ORDERING, TODAY, quiet
from viewer.access.audit import Audit
from viewer.access.forms import Form
from viewer.access.refused import AccessRefused
from viewer.book.book import Book
from viewer.book.companies import Companies
from viewer.book.facts import Facts
from viewer.book.schema import migrate, migrations
from viewer.cluster.agreement import SHAREABLE, Agreement, Terms
from viewer.cluster.agreements import Agreements
from viewer.cluster.asked import Writer, ordering_of, terms_of, withdrawn

OWN, MANAGER = Writer("own", own=True, today=TODAY), Writer("boss", own=False, today=TODAY)
DAYS = st.dates(date(2026, 8, 1), date(2026, 10, 30))
TERMS = st.builds(
    Terms,
    level=st.sampled_from(LEVELS),
    kpis=st.lists(st.sampled_from(SHAREABLE), unique=True).map(tuple),
    compared=st.booleans(),
    customer=st.sampled_from(["", "A", "B"]),
    since=DAYS,
    until=st.none() | DAYS,
)


def form(**said: Any) -> Form:
    return Form({name: value if isinstance(value, list) else [value] for name, value in said.items()})


def agreement(terms: Terms) -> Agreement:
    return Agreement(KPI, ORDERING, 1, terms, NOW, "own")


@pytest.mark.parametrize(
    ("since", "until", "state", "level"),
    [
        (TODAY, None, "holds", "raw"),
        (TODAY, TODAY, "holds", "raw"),
        (TODAY - timedelta(days=9), TODAY - timedelta(days=1), "over", "none"),
        (TODAY + timedelta(days=1), None, "later", "none"),
    ],
)
def test_it_holds_from_its_first_day_to_the_end_of_its_last(
    since: date, until: date | None, state: str, level: str
) -> None:
    one = agreement(Terms("raw", SHAREABLE[:1], since=since, until=until, compared=True))
    assert (one.state(TODAY), one.level_at(NOW), one.compared_at(NOW)) == (state, level, state == "holds")
    assert agreement(replace(one.terms, level="none", compared=False)).state(TODAY) == "none"


@given(TERMS, TERMS)
def test_less_is_never_more(one: Terms, other: Terms) -> None:
    """What lies within other terms gives, on each day, no level, figure or name that those do not give."""
    assert one.lies_within(one)
    if one.lies_within(other):
        for day in (date(2026, 8, 15), date(2026, 9, 15), date(2026, 10, 15)):
            holds, held = (agreement(terms).state(day) == "holds" for terms in (one, other))
            assert held or not holds
            assert LEVELS.index(one.level if holds else "none") <= LEVELS.index(other.level if held else "none")
        assert set(one.kpis) <= set(other.kpis)


def test_to_share_more_the_supplier_agrees() -> None:
    asked = form(ordering=ORDERING, level="kpi", kpis=["P-OEE", "no such"], customer=" A  B ")
    for writer in (OWN, MANAGER):
        with pytest.raises(AccessRefused) as refused:
            terms_of(asked, None, writer)
        assert refused.value.word == "share_consent"
    own = terms_of(form(**asked.fields, agreed="1"), None, OWN)
    assert (own.kpis, own.customer, own.consent_by, own.consent_on) == (("P-OEE",), "A B", "own", TODAY)
    paper = form(**asked.fields, consent_by="대표이사", consent_on="2026-09-01", basis="공문 12")
    assert (terms_of(paper, None, MANAGER).consent_by, terms_of(paper, None, MANAGER).basis) == ("대표이사", "공문 12")
    with pytest.raises(AccessRefused):  # a tick of a manager is not the supplier's, nor is a name that its user types
        terms_of(form(**asked.fields, agreed="1"), None, MANAGER)
    with pytest.raises(AccessRefused):
        terms_of(paper, None, OWN)
    before = agreement(own)
    wider = ({"level": "aggregate"}, {"kpis": ["P-OEE", "Q-PDR"]}, {"compared": "1"}, {"customer": "C"})
    earlier = ({"since": "2026-09-01"},)
    for more in (*wider, *earlier):
        with pytest.raises(AccessRefused):
            terms_of(form(**{**asked.fields, **more}), before, OWN)
    for less in ({"until": "2026-12-31"}, {"customer": ""}, {"level": "none"}):
        found = terms_of(form(**{**asked.fields, **less}), before, MANAGER)
        assert found.lies_within(own)
        assert found.consent_by == ("" if found.level == "none" else "own")
    gone = agreement(withdrawn(before, TODAY))
    assert not gone.terms.gives
    with pytest.raises(AccessRefused):  # what was withdrawn is not taken up again without a word
        terms_of(asked, gone, OWN)


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ({"level": "everything"}, "share_level"),
        ({"level": "kpi"}, "share_kpis"),
        ({"level": "kpi", "kpis": ["C-INV", "S-INJ"]}, "share_kpis"),
        ({"level": "raw", "since": "2026-13-01"}, "share_days"),
        ({"level": "raw", "since": "0001-01-01"}, "share_days"),
        ({"level": "raw", "since": "2026-09-08", "until": "2026-09-07"}, "share_days"),
        ({"level": "raw", "customer": "x" * 101}, "share_text"),
        ({"level": "raw", "customer": "a\x00b"}, "share_text"),
        ({"level": "raw", "consent_by": "대표이사", "consent_on": "2026-09-09"}, "share_consent_on"),
        ({"level": "raw", "consent_by": "대표이사"}, "share_consent_on"),
    ],
)
def test_what_cannot_be_agreed_on(said: dict[str, Any], word: str) -> None:
    with pytest.raises(AccessRefused) as refused:
        terms_of(form(**said), None, MANAGER)
    assert refused.value.word == word


@pytest.mark.parametrize("name", ["", " ", KPI, "x" * 201, "a\nb"])
def test_an_ordering_company_has_a_name_and_is_another_one(name: str) -> None:
    with pytest.raises(AccessRefused):
        ordering_of(form(ordering=name), KPI)
    assert ordering_of(form(ordering=f" {ORDERING} "), KPI) == ORDERING


def test_each_change_is_a_version_and_in_the_audit_log() -> None:
    book, clock = Book(), SetClock(NOW)
    agreements, audit = Agreements(book, clock), Audit(book, clock)
    note = lambda action, target="", detail="": audit.write("own", "local", action, target, detail)  # noqa: E731
    terms = Terms("kpi", ("P-OEE",), customer="A", since=TODAY, consent_by="own", consent_on=TODAY)
    agreements.put(KPI, ORDERING, terms, "own", note)
    with pytest.raises(AccessRefused, match="already"):
        agreements.put(KPI, ORDERING, terms, "own", note)
    with pytest.raises(AccessRefused, match="log in"):
        agreements.put(KPI, ORDERING, replace(terms, level="raw"), "", note)
    with pytest.raises(AccessRefused):  # without a consent the table itself refuses
        agreements.put(KPI, ORDERING, replace(terms, consent_by=""), "own", note)
    agreements.put(KPI, ORDERING, withdrawn(agreement(terms), TODAY), "boss", note)
    found = agreements.find(KPI, ORDERING)
    assert found is not None
    assert (found.version, found.terms.level, found.made_by) == (2, "none", "boss")
    assert [one.version for one in agreements.history(KPI)] == [2, 1]
    assert agreements.history(KPI)[1].terms == terms
    assert agreements.newest() == agreements.of_ordering({ORDERING}) == agreements.of_supplier(KPI) == [found]
    newest, first = audit.newest(5)
    assert (newest.action, newest.target) == ("share", f"{KPI} → {ORDERING}")
    assert "level: kpi → none" in newest.detail
    assert "kpis: - → P-OEE" in first.detail
    assert "consent_by: - → own" in first.detail
    for statement in (
        "UPDATE share_agreements SET level = 'raw'",
        "DELETE FROM share_agreements",
        "INSERT OR REPLACE INTO share_agreements SELECT * FROM share_agreements WHERE version = 1",
        (
            "INSERT INTO share_agreements VALUES"
            " (9, 'A', 'B', 2, 'none', '', 0, '', '2026-09-01', '', '', '', '', 1, 'own')"
        ),
    ):
        with pytest.raises(sqlite3.IntegrityError), book.write() as cursor:
            cursor.execute(statement)
    assert agreements.newest() == [found]


def test_a_book_of_before_keeps_its_facts() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, "viewer.db", migrations()[:4])
    connection.execute("INSERT INTO company_facts VALUES ('A','','','포항시','','','','','','','','','',1)")
    migrate(connection, "viewer.db")
    assert connection.execute("SELECT company, town, cluster FROM company_facts").fetchall() == [("A", "포항시", "")]
    book = Book()
    kept = Companies(book, SetClock(NOW))
    kept.put([Facts("A", town="포항시", until="2026-12-31", cluster="조선·해양")], quiet)
    assert kept.get("A") == kept.all()["A"] == Facts("A", town="포항시", until="2026-12-31", cluster="조선·해양")
