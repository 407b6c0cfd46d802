"""Fault 27: the keys of a secured channel are renewed again and again, and nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from cryptography import x509

from connectors.opcua.link import OpcUaLink
from connectors.opcua.security.certificates import split_der
from connectors.opcua.security.discovery import discovery
from tests.connectors.opcua.conftest import Consumer, Foreign, connection, run_foreign, tag
from tests.connectors.opcua.secured import ENCRYPT, SIGN, make, secured, trusting
from tests.faults.conftest import Figure, Size

pytestmark = [pytest.mark.fault(27), pytest.mark.wire]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Foreign]:
    with run_foreign(tmp_path_factory.mktemp("certificates")) as one:
        yield one


@pytest.mark.parametrize("mode", ["SignAndEncrypt"])
async def test_renewals_lose_nothing_on_a_foreign_server(
    server: Foreign, tmp_path: Path, size: Size, figure: Figure, mode: str
) -> None:
    """node-opcua lets keys live 2.5 s at least."""
    wanted, life_s = size(2, 12), 5  # the agent renews after three quarters of it; the rest is for a busy machine
    async with discovery(server.endpoint, 4.0) as client:
        endpoints = await client.get_endpoints()
    trusting(tmp_path, x509.load_der_x509_certificate(split_der(endpoints[0].ServerCertificate)[0]))
    security = {"mode": mode, "channel_lifetime_s": life_s}
    one = await _through(server.endpoint, f"nsu={server.namespace};s=Counter0", tmp_path, wanted, life_s, security)
    counts = one.values(0)
    lost = [now for before, now in pairwise(counts) if now != before + 1]
    assert not lost
    assert not one.gaps
    figure(f"gaps over {wanted} renewals at {life_s} s, node-opcua", asked="0", measured=len(lost) + len(one.gaps))


@pytest.mark.parametrize("mode", ["Sign", "SignAndEncrypt"])
async def test_renewals_lose_nothing(tmp_path: Path, size: Size, figure: Figure, mode: str) -> None:
    wanted, life_s = size(3, 12), size(1, 5)
    made = make()
    trusting(tmp_path, made.certificate)
    async with secured(made, SIGN, ENCRYPT) as server:
        security = {"mode": mode, "channel_lifetime_s": life_s}
        one = await _through(server.endpoint, "nsu=urn:test:plant;s=a", tmp_path, wanted, life_s, security)
    counts = one.values(0)
    lost = [now for before, now in pairwise(counts) if now != before + 1]
    assert not lost
    assert not one.gaps
    figure(f"gaps over {wanted} renewals at {life_s} s, {mode}", asked="0", measured=len(lost) + len(one.gaps))


async def _through(
    endpoint: str, node: str, state: Path, renewals: int, life_s: float, security: dict[str, object]
) -> Consumer:
    """Collect over so many renewals in one link."""
    tags = [tag("a", node), tag("b", node, mode="read", period_s=0.2)]
    settings = connection(endpoint, *tags, security=security, sampling_interval_s=0, queue_size=10_000)
    one = Consumer(settings, state_dir=state)
    tokens: set[int] = set()
    links: list[OpcUaLink] = []
    make_link = one.link

    def link() -> OpcUaLink:
        links.append(make_link())
        return links[-1]

    one.link = link  # type: ignore[method-assign]

    def done() -> bool:
        protocol = links[0]._session.client.uaclient.protocol
        tokens.add(protocol._connection.security_token.TokenId)
        return len(tokens) > renewals

    await one.until(done, seconds=renewals * life_s + 20)
    assert one.error is None
    return one
