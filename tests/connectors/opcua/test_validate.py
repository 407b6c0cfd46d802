"""Chains that are not to be believed, however they are put together."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from cryptography import x509

from connectors.opcua.security.validate import Trust, judge
from tests.connectors.opcua.secured import DAY, NOW, URI, Made, make


def refusals(made: Made, *sent: Made, trusted: Sequence[Made] = ()) -> list[str]:
    trust = Trust([one.certificate for one in trusted])
    issuers: list[x509.Certificate] = [one.certificate for one in sent]
    return judge(
        made.certificate, issuers, trust, NOW, policy="auto", uri=URI, host="plc.example", host_must_match=True
    ).refusals


def authority(name: str, which: int, issuer: Made | None = None, below: int | None = None) -> Made:
    return make(name, uri=None, hosts=(), ca=True, which=which, issuer=issuer, below=below)


def test_a_trusted_server_cannot_vouch_for_another() -> None:
    """Most devices sign themselves; their keys are good for themselves alone."""
    server = make("server", which=1)
    assert refusals(server, trusted=[server]) == []
    made = make("rogue", issuer=server)
    assert refusals(made, server, trusted=[server]) == ["server is no authority (BadCertificateIssuerUseNotAllowed)"]


def test_an_authority_vouches_for_no_more_authorities_than_it_may() -> None:
    root = authority("Root", 1, below=0)
    below = authority("Below", 2, issuer=root)
    assert refusals(make(issuer=root), trusted=[root]) == []
    assert refusals(make(issuer=below), below, trusted=[root]) == [
        "Root allows 0 authorities below it, there are 1 (BadCertificateIssuerUseNotAllowed)"
    ]
    wide = authority("Wide", 3, below=1)
    assert refusals(make(issuer=(low := authority("Low", 2, issuer=wide))), low, trusted=[wide]) == []


@pytest.mark.parametrize("order", [1, -1])
def test_of_a_renewed_authority_the_certificate_that_ends_last_is_used(order: int) -> None:
    old = make("Plant CA", uri=None, hosts=(), ca=True, which=1, start=-20 * DAY, end=-DAY)
    new = make("Plant CA", uri=None, hosts=(), ca=True, which=1)
    assert old.key is new.key
    assert refusals(make(issuer=new), trusted=[old, new][::order]) == []
    assert "its issuer Plant CA expired" in refusals(make(issuer=new), trusted=[old])[0]
