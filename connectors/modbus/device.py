"""A device that is read by its profile: which of its items become tags, under which names."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Any, Final, NamedTuple, Self

from pydantic import Field, ValidationError, model_validator

from connectors.modbus.profile import Item, Profile, ProfileName, load_profile
from connectors.modbus.tag import ADDRESSES, ByteOrder, DataType, Encoding, ModbusTag, Sentinel, WordOrder
from pipelines.point import TagFacts
from pipelines.settings import Name, Settings, TagSettings, words_of

_SHOWN: Final = 12
_OF_THE_MAP: Final = {"description", "source", "on_request", "plus"}


class DeviceTag(TagSettings):
    """An item of a profile under a name and with settings of your own; what is not set is as the profile has it."""

    item: Annotated[str, Field(min_length=1)]
    """Item of the profile, or for a controller one of its devices: `D100`, `D100.F` (a bit of the word), `M0010F`."""
    datatype: DataType | None = None
    """Type of the value, for devices of a controller; default: the profile's."""
    length: Annotated[int, Field(ge=1, le=125)] | None = None
    """Registers a `string` takes, 1-125."""
    encoding: Encoding | None = None
    """Encoding of a `string`; default: utf-8."""
    byte_order: ByteOrder | None = None
    """Byte order; default: the device's."""
    sentinels: dict[int, Sentinel] = Field(default_factory=dict)
    """Raw values that mean no number; default: the profile's."""
    max_jump: Annotated[float, Field(gt=0)] | None = None
    """Largest plausible change of the raw value within one period; default: the profile's."""
    counter: bool = False
    """A counter that goes on as `<name>_total`; default: the profile's."""
    period_s: Annotated[float, Field(gt=0)] | None = None
    """Time between two reads, seconds; default: the device's."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        """Not alone: the range that a percent deadband needs may be the profile's; the tag made of both is checked."""
        return self


class Guard(NamedTuple):
    """Tags that are not believed while a register of the same device holds another value than it must.

    Attributes:
        row: row of the tag that shows the register.
        rows: the tags, all of one device.
        equals: what the register must hold.
        told: what to say when it does not; `{}` stands for what it holds.
    """

    row: int
    rows: range
    equals: int
    told: str


class Expanded(NamedTuple):
    """The tags of a device.

    Attributes:
        tags: in the order of the file.
        places: where each is written, below the device: empty, or `tags` and a position.
        facts: what the profile says of each.
        check: position of the tag that proves the map; None = it cannot be proven.
    """

    tags: tuple[ModbusTag, ...]
    places: tuple[tuple[str | int, ...], ...]
    facts: tuple[TagFacts, ...]
    check: int | None


