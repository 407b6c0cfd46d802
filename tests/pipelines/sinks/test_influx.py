"""InfluxDB 1.x against the real influxd, 2.x against a strict stand-in, and a store that keeps only ms."""

from __future__ import annotations

import base64
import json
import signal
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import urllib3
from structlog.testing import capture_logs

from agent.influx import influx_store
from pipelines.errors import ConfigError, RecordRejected, RecordTooLarge, SinkUnavailable
from pipelines.sinks.influx import InfluxV1Sink, InfluxV2Sink, influx_sink
from tests.services.certificates import make_certificates
from tests.services.influx_v2 import Answer, InfluxV2, refusal, running_influx_v2
from tests.services.influxd import Influxd, free_port, influxd, running_influxd
from tests.services.victoria import running_victoria

__all__ = ["influxd"]
pytestmark = pytest.mark.wire
T = 1_700_000_000_000_000_001
SECRET = "sw0rdfish-비밀"  # noqa: S105 - looked for in what is said
LINE = f'm,machine=P1 i=9007199254740993i,f=0.1,b=t,s="한글 \\"x\\"" {T}'.encode()


def rows(server: Influxd, text: str, database: str) -> list[list[Any]]:
    answer = json.loads(server.query(text, database))["results"][0]
    return list(answer["series"][0]["values"]) if "series" in answer else []


@pytest.fixture
async def v1(influxd: Influxd, request: pytest.FixtureRequest) -> Any:
    sink = InfluxV1Sink(influxd.url, f"v1_{request.node.name[:40]}_{{company}}")
    yield sink
    await sink.close()


def database(sink: InfluxV1Sink, company: str = "C") -> str:
    return sink._database.replace("{company}", company)


# ── 1.x ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_database_per_company_is_made_and_every_type_comes_back(influxd: Influxd, v1: InfluxV1Sink) -> None:
    for company in ("C", "한국정밀", "C"):
        await v1.write(company, LINE + b"\n")
    for company in ("C", "한국정밀"):
        (row,) = rows(influxd, "SELECT i, f, b, s FROM m", database(v1, company))
        assert row == [T, 9007199254740993, 0.1, True, '한글 "x"']


async def test_a_name_that_could_be_a_statement_stays_a_name(influxd: Influxd) -> None:
    influxd.create("kept")
    name = 'x"; DROP DATABASE "kept'
    sink = InfluxV1Sink(influxd.url, "{company}")
    await sink.write(name, b"m f=1 1")
    await sink.close()
    names = [one[0] for one in rows(influxd, "SHOW DATABASES", "")]
    assert {"kept", name} <= set(names)


async def test_a_changed_type_is_refused_with_the_servers_reason(v1: InfluxV1Sink) -> None:
    await v1.write("C", b"m f=1 1")
    with pytest.raises(RecordRejected) as caught:
        await v1.write("C", b'm f="text" 2\n')
    assert caught.value.reason == (
        'partial write: field type conflict: input field "f" on measurement "m" is type string, '
        "already exists as type float dropped=1"
    )


async def test_garbage_and_points_beyond_retention_are_refused(influxd: Influxd, v1: InfluxV1Sink) -> None:
    with pytest.raises(RecordRejected, match="unable to parse 'garbage': missing fields"):
        await v1.write("C", b"garbage\n")
    influxd.query(f'CREATE RETENTION POLICY "r" ON "{database(v1)}" DURATION 1h REPLICATION 1 DEFAULT')
    with pytest.raises(RecordRejected, match=r": partial write: points beyond retention policy dropped=1$"):
        await v1.write("C", b"m f=1 1\n")


async def test_a_long_reason_keeps_its_end(v1: InfluxV1Sink) -> None:
    await v1.write("C", b"m f=1 1")
    with pytest.raises(RecordRejected) as caught:
        await v1.write("C", b"m f=2 2\nm" + b"x" * 5000 + b" garbage\n")
    assert len(caught.value.reason) < 450
    assert caught.value.reason.endswith("dropped=0")


