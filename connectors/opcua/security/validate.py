"""Whether a certificate is to be believed: pure checks with exact reasons (OPC 10000-4 §6.1.3)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from connectors.opcua.security.certificates import application_uris, common_name, day, host_names
from connectors.opcua.security.config import Policy

_MAX_CHAIN: Final = 6
_KEY_BITS: Final[dict[str, tuple[int, int]]] = {"Basic256": (1024, 2048), "Basic128Rsa15": (1024, 2048)}
"""Key lengths by policy (OPC 10000-7 §6.6); every other policy: 2048 to 4096."""
_CURRENT_BITS: Final = (2048, 4096)


@dataclass(frozen=True, slots=True)
class Trust:
    """What the agent believes in.

    Attributes:
        trusted: certificates of applications, or of authorities whose every certificate is trusted.
        issuers: certificates of authorities that only complete a chain.
        revocations: revocation lists.
    """

    trusted: Sequence[x509.Certificate] = ()
    issuers: Sequence[x509.Certificate] = ()
    revocations: Sequence[x509.CertificateRevocationList] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found; believed when `refusals` is empty.

    Attributes:
        refusals: why it is not believed, each with its OPC UA status code by name.
        remarks: what is odd and no reason to refuse, by short key.
        unknown: it is refused because nobody has put it on the trust list.
    """

    refusals: list[str] = field(default_factory=list)
    remarks: dict[str, str] = field(default_factory=dict)
    unknown: bool = False


def judge(
    certificate: x509.Certificate,
    sent: Sequence[x509.Certificate],
    trust: Trust,
    now: datetime,
    *,
    policy: Policy,
    uri: str,
    host: str,
    host_must_match: bool,
) -> Verdict:
    """Look at a server's certificate.

    Args:
        certificate: the application instance certificate.
        sent: issuers that the server sent with it.
        trust: the trust list.
        now: when.
        policy: of the connection; it says which keys are long enough.
        uri: what the server calls itself in its endpoint description.
        host: where the agent looks for it.
        host_must_match: whether another host name is a refusal.
    """
    chain = _chain(certificate, sent, trust)
    known = any(one in trust.trusted for one in chain)
    refusals = [] if known else ["it is not on the trust list (BadCertificateUntrusted)"]
    pinned = certificate in trust.trusted
    refusals += [reason for one in chain for reason in _time(one, now, certificate)]
    refusals += _length(certificate, policy)
    if not pinned:
        refusals += _signatures(chain, policy)
    refusals += _uri(certificate, uri)
    refusals += _usage(certificate)
    refusals += [reason for below, one in enumerate(chain[1:]) for reason in _authority(one, below)]
    revoked, remarks = _revoked(chain, trust, now)
    refusals += revoked
    if not _names(certificate, host):
        names = ", ".join(host_names(certificate)) or "no host"
        if host_must_match:
            refusals.append(f"it is for {names}, not for {host} (BadCertificateHostNameInvalid)")
        else:
            remedy = "write one of them in endpoint, or `security: {host_name: ignore}`"
            remarks["host_name"] = f"the server's certificate is for {names}, not for {host}; {remedy}"
    return Verdict(refusals, remarks, unknown=not known)


def _chain(certificate: x509.Certificate, sent: Iterable[x509.Certificate], trust: Trust) -> list[x509.Certificate]:
    """The certificate and its issuers as far as they are known, each signature checked."""
    pool = [*_newest(trust.trusted), *_newest(trust.issuers), *_newest(sent)]
    out = [certificate]
    while len(out) < _MAX_CHAIN and out[-1].issuer != out[-1].subject:
        above = next((one for one in pool if one not in out and _issued(out[-1], one)), None)
        if above is None:
            break
        out.append(above)
    return out


def _newest(some: Iterable[x509.Certificate]) -> list[x509.Certificate]:
    """Of an authority that was renewed with the same key, the certificate that ends last is the one to use."""
    return sorted(some, key=lambda one: one.not_valid_after_utc, reverse=True)


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _time(one: x509.Certificate, now: datetime, leaf: x509.Certificate) -> list[str]:
    who = "it" if one is leaf else f"its issuer {common_name(one)}"
    code = "BadCertificateTimeInvalid" if one is leaf else "BadCertificateIssuerTimeInvalid"
    if one.not_valid_after_utc < now:
        return [f"{who} expired on {day(one.not_valid_after_utc)} ({code})"]
    if one.not_valid_before_utc > now:
        return [f"{who} is valid only from {day(one.not_valid_before_utc)}, today is {day(now)} ({code})"]
    return []


