"""What a person chose and cannot have: said in one language by commands, in two by pages."""

from __future__ import annotations

from pipelines.errors import ConfigError


class AccessRefused(ConfigError):
    """A name, password, scope or change that cannot be.

    Attributes:
        word: `refused_<word>` of `viewer/i18n` says it on a page.
        values: what is filled into those words.
        reason: the same for a command.
    """

    def __init__(self, word: str, reason: str, **values: object) -> None:
        super().__init__(None, None, reason)
        self.word = word
        self.values = values