@pytest.fixture(scope="module")
def guarded() -> Iterator[Influxd]:
    """With users: root may all, agent may write `mine`."""
    with running_influxd(auth=True) as server:
        server.query("CREATE USER root WITH PASSWORD 'root' WITH ALL PRIVILEGES")
        headers = urllib3.make_headers(basic_auth="root:root")
        statements = f"CREATE DATABASE mine; CREATE USER agent WITH PASSWORD '{SECRET}'; GRANT ALL ON mine TO agent"
        answer = urllib3.request("POST", f"{server.url}/query", fields={"q": statements}, headers=headers)
        assert b"error" not in answer.data, answer.data
        yield server


async def test_who_may_not_create_is_told_the_remedy(guarded: Influxd, tmp_path: Path) -> None:
    (tmp_path / "password").write_text(SECRET + "\n")
    sink = influx_sink(f"{guarded.url}?db={{company}}", "agent", tmp_path / "password")
    await sink.write("mine", b"m f=1 1")
    with pytest.raises(SinkUnavailable, match="other does not exist and this user may not create it") as no:
        await sink.write("other", b"m f=1 1")
    assert 'as an administrator: CREATE DATABASE "other"' in no.value.reason
    await sink.close()


@pytest.mark.parametrize("user", ["agent", None])
async def test_a_wrong_password_never_shows(guarded: Influxd, user: str | None) -> None:
    sink = InfluxV1Sink(guarded.url, "mine", user, "wrong-" + SECRET)
    with capture_logs() as logs, pytest.raises(SinkUnavailable, match=r"credentials refused \(401\): .*; check") as no:
        await sink.write("C", b"m f=1 1")
    pair = base64.b64encode(f"{user}:wrong-{SECRET}".encode()).decode()
    said = f"{no.value!s} {no.value!r} {logs} {sink.name}"
    assert SECRET not in said
    assert pair not in said
    await sink.close()


# ── the way there ───────────────────────────────────────────────────────────────────────────────────────────────────

Kind = type[InfluxV1Sink] | type[InfluxV2Sink]
both = pytest.mark.parametrize("kind", [InfluxV1Sink, InfluxV2Sink])


def sink_of(kind: Kind, url: str, ca_file: Path | None = None, timeout_s: float = 10.0) -> InfluxV1Sink | InfluxV2Sink:
    if kind is InfluxV1Sink:
        return InfluxV1Sink(url, "points", ca_file=ca_file, timeout_s=timeout_s)
    return InfluxV2Sink(url, "factory", "points", "secret-token", ca_file, timeout_s)


@both
async def test_nobody_there(kind: Kind) -> None:
    sink = sink_of(kind, f"http://127.0.0.1:{free_port()}")
    with pytest.raises(SinkUnavailable, match="Connection refused; is the database running"):
        await sink.write("C", b"m f=1 1")
    await sink.close()


@both
async def test_a_name_nobody_knows(kind: Kind) -> None:
    sink = sink_of(kind, "http://influx.invalid:8086")
    with pytest.raises(SinkUnavailable):
        await sink.write("C", b"m f=1 1")
    await sink.close()


@both
async def test_hung_up_and_silent(kind: Kind) -> None:
    with running_influx_v2() as store:
        sink = sink_of(kind, store.url, timeout_s=0.3)
        store.script.append(Answer(reset=True))
        with pytest.raises(SinkUnavailable, match=r"closed connection|reset by peer|disconnected"):
            await sink.write("C", b"m f=1 1")
        store.script.append(Answer(stall_s=30))
        with pytest.raises(SinkUnavailable, match=r"no answer within 0.3 s"):
            await sink.write("C", b"m f=1 1")
        await sink.close()


async def test_a_stopped_influxd_is_unavailable_and_comes_back() -> None:
    with running_influxd() as server:
        sink = InfluxV1Sink(server.url, "db", timeout_s=1.0)
        await sink.write("C", b"m f=1 1")
        server.process.send_signal(signal.SIGSTOP)
        with pytest.raises(SinkUnavailable, match="no answer within 1 s"):
            await sink.write("C", b"m f=2 2")
        server.process.send_signal(signal.SIGCONT)
        await sink.write("C", b"m f=2 2")
        assert rows(server, "SELECT f FROM m", "db") == [[1, 1.0], [2, 2.0]]
        await sink.close()


