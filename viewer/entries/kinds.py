"""Kinds of entries: what each is called, what it needs, and what it may say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from viewer.kpi.words import Text

ENTRY: Final = "entry"
"""Measurement of what happened."""
CONTEXT: Final = "context"
"""Measurement of orders and lots: what was made for whom, from when to when."""
_PLACE: Final = ("line", "machine")
_MADE: Final = ("product", "order", "lot")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind.

    Attributes:
        name: tag `kind` of its points.
        label: what people call it.
        needs: fields without which it says nothing.
        takes: further fields it may have, `note` apart, which every kind takes.
        measurement: where it is stored.
        value: what its number is; None = it has none.
        of: what the number is a part of; None = of nothing.
        unit: of both.
        part: whether the number is at most what it is a part of.
        planned: whether it may lie in the future.
        reason: what its reason is called; None = it has none.
    """

    name: str
    label: Text
    needs: tuple[str, ...]
    takes: tuple[str, ...] = ()
    measurement: str = ENTRY
    value: Text | None = None
    of: Text | None = None
    unit: Text | None = None
    part: bool = False
    planned: bool = False
    reason: Text | None = None

    @property
    def fields(self) -> tuple[str, ...]:
        """Every field of a form about it, in order."""
        return (*self.needs, *self.takes, "note")


_PIECES: Final = Text("개", "pieces")
_CASES: Final = Text("건", "cases")
_PEOPLE: Final = Text("명", "people")

KINDS: Final = {
    one.name: one
    for one in (
        Kind(
            name="stop",
            label=Text("비가동 사유", "Downtime reason"),
            needs=("machine", "reason", "start"),
            takes=("end", *_MADE),
            reason=Text("사유", "Reason"),
        ),
        Kind(
            name="defect",
            label=Text("불량", "Defects"),
            needs=("value", "start"),
            takes=("reason", "of", *_PLACE, *_MADE),
            value=Text("불량 수량", "Defects"),
            of=Text("생산 수량", "Produced"),
            unit=_PIECES,
            part=True,
            reason=Text("불량 유형", "Type of defect"),
        ),
        Kind(
            name="crew",
            label=Text("투입 인원", "Head count"),
            needs=("value", "start", "end"),
            takes=(*_PLACE, *_MADE),
            value=Text("인원", "People"),
            unit=_PEOPLE,
            planned=True,
        ),
        Kind(
            name="order",
            label=Text("생산지시·수주", "Order"),
            needs=("order",),
            takes=("product", "customer", "value", "confirmed", "due", "start", "end", "shipped"),
            measurement=CONTEXT,
            value=Text("수량", "Quantity"),
            unit=_PIECES,
            planned=True,
        ),
        Kind(
            name="lot",
            label=Text("로트", "Lot"),
            needs=("lot", "start"),
            takes=("end", *_PLACE, "product", "order", "customer", "value"),
            measurement=CONTEXT,
            value=Text("수량", "Quantity"),
            unit=_PIECES,
            planned=True,
        ),
        Kind(
            name="inspection",
            label=Text("최종검사", "Final inspection"),
            needs=("value", "of", "start"),
            takes=("line", *_MADE),
            value=Text("불합격 수량", "Rejected"),
            of=Text("검사 수량", "Inspected"),
            unit=_PIECES,
            part=True,
        ),
        Kind(
            name="claim",
            label=Text("반품·클레임", "Returns and claims"),
            needs=("value", "of", "start"),
            takes=("customer", *_MADE),
            value=Text("반품·클레임 건수", "Returns and claims"),
            of=Text("납품 건수", "Deliveries"),
            unit=_CASES,
        ),
        Kind(
            name="stock",
            label=Text("재고 실사", "Stock take"),
            needs=("value", "of", "start"),
            value=Text("장부와 일치한 품목", "Items that agree with the book"),
            of=Text("실사 품목", "Items counted"),
            unit=_CASES,
            part=True,
        ),
        Kind(
            name="stock_value",
            label=Text("재고 금액", "Value of the stock"),
            needs=("value", "start"),
            value=Text("재고(재공) 금액", "Value of the stock"),
            unit=Text("원", "KRW"),
        ),
        Kind(
            name="accident",
            label=Text("재해", "Accident"),
            needs=("value", "of", "start"),
            takes=_PLACE,
            value=Text("재해자", "People injured"),
            of=Text("근로자", "People employed"),
            unit=_PEOPLE,
            part=True,
        ),
        Kind(
            name="near_miss",
            label=Text("아차사고", "Near miss"),
            needs=("value", "start"),
            takes=_PLACE,
            value=Text("아차사고 건수", "Near misses"),
            unit=_CASES,
        ),
    )
}
"""Every kind by its name, in the order of pages."""

FIELDS: Final = {
    "kind": Text("구분", "Kind"),
    "machine": Text("설비", "Machine"),
    "line": Text("라인", "Line"),
    "start": Text("시작", "Start"),
    "end": Text("종료", "End"),
    "value": Text("값", "Value"),
    "of": Text("모수", "Of"),
    "reason": Text("사유", "Reason"),
    "product": Text("품번", "Product"),
    "order": Text("지시번호", "Order"),
    "lot": Text("로트", "Lot"),
    "customer": Text("거래처", "Customer"),
    "confirmed": Text("수주확정", "Confirmed"),
    "due": Text("납기", "Due"),
    "shipped": Text("출하", "Shipped"),
    "note": Text("비고", "Note"),
    "author": Text("입력자", "Author"),
    "id": Text("번호", "Id"),
    "replaces": Text("정정 대상", "Replaces"),
    "withdrawn": Text("취소", "Withdrawn"),
}
"""Every field of an entry, as people call it."""


def label_of(kind: Kind, field: str) -> Text:
    """A field as a form about this kind calls it."""
    own = {"value": kind.value, "of": kind.of, "reason": kind.reason}.get(field)
    if field == "start" and "end" not in kind.fields:
        own = Text("일시", "When")
    return own or FIELDS[field]
