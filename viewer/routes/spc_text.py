"""What is said of a control chart, in the reader's language."""

from __future__ import annotations

import math
from typing import Final

from viewer.catalog import MachineInfo
from viewer.kpi.control import Control, Mark
from viewer.kpi.nelson import LENGTHS, TESTS
from viewer.kpi.spc import Limits
from viewer.query.charted import DURATION, Characteristic
from viewer.routes.pages import machine_url
from viewer.routes.spc_asked import Wanted
from viewer.words import Words, local, number_text

_AROUND_NS: Final = 10 * 60 * 10**9
_MS: Final = 1_000_000
_SIGNIFICANT: Final = 2
_MOST_DIGITS: Final = 6


def value_digits(chart: Control, want: Wanted) -> int:
    """Digits behind the point for everything on a chart: one more than values have, enough to tell σ."""
    known = want.what.tag.decimals if want.what else None
    sigma = chart.limits.place.sigma
    needed = _SIGNIFICANT - 1 - math.floor(math.log10(sigma)) if sigma > 0 else 0
    return min(_MOST_DIGITS, max(0, needed, 0 if known is None else known + 1))


class Names:
    """What people call what is charted.

    Args:
        words: of the reader.
        want: what is charted.
        machine: whose it is.
    """

    def __init__(self, words: Words, want: Wanted, machine: MachineInfo) -> None:
        self.words, self.want, self._machine = words, want, machine

    @property
    def unit(self) -> str:
        """Of the value."""
        return self.want.what.tag.unit if self.want.what else ""

    def choice(self, one: Characteristic) -> str:
        """A value that can be chosen."""
        label = self.words("cycles_duration") if one.field == DURATION else self.words.label(one.tag.label, one.field)
        return (
            label + (f" ({one.field})" if label != one.field else "") + (f" [{one.tag.unit}]" if one.tag.unit else "")
        )

    def chosen(self) -> str:
        """The value that is charted."""
        return self.choice(self.want.what) if self.want.what else ""

    def pictures(self) -> tuple[str, str]:
        """Names of the two pictures."""
        kind = self.want.kind
        return self.words(f"spc_place_{kind}"), self.words(f"spc_spread_{kind}")

    def number(self, value: float, digits: int) -> str:
        """A value; – where there is none."""
        return number_text(value, digits) if math.isfinite(value) else "–"

    def alt(self, name: str, limits: Limits, digits: int, out: int) -> str:
        """What a picture is, for people who cannot see it."""
        center, lower, upper = (self.number(one, digits) for one in (limits.center, limits.lower, limits.upper))
        return self.words("spc_alt", name=name, value=self.chosen(), center=center, lower=lower, upper=upper, out=out)

    def point(self, chart: Control, at: int, value: float, mark: Mark | None, digits: int) -> str:
        """A point, and what is wrong with it."""
        moment = f"{local(int(chart.points.time_ns[at])):%m-%d %H:%M:%S}"
        return f"{moment} · {self.number(value, digits)}" + (f" · {' / '.join(self.why(mark))}" if mark else "")

    def why(self, mark: Mark) -> list[str]:
        """Which tests marked a point, in words."""
        found = [f"{self.words('spc_test', n=number)}: {self.words.text(TESTS[number])}" for number in mark.tests]
        return [*found, self.words("spc_beyond")] if mark.spread else found

    def side(self, mark: Mark) -> str:
        """How far a point is from the centre line."""
        if mark.sigmas is None:
            return "–"
        return self.words("spc_above" if mark.sigmas >= 0 else "spc_below", n=f"{abs(mark.sigmas):.1f}")

    def span(self, chart: Control, mark: Mark) -> str:
        """From which point on a pattern goes; empty where it is the point alone."""
        length = max((LENGTHS[number] for number in mark.tests), default=1)
        if length == 1:
            return ""
        return self.words("spc_since", time=self.clock(chart, mark.since), n=length)

    def clock(self, chart: Control, at: int) -> str:
        """When a point was."""
        return f"{local(int(chart.points.time_ns[max(0, at)])):%m-%d %H:%M:%S}"

    def around(self, chart: Control, at: int) -> str:
        """Address of the machine's trends around a point."""
        time_ns = int(chart.points.time_ns[at])
        start, end = ((time_ns + one) // _MS for one in (-_AROUND_NS, _AROUND_NS))
        return f"{machine_url(self._machine.key)}?from={start}&to={end}"
