"""`agent users`, and who gets in at `agent view`: passwords from files and terminals, never from the command line."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import urllib3

from agent.cli import run
from agent.viewing import CODE_FILE
from pipelines.sinks.duckdb import DuckDbSink
from tests.services.ports import free_port

WORDS = "포항 바다 갈매기 세 마리"
DEADLINE_S = 60.0


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text(WORDS + "\n", encoding="utf-8")
    return path


def users(folder: Path, *words: object) -> int:
    return run(["users", *map(str, words), "--state-dir", str(folder)])


def test_a_user_from_the_first_to_the_last(tmp_path: Path, secret: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "state"
    assert users(folder, "add", "boss", "--role", "manager", "--password-file", secret) == 0
    kim = ("add", "김담당", "--role", "company", "--company", "대한정밀", "--company", "한국금속")
    assert users(folder, *kim, "--password-file", secret) == 0
    assert users(folder, "passwd", "김담당", "--password-file", secret) == 0
    assert users(folder, "disable", "김담당") == 0
    capsys.readouterr()
    assert users(folder, "list", "--json") == 0
    assert json.loads(capsys.readouterr().out)["users"] == [
        {"name": "boss", "role": "manager", "companies": None, "disabled": False},
        {"name": "김담당", "role": "company", "companies": ["대한정밀", "한국금속"], "disabled": True},
    ]
    assert users(folder, "enable", "김담당") == 0
    assert users(folder) == 0
    assert "김담당\tcompany\t사용 enabled\t대한정밀, 한국금속" in capsys.readouterr().out
    assert stat.S_IMODE((folder / "viewer.db").stat().st_mode) == 0o600
    written = b"".join(path.read_bytes() for path in folder.iterdir())
    assert WORDS.encode() not in written


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["add"], "users add: name the user"),
        (["list", "kim"], "users list: no name is needed"),
        (["add", "kim"], "users add: say --role, one of company, supplier, coordinator, manager, ordering, reader"),
        (["disable", "nobody"], "user nobody: there is no such user; `agent users list` shows all"),
        (["disable", "boss"], "the last TP manager stays: nobody else could look after the users"),
        (["passwd", "boss", "--role", "reader"], "users passwd: --role and --company are for `add`"),
        (["disable", "boss", "--password-file", "x"], "users disable: --password-file is for `add` and `passwd`"),
        (["add", "boss", "--role", "reader", "--password-file", "SECRET"], "user boss exists already"),
        (["add", "a b", "--role", "reader", "--password-file", "SECRET"], "a user's name has 1-64 characters"),
        (["add", "kim", "--role", "reader", "--password-file", "SHORT"], "a password has 12-256 characters"),
        (["add", "kim", "--role", "reader"], "no terminal to type the password at: name a file with --password-file"),
        (["add", "kim", "--role", "root"], "Invalid value for '--role'"),
        (["add", "kim", "--password", "x"], "No such option: --password"),
    ],
)  # fmt: skip
def test_what_cannot_be(
    tmp_path: Path, secret: Path, words: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "short").write_text("s3cret-word")
    assert users(tmp_path, "add", "boss", "--role", "manager", "--password-file", secret) == 0
    capsys.readouterr()
    files = {"SECRET": str(secret), "SHORT": str(tmp_path / "short")}
    assert users(tmp_path, *(files.get(word, word) for word in words)) == 2
    said = capsys.readouterr().err
    assert reason in said
    assert said.count("\n") == 1
    assert "s3cret-word" not in said


def test_which_book_is_meant(
    tmp_path: Path, secret: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("agent.commands.users.STATE_DIR", tmp_path)
    add = ["users", "add", "boss", "--role", "manager", "--password-file", str(secret)]
    assert run([*add, "--store", str(tmp_path), "--state-dir", str(tmp_path)]) == 2
    assert run([*add, "--state-dir", str(tmp_path / "viewer")]) == 0
    assert run(["users"]) == 0, "the only one there is"
    assert run([*add, "--store", str(tmp_path / "store")]) == 0
    assert (tmp_path / "store" / "viewer" / "viewer.db").exists()
    capsys.readouterr()
    assert run(["users"]) == 2
    assert re.search(
        r"there are .*store/viewer/viewer\.db and .*viewer/viewer\.db; name the folder", capsys.readouterr().err
    )


def test_a_folder_without_a_book_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["list"], ["disable", "kim"]):
        assert users(tmp_path, *words) == 2
        assert "viewer.db: is not there; name the folder: --store of `agent serve`" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def typed_at(argv: list[str], answers: list[str]) -> tuple[int, str]:
    """Run a command at a terminal of its own, and type what it asks for."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, *argv])  # noqa: S606 - the child of a terminal
    said = b""
    try:
        for answer in answers:
            while not re.search(rb"(password of \w+|again): $", said):
                said += os.read(terminal, 4096)
            os.write(terminal, answer.encode() + b"\n")
            said += b"|"
        while True:
            said += os.read(terminal, 4096)
    except OSError:  # the terminal is gone with its program
        pass
    finally:
        os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), said.decode()


