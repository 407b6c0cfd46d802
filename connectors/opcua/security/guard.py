"""What stands between a connection and its server: which endpoint, whose certificate, who we say we are."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

from asyncua.crypto import security_policies
from cryptography import x509

from connectors.base import LinkContext
from connectors.opcua.config import OpcUaConnection
from connectors.opcua.library import ua
from connectors.opcua.reverse import connect
from connectors.opcua.security.certificates import (
    Credentials,
    application_uris,
    common_name,
    fingerprint,
    load_credentials,
    printable,
    sent_certificates,
    split_der,
    utc,
)
from connectors.opcua.security.config import DEPRECATED
from connectors.opcua.security.discovery import discovery
from connectors.opcua.security.endpoints import (
    POLICIES,
    choose,
    identities,
    is_plain,
    offered,
    token_of,
    unlike,
)
from connectors.opcua.security.expiry import warning
from connectors.opcua.security.pki import Pki
from connectors.opcua.security.validate import Trust, judge
from pipelines.errors import ConfigError, LinkUntrusted
from pipelines.secret import read_secret

_NONCE_BYTES: Final = 32
"""Shortest nonce of a server (OPC 10000-4 §5.7.2)."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who we say we are; made anew for every link, so that a changed password file is enough."""

    user: str | None = None
    password: str | None = field(default=None, repr=False)
    certificate: Credentials | None = None

    @property
    def kind(self) -> Any:
        """UserTokenType (OPC 10000-4 §7.41)."""
        if self.certificate is not None:
            return ua.UserTokenType.Certificate
        return ua.UserTokenType.Anonymous if self.user is None else ua.UserTokenType.UserName


