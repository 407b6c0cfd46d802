"""Every generic fault: what it is called and what it acts on."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

from simulators.device import Signal
from simulators.faults import links, values

MODBUS: Final = frozenset({"modbus"})
OPCUA: Final = frozenset({"opcua"})
NODES: Final = OPCUA | {"mtconnect"}
EVERY: Final = MODBUS | NODES


def _number(signal: Signal) -> bool:
    return signal.category != "CONDITION" and signal.datatype not in {"bool", "Boolean", "String"}


def _any(_signal: Signal) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Kind:
    """A generic fault.

    Attributes:
        ko: what it is called in Korean.
        en: and in English.
        act: does it: a context manager over a `Place` and its parameters.
        devices: types of device it can befall.
        for_s: how long it lasts where nobody says, plant seconds.
        cuts: keeps values from being read.
        fits: signals it can befall; None = it befalls the whole device.
        one: a signal must be named; otherwise all that fit are meant.
        least: of its parameters that are whole numbers.
    """

    ko: str
    en: str
    act: Callable[..., AbstractContextManager[None]]
    devices: frozenset[str]
    for_s: float
    cuts: bool = False
    fits: Callable[[Signal], bool] | None = None
    one: bool = False
    least: int = 1

    @property
    def parameters(self) -> dict[str, inspect.Parameter]:
        """What `act` takes beside the place, by name."""
        return dict(list(inspect.signature(self.act, eval_str=True).parameters.items())[1:])


FAULTS: Final[dict[str, Kind]] = {
    "comm_loss": Kind("통신 두절", "communication lost", links.comm_loss, EVERY, 30, cuts=True),
    "power_off": Kind("전원 차단", "power off", links.power_off, EVERY, 600, cuts=True),
    "open_sensor": Kind("센서 단선", "sensor open", values.open_sensor, EVERY, 120, fits=_number, one=True),
    "stuck": Kind("값 고착", "value stuck", values.stuck, EVERY, 300, fits=_any),
    "spike": Kind("스파이크", "spike", values.spike, EVERY, 1, fits=_number, one=True),
    "counter_reset": Kind("카운터 리셋", "counter reset", values.counter_reset, EVERY, 1, fits=_number, one=True),
    "rollover": Kind("카운터 롤오버", "counter rollover", values.rollover, EVERY, 1, fits=_number, one=True),
    "word_order": Kind("워드 순서 오류", "wrong word order", values.word_order, MODBUS, 120, fits=_any),
    "clock_skew": Kind("시계 오차", "clock wrong", values.clock_skew, NODES, 600),
    "bad_quality": Kind("품질 나쁨", "bad quality", values.bad_quality, NODES, 60, fits=_any),
    "uncertain_quality": Kind("품질 불확실", "uncertain quality", values.uncertain_quality, OPCUA, 60, fits=_any),
    "timeout": Kind("응답 없음", "timeouts", links.timeout, MODBUS, 60, cuts=True),
    "exception": Kind("예외 응답", "exceptions", links.exception, MODBUS, 60, cuts=True),
    "late_reply": Kind("늦은 응답", "late replies", links.late_reply, MODBUS, 60, cuts=True),
    "wrong_reply": Kind("잘못된 응답", "wrong replies", links.wrong_reply, MODBUS, 60, cuts=True),
    "half_open": Kind("반쪽 연결", "half-open link", links.half_open, EVERY, 30, cuts=True),
    "restart": Kind("서버 재시작", "server restarted, namespaces renumbered", links.restart, NODES, 5, cuts=True),
    "queue_overflow": Kind("대기열 넘침", "queue overflow", links.queue_overflow, OPCUA, 10, cuts=True, least=2),
    "certificate_change": Kind("인증서 교체", "certificate changed", links.certificate_change, OPCUA, 5, cuts=True),
}
"""Name → what it is."""
