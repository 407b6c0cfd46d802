"""The embedded store: nothing doubled, nothing altered, nothing lost that was acknowledged."""

from __future__ import annotations

import signal
import struct
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.errors import DependencyError, RecordRejected, SinkUnavailable
from pipelines.sinks.duckdb import DuckDbSink


def rows(sink: DuckDbSink, kind: str) -> list[tuple[Any, ...]]:
    reader = sink.cursor()
    points = reader.table(f"points_{kind}").join(reader.table("series"), "series = id")
    return points.project("company, measurement, tags, field, time_ns, value").order("ALL").fetchall()


@pytest.fixture
async def sink(tmp_path: Path) -> Any:
    sink = DuckDbSink(tmp_path / "store" / "site.duckdb")
    yield sink
    await sink.close()


async def test_every_type_is_kept_exactly(sink: DuckDbSink) -> None:
    body = f'm,machine=P1 i={2**63 - 1}i,j={-(2**63)}i,z=-0.0,f=0.1,b=t,s="한글 \\"x\\"" 1700000000000000001'.encode()
    await sink.write("C", body)
    tags = '{"machine":"P1"}'
    assert rows(sink, "int") == [
        ("C", "m", tags, "i", 1700000000000000001, 2**63 - 1),
        ("C", "m", tags, "j", 1700000000000000001, -(2**63)),
    ]
    assert [struct.pack("d", row[5]) for row in rows(sink, "float")] == [struct.pack("d", 0.1), struct.pack("d", -0.0)]
    assert [row[5] for row in rows(sink, "bool")] == [True]
    assert [row[5] for row in rows(sink, "string")] == ['한글 "x"']


async def test_a_body_delivered_again_changes_nothing(sink: DuckDbSink) -> None:
    body = b"m,machine=P1 f=1,i=1i 10\nm,machine=P1 f=2,i=2i 20"
    await sink.write("C", body)
    before = rows(sink, "float"), rows(sink, "int")
    await sink.write("C", body)
    assert (rows(sink, "float"), rows(sink, "int")) == before


async def test_the_last_write_wins_within_and_between_bodies(sink: DuckDbSink) -> None:
    await sink.write("C", b"m f=2 20\nm f=1 10\nm f=3 20")
    assert [row[4:] for row in rows(sink, "float")] == [(10, 1.0), (20, 3.0)]
    await sink.write("C", b"m f=4 30\nm f=5 20\nm f=6 5")
    assert [row[4:] for row in rows(sink, "float")] == [(5, 6.0), (10, 1.0), (20, 5.0), (30, 4.0)]


async def test_companies_and_spellings_of_a_series(sink: DuckDbSink) -> None:
    await sink.write("C", b"m,a=1,b=2 f=1 10")
    await sink.write("C", b"m,b=2,a=1 f=2 10")
    await sink.write("D", b"m,b=2,a=1 f=3 10")
    assert [(row[0], row[5]) for row in rows(sink, "float")] == [("C", 2.0), ("D", 3.0)]


@pytest.mark.parametrize("reopened", [False, True])
async def test_a_field_keeps_its_type(tmp_path: Path, reopened: bool) -> None:
    sink = DuckDbSink(tmp_path / "a.duckdb")
    await sink.write("C", b"m,machine=P1 f=1i 10")
    if reopened:
        await sink.close()
        sink = DuckDbSink(tmp_path / "a.duckdb")
    with pytest.raises(RecordRejected, match=r"line 2: field 'f' of m is float here, but stored as int"):
        await sink.write("C", b"m,machine=P2 g=1 10\nm,machine=P2 f=1 10")
    assert rows(sink, "float") == []
    await sink.write("D", b"m,machine=P2 f=1 10")
    await sink.write("C", b"n f=1 10")
    await sink.write("C", b"m,machine=P2 g=t 20")
    await sink.close()


async def test_two_measurements_of_one_body_may_give_a_field_two_types(sink: DuckDbSink) -> None:
    await sink.write("C", b"m f=1i 10\nn f=1 10")
    assert (len(rows(sink, "int")), len(rows(sink, "float"))) == (1, 1)
    assert sink.cursor().execute("SELECT kind FROM series ORDER BY measurement").fetchall() == [("int",), ("float",)]


async def test_two_machines_of_one_body_may_not(sink: DuckDbSink) -> None:
    with pytest.raises(RecordRejected, match=r"line 2: field 'f' of m is float here"):
        await sink.write("C", b"m,machine=P1 f=1i 10\nm,machine=P2 f=1 10")


async def test_what_is_stored_is_known_after_reopening(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    first = DuckDbSink(path)
    await first.write("C", b"m,machine=P1 f=1 10\nm,machine=P1 f=2 20")
    await first.close()
    second = DuckDbSink(path)
    await second.write("C", b"m,machine=P1 f=3 20\nm,machine=P2 f=4 20")
    assert [(row[2][-4:-2], *row[4:]) for row in rows(second, "float")] == [
        ("P1", 10, 1.0),
        ("P1", 20, 3.0),
        ("P2", 20, 4.0),
    ]
    assert second.cursor().execute("SELECT max(batch) FROM points_float").fetchone() == (2,)
    await second.close()


async def test_an_empty_body_is_fine(sink: DuckDbSink) -> None:
    await sink.write("C", b"\n# nothing\n")
    assert sink.cursor().execute("FROM series").fetchall() == []


writes = st.lists(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from("xy"), st.integers(1, 6), st.integers(0, 9)),
        min_size=1,
        max_size=6,
    ),
    max_size=6,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bodies=writes)