@contextmanager
def https(folder: Path) -> Iterator[InfluxV2]:
    make_certificates(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.crt", folder / "server.key")
    with running_influx_v2(context) as store:
        yield store


@both
async def test_https(kind: Kind, tmp_path: Path) -> None:
    with https(tmp_path) as store:
        store.script.append(Answer())
        trusting = sink_of(kind, store.url, tmp_path / "ca.crt")
        await trusting.write("C", b"m f=1 1")
        await trusting.close()
        doubting = sink_of(kind, store.url)
        with pytest.raises(SinkUnavailable, match="certificate is not trusted: "):
            await doubting.write("C", b"m f=1 1")
        await doubting.close()
        assert len(store.requests) == 1


# ── 2.x ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def store() -> Iterator[InfluxV2]:
    with running_influx_v2(buckets=frozenset({"points", "b-C"})) as store:
        yield store


@pytest.fixture
async def v2(store: InfluxV2, tmp_path: Path) -> Any:
    (tmp_path / "token").write_text("secret-token\n")
    sink = influx_sink(f"{store.url}?org=factory&bucket=b-{{company}}", password_file=tmp_path / "token")
    yield sink
    await sink.close()


async def test_v2_keeps_what_it_is_given(store: InfluxV2, v2: InfluxV2Sink) -> None:
    await v2.write("C", LINE + b"\n")
    await v2.write("C", LINE + b"\n")
    series = ("b-C", "m", (("machine", "P1"),))
    values = {"i": 9007199254740993, "f": 0.1, "b": True, "s": '한글 "x"'}
    assert store.points == {(*series, name, T): value for name, value in values.items()}


async def test_v2_no_bucket_for_a_company(v2: InfluxV2Sink) -> None:
    with pytest.raises(SinkUnavailable, match=r'HTTP 404: bucket "b-D" not found; make the database or bucket'):
        await v2.write("D", b"m f=1 1")


async def test_v2_a_wrong_token_never_shows(store: InfluxV2) -> None:
    sink = InfluxV2Sink(store.url, "factory", "points", SECRET.encode().hex())
    with capture_logs() as logs, pytest.raises(SinkUnavailable, match=r"credentials refused \(401\)") as no:
        await sink.write("C", b"m f=1 1")
    assert SECRET.encode().hex() not in f"{no.value!s} {no.value!r} {logs}"
    await sink.close()


HTML = "<html>400 The plain HTTP request was sent to HTTPS port</html>"


@pytest.mark.parametrize(
    ("answer", "error", "reason"),
    [
        (Answer(400, refusal("invalid", "unable to parse 'x'")), RecordRejected, "unable to parse 'x'"),
        (Answer(422, refusal("unprocessable entity", "no")), RecordRejected, "no"),
        (Answer(413, refusal("request too large", "too large")), RecordTooLarge, "too large"),
        (Answer(413, "<html>"), RecordTooLarge, "<html>"),
        (Answer(400, HTML), SinkUnavailable, f"HTTP 400: {HTML}"),
        (Answer(403, refusal("forbidden", "no")), SinkUnavailable, "credentials refused (403): no"),
        (Answer(302, headers={"Location": "http://127.0.0.1:1/"}), SinkUnavailable, "HTTP 302"),
        (Answer(500, refusal("internal error", "oh")), SinkUnavailable, "HTTP 500: oh"),
    ],
)
@both
async def test_what_answers_mean(
    store: InfluxV2, kind: Kind, answer: Answer, error: type[SinkUnavailable | RecordRejected], reason: str
) -> None:
    sink = sink_of(kind, store.url)
    store.script.append(answer)
    with pytest.raises(error) as caught:
        await sink.write("C", b"m f=1 1")
    assert caught.type is error
    assert caught.value.reason.startswith(reason)
    await sink.close()


DATE = "Fri, 01 Jan 1999 00:00:00 GMT"
"""What the server takes for now: nobody's clock has to be right."""


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("said", "date", "meant"),
    [
        ("7", DATE, 7.0),
        ("0.5", DATE, 0.5),
        ("7200", DATE, 3600.0),
        ("inf", DATE, None),
        ("nan", DATE, None),
        ("-1", DATE, None),
        ("soon", DATE, None),
        ("Fri, 01 Jan 1999 00:00:09 GMT", DATE, 9.0),
        ("Fri, 01 Jan 1999 09:00:09 +0900", DATE, 9.0),
        ("Fri, 01 Jan 2038 00:00:09 GMT", DATE, 3600.0),
        ("Thu, 31 Dec 1998 23:00:00 GMT", DATE, 0.0),
        ("Fri, 01 Jan 1999 00:00:09 GMT", "some day", None),
    ],
)
@both
async def test_retry_after(store: InfluxV2, kind: Kind, status: int, said: str, date: str, meant: float | None) -> None:
    sink = sink_of(kind, store.url)
    headers = {"Retry-After": said, "Date": date}
    store.script.append(Answer(status, refusal("unavailable", "slow down"), headers))
    with pytest.raises(SinkUnavailable, match=f"HTTP {status}: slow down") as caught:
        await sink.write("C", b"m f=1 1")
    assert caught.value.retry_after_s == meant
    assert len(store.requests) == 1
    await sink.close()


