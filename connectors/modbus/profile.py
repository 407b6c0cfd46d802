"""Device profiles: the register map of a device as a file, `connectors/profiles/<name>.yaml`, checked by a model."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import Annotated, Any, Final, Literal, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from connectors.modbus.tag import ADDRESSES, DataType, ModbusTag, Table, WordOrder
from pipelines.errors import ConfigError
from pipelines.settings import Labels, Name, Settings

ProfileName = Literal[
    "autonics_tk", "ls_ig5a", "ls_xgb", "melsec", "pm5110", "pm5300", "remote_io", "sdm230", "sdm630"
]  # fmt: skip
"""Profiles there are; docs/profiles.md shows them."""

_BASES: Final = {"decimal": 10, "octal": 8, "hex": 16}
_DEVICE: Final = re.compile(r"([A-Za-z]+)([0-9A-Fa-f]+)(?:\.([0-9A-Fa-f]))?")
_BITS: Final = 16


class SerialDefaults(Settings):
    """How the maker delivers the device's serial line."""

    baud: int
    """Bits per second."""
    parity: Literal["none", "even", "odd"]
    """Parity bit."""
    stop_bits: Literal[1, 2]
    """Stop bits."""
    note: str = ""
    """What else is known."""


class Parameter(Settings):
    """A number that differs from site to site."""

    default: int
    """Value where the site names none."""
    low: int
    """Lowest value."""
    high: int
    """Highest value."""
    description: str
    """What it means."""


class Check(Settings):
    """A register that proves the map: while it holds another value, no other tag of the device is believed."""

    item: str
    """Item that is read; it is always among the tags."""
    equals: int
    """What it must hold."""
    remedy: str
    """What to tell when it does not."""


class Item(ModbusTag):
    """A value of the device: everything a tag can have, and what only the map knows."""

    description: str = ""
    """What the value means, beyond its label."""
    source: str
    """Where in the maker's manual it stands."""
    on_request: bool = False
    """Read only where the site names it."""
    plus: str = ""
    """Parameter added to the address."""


class Area(Settings):
    """Devices of a controller that are named by a letter and a number."""

    source: str
    """Where in the maker's manual it stands."""
    table: Table
    """Table it is read from."""
    numbers: Literal["decimal", "hex", "octal", "word_hex"]
    """How the number is written; `word_hex`: a decimal word and one hexadecimal digit for the bit."""
    datatype: DataType
    """Type where the site names none."""
    example: str
    """How it is written."""
    plus: str = ""
    """Parameter added to the number."""
    minus: str = ""
    """Parameter taken off the number."""


class Profile(Settings):
    """A device."""

    title: str
    """Maker and model."""
    label: Labels
    """What people see."""
    sources: Annotated[tuple[str, ...], Field(min_length=1)]
    """Documents the map was taken from."""
    serial: SerialDefaults | None = None
    """How the maker delivers its serial line."""
    experimental: bool = False
    """Not checked against a manual or a device."""
    byte_order: WordOrder = "ABCD"
    """Byte order of every value that names none."""
    max_registers: Annotated[int, Field(ge=1, le=125)] = 125
    """Most registers in one request."""
    period_s: Annotated[float, Field(gt=0)] = 1.0
    """Time between two reads of items that name none, seconds."""
    parameters: dict[Name, Parameter] = Field(default_factory=dict)
    """What differs from site to site."""
    check: Check | None = None
    """Proof that the map fits."""
    items: dict[Name, Item] = Field(default_factory=dict)
    """Values by name, in the order of the file."""
    areas: dict[Annotated[str, Field(pattern="[A-Z]+")], Area] = Field(default_factory=dict)
    """Devices of a controller by letter."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        used = {one.plus for one in self.items.values()} | {one.plus for one in self.areas.values()}
        used |= {one.minus for one in self.areas.values()}
        if missing := used - {""} - self.parameters.keys():
            msg = f"parameters lacks {', '.join(sorted(missing))}"
            raise ValueError(msg)
        if self.check is not None and self.check.item not in self.items:
            msg = f"check: there is no item {self.check.item}"
            raise ValueError(msg)
        return self

    def usual(self) -> tuple[str, ...]:
        """Items that are read unless the site says otherwise."""
        return tuple(name for name, item in self.items.items() if not item.on_request)

    def find(self, name: str) -> Item | None:
        """The item of that name, or the device of an area (`D100`, `D100.F`); None = there is none."""
        if name in self.items:
            return self.items[name]
        match = _DEVICE.fullmatch(name)
        area = self.areas.get(match[1].upper()) if match else None
        if match is None or area is None:
            return None
        try:
            number = _number(match[2], area.numbers)
        except ValueError:
            return None
        fields: dict[str, Any] = {"datatype": area.datatype}
        if match[3] is not None:
            fields = {"datatype": "bool", "bit": int(match[3], 16)}
        # The number itself may lie beyond the table: only the bases make an address of it.
        item = Item.model_construct(
            None, name=name, table=area.table, address=number, source=area.source, plus=area.plus, **fields
        )
        return None if match[3] is not None and area.datatype == "bool" else item

    def minus(self, name: str) -> str:
        """Parameter that is taken off the address of an item; empty = none."""
        match = _DEVICE.fullmatch(name)
        return self.areas[match[1].upper()].minus if name not in self.items and match else ""


def _number(text: str, numbers: str) -> int:
    if numbers == "word_hex":
        return int(text[:-1] or "0") * _BITS + int(text[-1], 16)
    return int(text, _BASES[numbers])


@cache
def load_profile(name: ProfileName) -> Profile:
    """The profile of that name.

    Raises:
        ConfigError: its file is not a profile; a fault of ours, found by the tests.
    """
    file = resources.files("connectors") / "profiles" / f"{name}.yaml"
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
        return Profile.model_validate(_flat(document, name))
    except (ValidationError, yaml.YAMLError, OSError) as error:
        raise ConfigError(None, None, f"profile {name}: {error}") from error


def _flat(document: dict[str, Any], name: ProfileName) -> dict[str, Any]:
    """Without blocks: what stands over the items of a block goes into each of them, and `like` into all."""
    items: dict[str, Any] = {}
    if like := document.pop("like", None):
        items |= dict(load_profile(like).items)
    for block in document.pop("blocks", ()):
        shared = {key: value for key, value in block.items() if key != "items"}
        for key, item in block["items"].items():
            if key in items:
                raise ConfigError(None, None, f"profile {name}: item {key} stands twice")
            items[key] = {"name": key, **shared, **item}
    return {**document, "items": items}


__all__ = ["ADDRESSES", "Area", "Check", "Item", "Parameter", "Profile", "ProfileName", "SerialDefaults"]
