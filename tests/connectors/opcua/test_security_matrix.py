"""Every policy, mode and identity against a server that is not ours."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from asyncua import Client
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from connectors.opcua.security.certificates import der, make_own, split_der
from connectors.opcua.security.pki import Pki

from .conftest import Consumer, Foreign, connection, run_foreign, tag

pytestmark = pytest.mark.wire
POLICIES = ["Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss"]
OFFERED = "None,Basic256Sha256,Aes128_Sha256_RsaOaep,Aes256_Sha256_RsaPss"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Foreign]:
    with run_foreign(
        tmp_path_factory.mktemp("certificates"), POLICIES=OFFERED, MODES="None,Sign,SignAndEncrypt", MAX_SESSIONS="100"
    ) as one:
        yield one


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory, server: Foreign) -> Path:
    """A state folder that trusts the server, with a user's files beside."""
    folder = tmp_path_factory.mktemp("state")
    pki = Pki(folder / "pki")
    raw = asyncio.run(_certificate(server.endpoint))
    pki.add(x509.load_der_x509_certificate(raw))
    (folder / "password").write_text(server.password)
    user = make_own("urn:user", ["user"], datetime.now(UTC))
    (folder / "user.der").write_bytes(der(user.certificate))
    (folder / "user.pem").write_bytes(user.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return folder


async def _certificate(endpoint: str) -> bytes:
    endpoints: Any = await Client(endpoint).connect_and_get_server_endpoints()
    return split_der(endpoints[0].ServerCertificate)[0]


def identity(kind: str, state: Path, server: Foreign) -> dict[str, Any]:
    if kind == "user":
        return {"user": server.user, "password_file": state / "password"}
    if kind == "certificate":
        return {"user_certificate_file": state / "user.der", "user_private_key_file": state / "user.pem"}
    return {}


@pytest.mark.parametrize("who", ["anonymous", "user", "certificate"])
@pytest.mark.parametrize("mode", ["Sign", "SignAndEncrypt"])
@pytest.mark.parametrize("policy", POLICIES)
async def test_every_policy_mode_and_identity_delivers(
    server: Foreign, state: Path, policy: str, mode: str, who: str
) -> None:
    security = {"policy": policy, "mode": mode}
    tags = [
        tag("c", f"nsu={server.namespace};s=Counter0"),
        tag("d", f"nsu={server.namespace};s=Double0", mode="read", period_s=0.1),
    ]
    more = identity(who, state, server)
    one = Consumer(
        connection(server.endpoint, *tags, security=security, sampling_interval_s=0, queue_size=1000, **more),
        state_dir=state,
    )
    await one.until(lambda: len(one.values(0)) >= 3 and len(one.values(1)) >= 1)
    assert one.error is None
    assert one.values(1)[0] == 0.1
    assert one.values(0) == sorted(one.values(0))
    before = one.values(0)[-1]
    await one.until(lambda: one.values(0)[-1] > before)  # the session is taken over under the same protection
    counts = one.values(0)
    assert counts == list(range(counts[0], counts[-1] + 1))
    assert not [gap for gap in one.gaps if gap.tag == 0]
