"""Readings as columns: what a connector hands over and a pipeline carries.

No object is made per value on the hot path; a `Scan` is a set of parallel arrays of one value dtype.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

GOOD: Final = 0x0000_0000
UNCERTAIN: Final = 0x4000_0000
UNCERTAIN_LAST_USABLE: Final = 0x4090_0000
BAD: Final = 0x8000_0000
BAD_NO_COMMUNICATION: Final = 0x8031_0000
BAD_OUT_OF_RANGE: Final = 0x803C_0000
BAD_NOT_SUPPORTED: Final = 0x803D_0000
BAD_DEVICE_FAILURE: Final = 0x808B_0000
BAD_SENSOR_FAILURE: Final = 0x808C_0000
BAD_CONFIGURATION_ERROR: Final = 0x8089_0000
BAD_TYPE_MISMATCH: Final = 0x8074_0000
BAD_DATA_ENCODING_UNSUPPORTED: Final = 0x8039_0000
BAD_NODE_ID_UNKNOWN: Final = 0x8034_0000
BAD_WAITING_FOR_INITIAL_DATA: Final = 0x8032_0000
SEVERITY_MASK: Final = 0xC000_0000
"""The two top bits of a StatusCode: 00 Good, 01 Uncertain, 10 Bad (OPC 10000-4 §7.39)."""

STATUS_NAMES: Final = {
    GOOD: "Good",
    UNCERTAIN: "Uncertain",
    0x408F_0000: "UncertainNoCommunicationLastUsableValue",
    UNCERTAIN_LAST_USABLE: "UncertainLastUsableValue",
    0x4094_0000: "UncertainEngineeringUnitsExceeded",
    BAD: "Bad",
    0x8007_0000: "BadDecodingError",
    0x8008_0000: "BadEncodingLimitsExceeded",
    0x800A_0000: "BadTimeout",
    0x8011_0000: "BadDataTypeIdUnknown",
    0x801F_0000: "BadUserAccessDenied",
    BAD_NO_COMMUNICATION: "BadNoCommunication",
    BAD_WAITING_FOR_INITIAL_DATA: "BadWaitingForInitialData",
    0x8033_0000: "BadNodeIdInvalid",
    BAD_NODE_ID_UNKNOWN: "BadNodeIdUnknown",
    0x8035_0000: "BadAttributeIdInvalid",
    BAD_DATA_ENCODING_UNSUPPORTED: "BadDataEncodingUnsupported",
    0x803A_0000: "BadNotReadable",
    BAD_OUT_OF_RANGE: "BadOutOfRange",
    BAD_NOT_SUPPORTED: "BadNotSupported",
    BAD_TYPE_MISMATCH: "BadTypeMismatch",
    BAD_CONFIGURATION_ERROR: "BadConfigurationError",
    0x808A_0000: "BadNotConnected",
    BAD_DEVICE_FAILURE: "BadDeviceFailure",
    BAD_SENSOR_FAILURE: "BadSensorFailure",
    0x808D_0000: "BadOutOfService",
    0x809B_0000: "BadNoData",
}
"""Names of StatusCodes that people meet, by OPC 10000-6 Annex A.2; the low 16 bits are flags."""

VALUE_DTYPES: Final = ("float64", "int64", "uint64", "bool", "object")


def status_name(code: int) -> str:
    """Name of a StatusCode, whatever its flags; hexadecimal where it has none here."""
    return STATUS_NAMES.get(code & 0xFFFF_0000, f"0x{code:08X}")


@dataclass(frozen=True, slots=True)
class Scan:
    """Readings of one value dtype, oldest first.

    Attributes:
        tag: row of the connector's tag table, int32, shape (n,): the configured tags in their order, then the parts of
            structured values (`pipelines.parts.Parts`).
        time_ns: source time, ns since 1970-01-01 UTC, int64, shape (n,).
        value: float64, int64, uint64, bool or object (str), shape (n,). Meaningless where `status` is bad.
        status: OPC UA StatusCode, 0 = Good, uint32, shape (n,).
    """

    tag: NDArray[np.int32]
    time_ns: NDArray[np.int64]
    value: NDArray[Any]
    status: NDArray[np.uint32]

    def __len__(self) -> int:
        """Number of readings."""
        return len(self.tag)

    def take(self, index: NDArray[Any]) -> Scan:
        """The readings at `index` (integer positions or a boolean mask), as a new scan."""
        return Scan(self.tag[index], self.time_ns[index], self.value[index], self.status[index])


def scan_of(tag: Any, time_ns: Any, value: Any, status: Any = GOOD, dtype: Any = None) -> Scan:
    """A scan from sequences; a scalar `time_ns` or `status` holds for every reading.

    Raises:
        ValueError: shapes differ, or the value dtype is none of `VALUE_DTYPES`.
    """
    tags = np.atleast_1d(np.asarray(tag, dtype=np.int32))
    values = np.atleast_1d(np.asarray(value, dtype=dtype))
    if values.dtype.kind == "U":
        values = values.astype(object)
    n = len(tags)
    scan = Scan(
        tags,
        np.broadcast_to(np.asarray(time_ns, dtype=np.int64), (n,)),
        values,
        np.broadcast_to(np.asarray(status, dtype=np.uint32), (n,)),
    )
    if values.dtype.name not in VALUE_DTYPES or values.shape != (n,):
        msg = f"value must be one of {VALUE_DTYPES} and of shape ({n},), not {values.dtype} {values.shape}"
        raise ValueError(msg)
    return scan


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of time in which readings of one tag are known to be missing.

    Attributes:
        tag: index into the connector's tag table; −1−i for the source of events i (`ConnectionSettings.event_list`).
        cause: short snake_case word, for example `no_communication`, `queue_overflow`, `sequence_lost`.
        start_ns: time of the last good knowledge, ns since 1970 UTC.
        end_ns: time at which readings came back; None while the gap is open.
        count: readings known to be missing; None when it cannot be known.
        filled: whether the device's own history has given the readings since (`Delivery.historical`).
    """

    tag: int
    cause: str
    start_ns: int
    end_ns: int | None = None
    count: int | None = None
    filled: bool = False


