"""Authorities and server certificates for one run, made when it starts and gone with its folder."""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pipelines.clock import SystemClock

_SLACK: Final = dt.timedelta(days=2)
"""Valid this long before and after now: the collector's clock may be off by hours."""
_USAGES: Final = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


@dataclass(frozen=True, slots=True)
class ServerFiles:
    """PEM files: the authority's certificate, the server's certificate, its private key."""

    ca: Path
    certificate: Path
    key: Path


def make_server(folder: Path, name: str, addresses: Sequence[str]) -> ServerFiles:
    """An authority, and a server certificate of it for some IPv4 addresses.

    Args:
        folder: an existing folder; three files are written.
        name: of the authority; files are called after it.
        addresses: the server's, as numbers.
    """
    files = ServerFiles(folder / f"{name}-ca.crt", folder / f"{name}.crt", folder / f"{name}.key")
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"soak {name} authority")])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "soak broker")])
    authority = _builder(ca_name, ca_name, ca_key.public_key(), ca_key, authority=True)
    alternatives = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(one)) for one in addresses])
    server = _builder(subject, ca_name, key.public_key(), ca_key, authority=False).add_extension(
        alternatives, critical=False
    )
    files.ca.write_bytes(authority.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    files.certificate.write_bytes(server.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    files.key.touch(mode=0o600)
    files.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public: ec.EllipticCurvePublicKey,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    authority: bool,
) -> x509.CertificateBuilder:
    now = dt.datetime.fromtimestamp(SystemClock().now_ns() / 1e9, dt.UTC)
    usage = dict.fromkeys(_USAGES, False)
    usage |= {"key_cert_sign": True, "crl_sign": True} if authority else {"digital_signature": True}
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SLACK)
        .not_valid_after(now + _SLACK)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .add_extension(x509.KeyUsage(**usage), critical=True)
    )
