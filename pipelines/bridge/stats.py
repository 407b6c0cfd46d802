"""Counters of a bridge."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class BridgeStats:
    """What a bridge did since it started.

    Attributes:
        records: records stored.
        bytes: of their payloads.
        rejected: fields the store refused.
        expired: points older than the store keeps.
        strangers: messages that were no records of ours, or not their agent's own.
        handed_back: messages of companies whose store stays away; their agents send them again.
        store_errors: requests the store could not answer, or with an answer that says nothing of the data.
        connected: whether a session with the broker is open.
        error: why the store cannot be written, of one company; empty when it can.
    """

    records: int = 0
    bytes: int = 0
    rejected: int = 0
    expired: int = 0
    strangers: int = 0
    handed_back: int = 0
    store_errors: int = 0
    connected: bool = False
    error: str = ""
