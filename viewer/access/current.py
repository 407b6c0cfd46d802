"""The request that is being answered: who asks, from where, what the form said.

It is kept in a context variable, which goes along into the threads that Starlette answers in. Where no request is being
answered nobody is there, and nobody sees nothing.
"""

from __future__ import annotations

import hashlib
import hmac
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final

from markupsafe import Markup
from starlette.exceptions import HTTPException

from viewer.access.audit import Audit
from viewer.access.forms import Form
from viewer.access.roles import Permission
from viewer.access.scope import Companies
from viewer.access.users import User

CSRF: Final = "csrf"
"""Name of the field that every form with POST has."""


@dataclass(slots=True)
class Visit:
    """One request.

    Attributes:
        user: who asks; None before the log-in.
        address: where it comes from.
        secret: of the browser, in a cookie: that of the session, or one of its own before the log-in.
        form: what was sent with POST; its CSRF field was right.
        audit: where `note` writes.
        asked: whether a form was drawn, so that the browser needs the cookie.
        encrypted: whether it came over HTTPS.
    """

    user: User | None
    address: str
    secret: str
    audit: Audit
    form: Form = field(default_factory=Form)
    asked: bool = False
    encrypted: bool = False

    def note(self, action: str, target: str = "", detail: str = "") -> None:
        """Write to the audit log what this user did; see `Audit.write`."""
        self.audit.write(self.user.name if self.user else "", self.address, action, target, detail)


_VISIT: ContextVar[Visit | None] = ContextVar("visit", default=None)


def enter(visit: Visit | None) -> None:
    """From here on this request is being answered, in this task and what it starts."""
    _VISIT.set(visit)


def visit() -> Visit:
    """The request that is being answered.

    Raises:
        HTTPException: 401, there is none.
    """
    found = _VISIT.get()
    if found is None:
        raise HTTPException(401)
    return found


def user_or_none() -> User | None:
    """Who asks; None before the log-in, and where no request is being answered."""
    found = _VISIT.get()
    return found.user if found else None


def require(permission: Permission) -> User:
    """Who asks, when the role has the permission.

    Raises:
        HTTPException: 403, it has not.
    """
    user = user_or_none()
    if user is None or not user.may(permission):
        raise HTTPException(403)
    return user


def companies() -> Companies:
    """What whoever asks may see: a set of names, None = every company."""
    user = user_or_none()
    return user.companies if user else frozenset()


def csrf_of(secret: str) -> str:
    """The token in the forms of a browser: bound to its cookie, and telling nothing about it."""
    return hmac.new(secret.encode(), b"csrf", hashlib.sha256).hexdigest()


def csrf_field() -> Markup:
    """The hidden field that each form with POST begins with; templates call it."""
    found = visit()
    found.asked = True
    return Markup('<input type="hidden" name="{}" value="{}">').format(CSRF, csrf_of(found.secret))
