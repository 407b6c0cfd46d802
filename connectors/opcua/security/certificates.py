"""X.509 certificates of OPC UA applications and users: read, made, described (OPC 10000-6 §6.2)."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    load_der_private_key,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pipelines.errors import ConfigError

YEARS: Final = 10
"""Life of an own certificate: a plant stands still when it ends, so long, and warned of in time."""
MOST_BYTES: Final = 65_536
"""Longest certificate with its issuers that is looked at; a chain of four has some 6,000."""
_PEM: Final = b"-----BEGIN"
_ODD: Final = (x509.DuplicateExtension, x509.InvalidVersion, x509.UnsupportedGeneralNameType)
_SEQUENCE: Final = 0x30
_LONG_FORM: Final = 0x80


@dataclass(frozen=True, slots=True)
class Credentials:
    """A certificate whose private key is ours.

    Attributes:
        certificate: of the application or the user.
        chain: its issuers, nearest first; empty when it is self-signed.
        key: private key; never shown.
    """

    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    key: rsa.RSAPrivateKey

    def __repr__(self) -> str:
        """Without the key."""
        return f"Credentials({fingerprint(self.certificate)[:16]})"


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of the certificate, 64 lower-case hexadecimal digits."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def thumbprint(certificate: x509.Certificate) -> str:
    """SHA-1 of the certificate as OPC UA products show it (OPC 10000-6 §6.2.2), 40 hexadecimal digits."""
    return certificate.fingerprint(hashes.SHA1()).hex()  # noqa: S303 (a name that people compare, no protection)


def printable(text: str) -> str:
    """One line that a terminal shows as it is: names in a certificate are whatever its maker wrote."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)


def common_name(certificate: x509.Certificate) -> str:
    """The subject's common name, else its whole name, printable."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return printable(str(names[0].value) if names else certificate.subject.rfc4514_string())


def application_uris(certificate: x509.Certificate) -> list[str]:
    """URIs of the subject alternative name; the first is the application's (OPC 10000-6 §6.2.2)."""
    names = _alternative_names(certificate)
    return names.get_values_for_type(x509.UniformResourceIdentifier) if names else []


def host_names(certificate: x509.Certificate) -> list[str]:
    """Host names and addresses of the subject alternative name."""
    names = _alternative_names(certificate)
    if names is None:
        return []
    addresses = [str(one) for one in names.get_values_for_type(x509.IPAddress)]
    return [*names.get_values_for_type(x509.DNSName), *addresses]


def day(moment: datetime) -> str:
    """A date people read."""
    return f"{moment:%Y-%m-%d}"


def split_der(raw: bytes) -> list[bytes]:
    """Certificates that stand one behind the other (OPC 10000-6 §6.2.6).

    Raises:
        ValueError: it is no sequence of DER objects.
    """
    out, at = [], 0
    while at < len(raw):
        size = _der_size(raw, at)
        out.append(raw[at : at + size])
        at += size
    return out


def sent_certificates(raw: bytes) -> tuple[x509.Certificate, list[x509.Certificate]]:
    """What a server sent: its certificate, and those of its issuers that can be read.

    Raises:
        ValueError: there is none, or not one part of it may make sense later.
    """
    if len(raw) > MOST_BYTES:
        raise ValueError(f"{len(raw)} bytes are too many for a certificate")
    first, *rest = split_der(raw) or [b""]
    issuers = []
    for one in rest:
        with suppress(ValueError):
            issuers.append(_read(one))
    return _read(first), issuers


def load_certificates(path: Path) -> list[x509.Certificate]:
    """Every certificate in a PEM or DER file, the application's or user's own first.

    Raises:
        ConfigError: it cannot be read or holds none.
    """
    raw = _bytes_of(path, "certificate")
    try:
        found = _load_pem(raw) if _PEM in raw else _load_der(raw)
    except ValueError as error:
        raise ConfigError(path, None, "this is no certificate in PEM or DER form") from error
    if not found:
        raise ConfigError(path, None, "there is no certificate in it")
    return found


def load_key(path: Path) -> rsa.RSAPrivateKey:
    """An RSA private key in a PEM or DER file without a password.

    Raises:
        ConfigError: it cannot be read or is something else; the message names the file, never its content.
    """
    raw = _bytes_of(path, "private key")
    try:
        key = load_pem_private_key(raw, None) if _PEM in raw else load_der_private_key(raw, None)
    except TypeError as error:
        raise ConfigError(path, None, "the private key has a password; keep one without, readable by root") from error
    except ValueError as error:
        raise ConfigError(path, None, "this is no private key in PEM or DER form") from error
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ConfigError(path, None, "OPC UA's policies need an RSA key")
    return key


