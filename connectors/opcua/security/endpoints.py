"""Which of the offered endpoints and identities is used; pure, and never less than what is configured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

from connectors.opcua.library import ua
from connectors.opcua.security.certificates import printable
from connectors.opcua.security.config import DEPRECATED, OpcUaSecurity

BASE: Final = "http://opcfoundation.org/UA/SecurityPolicy#"
URIS: Final = {
    "none": BASE + "None",
    "Basic128Rsa15": BASE + "Basic128Rsa15",
    "Basic256": BASE + "Basic256",
    "Basic256Sha256": BASE + "Basic256Sha256",
    "Aes128Sha256RsaOaep": BASE + "Aes128_Sha256_RsaOaep",
    "Aes256Sha256RsaPss": BASE + "Aes256_Sha256_RsaPss",
}
"""SecurityPolicyUri by the name in a configuration, weakest first (OPC 10000-7 §6.6)."""
POLICIES: Final = {uri: name for name, uri in URIS.items()}
_TRANSPORT: Final = "http://opcfoundation.org/UA-Profile/Transport/uatcp-uasc-uabinary"
_MODES: Final = {"Sign": ua.MessageSecurityMode.Sign, "SignAndEncrypt": ua.MessageSecurityMode.SignAndEncrypt}
_RANK: Final = list(URIS.values())
_IDENTITIES: Final = {
    ua.UserTokenType.Anonymous: "anonymous",
    ua.UserTokenType.UserName: "user and password",
    ua.UserTokenType.Certificate: "user certificate",
}


def choose(endpoints: Iterable[Any], security: OpcUaSecurity) -> Any | None:
    """The EndpointDescription to use: exactly the configured policy and mode, with `auto` the best policy.

    Returns:
        None when the server offers none such.
    """
    policies = [URIS[security.policy]] if security.policy != "auto" else [URIS[one] for one in current()]
    mode = _MODES[security.mode] if security.policy != "none" else ua.MessageSecurityMode.None_
    fit = [
        one
        for one in endpoints
        if one.SecurityMode == mode and one.SecurityPolicyUri in policies and one.TransportProfileUri == _TRANSPORT
    ]
    return max(fit, key=lambda one: _RANK.index(one.SecurityPolicyUri), default=None)


def current() -> list[str]:
    """Policies that protect and are not deprecated, weakest first."""
    return [one for one in URIS if one != "none" and one not in DEPRECATED]


def offered(endpoints: Iterable[Any]) -> str:
    """What a server offers, in words."""
    names = []
    for one in endpoints:
        policy = POLICIES.get(one.SecurityPolicyUri or "", printable(str(one.SecurityPolicyUri).rpartition("#")[2]))
        mode = {number: name for name, number in _MODES.items()}.get(one.SecurityMode, "")
        names.append(f"{policy} {mode}".strip())
    return ", ".join(sorted(dict.fromkeys(names))) or "nothing"


def unlike(found: Sequence[Any], told: Sequence[Any]) -> str:
    """How the endpoints of a session differ from those found before it; empty when they are the same.

    A CreateSession response is protected, the GetEndpoints response before it is not: somebody between could have
    taken the better endpoints out (OPC 10000-4 §5.7.2). Only what the clause names is compared; URLs are left out, as
    the agent never follows them.
    """
    before, after = {_facts(one) for one in found}, {_facts(one) for one in told}
    if before == after:
        return ""
    sides = [("was hidden before:", after - before), ("was only said before:", before - after)]
    return " and ".join(f"{words} {_named(group)}" for words, group in sides if group)


def _named(group: set[tuple[Any, ...]]) -> str:
    """Policies and modes of what differs."""
    return ", ".join(sorted({f"{POLICIES.get(one[0], one[0])} {ua.MessageSecurityMode(one[1]).name}" for one in group}))


def _facts(one: Any) -> tuple[Any, ...]:
    tokens = [
        (token.PolicyId or "", int(token.TokenType), token.IssuedTokenType or "", token.SecurityPolicyUri or "")
        for token in one.UserIdentityTokens or ()
    ]
    facts = (one.SecurityPolicyUri, int(one.SecurityMode), one.TransportProfileUri, int(one.SecurityLevel))
    return (*facts, one.Server.ApplicationUri or "", tuple(sorted(tokens)))


def token_of(endpoint: Any, kind: Any, security: OpcUaSecurity) -> Any | None:
    """The UserTokenPolicy for an identity, with its policy filled in; the strongest that is allowed, else None."""
    allowed = [URIS["none"], *(URIS[one] for one in current())]
    if security.policy in DEPRECATED:
        allowed.append(URIS[security.policy])
    tokens = [
        replace(one, SecurityPolicyUri=one.SecurityPolicyUri or endpoint.SecurityPolicyUri)
        for one in endpoint.UserIdentityTokens or ()
        if one.TokenType == kind
    ]
    if kind == ua.UserTokenType.Anonymous:
        return tokens[0] if tokens else None
    fit = [one for one in tokens if one.SecurityPolicyUri in allowed]
    if kind == ua.UserTokenType.Certificate:
        fit = [one for one in fit if one.SecurityPolicyUri != URIS["none"]]
    return max(fit, key=lambda one: _RANK.index(one.SecurityPolicyUri), default=None)


def identities(endpoint: Any) -> str:
    """Which identities an endpoint takes, in words."""
    kinds = [_IDENTITIES.get(one.TokenType, "another kind") for one in endpoint.UserIdentityTokens or ()]
    return ", ".join(dict.fromkeys(kinds)) or "none"


def is_plain(token: Any) -> bool:
    """Whether a password travels as it is, protected by the channel alone (OPC 10000-4 §7.40.4)."""
    return bool(token.SecurityPolicyUri == URIS["none"])