@dataclass(frozen=True, slots=True)
class AlarmEvent:
    """An event or a change of a condition as the device reported it; it becomes a point of measurement `alarm`.

    Attributes:
        source: index into the connection's `event_list()`.
        alarm: name of the condition or event, within its machine; it becomes the series' tag `alarm`.
        time_ns: when it happened by the device, ns since 1970 UTC.
        fields: field values by name: bool, int, finite float or str. By ISA-18.2 and OPC 10000-9, where the device
            says so: `active`, `acknowledged`, `confirmed`, `shelved`, `retain` (bool), `severity` (int, 1-1000),
            `message`, `event`, `event_id`, `comment` (str).
    """

    source: int
    alarm: str
    time_ns: int
    fields: Mapping[str, bool | int | float | str]


@dataclass(frozen=True, slots=True)
class TagFacts:
    """What the device itself says of a tag.

    Attributes:
        engineering_unit: display name of the unit, for example `°C`; empty = unknown.
        low: low end of the range the device names, engineering units; None = unknown.
        high: high end of it.
        description: free text; empty = none.
        datatype: the device's own name of the type; empty = unknown.
    """

    engineering_unit: str = ""
    low: float | None = None
    high: float | None = None
    description: str = ""
    datatype: str = ""


def _ignore() -> None:
    """Nobody waits for this delivery."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a connector yields: scans, known gaps, and the state from which a later link continues.

    Attributes:
        scans: readings, each scan of one dtype.
        resume: opaque state committed together with these readings and handed to the next link; None = unchanged.
        gaps: known gaps, open or closed; a closed one updates the open one with the same tag and start.
        accepted: called once by the consumer when everything above is durable.
        events: alarms and events, oldest first.
        historical: readings out of the device's own history, older than what was delivered before: their times are
            kept, whatever came since.
        device_time_ns: the device's own clock when it sent this (OPC UA publish time), ns since 1970 UTC; None when it
            has none. A right clock means that an old source time is an old change, not a wrong clock.
    """

    scans: tuple[Scan, ...]
    resume: bytes | None = None
    gaps: tuple[Gap, ...] = ()
    accepted: Callable[[], None] = field(default=_ignore)
    device_time_ns: int | None = None
    events: tuple[AlarmEvent, ...] = ()
    historical: bool = False
