"""Configurations with one fault each, made from good ones; every kind of fault is one that nobody could mean."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[3]
GOOD: Final = sorted(
    [
        *(ROOT / "deploy/examples").glob("*.yaml"),
        *(ROOT / "agent/lines").glob("*/site.yaml"),
        ROOT / "tests/agent/good.yaml",
    ]
)
_KEY: Final = re.compile(r"(?P<indent> *)(?:- )?(?P<key>[a-z_]+):(?P<value> +[^\s#{\[>|&*][^#]*)?(?:\s+#.*)?$")
Lines = list[bytes]
Mutate = Callable[[random.Random, Lines], int | None]
"""Changes the lines; the 1-based line in which the fault stands, 0: not in one line alone, None: it found no place."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A configuration with a fault.

    Attributes:
        kind: of fault.
        text: the file.
        line: 1-based, where the fault stands; 0 when that is not one line alone.
    """

    kind: str
    text: bytes
    line: int


def _places(lines: Lines, *keys: str, value: bool = True) -> list[tuple[int, re.Match[str]]]:
    """Lines `key: value` of these keys, of any without."""
    found = [(at, _KEY.fullmatch(line.decode())) for at, line in enumerate(lines)]
    return [(at, one) for at, one in found if one and (not keys or one["key"] in keys) and (one["value"] or not value)]


def _replaced(*keys: str, value: str) -> Mutate:
    """Another value for one of these keys."""

    def mutate(rng: random.Random, lines: Lines) -> int | None:
        if not (places := _places(lines, *keys)):
            return None
        at, one = rng.choice(places)
        lines[at] = lines[at][: one.start("value")] + f" {value}".encode()
        return at + 1

    return mutate


def _unknown_key(rng: random.Random, lines: Lines) -> int | None:
    at, one = rng.choice([place for place in _places(lines) if not lines[place[0]].lstrip().startswith(b"- ")])
    lines.insert(at, f"{one['indent']}nobody_knows_{rng.randrange(1000)}: 1".encode())
    return at + 1


def _twice(rng: random.Random, lines: Lines) -> int | None:
    at, _ = rng.choice([place for place in _places(lines) if not lines[place[0]].lstrip().startswith(b"- ")])
    lines.insert(at + 1, lines[at])
    return at + 2


def _missing(rng: random.Random, lines: Lines) -> int | None:
    places = [place for place in _places(lines, "company", "site") if not place[1]["indent"]]
    at, _ = rng.choice(places)
    del lines[at]
    return 0


def _tab(rng: random.Random, lines: Lines) -> int | None:
    at, _ = rng.choice([place for place in _places(lines) if place[1]["indent"]])
    lines[at] = b"\t" + lines[at].lstrip()
    return 0


def _open_quote(rng: random.Random, lines: Lines) -> int | None:
    at, one = rng.choice(_places(lines))
    lines[at] = lines[at][: one.start("value")] + b' "never closed'
    return 0


def _open_bracket(rng: random.Random, lines: Lines) -> int | None:
    at, one = rng.choice(_places(lines))
    lines[at] = lines[at][: one.start("value")] + b" {never: closed"
    return 0


def _byte(rng: random.Random, lines: Lines) -> int | None:
    at, _ = rng.choice(_places(lines))
    lines[at] += rng.choice([b"\xff", b"\xc3\x28", b"\x00", b"\x07"])
    return 0


def _nothing(rng: random.Random, lines: Lines) -> int | None:
    lines[:] = [rng.choice([b"", b"# only this", b"null", b"- a list", b"words"])]
    return 0


KINDS: Final[dict[str, Mutate]] = {
    "a key nobody knows": _unknown_key,
    "a key that stands twice": _twice,
    "a needed key is missing": _missing,
    "a list for a value": _replaced(value="[not, that]"),
    "a group for a value": _replaced(value="{not: that}"),
    "words for a number": _replaced("port", "period_s", "address", "unit", "scale", value="plenty"),
    "a negative number": _replaced("port", "period_s", "publishing_interval_s", "sampling_interval_s", value="-1"),
    "not a number": _replaced("period_s", "scale", "publishing_interval_s", value=".nan"),
    "a port beyond all": _replaced("port", value="70000"),
    "a type nobody knows": _replaced("type", value="carrier_pigeon"),
    "a machine nobody named": _replaced("machine", value="nobody_named_me"),
    "a name that is no name": _replaced("company", "site", value="a/b+c#"),
    "a tab": _tab,
    "a quote without end": _open_quote,
    "a bracket without end": _open_bracket,
    "a byte that is no text": _byte,
    "nothing of use": _nothing,
}


def mutants(seed: int) -> Iterator[Mutant]:
    """Without end: kinds in turn, files and places by chance."""
    rng = random.Random(seed)
    while True:
        for kind, mutate in KINDS.items():
            line = None
            while line is None:
                lines = rng.choice(GOOD).read_bytes().splitlines()
                line = mutate(rng, lines)
            yield Mutant(kind, b"\n".join(lines) + b"\n", line)
