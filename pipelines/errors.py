"""Errors are policy: the type says what the caller does next.

::

    ShopfloorError
    ├─ ConfigError(path, line, reason)     exit 2, before anything starts
    │  ├─ ConfigFaults(faults)             every fault of the files, in order; `agent check` prints them all
    │  ├─ AccessRefused(word, reason)      a user, password or scope that cannot be; pages say it by the word
    │  └─ PlacedError(faults)              a ValueError too, so that pydantic collects it; the loader finds the lines
    ├─ _HaltError(finding)                 inside agent/document.py: behind this fault a file cannot be read on
    ├─ TooLongError(reason)                a battery test with more readings than are read at once; the page says so
    ├─ DependencyError(what)               exit 3: something the command needs cannot be reached
    │  └─ ServerAway                       it answers nothing: what else is asked of it fares no better
    ├─ LinkError(endpoint, reason)         the supervisor reopens
    │  ├─ LinkRefused                      nobody listens, or the device says no
    │  ├─ LinkTimeout                      no answer within the deadline
    │  ├─ LinkClosed                       the other side went away
    │  └─ LinkUntrusted                    credentials or certificate refused: slow retry
    ├─ TagError(tag, reason)               that tag is bad, the others go on
    ├─ SinkError(sink, reason)
    │  ├─ SinkUnavailable                  keep, back off, send again
    │  └─ RecordRejected                   bisect, quarantine the culprit
    │     └─ RecordTooLarge                halve
    ├─ EntryRefused(faults)                what a person entered is not taken; told in both languages
    ├─ OrderRefused(why, reason)           a ValueError too: an order about an alarm is not done; told by the word
    ├─ PayloadRefused(reason)              a message that cannot be unpacked: told to its agent, never stored
    └─ JournalError(path, reason)
       ├─ JournalFull                      named policy, counted
       └─ JournalCorrupt                   salvage, quarantine, count
"""

from __future__ import annotations

from pathlib import Path


class ShopfloorError(Exception):
    """Root of every error of this product."""


class ConfigError(ShopfloorError):
    """The configuration cannot be used.

    Attributes:
        path: the file, or None when the fault is in the arguments.
        line: 1-based line in the file, or None when it has no place.
        reason: what is wrong and what to do.
    """

    def __init__(self, path: Path | str | None, line: int | None, reason: str) -> None:
        self.path = path
        self.line = line
        self.reason = reason
        place = "" if path is None else f"{path}: " if line is None else f"{path}:{line}: "
        super().__init__(f"{place}{reason}")


class DependencyError(ShopfloorError):
    """Something the command needs cannot be reached."""

    def __init__(self, what: str, reason: str) -> None:
        self.what = what
        self.reason = reason
        super().__init__(f"{what}: {reason}")


class ServerAway(DependencyError):
    """It answers nothing: what else is asked of it fares no better."""


class LinkError(ShopfloorError):
    """A link to a device ended; the supervisor opens a new one.

    Attributes:
        endpoint: where the device is, without secrets.
        reason: what happened and what to do.
        wait_s: shortest wait before the next attempt, seconds: the device asked for it, or needs it to forget us.
    """

    def __init__(self, endpoint: str, reason: str, wait_s: float = 0.0) -> None:
        self.endpoint = endpoint
        self.reason = reason
        self.wait_s = wait_s
        super().__init__(f"{endpoint}: {reason}")


class LinkRefused(LinkError):
    """Nobody listens there, or the device says no."""


class LinkTimeout(LinkError):
    """The device did not answer within the deadline."""


class LinkClosed(LinkError):
    """The other side went away."""


class LinkUntrusted(LinkError):
    """Credentials or certificate were refused by one side."""


class TagError(ShopfloorError):
    """One tag cannot be read; the others go on."""

    def __init__(self, tag: str, reason: str) -> None:
        self.tag = tag
        self.reason = reason
        super().__init__(f"{tag}: {reason}")


class SinkError(ShopfloorError):
    """A store did not take what it was given."""

    def __init__(self, sink: str, reason: str) -> None:
        self.sink = sink
        self.reason = reason
        super().__init__(f"{sink}: {reason}")


class SinkUnavailable(SinkError):
    """The store cannot be reached or asks to wait; what it got is unknown. Keep and send again.

    Attributes:
        retry_after_s: seconds the store asked to wait, or None.
    """

    def __init__(self, sink: str, reason: str, retry_after_s: float | None = None) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(sink, reason)


class RecordRejected(SinkError):
    """The store will never take this body as it is."""


class RecordTooLarge(RecordRejected):
    """The body is larger than the store takes; its parts may not be."""


class PayloadRefused(ShopfloorError):
    """What came cannot be unpacked, or not within bounds."""


class OrderRefused(ShopfloorError, ValueError):
    """What a person wanted of an alarm is not done.

    Attributes:
        why: a word for it: `nothing`, `safety`, `out_of_service`, `too_long`, `not_shelved`, `no_such`, `no_name`,
            `comment`, `old`, `ahead`, `retained`, `taken`, `rival`, `busy`, `malformed`.
        reason: the same in a sentence.
    """

    def __init__(self, why: str, reason: str) -> None:
        self.why = why
        self.reason = reason
        super().__init__(reason)


class JournalError(ShopfloorError):
    """The journal on disk."""

    def __init__(self, path: Path | str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path}: {reason}")


class JournalFull(JournalError):
    """No room under the cap or on the disk, and the policy is to refuse."""


class JournalCorrupt(JournalError):
    """Bytes on disk that are not what was written."""