@pytest.mark.parametrize("secure", [False, True])
@both
async def test_an_answer_that_trickles_is_cut(kind: Kind, secure: bool, tmp_path: Path) -> None:
    with https(tmp_path) if secure else running_influx_v2() as store:
        sink = sink_of(kind, store.url, tmp_path / "ca.crt" if secure else None, timeout_s=0.4)
        store.script.append(Answer(trickle_s=0.05))
        with pytest.raises(SinkUnavailable, match=r"no whole answer within 0.6 s"):
            await sink.write("C", b"m f=1 1")
        store.script.append(Answer())
        await sink.write("C", b"m f=1 1")
        await sink.close()


async def test_a_store_that_keeps_ms_is_named_once() -> None:
    with running_victoria() as url, capture_logs() as logs:
        for sink in (InfluxV1Sink(url, "db"), InfluxV2Sink(url, "o", "b", "t")):
            logs.clear()
            await sink.write("C", LINE + b"\n")
            await sink.write("C", LINE + b"\n")
            (said,) = logs
            assert said["event"] == "store_alters_values"
            assert "keeps ms" in said["reason"]
            await sink.close()


async def test_an_influxdb_is_not_warned_of(influxd: Influxd, v1: InfluxV1Sink, store: InfluxV2) -> None:
    sink = sink_of(InfluxV2Sink, store.url)
    with capture_logs() as logs:
        await v1.write("C", b"m f=1 1")
        await sink.write("C", b"m f=1 1")
    assert logs == []
    await sink.close()


# ── addresses ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("influx:8086?db=x", "expected http"),
        ("ftp://h?db=x", "expected http"),
        ("http://h:99999?db=x", "expected http"),
        ("http://h:8086", r"say \?db=NAME"),
        ("http://h:8086?db=", r"say \?db=NAME"),
        ("http://u:hunter2@h:8086?db=x", "no secret in the URL"),
        ("http://h:8086?db=x&p=hunter2", "no secret in the URL"),
        ("http://h:8086?bucket=x&token=hunter2", "no secret in the URL"),
    ],
)
def test_addresses_that_cannot_be_used(url: str, reason: str) -> None:
    for make in (influx_sink, influx_store):
        with pytest.raises(ConfigError, match=reason) as caught:
            make(url)
        assert "hunter2" not in str(caught.value)


def test_secrets_that_are_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INFLUX_TOKEN", raising=False)
    (tmp_path / "secret").write_text("x\n")
    with pytest.raises(ConfigError, match="needs a token"):
        influx_sink("http://h:8086?org=o&bucket=b")
    with pytest.raises(ConfigError, match="needs --influx-user"):
        influx_sink("http://h:8086?db=x", None, tmp_path / "secret")
    with pytest.raises(ConfigError, match="no such file"):
        influx_sink("https://h:8086?db=x", ca_file=tmp_path / "ca.pem")
