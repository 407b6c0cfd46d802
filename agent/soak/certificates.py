"""Authorities and what they sign, for one run: made when it starts and gone with its folder."""

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
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pipelines.clock import SystemClock

SLACK: Final = dt.timedelta(days=2)
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
class Pair:
    """PEM files: a certificate, and its private key."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class ServerFiles:
    """PEM files: the authority's certificate, the server's certificate, its private key."""

    ca: Path
    certificate: Path
    key: Path


class Authority:
    """Signs certificates; its own key is never written.

    Args:
        file: for its own certificate, PEM, in an existing folder.
        name: its common name.
    """

    def __init__(self, file: Path, name: str) -> None:
        self.file = file
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        usage = {"key_cert_sign": True, "crl_sign": True}
        builder = self._begin(self._name, self._key.public_key(), (-SLACK, SLACK), usage, authority=True)
        file.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def sign(
        self, files: Pair, name: str, hosts: Sequence[str], valid: tuple[dt.timedelta, dt.timedelta] = (-SLACK, SLACK)
    ) -> Pair:
        """Write a certificate for a server or client, and its key, which only the owner may read.

        Args:
            files: where.
            name: its common name.
            hosts: names and addresses it is good for; empty for a client.
            valid: from when to when, counted from now.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._begin(_named(name), key.public_key(), valid, {"digital_signature": True}, authority=False)
        both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = builder.add_extension(x509.ExtendedKeyUsage(both), critical=False)
        if hosts:
            builder = builder.add_extension(x509.SubjectAlternativeName([_host(one) for one in hosts]), critical=False)
        signed = builder.sign(self._key, hashes.SHA256())
        files.certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        files.key.touch(mode=0o600)
        no_password = serialization.NoEncryption()
        files.key.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, no_password)
        )
        return files

    def _begin(
        self,
        subject: x509.Name,
        public: ec.EllipticCurvePublicKey,
        valid: tuple[dt.timedelta, dt.timedelta],
        usage: dict[str, bool],
        *,
        authority: bool,
    ) -> x509.CertificateBuilder:
        now = dt.datetime.fromtimestamp(SystemClock().now_ns() / 1e9, dt.UTC)
        first, last = valid
        ours = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + first)
            .not_valid_after(now + last)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(ours, critical=False)
            .add_extension(x509.KeyUsage(**dict.fromkeys(_USAGES, False) | usage), critical=True)
        )


def make_server(folder: Path, name: str, addresses: Sequence[str]) -> ServerFiles:
    """An authority, and a server certificate of it for some IPv4 addresses.

    Args:
        folder: an existing folder; three files are written.
        name: of the authority; files are called after it.
        addresses: the server's, as numbers.
    """
    authority = Authority(folder / f"{name}-ca.crt", f"soak {name} authority")
    pair = authority.sign(Pair(folder / f"{name}.crt", folder / f"{name}.key"), "soak broker", addresses)
    return ServerFiles(authority.file, pair.certificate, pair.key)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
