"""Which entries of a device are wanted: by path, address, type and unit. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import translate
from typing import Final

from connectors.base import Found

_ROOT: Final = "Objects/"
_PARTS: Final = re.compile(r"\*\*/|\*\*|\*|\?|\[[^]]*\]|.", re.DOTALL)
_MEANS: Final = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


@dataclass(slots=True)
class Choice:
    """What is wanted; several patterns of one kind are joined by or, kinds by and.

    Attributes:
        match: globs on the path, or on the address; `**` crosses `/`.
        types: globs on the type, in any case.
        units: globs on the engineering unit.
    """

    match: Sequence[str] = ()
    types: Sequence[str] = ()
    units: Sequence[str] = ()
    _paths: list[re.Pattern[str]] = field(init=False)
    _addresses: list[re.Pattern[str]] = field(init=False)
    _types: list[re.Pattern[str]] = field(init=False)
    _units: list[re.Pattern[str]] = field(init=False)

    def __post_init__(self) -> None:
        self._paths = [glob(one) for one in self.match]
        self._addresses = [re.compile(translate(one)) for one in self.match]
        self._types = [re.compile(translate(one), re.IGNORECASE) for one in self.types]
        self._units = [re.compile(translate(one)) for one in self.units]

    def all(self) -> bool:
        """Whether everything is wanted."""
        return not (self.match or self.types or self.units)

    def takes(self, found: Found) -> bool:
        """Whether an entry is wanted."""
        path = found.path.lstrip("/")
        if self._paths and not (
            any(one.fullmatch(path) or one.fullmatch(_ROOT + path) for one in self._paths)
            or any(one.match(found.address) for one in self._addresses)
        ):
            return False
        if self._types and not any(one.match(found.datatype) for one in self._types):
            return False
        return not self._units or any(one.match(found.unit) for one in self._units)


def glob(text: str) -> re.Pattern[str]:
    """A glob on a path: `*` and `?` stay within a name, `**` crosses `/`; without `/` it is about the last name."""
    text = text.lstrip("/")
    if "/" not in text:
        text = f"**/{text}"
    pieces = _PARTS.findall(text)
    return re.compile(
        "".join(_MEANS.get(one) or (one if len(one) > 1 else re.escape(one)) for one in pieces), re.DOTALL
    )