async def test_any_order_of_writes_equals_a_dictionary(tmp_path_factory: Any, bodies: Any) -> None:
    sink = DuckDbSink(tmp_path_factory.mktemp("store") / "a.duckdb")
    model: dict[tuple[str, str, int], float] = {}
    for body in bodies:
        await sink.write("C", "\n".join(f"m,t={t} {f}={v} {time}" for t, f, time, v in body).encode())
        model.update({(f'{{"t":"{t}"}}', f, time): float(v) for t, f, time, v in body})
    found = [((row[2], row[3], row[4]), row[5]) for row in rows(sink, "float")]
    await sink.close()
    assert len(found) == len(dict(found))
    assert dict(found) == model


WRITER = textwrap.dedent("""
    import asyncio, sys
    from pipelines.sinks.duckdb import DuckDbSink

    async def main():
        sink = DuckDbSink(sys.argv[1])
        for number in range(100_000):
            body = "\\n".join(f"m,machine=P{i} f={number}.5,n={number}i {number * 1000 + 1}" for i in range(50))
            await sink.write("C", body.encode())
            print(number, flush=True)

    asyncio.run(main())
""")


@pytest.mark.slow
async def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:  # noqa: ASYNC220
        assert child.stdout is not None
        acknowledged = [int(child.stdout.readline()) for _ in range(150)][-1]
        child.send_signal(signal.SIGKILL)
        acknowledged = max([acknowledged, *(int(line) for line in child.stdout.read().split("\n")[:-1])])
    sink = DuckDbSink(path)
    for kind, value in (("float", ".5"), ("int", "")):
        found = [(row[4], row[5]) for row in rows(sink, kind)]
        whole = len(found) // 50
        assert whole in {acknowledged + 1, acknowledged + 2}
        assert len(found) == whole * 50
        assert set(found) == {(n * 1000 + 1, float(f"{n}{value}")) for n in range(whole)}
    await sink.close()


FULL_DISK = textwrap.dedent("""
    import asyncio, resource, sys
    from pipelines.errors import SinkUnavailable
    from pipelines.sinks.duckdb import DuckDbSink

    def body(number):
        return "\\n".join(f"m,machine=P{i} f={number + i / 7} {number * 1000 + i}" for i in range(500)).encode()

    async def main():
        sink = DuckDbSink(sys.argv[1])
        await sink.write("C", body(1))
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
        number = 2
        try:
            while number < 1000:
                await sink.write("C", body(number))
                number += 1
        except SinkUnavailable as error:
            print("unavailable:", error, file=sys.stderr)
        try:
            await sink.write("C", body(number))
            print("taken while the disk is full", file=sys.stderr)
        except SinkUnavailable:
            pass
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        await sink.write("C", body(number))
        print(number, sink.cursor().execute("SELECT count(*) FROM points_float").fetchone()[0])
        await sink.close()

    asyncio.run(main())
""")


@pytest.mark.slow
def test_a_full_disk_is_unavailable_and_heals(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path / "a.duckdb")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "unavailable: duckdb a.duckdb: " in done.stderr
    assert "taken while" not in done.stderr
    number, count = map(int, done.stdout.split())
    assert count == number * 500


HOLDER = "import sys, duckdb; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"


async def test_a_file_another_process_holds_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True) as child:  # noqa: ASYNC220
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        with pytest.raises(DependencyError, match=r"a\.duckdb: another process holds this store; stop it"):
            DuckDbSink(path)
        child.kill()


async def test_a_file_that_is_no_store_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    path.write_bytes(b"x" * 10_000)
    with pytest.raises(DependencyError, match=r"a\.duckdb: "):
        DuckDbSink(path)


async def test_a_store_of_another_format_is_refused(tmp_path: Path) -> None:
    sink = DuckDbSink(tmp_path / "a.duckdb")
    sink.cursor().execute("UPDATE store SET format = 99")
    await sink.close()
    with pytest.raises(DependencyError, match="store format 99"):
        DuckDbSink(tmp_path / "a.duckdb")


async def test_a_reader_sees_whole_bodies_while_the_writer_writes(sink: DuckDbSink) -> None:
    await sink.write("C", b"m f=1 1\nm f=1 2")
    reader = sink.cursor()
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM points_float").fetchone() == (2,)
    await sink.write("C", b"m f=1 3\nm f=9 2")
    assert reader.execute("SELECT count(*), max(value) FROM points_float").fetchone() == (2, 1.0)
    reader.execute("COMMIT")
    assert reader.execute("SELECT count(*), max(value) FROM points_float").fetchone() == (3, 9.0)


async def test_a_reader_is_told_when_the_file_is_closed(tmp_path: Path) -> None:
    sink = DuckDbSink(tmp_path / "a.duckdb")
    sink._close()
    with pytest.raises(SinkUnavailable, match="the next write reopens it"):
        sink.cursor()
    await sink.write("C", b"m f=1 1")
    assert len(rows(sink, "float")) == 1
    await sink.close()
