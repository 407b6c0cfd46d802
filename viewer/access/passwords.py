"""Passwords: Argon2id (RFC 9106) with the parameters it recommends second, 64 MiB, three passes, four lanes.

What is required follows NIST SP 800-63B: length counts, kinds of characters do not, nothing expires.
"""

from __future__ import annotations

import base64
import secrets
import unicodedata
from typing import Final

from argon2 import Parameters, PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from viewer.access.refused import AccessRefused

MIN_LENGTH: Final = 12
MAX_LENGTH: Final = 256
"""More costs only us."""
_MIN_DIFFERENT: Final = 5
_COMMON: Final = ("password", "비밀번호", "qwerty", "asdf", "1q2w3e4r", "12345678", "shopfloor", "smartfactory")
"""With one of these a password needs as many other characters as it would without."""


class Passwords:
    """Hashes passwords and checks them; both take about half a second and 64 MiB.

    Args:
        parameters: of Argon2.
    """

    def __init__(self, parameters: Parameters = RFC_9106_LOW_MEMORY) -> None:
        self._hasher = PasswordHasher.from_parameters(parameters)
        self._nobody = _hash_of_nobody(parameters)

    def hash(self, password: str) -> str:
        """A password as it is kept: a PHC string with its own salt."""
        return self._hasher.hash(_composed(password))

    def is_right(self, kept: str | None, password: str) -> bool:
        """Whether a password is the one that is kept; for nobody (None) it takes as long to say no."""
        try:
            self._hasher.verify(kept or self._nobody, _composed(password))
        except (VerificationError, InvalidHashError):
            return False
        return kept is not None

    def is_outdated(self, kept: str) -> bool:
        """Whether a hash was made with other parameters than these."""
        return self._hasher.check_needs_rehash(kept)


def _hash_of_nobody(parameters: Parameters) -> str:
    """A hash that no password has, and that takes as long to check as any other."""
    salt, end = (
        base64.b64encode(secrets.token_bytes(length)).decode().rstrip("=")
        for length in (parameters.salt_len, parameters.hash_len)
    )
    costs = f"m={parameters.memory_cost},t={parameters.time_cost},p={parameters.parallelism}"
    return f"$argon2id$v={parameters.version}${costs}${salt}${end}"


def checked_password(password: str, name: str) -> str:
    """A password that may be chosen; what is wrong with one is said without repeating it.

    Args:
        password: what was chosen.
        name: of the user.

    Raises:
        AccessRefused: too short, too long, or easily guessed.
    """
    composed = _composed(password)
    if not MIN_LENGTH <= len(composed) <= MAX_LENGTH:
        reason = f"a password has {MIN_LENGTH}-{MAX_LENGTH} characters"
        raise AccessRefused("length", reason, least=MIN_LENGTH, most=MAX_LENGTH)
    rest = composed.casefold()
    for word in (name.casefold(), *_COMMON):
        rest = rest.replace(word, "") if word else rest
    if len(set(composed)) < _MIN_DIFFERENT or len(rest) < MIN_LENGTH // 2:
        reason = "this password is easily guessed: take several words that only you put together"
        raise AccessRefused("guessed", reason)
    return password


def _composed(password: str) -> str:
    """As one keyboard or another writes the same characters (NFKC, as SP 800-63B asks)."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "replace").decode()