def load_credentials(certificate: Path, key: Path) -> Credentials:
    """A certificate, its issuers and its private key.

    Raises:
        ConfigError: a file cannot be used, or the two do not belong together.
    """
    first, *chain = load_certificates(_looked_up(certificate))
    private = load_key(_looked_up(key))
    if private.public_key() != first.public_key():
        raise ConfigError(key, None, f"this is not the private key of {certificate}")
    return Credentials(first, tuple(chain), private)


def make_own(uri: str, hosts: Sequence[str], now: datetime, bits: int = 2048) -> Credentials:
    """A new key and a self-signed application instance certificate for it (OPC 10000-6 §6.2.2).

    Args:
        uri: application URI.
        hosts: names or addresses of this machine.
        now: valid from a day before, so that a device with a slow clock takes it.
        bits: 2048 or 3072; every policy takes 2048 to 4096, small devices are slow above 2048.
    """
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, f"shopfloor-agent {hosts[0]}"[:64]),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "shopfloor-agent"),
        ]
    )
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=True,
        key_encipherment=True,
        data_encipherment=True,
        key_agreement=False,
        key_cert_sign=True,  # it signs itself
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    serial = x509.random_serial_number()
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    issuer = x509.AuthorityKeyIdentifier(identifier.digest, [x509.DirectoryName(name)], serial)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365 * YEARS))
        .add_extension(identifier, critical=False)
        .add_extension(issuer, critical=False)
        .add_extension(x509.SubjectAlternativeName([_uri(uri), *map(_host, hosts)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    )
    return Credentials(builder.sign(key, hashes.SHA256()), (), key)


def utc(time_ns: int) -> datetime:
    """A moment of a link's clock, ns since 1970 UTC."""
    return datetime.fromtimestamp(time_ns / 1e9, UTC)


def der(certificate: x509.Certificate) -> bytes:
    """The certificate as bytes."""
    return certificate.public_bytes(Encoding.DER)


def _uri(text: str) -> x509.GeneralName:
    return x509.UniformResourceIdentifier(text)


def _host(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _alternative_names(certificate: x509.Certificate) -> x509.SubjectAlternativeName | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return None


def _load_pem(raw: bytes) -> list[x509.Certificate]:
    try:
        return [_read(der(one)) for one in x509.load_pem_x509_certificates(raw)]
    except _ODD as error:
        raise ValueError(str(error)) from error


def _load_der(raw: bytes) -> list[x509.Certificate]:
    return [_read(one) for one in split_der(raw)]


def _read(raw: bytes) -> x509.Certificate:
    """A certificate of which everything can be read: its library looks at most parts only when asked for them.

    Raises:
        ValueError: some part makes no sense, or is of a kind that is not known.
    """
    try:
        one = x509.load_der_x509_certificate(raw)
        _ = one.subject, one.issuer, one.public_key(), one.extensions, one.signature_hash_algorithm
        _ = one.not_valid_before_utc, one.not_valid_after_utc, one.serial_number
    except (TypeError, UnsupportedAlgorithm, *_ODD) as error:
        raise ValueError(str(error)) from error
    return one


def _der_size(raw: bytes, at: int) -> int:
    """Bytes of the DER object at `at`, header included (X.690 §8.1.3)."""
    if len(raw) < at + 2 or raw[at] != _SEQUENCE:
        raise ValueError("this is no DER object")
    first = raw[at + 1]
    octets = first & ~_LONG_FORM if first & _LONG_FORM else 0
    size = int.from_bytes(raw[at + 2 : at + 2 + octets], "big") if octets else first
    whole = 2 + octets + size
    if octets > 4 or at + whole > len(raw):  # noqa: PLR2004 (4 GiB)
        raise ValueError("a DER object is cut off")
    return whole


def _bytes_of(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(path, None, f"cannot read the {what}: {error.strerror}") from error


def _looked_up(path: Path) -> Path:
    """A bare name stands in `$CREDENTIALS_DIRECTORY` (systemd LoadCredential), as for every secret."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    return Path(folder) / path if folder and path.parent == Path() else path