class DeviceSettings(Settings):
    """A device with a register map that the product knows: docs/profiles.md lists the profiles and their items."""

    profile: ProfileName
    """Register map: `sdm630`, `autonics_tk`, `ls_xgb` …; docs/profiles.md shows each."""
    unit: Annotated[int, Field(ge=0, le=255)] | None = None
    """Unit id 0-255; default: the connection's."""
    machine: Name | None = None
    """Machine its tags belong to (a key of `machines`); default: the connection's `machine`."""
    items: tuple[Annotated[str, Field(min_length=1)], ...] | None = None
    """Items that become tags under their own names. Default: all that the profile does not keep for request, or none
    where `tags` lists some."""
    prefix: str = ""
    """Put in front of the names of `items`, where two devices belong to one machine."""
    tags: tuple[DeviceTag, ...] = ()
    """Items under names and with settings of your own."""
    period_s: Annotated[float, Field(gt=0)] | None = None
    """Time between two reads of every item, seconds; default: the profile's, item by item."""
    byte_order: WordOrder | None = None
    """Byte order of every value; default: the profile's."""
    parameters: dict[Name, int] = Field(default_factory=dict)
    """What the profile cannot know: the word that a controller shows first, an address offset …"""

    @property
    def map(self) -> Profile:
        """The register map."""
        return load_profile(self.profile)

    @cached_property
    def expanded(self) -> Expanded:
        """The tags."""
        tags, places, facts = [], [], []
        for fields, place, item in self._chosen():
            tags.append(ModbusTag.model_validate(fields))
            places.append(place)
            facts.append(_facts(item))
        check = None
        if self.map.check is not None and self._provable():
            name = self.prefix + self.map.check.item
            check = next((at for at, tag in enumerate(tags) if tag.name == name), None)
        return Expanded(tuple(tags), tuple(places), tuple(facts), check)

    def _chosen(self) -> Iterator[tuple[dict[str, Any], tuple[str | int, ...], Item]]:
        """Settings of each tag, where it is written, and the item it shows."""
        names = list(self.items if self.items is not None else () if self.tags else self.map.usual())
        if (check := self.map.check) is not None and self.items is None:
            names = [name for name in names if name != check.item]
        if check is not None and check.item not in names and self._provable():
            names.insert(0, check.item)
        for name in names:
            item = self.map.find(name)
            assert item is not None
            yield self._fields(name, item) | {"name": self.prefix + name}, (), item
        for position, tag in enumerate(self.tags):
            item = self.map.find(tag.item)
            assert item is not None
            own = tag.model_dump(include=tag.model_fields_set - {"item"})
            if "datatype" in own and own["datatype"] != "bool":
                own.setdefault("bit", None)
            yield self._fields(tag.item, item) | own, ("tags", position), item

    def _provable(self) -> bool:
        """Whether the register that proves the map can be read; an offset may put it before address 0."""
        check = self.map.check
        return check is not None and self._address(check.item, self.map.items[check.item]) >= 0

    def _fields(self, name: str, item: Item) -> dict[str, Any]:
        fields = item.model_dump(include=item.model_fields_set - _OF_THE_MAP)
        shift = self._shift(name, item)
        fields["address"] += shift
        if item.decimals_from is not None:
            fields["decimals_from"] += shift
        fields["period_s"] = self.period_s or fields.get("period_s") or self.map.period_s
        if item.table not in {"coil", "discrete"}:
            fields["byte_order"] = self.byte_order or fields.get("byte_order") or self.map.byte_order
        return fields | {"unit": self.unit, "machine": self.machine}

    def _address(self, name: str, item: Item) -> int:
        return item.address + self._shift(name, item)

    def _shift(self, name: str, item: Item) -> int:
        known = {key: one.default for key, one in self.map.parameters.items()} | self.parameters
        minus = self.map.minus(name)
        return (known[item.plus] if item.plus else 0) - (known[minus] if minus else 0)

    @model_validator(mode="after")
    def _known(self) -> Self:
        for key, value in self.parameters.items():
            one = self.map.parameters.get(key)
            if one is None:
                known = ", ".join(self.map.parameters) or "none"
                msg = f"parameters: {self.profile} has no {key!r} (it has: {known})"
                raise ValueError(msg)
            if not one.low <= value <= one.high:
                msg = f"parameters: {key} must be {one.low} to {one.high}, not {value}: {one.description}"
                raise ValueError(msg)
        for key, name in [("items", name) for name in self.items or ()] + [("tags", tag.item) for tag in self.tags]:
            item = self.map.find(name)
            if item is None:
                msg = f"{key}: {_unknown(self.profile, self.map, name)}"
                raise ValueError(msg)
            if not 0 <= (address := self._address(name, item)) < ADDRESSES:
                msg = f"{key}: {name} would stand at address {address}; look at parameters"
                raise ValueError(msg)
        if not self.expandable():
            msg = "items: name some, or list tags; this profile has areas and no items of its own"
            raise ValueError(msg)
        try:
            _ = self.expanded
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            told = words_of(first)
            what = f"{'.'.join(map(str, first['loc']))}: {told}" if first["loc"] else told
            msg = f"{'tags' if self.tags else 'prefix'}: {what}"
            raise ValueError(msg) from None
        return self

    def expandable(self) -> bool:
        """Whether anything would be read."""
        return bool(self.items or self.tags or (self.items is None and self.map.usual()))


def _facts(item: Item) -> TagFacts:
    low, high = (item.range.low, item.range.high) if item.range else (None, None)
    return TagFacts(item.engineering_unit, low, high, item.description or item.source, item.datatype)


def _unknown(profile: str, known: Profile, name: str) -> str:
    """What to say of an item that a profile does not have."""
    names = [*known.items, *(f"{letter}… (such as {area.example})" for letter, area in known.areas.items())]
    close = difflib.get_close_matches(name, known.items, 1, 0.6)
    if close:
        return f"{profile} has no item {name!r}; did you mean {close[0]!r}?"
    more = "; docs/profiles.md lists all" if len(names) > _SHOWN else ""
    return f"{profile} has no item {name!r}; it has {', '.join(names[:_SHOWN])}{', …' if more else ''}{more}"
