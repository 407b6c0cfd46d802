"""Who may look at the pages that a command serves: the book in its folder, and the first manager's code."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import structlog

from agent.duration import duration_s
from agent.output import say, someone_reads
from pipelines.clock import SystemClock
from pipelines.errors import DependencyError
from viewer.access.access import Access
from viewer.access.mode import Mode
from viewer.access.sessions import IDLE_S, LONGEST_S, Limits
from viewer.book.book import FILE, Book

CODE_FILE: Final = "setup-code"
"""Where the code is written when nobody watches, in the folder of the book."""
IDLE: Final = f"{IDLE_S // 60}m"
LONGEST: Final = f"{LONGEST_S // 3600}h"
OPEN_NOTICE: Final = "로그인 없이 누구나 볼 수 있습니다 · everybody sees this without a log-in"


def limits_of(idle: str, longest: str) -> Limits:
    """How long sessions last.

    Raises:
        ConfigError: not such times.
    """
    return Limits(duration_s("--session-idle", idle), duration_s("--session-max", longest))


@contextmanager
def opened_access(folder: Path, mode: Mode, host: str, limits: Limits | None = None) -> Iterator[Access]:
    """The book of a folder, and who may see what by it.

    Args:
        folder: where `viewer.db` is, or will be.
        mode: when a log-in is asked for.
        host: address the pages are served on.
        limits: how long sessions last.

    Raises:
        ConfigError: `open` on an address that others reach, or a book of a newer version.
        DependencyError: the book cannot be opened.
    """
    book = Book(folder / FILE)
    try:
        # People's time, whatever the clock of the plant.
        yield Access(book, SystemClock(), mode, host, limits)
    finally:
        book.close()


def notices_of(access: Access) -> list[str]:
    """What every page says about who sees it."""
    return [OPEN_NOTICE] if access.mode is Mode.OPEN_TO_ALL else []


def tell_first(access: Access, url: str, folder: Path) -> None:
    """Tell how the first manager is made, where there is no user yet.

    A code is shown once to whoever watches; in a log it would be kept, so that without a terminal it goes to a file
    that only the service reads.

    Raises:
        DependencyError: the file cannot be written.
    """
    file = folder / CODE_FILE
    with suppress(FileNotFoundError):
        file.unlink()
    watched = someone_reads()
    if access.users.exist() or (access.is_open() and not (watched and access.mode is Mode.AUTO)):
        return
    code = access.first.new()
    if watched:
        say(f"첫 관리자 first manager: {url}setup\n설정 코드 set-up code: {code}  (1시간 유효, holds for an hour)")
        return
    try:
        fd = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w", encoding="ascii") as out:
            out.write(code + "\n")
    except OSError as error:
        raise DependencyError(str(file), f"cannot write it: {error.strerror}") from error
    structlog.get_logger().warning("no_user_yet", page=f"{url}setup", code_file=str(file), holds_s=3600)
