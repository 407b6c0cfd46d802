"""What a person says of a file's columns, where the file does not say it itself: `--columns MAP.yaml`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, ValidationError

from agent.document import read_document
from agent.explain import locate, path_of
from pipelines.errors import ConfigError
from pipelines.settings import FieldName, Labels, Name, Range, Settings, words_of

Kind = Literal["number", "bool", "text"]
_ENCODINGS: Final = {"utf8": "utf-8", "utf16": "utf-16"} | dict.fromkeys(("euc-kr", "euckr", "ms949", "uhc"), "cp949")


def _encoding(said: object) -> object:
    """The encoding under the name by which it is known here."""
    name = said.lower().replace("_", "-") if isinstance(said, str) else said
    return _ENCODINGS.get(name, name) if isinstance(name, str) else name


class ColumnSettings(Settings):
    """One column."""

    name: FieldName | None = None
    """Name of the tag; default: a known column's, else made of the heading."""
    kind: Kind | None = None
    """`number`, `bool` (true and false, Y and N, 1 and 0) or `text`; default: what its cells are."""
    engineering_unit: str | None = None
    """Its unit; default: a known column's, or what stands in brackets in the heading."""
    range: Range | None = None
    """Physically possible values; a known column has one, any other none."""
    label: Labels | None = None
    """What people see; default: a known column's, else the heading."""
    skip: bool = False
    """It is left out."""


class ImportSettings(Settings):
    """A file's columns."""

    time: str | tuple[str, ...] | None = None
    """Heading of the column with the time, or of several that are read one after the other (day, time of day);
    default: found by its heading, or the only one that holds times."""
    time_format: str | None = None
    """How times are written, as in `%d.%m.%Y %H:%M:%S`; default: found."""
    encoding: Annotated[Literal["utf-8", "cp949", "utf-16"] | None, BeforeValidator(_encoding)] = None
    """Of a CSV file; default: UTF-8 if all of it is, else CP949. `euc-kr`, a part of it, and `ms949` mean CP949 too."""
    serve: Literal["opcua", "modbus"] = "opcua"
    """Protocol of the plant. `modbus`: numbers are input registers; text is served over OPC UA either way."""
    machine: Name | None = None
    """Name of the machine; default: `IMM-01` for a file of the KAMP data set, else `M-01`."""
    machine_class: Annotated[Name | None, Field(alias="class")] = None
    """Class of the machine; default: `injection` for a file of the KAMP data set, else `machine`."""
    label: Labels | None = None
    """What people see of the machine."""
    only: dict[str, str] = Field(default_factory=dict)
    """Heading → text: rows in which this column holds another text are left out."""
    columns: dict[str, ColumnSettings] = Field(default_factory=dict)
    """Heading → what its column is."""

    def named(self) -> Sequence[str]:
        """Every heading that is named, the columns of the time first."""
        time = (self.time,) if isinstance(self.time, str) else self.time or ()
        return (*time, *self.only, *self.columns)

    @property
    def times(self) -> tuple[str, ...]:
        """Headings of the columns with the time; empty = they are to be found."""
        return (self.time,) if isinstance(self.time, str) else self.time or ()


def load_map(path: Path) -> ImportSettings:
    """The map in a YAML file.

    Raises:
        ConfigError: it cannot be read, or something in it is wrong: file and line.
    """
    root, findings = read_document(path)
    if root is None or findings:
        raise ConfigError(path, findings[-1].line, findings[-1].message)
    if not isinstance(root.data, dict):
        raise ConfigError(path, root.line, "the file must hold keys, such as time, serve or columns")
    try:
        return ImportSettings.model_validate_json(json.dumps(root.data), strict=True)
    except ValidationError as error:
        fault = error.errors()[0]
        place = tuple(part for part in fault["loc"] if part not in {"str", "tuple[str, ...]"})
        reason = words_of(fault)
        if fault["type"] == "extra_forbidden":
            reason = "there is no such key"
        raise ConfigError(path, locate(root, place)[0], f"{path_of(root, place)}: {reason}") from None


def check_headings(settings: ImportSettings, headings: Sequence[str], path: Path | None) -> None:
    """Every heading that the map names is one of the file's.

    Raises:
        ConfigError: one is not.
    """
    for one in settings.named():
        if one not in headings:
            close = get_close_matches(one, headings, 1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(headings)}"
            raise ConfigError(path, None, f"the file has no column {one!r}; {hint}")