@pytest.mark.wire
def test_a_password_typed_twice_is_not_shown(tmp_path: Path) -> None:
    argv = ["-m", "agent.cli", "users", "add", "kim", "--role", "reader", "--state-dir", str(tmp_path)]
    code, said = typed_at(argv, [WORDS, WORDS + "!"])
    assert (code, "the two passwords differ" in said) == (2, True)
    code, said = typed_at(argv, [WORDS, WORDS])
    assert (code, "add: kim (reader)" in said) == (0, True)
    assert WORDS not in said


@contextmanager
def viewing(
    folder: Path, *more: str, stderr: int | Any = subprocess.PIPE
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`agent view` over an empty store, once it answers, and its address."""
    argv = [sys.executable, "-m", "agent.cli", "view", "--store", str(folder / "a.duckdb"), "--json", "--port", "0"]
    argv += ["--state-dir", str(folder / "state"), *more]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=stderr, text=True)
    try:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())["viewer"]
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    import asyncio  # noqa: PLC0415 - only here

    asyncio.run(DuckDbSink(tmp_path / "a.duckdb").close())
    return tmp_path


def status(url: str) -> tuple[int, str]:
    answer = urllib3.request("GET", url, retries=False, redirect=False)
    return answer.status, answer.headers.get("location", "")


@pytest.mark.wire
def test_this_pc_alone_is_open_until_there_is_a_user(store: Path, secret: Path) -> None:
    with viewing(store) as (_, url):
        assert status(url) == (200, "")
        assert not (store / "state" / CODE_FILE).exists()
        assert users(store / "state", "add", "boss", "--role", "manager", "--password-file", secret) == 0
        assert status(url) == (303, "/login")
    with viewing(store, "--access", "open") as (_, url):
        assert status(url) == (200, "")


@pytest.mark.wire
def test_the_first_code_is_in_a_file_and_not_in_the_log(store: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("w") as out, viewing(store, "--access", "login", stderr=out) as (_, url):
        assert status(url) == (303, "/login")
        assert status(url + "login") == (303, "/setup")
        file = store / "state" / CODE_FILE
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        code = file.read_text().strip()
        assert re.fullmatch(r"([A-Z2-7]{4}-){5}[A-Z2-7]{4}", code)
    said = log.read_text()
    assert json.loads(said.splitlines()[0])["code_file"] == str(file)
    assert code not in said
    assert code.replace("-", "") not in said
    with viewing(store, "--access", "login"):
        assert file.read_text().strip() != code, "a new start is a new code"


@pytest.mark.wire
def test_whoever_watches_is_shown_the_code_once(store: Path) -> None:
    terminal, other = pty.openpty()
    try:
        with viewing(store, stderr=other) as (_, url):
            said, deadline = "", time.monotonic() + DEADLINE_S
            while not said.endswith("hour)\r\n"):
                assert select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))[0]
                said += os.read(terminal, 4096).decode()
            assert f"{url}setup" in said
            assert len(re.findall(r"([A-Z2-7]{4}-){5}[A-Z2-7]{4}", said)) == 1
            assert not (store / "state" / CODE_FILE).exists()
    finally:
        os.close(terminal)
        os.close(other)


@pytest.mark.parametrize(
    "more", [["--session-idle", "x"], ["--session-max", "0"], ["--host", "192.0.2.1", "--access", "open"]]
)
def test_bad_options(store: Path, more: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["view", "--store", str(store / "a.duckdb"), "--state-dir", str(store / "state"), "--port", str(free_port())]
    assert run([*argv, *more]) == 2
    assert more[0] in capsys.readouterr().err


@pytest.mark.wire
def test_a_forged_address_of_a_proxy_counts_from_this_pc_only() -> None:
    """uvicorn takes X-Forwarded-For from 127.0.0.1 alone, so that nobody outside dresses up as another address."""
    import uvicorn  # noqa: PLC0415 - only here

    config = uvicorn.Config("x:y")
    assert config.proxy_headers
    assert set(str(config.forwarded_allow_ips).split(",")) <= {"127.0.0.1", "::1"}
