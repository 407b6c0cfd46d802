"""docs/profiles.md from the profiles: `PYTHONPATH=. python tests/connectors/modbus/profiles_page.py` writes it anew."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from connectors.modbus.profile import Item, Profile, ProfileName, load_profile

PAGE: Final = Path(__file__).parents[3] / "docs/profiles.md"
START: Final = "<!-- profiles: made by tests/connectors/modbus/profiles_page.py, do not edit below -->\n"


def profiles() -> str:
    """The generated part, from the marker to the end."""
    names: tuple[ProfileName, ...] = typing.get_args(ProfileName)
    return START + "".join("".join(_section(name, load_profile(name))) for name in names)


def _section(name: str, profile: Profile) -> Iterator[str]:
    yield f"\n## `{name}` – {profile.title}\n\n"
    if profile.experimental:
        yield "**Experimental:** not checked against a manual or a device.\n\n"
    if serial := profile.serial:
        note = f" ({serial.note})" if serial.note else ""
        yield f"- Serial line: {serial.baud} baud, 8{serial.parity[0].upper()}{serial.stop_bits}{note}\n"
    yield f"- Byte order {profile.byte_order}, at most {profile.max_registers} registers in one request, "
    yield f"every {profile.period_s:g} s unless the table says otherwise\n"
    yield from (f"- Source: {source}\n" for source in profile.sources)
    for key, one in profile.parameters.items():
        yield f"- `parameters: {{{key}: …}}` {one.low} to {one.high}, default {one.default}: {one.description}\n"
    if profile.check:
        yield f"- Checked: `{profile.check.item}` must be {profile.check.equals}; while it is not, every other tag of "
        yield "the device is `BadConfigurationError`, and `agent status` says so\n"
    if profile.areas:
        yield "\n| device | table | type | written as | where |\n|---|---|---|---|---|\n"
        for letter, area in profile.areas.items():
            yield f"| `{letter}` | {area.table} | {area.datatype} | {area.example} | {area.source} |\n"
    if profile.items:
        yield "\n| item | unit | table | address | type | what it is |\n|---|---|---|---|---|---|\n"
        yield from (_row(key, item, profile) for key, item in profile.items.items())


def _row(name: str, item: Item, profile: Profile) -> str:
    told = [item.label.en + (" (on request)" if item.on_request else "")]
    told += [item.description] if item.description else []
    if item.range:
        told.append(f"{item.range.low:g} to {item.range.high:g}")
    told += [f"× {item.scale:g}"] if item.scale != 1 else []
    told += [f"decimals from {item.decimals_from}"] if item.decimals_from is not None else []
    told += ["4Q_FP_PF"] if item.decode else []
    told += [f"with `{name}_total`"] if item.counter else []
    told += [f"every {item.period_s:g} s"] if item.period_s and item.period_s != profile.period_s else []
    bit = "" if item.bit is None else f" bit {item.bit}"
    address = f"{item.address}{bit}" + (f" + `{item.plus}`" if item.plus else "")
    return f"| `{name}` | {item.engineering_unit} | {item.table} | {address} | {item.datatype} | {'; '.join(told)} |\n"


if __name__ == "__main__":
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(page[: page.index(START)] + profiles(), encoding="utf-8")
