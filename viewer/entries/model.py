"""One entry: its shape and limits, whichever way it came in."""

from __future__ import annotations

import uuid
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from pipelines.settings import Settings, is_field_name
from viewer.entries.kinds import KINDS
from viewer.entries.times import moment_ns

_LARGEST: Final = 1e12


def _text(value: Any) -> Any:
    """Numbers of a table or of JSON are text here: a lot is called 240117 as well as A-17."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value.strip() if isinstance(value, str) else value


def _printable(text: str) -> str:
    if any(not one.isprintable() for one in text):
        raise PydanticCustomError("control", "control")
    return text


def _place(text: str) -> str:
    if not is_field_name(text):
        raise PydanticCustomError("name", "name")
    return text


def _number(value: Any) -> Any:
    if isinstance(value, bool):
        raise PydanticCustomError("number", "number")
    return value.replace(",", "") if isinstance(value, str) else value


def _moment(value: Any) -> int:
    if isinstance(value, str):
        try:
            return moment_ns(value)
        except ValueError:
            pass
    raise PydanticCustomError("moment", "moment")


def _kind(name: str) -> str:
    if name not in KINDS:
        raise PydanticCustomError("unknown", "unknown", {"known": ", ".join(KINDS)})
    return name


def _uuid(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise PydanticCustomError("uuid", "uuid") from None


Word = Annotated[str, Field(max_length=64), BeforeValidator(_text), AfterValidator(_printable)]
Place = Annotated[Word, AfterValidator(_place)]
Id = Annotated[str, BeforeValidator(_text), AfterValidator(_uuid)]
Amount = Annotated[float, BeforeValidator(_number), Field(ge=0, le=_LARGEST, allow_inf_nan=False)]
Moment = Annotated[int, BeforeValidator(_moment)]


class Entry(Settings):
    """What a person says. Moments are ns since 1970 UTC; what is None or empty was not said.

    Corrections are entries too: nothing is changed where it stands.
    """

    id: Id
    """UUID; the same entry that comes twice bears the same and is kept once."""
    kind: Annotated[str, AfterValidator(_kind)]
    """Name of one of `KINDS`."""
    machine: Place | None = None
    """What it is about; None = the whole line, or site."""
    line: Place | None = None
    """Its line."""
    start: Moment | None = None
    """From when on; when it happened."""
    end: Moment | None = None
    """Until when; None = it goes on, or took no time."""
    value: Amount | None = None
    """The number: pieces, people, cases, KRW, as its kind says."""
    of: Amount | None = None
    """What the number is a part of: inspected, deliveries, people employed."""
    reason: Word = ""
    """Code of a reason the site lists, or its own words where it lists none."""
    product: Word = ""
    """Product number."""
    order: Word = ""
    """Order number."""
    lot: Word = ""
    """Lot."""
    customer: Word = ""
    """For whom."""
    confirmed: Moment | None = None
    """When the order was confirmed (수주확정)."""
    due: Moment | None = None
    """When it is to be delivered by."""
    shipped: Moment | None = None
    """When it was shipped."""
    note: Annotated[str, Field(max_length=200), BeforeValidator(_text), AfterValidator(_printable)] = ""
    """Further words."""
    author: Annotated[str, Field(min_length=1, max_length=40), BeforeValidator(_text), AfterValidator(_printable)]
    """Who says it."""
    replaces: Id | None = None
    """Id of the entry that this one corrects."""
    withdrawn: bool = False
    """Whether the corrected entry no longer counts at all."""


def fresh_id() -> str:
    """An id for an entry that is being written."""
    return str(uuid.uuid4())


def named(entry: Entry, space: uuid.UUID, at: int = 0) -> Entry:
    """The same entry with an id of what it says, so that it is the same one when it comes again.

    Args:
        entry: whatever its id.
        space: of the way by which it comes.
        at: tells it from others that say the same.
    """
    said = entry.model_dump_json(exclude={"id", "author"}, exclude_defaults=True)
    return entry.model_copy(update={"id": str(uuid.uuid5(space, f"{at}:{said}"))})