class Guard:
    """Security of one connection, for one link.

    Args:
        context: what the link was opened with; `state_dir` holds the certificates.
    """

    def __init__(self, context: LinkContext) -> None:
        self._context = context
        self._settings: OpcUaConnection = context.settings
        self._security = self._settings.security
        self._pki = Pki(context.state_dir / "pki") if context.state_dir is not None else None
        self._own: Credentials | None = None
        self._endpoints: list[Any] = []
        self._chosen: Any = None
        self._server: x509.Certificate | None = None
        self._told: set[str] = set()
        self.identity = Identity()

    @property
    def secured(self) -> bool:
        """Whether messages are protected."""
        return bool(self._security.policy != "none")

    def key(self) -> str:
        """What a session was opened with: another policy, certificate or user cannot take it over."""
        if not self.secured and self.identity.kind == ua.UserTokenType.Anonymous:
            return ""
        own = fingerprint(self._own.certificate) if self._own else ""
        user = fingerprint(self.identity.certificate.certificate) if self.identity.certificate else self.identity.user
        policy = f"{self._chosen.SecurityPolicyUri} {self._security.mode}" if self.secured else ""
        return hashlib.sha256("|".join([policy, own, user or ""]).encode()).hexdigest()[:16]

    async def prepare(self) -> None:
        """Read secrets, find the endpoint and look at the server's certificate, before anything secret is sent.

        Raises:
            LinkUntrusted: a file cannot be used, or the server is not to be believed.
            TimeoutError, OSError, ua.UaError: it does not answer.
        """
        with self._files():
            self.identity = self._identity()
            if self._security.certificate_file and self._security.private_key_file:
                self._own = load_credentials(self._security.certificate_file, self._security.private_key_file)
            elif self.secured:
                now = utc(self._context.clock.now_ns())
                self._own = await asyncio.to_thread(self._need_pki().own, now)
        if self.secured:
            self._need_pki()
            dial = partial(connect, settings=self._settings)
            async with discovery(self._settings.endpoint, self._settings.timeout_s, dial) as client:
                self._endpoints = await client.get_endpoints()
            self._take(self._endpoints)
            self._believe(self._chosen.ServerCertificate)
        self.remind()

    def arm(self, client: Any) -> None:
        """Give a client that is not connected yet the policy, the certificates and the key."""
        client.secure_channel_timeout = int(self._security.channel_lifetime_s * 1000)
        if self._own is not None:
            client.application_uri = next(iter(application_uris(self._own.certificate)), client.application_uri)
        if not self.secured:
            return
        assert self._own is not None
        name = POLICIES[self._chosen.SecurityPolicyUri]
        policy = getattr(security_policies, f"SecurityPolicy{name}")
        client.security_policy = policy(
            self._server,
            self._own.certificate,
            self._own.key,
            self._chosen.SecurityMode,
            host_cert_chain=list(self._own.chain),
        )
        client.uaclient.set_security(client.security_policy)

    async def before_take_over(self, client: Any) -> None:
        """What CreateSession would have set: the server's certificate and its identity tokens."""
        if not self.secured:
            self._take(await client.get_endpoints())
            client.security_policy.peer_certificate = _leaf(self._chosen)
        self._say_who(client)

    def after_create(self, client: Any, session: Any) -> None:
        """Check the answer to CreateSession, and choose the identity token.

        Args:
            client: which asked.
            session: CreateSessionResult.

        Raises:
            LinkUntrusted: the answer is not that of the server that was found.
        """
        if self.secured:
            if difference := unlike(self._endpoints, session.ServerEndpoints or ()):
                reason = f"its endpoints changed between GetEndpoints and CreateSession: {difference}"
                raise self._refuse(f"{reason} (BadSecurityPolicyRejected); somebody between may weaken the connection")
            if len(session.ServerNonce or b"") < _NONCE_BYTES:
                raise self._refuse(f"its nonce is shorter than {_NONCE_BYTES} bytes (BadNonceInvalid)")
        else:
            self._take(session.ServerEndpoints or ())
        self._say_who(client)

    async def activate(self, client: Any) -> None:
        """ActivateSession with the identity."""
        who = self.identity
        if who.certificate is None:
            await client.activate_session(who.user, who.password)
            return
        client.user_private_key = who.certificate.key
        client.user_certificate_chain = list(who.certificate.chain)
        await client.activate_session(certificate=who.certificate.certificate)

    def remind(self) -> None:
        """Say what a person should act on: certificates that end, a deprecated policy. Cheap; called now and then."""
        now = utc(self._context.clock.now_ns())
        user = self.identity.certificate
        found = {
            "own_certificate": (self._own and self._own.certificate, "this agent's certificate"),
            "server_certificate": (self._server, "the server's certificate"),
            "user_certificate": (user and user.certificate, "the user's certificate"),
        }
        for key, (certificate, whose) in found.items():
            step = warning(certificate, whose, now) if certificate else None
            self._notice(key, step[1] if step else None, f"{key} {step[0]}" if step else "")
        deprecated = self._security.policy in DEPRECATED
        text = f"policy {self._security.policy} is deprecated and can be broken; use Basic256Sha256 or better"
        self._notice("security_policy", text if deprecated else None, "security_policy")

    def refused_us(self) -> str:
        """What to do when the server refuses this agent's certificate."""
        if self._own is None:
            return ""
        shown = fingerprint(self._own.certificate)[:16]
        where = self._security.certificate_file or (self._pki and self._pki.own_paths()[0])
        return f"; put this agent's certificate {where} (SHA-256 {shown}…) on the server's trust list"

    def _notice(self, key: str, text: str | None, once: str) -> None:
        """Show it in the status, and log it the first time it is so far."""
        if text is None:
            self._context.stats.notices.pop(key, None)
            return
        self._context.stats.notices[key] = text
        if once not in self._told:
            self._told.add(once)
            self._context.note("notice", connection=self._settings.name, about=key, text=text)

    def _take(self, endpoints: Sequence[Any]) -> None:
        self._chosen = choose(endpoints, self._security)
        if self._chosen is not None:
            return
        there = offered(endpoints)
        if self._security.policy == "auto":
            wanted = f"no policy with mode {self._security.mode} that is neither none nor deprecated"
        elif self.secured:
            wanted = f"not {self._security.policy} {self._security.mode}"
        else:
            wanted = "no connection without message security"
        remedy = (
            "; switch message security on in the server, or name what you accept in `security: {policy: …, mode: …}`"
        )
        raise self._refuse(f"it offers {wanted} (BadSecurityPolicyRejected), only: {there}{remedy}")

    def _believe(self, raw: bytes | None) -> None:
        """Look at the server's certificate, with its issuers behind it; keep a refused one for review.

        Raises:
            LinkUntrusted: it is not believed.
        """
        pki = self._need_pki()
        try:
            certificate, sent = sent_certificates(raw or b"")
        except ValueError as error:
            raise self._refuse(f"it sends no certificate that can be read: {error} (BadCertificateInvalid)") from error
        with self._files():
            trust = Trust(
                [one.certificate for one in pki.kept("trusted")],
                [one.certificate for one in pki.kept("issuers")],
                pki.revocations(),
            )
        verdict = judge(
            certificate,
            sent,
            trust,
            utc(self._context.clock.now_ns()),
            policy=self._security.policy,
            uri=self._chosen.Server.ApplicationUri or "",
            host=urlsplit(self._settings.endpoint).hostname or "",
            host_must_match=self._security.host_name == "check",
        )
        if verdict.refusals:
            kept = ""
            try:
                pki.reject(certificate)
            except ConfigError as error:
                kept = f"; it is not kept for review: {error}"
            shown = fingerprint(certificate)[:16]
            state = pki.folder.parent
            remedy = (
                f"; compare it with the device, then: agent trust add {shown} --state-dir {state}"
                if verdict.unknown
                else ""
            )
            what = "; ".join(verdict.refusals)
            raise self._refuse(f"certificate {common_name(certificate)} (SHA-256 {shown}…): {what}{remedy}{kept}")
        if self._security.host_name == "ignore":
            verdict.remarks.pop("host_name", None)
        for key in ("host_name", "revocation_list"):
            self._notice(key, verdict.remarks.get(key), key)
        self._server = certificate

    def _say_who(self, client: Any) -> None:
        token = token_of(self._chosen, self.identity.kind, self._security)
        if token is None:
            raise self._refuse(
                f"it takes no such identity (BadIdentityTokenRejected), only: {identities(self._chosen)}"
            )
        clear = is_plain(token) and self._chosen.SecurityMode != ua.MessageSecurityMode.SignAndEncrypt
        if clear and self.identity.password is not None and not self._security.allow_plain_password:
            reason = "it wants the password in clear; use a policy with SignAndEncrypt, or allow it with"
            raise self._refuse(f"{reason} `security: {{allow_plain_password: true}}`")
        named = self.identity.kind != ua.UserTokenType.Anonymous
        if named and not self.secured and not self._security.allow_plain_password:
            sent, encrypts_for = self._chosen.ServerCertificate or b"", client.security_policy.peer_certificate
            # A secret goes only to whom we know; the endpoint has the issuers of the certificate, too.
            self._believe(sent if encrypts_for and sent.startswith(encrypts_for) else encrypts_for)
        client._policy_ids = [token]  # noqa: SLF001 (asyncua takes the first of a kind)

    def _identity(self) -> Identity:
        settings = self._settings
        if settings.user_certificate_file and settings.user_private_key_file:
            return Identity(
                certificate=load_credentials(settings.user_certificate_file, settings.user_private_key_file)
            )
        if settings.user is None or settings.password_file is None:
            return Identity()
        try:
            return Identity(settings.user, read_secret(settings.password_file))
        except ConfigError as error:
            raise LinkUntrusted(settings.endpoint, f"password_file {error}") from error

    def _need_pki(self) -> Pki:
        if self._pki is None:
            raise self._refuse("no state folder is named, so there is no trust list; name it with --state-dir", "")
        return self._pki

    def _refuse(self, reason: str, who: str = "the server is not trusted: ") -> LinkUntrusted:
        return LinkUntrusted(self._settings.endpoint, printable(f"{who}{reason}"))

    def _files(self) -> _Files:
        return _Files(self._settings.endpoint)


class _Files:
    """Turns a file that cannot be used into the link error of a connection."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ConfigError):
            raise LinkUntrusted(self._endpoint, str(error)) from error


def _leaf(endpoint: Any) -> bytes | None:
    raw = endpoint.ServerCertificate or b""
    return split_der(raw)[0] if raw else None
