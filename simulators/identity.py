"""Self-signed certificates of simulated OPC UA servers (OPC 10000-6 §6.2.2), another for every number."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


class Identity(NamedTuple):
    """Certificate and private key, DER."""

    certificate: bytes
    key: bytes


def identity(name: str, uri: str, host: str) -> Identity:
    """A new identity of the application `uri` on `host`, an IP address; valid for ten years."""
    key = rsa.generate_private_key(65_537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    begin = datetime.now(UTC) - timedelta(days=1)
    names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri), x509.IPAddress(ip_address(host))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=3650))
        .add_extension(names, critical=False)
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return Identity(certificate.public_bytes(Encoding.DER), private)
