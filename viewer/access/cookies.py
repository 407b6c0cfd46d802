"""Cookies of the log-in: no script reads them, no other site sends them, and under HTTPS nothing else carries them."""

from __future__ import annotations

from typing import Final

SESSION: Final = "session"
BROWSER: Final = "browser"
"""Binds the token of a form to a browser that has no session."""


def name_of(name: str, *, encrypted: bool) -> str:
    """Under HTTPS with the prefix that lets no other host and no unencrypted page set it (RFC 6265bis §4.1.3.2)."""
    return f"__Host-{name}" if encrypted else name


def set_cookie(name: str, value: str, *, encrypted: bool) -> str:
    """The header that sets a cookie until the browser is closed; an empty value takes it away."""
    secure = "; Secure" if encrypted else ""
    end = "" if value else "; Max-Age=0"
    return f"{name_of(name, encrypted=encrypted)}={value}; Path=/; HttpOnly; SameSite=Strict{secure}{end}"
