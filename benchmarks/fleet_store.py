"""A store as the embedded sink leaves it behind after weeks of minutes, made inside DuckDB in a fraction of the time.

    PYTHONPATH=. python -m benchmarks.fleet_store [--companies 4] [--minutes 150]

writes the same bodies through `pipelines.sinks.duckdb.DuckDbSink` and says whether both stores are equal: every table,
its types, its rows and their order. `benchmarks.fleet` measures on what this module made.

A company has two machines of 30 tags (27 numbers, two counts, one switch), a value a minute of each, and each machine's
state with its reason; an agent sends a body a minute. Values are of the kind that sensors have: a slow wave, noise, one
decimal.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import duckdb

from pipelines.sinks import hours
from pipelines.sinks.duckdb import FORMAT, SQL_TYPES, DuckDbSink, connect
from pipelines.sinks.lineprotocol import Kind

MINUTE_NS: Final = 60 * 10**9
MACHINES: Final = ("M1", "M2")
TAGS: Final = 30
"""Of a machine."""
_FLOAT: Final[Kind] = "float"
_KINDS: Final[tuple[Kind, ...]] = (*(_FLOAT for _ in range(27)), "int", "int", "bool", "int", "string")
"""Of a machine's series: its tags, then code and reason of its state."""
_FIELDS: Final = (*(f"t{n}" for n in range(TAGS)), "code", "reason")
PER_MACHINE: Final = len(_KINDS)
PER_COMPANY: Final = PER_MACHINE * len(MACHINES)
_VALUES: Final[dict[Kind, str]] = {
    "float": "round(20 + field * 3 + 5 * sin(minute / 229.0 + machine) + (hash(i) % 41)::DOUBLE / 20, 1)",
    "int": "CASE field WHEN 30 THEN CASE WHEN hash(i) % 50 = 0 THEN 4 ELSE 1 END"
    " WHEN 27 THEN minute * 12 + hash(i) % 3 ELSE hash(i) % 200 END",
    "bool": "hash(i) % 2 = 0",
    "string": "''",
}


def names_of(companies: int) -> list[str]:
    """Companies by their numbers."""
    return [f"기업{n:04}" for n in range(companies)]


def make(path: Path, companies: int) -> None:
    """An empty store that knows every series, each numbered as the sink does when a company is first heard."""
    asyncio.run(DuckDbSink(path).close())
    names = names_of(companies)
    rows = [
        (n * PER_COMPANY + m * PER_MACHINE + f, company, "press" if f < TAGS else "state",
         f'{{"company":"{company}","machine":"{machine}","site":"A"}}', field, kind)
        for n, company in enumerate(names)
        for m, machine in enumerate(MACHINES)
        for f, (field, kind) in enumerate(zip(_FIELDS, _KINDS, strict=True))
    ]  # fmt: skip
    with _opened(path) as connection:
        for first in range(0, len(rows), 20_000):
            part = list(zip(*rows[first : first + 20_000], strict=True))
            connection.execute(
                "INSERT INTO series SELECT unnest(?), unnest(?), unnest(?), unnest(?), unnest(?), unnest(?)",
                [list(column) for column in part],
            )


def fill(path: Path, companies: int, start_ns: int, first: int, last: int, *, rolled: bool = True) -> None:
    """Minutes `first` to before `last`, with their hours; the minutes before are there, and end with a whole hour.

    Args:
        path: of a store made by `make`.
        companies: how many.
        start_ns: time of minute 0, a whole hour, ns since 1970 UTC.
        first: minute, a multiple of 60.
        last: minute.
        rolled: whether hours are kept of them.
    """
    with _opened(path) as connection:
        for kind in SQL_TYPES:
            connection.execute(_points(kind, companies, start_ns, first, last))
            if rolled and kind in hours.KINDS:
                connection.execute(
                    f"INSERT INTO hours SELECT series, time_ns // {hours.HOUR_NS} AS of, {hours.COLUMNS}"  # noqa: S608
                    f" FROM points_{kind} WHERE time_ns >= {start_ns + first * MINUTE_NS} GROUP BY series, of"
                )
        if rolled:
            connection.execute(f"DELETE FROM rolled; INSERT INTO rolled VALUES ({last * companies})")  # noqa: S608


