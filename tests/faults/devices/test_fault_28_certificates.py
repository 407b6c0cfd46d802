"""Fault 28: a certificate that is not to be believed is refused with the exact reason, and retried slowly."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from agent.supervise import keep_open
from connectors.opcua.security.pki import Pki
from pipelines.errors import LinkTimeout, LinkUntrusted
from tests.connectors.opcua.conftest import Consumer, connection, tag
from tests.connectors.opcua.secured import DAY, NOW, make, revocations, secured, trusting
from tests.faults.conftest import Figure

pytestmark = [pytest.mark.fault(28), pytest.mark.wire]
TAG = tag("a", "nsu=urn:test:plant;s=a")


def consumer(endpoint: str, state: Path | None, **security: Any) -> Consumer:
    return Consumer(connection(endpoint, TAG, security=security), state_dir=state)


async def refusal(one: Consumer) -> LinkUntrusted:
    with pytest.raises(LinkUntrusted) as caught:
        await one.until(lambda: True)
    assert not one.rows
    return caught.value


CASES = {
    "expired": (
        make(start=-10 * DAY, end=-DAY),
        True,
        f"it expired on {NOW - DAY:%Y-%m-%d} (BadCertificateTimeInvalid)",
    ),
    "not yet valid": (make(start=5 * DAY), True, f"it is valid only from {NOW + 5 * DAY:%Y-%m-%d}"),
    "of another application": (
        make(uri="urn:other"),
        True,
        "it is for urn:other, the server calls itself urn:test:plc (BadCertificateUriInvalid)",
    ),
    "of nobody": (make(uri=None), True, "it is for no application"),
    "must not sign": (make(usage=("key_encipherment",)), True, "it must not be used for signatures"),
    "must not encrypt": (make(usage=("digital_signature",)), True, "it must not be used for encryption"),
    "of a client": (make(server=False), True, "it must not be used by a server (BadCertificateUseNotAllowed)"),
    "short key": (make(bits=1024), True, "its key has 1024 bits, 2048 to 4096 are needed"),
    "unknown": (make(), False, "it is not on the trust list (BadCertificateUntrusted); compare it with the device"),
}


async def test_a_wrong_certificate_is_refused_with_its_reason(tmp_path: Path, figure: Figure) -> None:
    async with secured(make()) as server:
        for case, (made, known, reason) in CASES.items():
            server.show(made)
            state = trusting(tmp_path / case, *([made.certificate] if known else []))
            one = consumer(server.endpoint, state)
            error = await refusal(one)
            assert reason in error.reason, case
            assert [kept.certificate for kept in Pki(state / "pki").kept("rejected")] == [made.certificate]
            figure(f"{case}: readings taken", asked="0", measured=len(one.rows))


async def test_a_chain_is_believed_until_its_authority_revokes(tmp_path: Path) -> None:
    authority = make("Plant CA", uri=None, hosts=(), ca=True, which=1)
    made = make(issuer=authority)
    trusting(tmp_path, authority.certificate)
    async with secured(made) as server:
        good = consumer(server.endpoint, tmp_path)
        await good.until(lambda: good.values(0))
        crl = tmp_path / "plant.crl"
        crl.write_bytes(revocations(authority, made.certificate.serial_number).public_bytes(Encoding.DER))
        Pki(tmp_path / "pki").add_revocations(crl)
        error = await refusal(consumer(server.endpoint, tmp_path))
        assert "Plant CA revoked plc (BadCertificateRevoked)" in error.reason
        assert "agent trust add" not in error.reason
        crl.write_bytes(revocations(authority, 12345).public_bytes(Encoding.DER))
        Pki(tmp_path / "pki").add_revocations(crl)
        again = consumer(server.endpoint, tmp_path)
        await again.until(lambda: again.values(0))


async def test_an_issuer_alone_makes_nothing_trusted(tmp_path: Path) -> None:
    root = make("Root", uri=None, hosts=(), ca=True, which=1)
    below = make("Below", uri=None, hosts=(), ca=True, which=2, issuer=root)
    made = make(issuer=below)
    pki = Pki(tmp_path / "pki")
    pki.add(below.certificate, "issuers")
    async with secured(made) as server:
        assert "not on the trust list" in (await refusal(consumer(server.endpoint, tmp_path))).reason
        pki.add(root.certificate)
        good = consumer(server.endpoint, tmp_path)
        await good.until(lambda: good.values(0))


async def test_no_state_folder_is_no_trust_list() -> None:
    async with secured(make()) as server:
        assert "no state folder is named" in (await refusal(consumer(server.endpoint, None))).reason


async def test_another_host_is_a_notice_or_a_refusal(tmp_path: Path) -> None:
    made = make(hosts=("elsewhere.example",))
    trusting(tmp_path, made.certificate)
    async with secured(made) as server:
        good = consumer(server.endpoint, tmp_path)
        await good.until(lambda: good.values(0))
        told = good.stats.notices["host_name"]
        assert told.startswith("the server's certificate is for elsewhere.example, not for 127.0.0.1; write one")
        error = await refusal(consumer(server.endpoint, tmp_path, host_name="check"))
        assert "it is for elsewhere.example, not for 127.0.0.1 (BadCertificateHostNameInvalid)" in error.reason


async def test_the_end_of_a_certificate_is_told_in_time(tmp_path: Path) -> None:
    said = {31.0: None, 29.5: "in 29 days", 6.5: "in 6 days", 0.9: "in less than a day"}
    async with secured(make()) as server:
        for days, words in said.items():
            made = make(end=timedelta(days=days), now=datetime.now(UTC))
            server.show(made)
            good = consumer(server.endpoint, trusting(tmp_path / str(days), made.certificate))
            await good.until(lambda good=good: good.values(0))
            notice = good.stats.notices.get("server_certificate")
            start = f"the server's certificate expires {words}, on "
            assert notice is None if words is None else notice and notice.startswith(start)


async def test_a_rogue_server_with_the_certificate_but_not_its_key(tmp_path: Path) -> None:
    """Who copied the certificate cannot answer the first message, which is encrypted for its key."""
    made = make()
    trusting(tmp_path, made.certificate)
    async with secured(made) as server:
        server.show(made, key_of=make(which=7))
        one = Consumer(connection(server.endpoint, TAG, security={}, timeout_s=1.0), state_dir=tmp_path)
        with pytest.raises(LinkTimeout):  # it cannot read the question, so it has no answer
            await one.until(lambda: True)
    assert not one.rows


async def test_untrusted_is_retried_slowly(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, figure: Figure) -> None:
    waits: list[float] = []

    class EnoughError(Exception):
        pass

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            raise EnoughError

    made = make()
    state = tmp_path
    async with secured(made) as server:
        one = consumer(server.endpoint, state)

        async def session(_opened: Any) -> None:
            async with one.link():
                pass

        monkeypatch.setattr("agent.supervise.asyncio", SimpleNamespace(sleep=sleep))
        started = time.monotonic()
        with pytest.raises(EnoughError):
            await keep_open("plc", session)
    assert min(waits) >= 15
    assert time.monotonic() - started < 10
    figure("shortest wait before the next try", asked=">= 15 s", measured=min(waits))
