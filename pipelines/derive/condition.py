"""Whether the condition of an alarm is met: pure, over readings one after the other.

The answer has three values: met, not met, and unknown while one of its tags is bad, was never read, or its detector is
faulty. What is unknown is no alarm, and no return to normal.
"""

from __future__ import annotations

from typing import Any, Final

from pipelines.derive.alarm_settings import AlarmSettings
from pipelines.derive.rule import Ref, Value
from pipelines.derive.usable import number
from pipelines.point import BAD, SEVERITY_MASK, UNCERTAIN_LAST_USABLE

_NO_COMMUNICATION_LAST_USABLE: Final = 0x408F_0000
_FLAGS: Final = 0xFFFF_0000
_PARTS: Final = 32
"""Parts of the time that `rises_by` looks back: a value counts until its part is over."""


def is_known(value: Value, status: int) -> bool:
    """Whether a reading says what is there now: not bad, not an old value, and a number that is one."""
    old = status & _FLAGS in {UNCERTAIN_LAST_USABLE, _NO_COMMUNICATION_LAST_USABLE}
    sound = status & SEVERITY_MASK != BAD if isinstance(value, str) else number(value, status) is not None
    return sound and not old


class Condition:
    """The condition of one alarm.

    Args:
        settings: of the alarm.

    Attributes:
        refs: (machine, tag) of everything it looks at.
        value: what was compared last; None before the first time, and where a text is compared.
    """

    def __init__(self, settings: AlarmSettings) -> None:
        watched = settings.tags or tuple(one for one in (settings.tag, settings.minus) if one)
        self._settings = settings
        self._watched = [settings.ref(one) for one in watched]
        self._fault = settings.ref(settings.fault) if settings.fault else None
        self.refs = [*self._watched, *([self._fault] if self._fault else [])]
        self._known = dict.fromkeys(self.refs, False)
        self._values: dict[Ref, Any] = {}
        self._lowest: list[tuple[int, float]] = []
        self._width_ns = max(1, int((settings.per_s or 0.0) * 1e9 / _PARTS))
        self._met = False
        self.value: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether it is met; None = unknown."""
        return self._met if all(self._known.values()) else None

    def take(self, ref: Ref, time_ns: int, value: Value, status: int) -> bool:
        """One reading of `refs`; whether it is one of the first tag that said something: these are counted."""
        known = is_known(value, status)
        if ref == self._fault:
            known = known and not value
        if ref not in self._watched:
            self._known[ref] = known
            return False
        self._known[ref] = known = known and (not isinstance(value, str) or isinstance(self._settings.equals, str))
        if known:
            self._values[ref] = value
        if not all(self._known[one] for one in self._watched):
            return False
        if known:
            self._met = self._compared(time_ns)
        return known and (ref == self._watched[0] or bool(self._settings.tags))

    def _compared(self, time_ns: int) -> bool:
        settings, values = self._settings, [self._values[one] for one in self._watched]
        if settings.equals is not None and not settings.minus and not settings.tags:
            self.value = None if isinstance(values[0], str) else float(values[0])
            return bool(values[0] == settings.equals)
        x = max(values) - min(values) if settings.tags else values[0] - (values[1] if settings.minus else 0)
        self.value = x = float(x)
        back = settings.deadband if self._met else 0.0
        if settings.above is not None:
            return x > settings.above - back
        if settings.below is not None:
            return x < settings.below + back
        if settings.outside is not None:
            return abs(x) > settings.outside - back
        if settings.rises_by is not None:
            rise = x - self._lowest_before(time_ns, x)
            return rise >= settings.rises_by if not back else rise > settings.rises_by - back
        return x == settings.equals

    def _lowest_before(self, time_ns: int, x: float) -> float:
        """Lowest value of the last `per_s` seconds, with this one; what cannot be the lowest any more is not kept."""
        part = time_ns // self._width_ns
        lowest = [one for one in self._lowest if one[0] >= part - _PARTS]
        into = max(part, lowest[-1][0]) if lowest else part  # what comes late counts for the newest part
        while lowest and lowest[-1][1] >= x:
            lowest.pop()
        if not lowest or lowest[-1][0] < into:
            lowest.append((into, x))
        self._lowest = lowest
        return lowest[0][1]

    def moved(self, by_ns: int) -> None:
        """The clock was set: what `rises_by` compares with is as old as before, to a part."""
        parts = -(-by_ns // self._width_ns)
        self._lowest = [(part + parts, x) for part, x in self._lowest]

    def state(self) -> list[Any]:
        """What `restore` needs, for JSON; values only where the next comparison needs them."""
        several = len(self._watched) > 1
        values = [self._values.get(one) for one in self._watched] if several else []
        newest = self._lowest[-1][0] if self._lowest else 0
        lowest = [newest, [[newest - part, x] for part, x in self._lowest]] if self._lowest else []
        return [[int(one) for one in self._known.values()], int(self._met), values, lowest]

    def forget(self) -> None:
        """Nothing is known until each tag is read again."""
        self._known = dict.fromkeys(self.refs, False)

    def restore(self, state: list[Any], value: float | None) -> None:
        """Go on where `state` was taken, with the `value` of then; what was kept of other tags is left aside."""
        self.value = value
        known, met, values, lowest = state
        if len(known) != len(self._known) or len(values) not in {0, len(self._watched)}:
            return
        self._known = dict(zip(self.refs, map(bool, known), strict=True))
        newest, parts = lowest or (0, [])
        self._met, self._lowest = bool(met), [(newest - age, x) for age, x in parts]
        self._values = {ref: value for ref, value in zip(self._watched, values, strict=False) if value is not None}