def _points(kind: Kind, companies: int, start_ns: int, first: int, last: int) -> str:
    """A row for each minute, company, machine and field of a kind, in this order, as they come in."""
    fields = [n for n, one in enumerate(_KINDS) if one == kind]
    of_minute = companies * len(MACHINES) * len(fields)
    if fields == list(range(fields[0], fields[0] + len(fields))):
        field = f"{fields[0]} + i % {len(fields)}"
    else:
        field = f"[{', '.join(map(str, fields))}][1 + i % {len(fields)}]"
    series = f"(company * {PER_COMPANY} + machine * {PER_MACHINE} + field)::INTEGER AS series"
    per = len(MACHINES) * len(fields)
    return (
        f"INSERT INTO points_{kind} SELECT series, {start_ns} + minute * {MINUTE_NS}, {_VALUES[kind]},"  # noqa: S608
        f" minute * {companies} + company + 1 FROM (SELECT *, {series} FROM (SELECT i, i // {of_minute} AS minute,"
        f" i % {of_minute} // {per} AS company, i // {len(fields)} % {len(MACHINES)} AS machine, {field} AS field"
        f" FROM range({first * of_minute}, {last * of_minute}) AS one(i)))"
    )


def body(company: str, number: int, time_ns: int, values: dict[int, Any]) -> bytes:
    """What the agent of a company sends of a minute; `values` by series."""
    lines = []
    for m, machine in enumerate(MACHINES):
        own = number * PER_COMPANY + m * PER_MACHINE
        said = [f"{field}={_text(values[own + f])}" for f, field in enumerate(_FIELDS)]
        where = f"company={company},machine={machine},site=A"
        lines += [
            f"press,{where} {','.join(said[:TAGS])} {time_ns}",
            f"state,{where} {','.join(said[TAGS:])} {time_ns}",
        ]
    return "\n".join(lines).encode()


def _text(value: object) -> str:
    match value:
        case bool():
            return "t" if value else "f"
        case int():
            return f"{value}i"
        case str():
            return f'"{value}"'
        case _:
            return repr(value)


def bodies(connection: duckdb.DuckDBPyConnection, companies: int, minute: int) -> Iterator[tuple[str, bytes]]:
    """Company and body of each company of one minute of a made store, in the order of their batches."""
    names = names_of(companies)
    low, high = minute * companies, (minute + 1) * companies
    by_company: dict[int, dict[int, Any]] = {}
    at = 0
    for kind in SQL_TYPES:
        rows = connection.execute(
            f"SELECT series, time_ns, value FROM points_{kind} WHERE batch > ? AND batch <= ?",  # noqa: S608
            (low, high),
        ).fetchall()
        for series, at, value in rows:  # noqa: B007
            by_company.setdefault(series // PER_COMPANY, {})[series] = value
    for n in sorted(by_company):
        yield names[n], body(names[n], n, at, by_company[n])


def _opened(path: Path) -> duckdb.DuckDBPyConnection:
    return connect(path, read_only=False, max_memory_bytes=4_000_000_000, threads=2)


def equal(companies: int, minutes: int, folder: Path) -> list[str]:
    """What of a made store is not as the sink leaves it; nothing = they are equal."""
    made, sunk, start_ns = folder / "made.duckdb", folder / "sunk.duckdb", 1_790_000 * hours.HOUR_NS
    make(made, companies)
    fill(made, companies, start_ns, 0, minutes // 120 * 60)
    fill(made, companies, start_ns, minutes // 120 * 60, minutes)
    sink = DuckDbSink(sunk)

    async def write() -> None:
        with _opened(made) as connection:
            for minute in range(minutes):
                for company, text in bodies(connection, companies, minute):
                    await sink.write(company, text)

    asyncio.run(write())
    while hours.roll(sink.cursor(), companies * minutes):
        pass
    asyncio.run(sink.close())
    tables = {"series": "rowid", "store": "rowid", "rolled": "rowid", "hours": "hour, series"}
    tables |= {f"points_{kind}": "rowid" for kind in SQL_TYPES}
    found = []
    with _opened(made) as one, _opened(sunk) as other:
        for table, order in tables.items():
            queries = (f"DESCRIBE {table}", f"SELECT * FROM {table} ORDER BY {order}")  # noqa: S608
            found += [two for two in queries if one.execute(two).fetchall() != other.execute(two).fetchall()]
        (rows,) = one.execute("SELECT count(*) FROM points_float").fetchone() or (0,)
    assert rows == companies * len(MACHINES) * _KINDS.count("float") * minutes
    return found


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--companies", type=int, default=4)
    parser.add_argument("--minutes", type=int, default=150)
    said = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sf-fleet-") as folder:
        found = equal(said.companies, said.minutes, Path(folder))
    points = said.companies * PER_COMPANY * said.minutes
    print(f"format {FORMAT}, {points:,} points: {'; '.join(found) or 'equal to what the sink leaves behind'}")


if __name__ == "__main__":
    main()
