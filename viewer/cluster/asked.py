"""An agreement as somebody asks for it in a form, checked. Pure.

Whoever shares more than before says that the company agrees: the supplier's own user by a tick, a TP manager by who of
the supplier agreed and when. To share less, or nothing, nobody has to agree.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from pipelines.share.settings import LEVELS
from viewer.access.forms import Form
from viewer.access.refused import AccessRefused
from viewer.access.users import MAX_COMPANY, plain
from viewer.cluster.agreement import SHAREABLE, Agreement, Terms

MAX_TEXT: Final = 100
_PATH: Final = re.compile(r"(?![.\-]+$)[^/\\]+")
"""It is a piece of an address: `..` would lead elsewhere, and `-` is one without a name."""
_FIRST: Final = date(2000, 1, 1)
_LAST: Final = date(2199, 12, 31)


@dataclass(frozen=True, slots=True)
class Writer:
    """Who fills in the form.

    Attributes:
        name: log-in name.
        own: whether it is the supplier's own user, whose tick is the company's consent.
        today: in Korea.
    """

    name: str
    own: bool
    today: date


def ordering_of(form: Form, supplier: str) -> str:
    """The ordering company that a form names.

    Raises:
        AccessRefused: it cannot be one.
    """
    name = plain(form.get("ordering"))
    if not name or len(name) > MAX_COMPANY or not name.isprintable() or name == supplier or not _PATH.fullmatch(name):
        raise AccessRefused("share_ordering", "name the ordering company; it is not the supplier itself")
    return name


def terms_of(form: Form, before: Agreement | None, writer: Writer) -> Terms:
    """What a form asks for.

    Args:
        form: its fields are those of `Terms`; `agreed` is the tick of the supplier's own user.
        before: what holds until now.
        writer: who fills it in.

    Raises:
        AccessRefused: it cannot be agreed on, or nobody of the supplier agreed.
    """
    level = next((one for one in LEVELS if one == form.get("level")), None)
    if level is None:
        raise AccessRefused("share_level", f"a level is one of {', '.join(LEVELS)}")
    since = _day(form.get("since")) or writer.today
    until = _day(form.get("until"))
    if until is not None and until < since:
        raise AccessRefused("share_days", "the last day is not before the first")
    terms = Terms(
        level=level,
        kpis=tuple(code for code in SHAREABLE if code in form.fields.get("kpis", ())) if level != "none" else (),
        compared=bool(form.get("compared")),
        customer=_text(form, "customer"),
        since=since,
        until=until,
        basis=_text(form, "basis"),
    )
    if level == "kpi" and not terms.kpis:
        raise AccessRefused("share_kpis", "choose the figures that are shared")
    return _agreed(terms, form, before.terms if before else None, writer)


def withdrawn(before: Agreement, today: date) -> Terms:
    """The same agreement with nothing in it any more."""
    return Terms("none", customer=before.terms.customer, since=min(before.terms.since, today))


def _agreed(terms: Terms, form: Form, before: Terms | None, writer: Writer) -> Terms:
    """The same with who of the supplier agreed, and when."""
    if not terms.gives:
        return terms
    said = _text(form, "consent_by")
    if writer.own and form.get("agreed"):
        return replace(terms, consent_by=writer.name, consent_on=writer.today)
    if not writer.own and said:
        agreed_on = _day(form.get("consent_on"))
        if agreed_on is None or agreed_on > writer.today:
            raise AccessRefused("share_consent_on", "say on which day the supplier agreed, today or before")
        return replace(terms, consent_by=said, consent_on=agreed_on)
    if before is not None and before.gives and terms.lies_within(before):
        return replace(terms, consent_by=before.consent_by, consent_on=before.consent_on)
    raise AccessRefused("share_consent", "more is shared only when the supplier agrees")


def _text(form: Form, name: str) -> str:
    text = " ".join(plain(form.get(name)).split())
    if len(text) > MAX_TEXT or not text.isprintable():
        raise AccessRefused("share_text", f"a text has at most {MAX_TEXT} characters", most=MAX_TEXT)
    return text


def _day(text: str) -> date | None:
    if not text.strip():
        return None
    try:
        found = date.fromisoformat(text.strip())
    except ValueError as error:
        raise AccessRefused("share_days", "a day is written as 2026-11-22") from error
    if not _FIRST <= found <= _LAST:
        raise AccessRefused("share_days", f"a day lies between {_FIRST} and {_LAST}")
    return found
