"""What `agent verify` says."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from agent.output import emit
from pipelines.ledger.compare import Finding
from pipelines.ledger.format import Losses
from pipelines.ledger.tally import SeriesKey

_SHOWN: Final = 50


@dataclass(slots=True)
class Report:
    """The answer.

    Attributes:
        series: number of series.
        hours: first and last hour compared, since 1970 UTC; None when the ledger is empty.
        since_hour: hours before it are forgotten; None = nothing is.
        claimed: readings released.
        stored: readings the store holds in these hours.
        cells: series and hours compared.
        findings: of the series and hours that do not agree exactly.
        losses: given up since the ledger began.
        damaged: whether entries of the ledger were lost.
        running: whether the agent runs.
    """

    series: int
    hours: tuple[int, int] | None
    since_hour: int | None
    claimed: int
    stored: int
    cells: int
    findings: list[tuple[SeriesKey, int, Finding]]
    losses: Losses = field(default_factory=Losses)
    damaged: bool = False
    running: bool = False

    @property
    def wrong(self) -> list[tuple[SeriesKey, int, Finding]]:
        """Where store and ledger differ."""
        return [one for one in self.findings if not one[2].agrees]

    @property
    def agrees(self) -> bool:
        """Whether something was compared, and nothing differs."""
        return bool(self.cells) and not self.wrong

    def total(self, what: str) -> int:
        """Sum over all findings."""
        return sum(int(getattr(finding, what)) for _, _, finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        counts = ("missing", "extra", "altered", "open", "unclaimed", "repeated", "doubtful")
        return {
            "agree": self.agrees,
            "from": None if self.hours is None else _hour(self.hours[0]),
            "to": None if self.hours is None else _hour(self.hours[1] + 1),
            "vouches_since": None if self.since_hour is None else _hour(self.since_hour),
            "running": self.running,
            "series": self.series,
            "compared": self.cells,
            "claimed": self.claimed,
            "stored": self.stored,
            **{name: self.total(name) for name in counts},
            "ledger_damaged": self.damaged,
            "given_up": {cause: sum(days.values()) for cause, days in self.losses.points.items()},
            "differences": [_difference(*one) for one in self.wrong],
        }

    def show(self) -> None:
        """For people."""
        if self.hours is None:
            emit("장부가 비어 있음 the ledger is empty: nothing was released yet, or not in these hours")
        else:
            emit(
                f"장부 ledger: {_hour(self.hours[0])} – {_hour(self.hours[1] + 1)}, {self.series} series, "
                f"{self.claimed} readings released; store holds {self.stored}"
            )
        if self.since_hour is not None:
            emit(f"보증 시작 vouches since {_hour(self.since_hour)}: older hours made room for newer ones")
        if self.damaged:
            emit("장부 손상 the ledger lost entries on this disk: what the store holds beyond it cannot be judged")
        for cause, days in sorted(self.losses.points.items()):
            emit(f"알려진 손실 known loss: {sum(days.values())} given up ({cause}), last on {max(days)}")
        notes = {
            "open": "전송 중 open: stored already, and waiting in the journal for the confirmation",
            "unclaimed": "미확정 unclaimed: stored, but not released by this agent: "
            "published before a power cut or a drop, or by another agent",
            "repeated": "반복 repeated: sent twice on purpose, stored once",
            "doubtful": "hours with dropped records, of which only the number was compared",
        }
        for name, text in notes.items():
            if self.total(name):
                emit(f"{self.total(name)} {text}")
        for key, hour, finding in self.wrong[:_SHOWN]:
            emit(f"차이 differs: {_series(key)} {_hour(hour)}: {_what(finding)}")
        if len(self.wrong) > _SHOWN:
            emit(f"… and {len(self.wrong) - _SHOWN} more; --json lists all")
        emit(self._conclusion())

    def _conclusion(self) -> str:
        if not self.cells:
            return "비교한 것 없음 nothing was compared, which is no agreement: is it the right state folder, and time?"
        if self.wrong:
            return f"불일치 differs in {len(self.wrong)} of {self.cells} series and hours"
        return f"일치 agrees: {self.cells} series and hours"


def _series(key: SeriesKey) -> str:
    return ",".join([key.measurement, *(f"{name}={value}" for name, value in key.tags)]) + f" {key.field} ({key.kind})"


def _what(finding: Finding) -> str:
    parts = [f"{count} {name}" for name in ("missing", "extra") if (count := getattr(finding, name))]
    parts += ["altered (at least 1)"] if finding.altered else []
    parts += [f"at {_time(time_ns)}" for time_ns in finding.at_ns]
    return ", ".join(parts)


def _difference(key: SeriesKey, hour: int, finding: Finding) -> dict[str, Any]:
    return {
        "measurement": key.measurement,
        "tags": dict(key.tags),
        "field": key.field,
        "kind": key.kind,
        "hour": _hour(hour),
        "missing": finding.missing,
        "extra": finding.extra,
        "altered": finding.altered,
        "at_ns": list(finding.at_ns),
    }


def _hour(hour: int) -> str:
    return datetime.fromtimestamp(hour * 3600, UTC).strftime("%Y-%m-%dT%H:%MZ")


def _time(time_ns: int) -> str:
    second = datetime.fromtimestamp(time_ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{second}.{time_ns % 10**9:09}Z"


def hour_of(option: str, text: str, *, up: bool) -> int:
    """The hour of a time on the command line, the next full one with `up`.

    Raises:
        ValueError: not a time.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        msg = f"{option} {text}: expected a time such as 2026-11-22 or 2026-11-22T08:00+09:00"
        raise ValueError(msg) from error
    second = int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp())
    return -(-second // 3600) if up else second // 3600