def _length(certificate: x509.Certificate, policy: Policy) -> list[str]:
    key = certificate.public_key()
    low, high = _KEY_BITS.get(policy, _CURRENT_BITS)
    if not isinstance(key, rsa.RSAPublicKey):
        return ["it has no RSA key (BadCertificatePolicyCheckFailed)"]
    if low <= key.key_size <= high:
        return []
    return [f"its key has {key.key_size} bits, {low} to {high} are needed (BadCertificatePolicyCheckFailed)"]


def _signatures(chain: Sequence[x509.Certificate], policy: Policy) -> list[str]:
    """What an authority signed with SHA-1 can be forged; who is on the list itself needs no signature."""
    if policy in _KEY_BITS:
        return []
    weak = [one for one in chain if isinstance(one.signature_hash_algorithm, hashes.SHA1 | hashes.MD5)]
    return [f"{common_name(one)} is signed with SHA-1 or MD5 (BadCertificatePolicyCheckFailed)" for one in weak]


def _uri(certificate: x509.Certificate, uri: str) -> list[str]:
    uris = application_uris(certificate)
    if uri in uris:
        return []
    names = ", ".join(uris) or "no application"
    return [f"it is for {names}, the server calls itself {uri or 'nothing'} (BadCertificateUriInvalid)"]


def _usage(certificate: x509.Certificate) -> list[str]:
    """What it may be used for; a certificate that does not say may be used for everything (RFC 5280 §4.2.1.3)."""
    out = []
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        if not usage.digital_signature:
            out.append("it must not be used for signatures (BadCertificateUseNotAllowed)")
        if not (usage.key_encipherment or usage.data_encipherment):
            out.append("it must not be used for encryption (BadCertificateUseNotAllowed)")
    except x509.ExtensionNotFound:
        pass
    except ValueError as error:
        return [f"its extensions make no sense: {error} (BadCertificateInvalid)"]
    try:
        roles = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        if not {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE} & set(roles):
            out.append("it must not be used by a server (BadCertificateUseNotAllowed)")
    except x509.ExtensionNotFound:
        pass
    return out


def _authority(issuer: x509.Certificate, below: int) -> list[str]:
    """Whether it may issue a certificate with `below` authorities between the two (RFC 5280 §4.2.1.3, §4.2.1.9)."""
    try:
        basic = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        basic = x509.BasicConstraints(ca=False, path_length=None)
    try:
        signs = issuer.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    except x509.ExtensionNotFound:
        signs = True
    code = "(BadCertificateIssuerUseNotAllowed)"
    if not basic.ca or not signs:
        return [f"{common_name(issuer)} is no authority {code}"]
    if basic.path_length is not None and basic.path_length < below:
        return [f"{common_name(issuer)} allows {basic.path_length} authorities below it, there are {below} {code}"]
    return []


def _revoked(chain: Sequence[x509.Certificate], trust: Trust, now: datetime) -> tuple[list[str], dict[str, str]]:
    refusals, remarks = [], {}
    for one, issuer in pairwise(chain):
        for crl in trust.revocations:
            if crl.issuer != one.issuer or not crl.is_signature_valid(issuer.public_key()):  # type: ignore[arg-type]
                continue
            if crl.get_revoked_certificate_by_serial_number(one.serial_number) is not None:
                refusals.append(f"{common_name(issuer)} revoked {common_name(one)} (BadCertificateRevoked)")
            if crl.next_update_utc is not None and crl.next_update_utc < now:
                stale = (
                    f"the revocation list of {common_name(issuer)} ended on {day(crl.next_update_utc)}; put a new one"
                )
                remarks["revocation_list"] = stale
    return refusals, remarks


def _names(certificate: x509.Certificate, host: str) -> bool:
    """Whether the certificate names the host."""
    names = host_names(certificate)
    try:
        wanted = ipaddress.ip_address(host)
    except ValueError:
        return host.lower() in {one.lower() for one in names}
    return str(wanted) in names
