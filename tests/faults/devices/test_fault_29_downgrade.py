"""Fault 29: a server, or somebody between, that offers less than what is configured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from asyncua import ua
from asyncua.crypto.permission_rules import User, UserRole

from connectors.opcua.security.endpoints import URIS
from pipelines.errors import LinkUntrusted
from tests.connectors.opcua.conftest import Consumer, connection, tag
from tests.connectors.opcua.secured import ENCRYPT, SIGN, Secured, make, secured, trusting
from tests.faults.conftest import Figure

pytestmark = [pytest.mark.fault(29), pytest.mark.wire]
TAG = tag("a", "nsu=urn:test:plant;s=a")
NONE = ua.SecurityPolicyType.NoSecurity
RSA15 = ua.SecurityPolicyType.Basic128Rsa15_SignAndEncrypt


def consumer(server: Secured, state: Path, **security: Any) -> Consumer:
    return Consumer(connection(server.endpoint, TAG, security=security), state_dir=state)


async def refusal(one: Consumer) -> str:
    with pytest.raises(LinkUntrusted) as caught:
        await one.until(lambda: True)
    assert not one.rows
    return caught.value.reason


async def test_only_weak_endpoints_are_refused_unless_named(tmp_path: Path, figure: Figure) -> None:
    made = make()
    trusting(tmp_path, made.certificate)
    refused = 0
    async with secured(made, NONE, RSA15) as server:
        for policy in ("auto", "Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss", "Basic256"):
            reason = await refusal(consumer(server, tmp_path, policy=policy))
            assert "only: Basic128Rsa15 SignAndEncrypt, none; switch message security on" in reason
            refused += 1
        named = consumer(server, tmp_path, policy="Basic128Rsa15")
        await named.until(lambda: named.values(0))
        assert "policy Basic128Rsa15 is deprecated" in named.stats.notices["security_policy"]
        plain = consumer(server, tmp_path, policy="none")
        await plain.until(lambda: plain.values(0))
    figure("readings over a weaker policy than named", asked="0", measured=0)
    assert refused == 5


async def test_a_mode_is_not_lowered(tmp_path: Path) -> None:
    made = make()
    trusting(tmp_path, made.certificate)
    async with secured(made, NONE, SIGN) as server:
        reason = await refusal(consumer(server, tmp_path))
        assert "no policy with mode SignAndEncrypt that is neither none nor deprecated" in reason
        signed = consumer(server, tmp_path, mode="Sign")
        await signed.until(lambda: signed.values(0))


async def test_endpoints_that_were_hidden_before_the_session_are_found(tmp_path: Path, figure: Figure) -> None:
    """Somebody between takes the best endpoint out of GetEndpoints; CreateSession, which is signed, has it."""
    made = make()
    trusting(tmp_path, made.certificate)
    best = ua.SecurityPolicyType.Aes256Sha256RsaPss_SignAndEncrypt
    async with secured(made, NONE, ENCRYPT, best) as server:
        iserver = server.server.iserver
        answer, calls = iserver.get_endpoints, []

        async def tampered(params: Any = None, sockname: Any = None) -> Any:
            found = await answer(params, sockname)
            calls.append(params)
            weak = [one for one in found if one.SecurityPolicyUri != URIS["Aes256Sha256RsaPss"]]
            return weak if len(calls) == 1 else found

        iserver.get_endpoints = tampered
        reason = await refusal(consumer(server, tmp_path))
        assert "its endpoints changed between GetEndpoints and CreateSession: " in reason
        assert "was hidden before: Aes256Sha256RsaPss SignAndEncrypt" in reason
        iserver.get_endpoints = answer
        good = consumer(server, tmp_path)
        await good.until(lambda: good.values(0))
    figure("readings after endpoints were hidden", asked="0", measured=0)


async def test_a_password_never_travels_in_clear(tmp_path: Path) -> None:
    made = make()
    (tmp_path / "password").write_text("hunter2\n")
    who = {"user": "collector", "password_file": tmp_path / "password"}
    async with secured(made, NONE) as server:
        seen: list[Any] = []
        server.server.iserver.user_manager = _Users(seen)
        for endpoint in server.server.iserver.endpoints:
            for token in endpoint.UserIdentityTokens:
                if token.TokenType == ua.UserTokenType.UserName:
                    token.SecurityPolicyUri = URIS["none"]
        one = Consumer(connection(server.endpoint, TAG, security={"policy": "none"}, **who), state_dir=tmp_path)
        assert "it wants the password in clear" in await refusal(one)
        for endpoint in server.server.iserver.endpoints:
            for token in endpoint.UserIdentityTokens:
                if token.TokenType == ua.UserTokenType.UserName:
                    token.SecurityPolicyUri = URIS["Basic256Sha256"]
        assert "it is not on the trust list (BadCertificateUntrusted)" in await refusal(one)
        assert not seen
        trusting(tmp_path, made.certificate)
        await one.until(lambda: one.values(0))
        assert seen == [("collector", "hunter2")]


class _Users:
    def __init__(self, seen: list[Any]) -> None:
        self._seen = seen

    def get_user(
        self, _iserver: Any, username: str | None = None, password: str | None = None, certificate: Any = None
    ) -> Any:

        del certificate
        self._seen.append((username, password))
        return User(role=UserRole.User)
