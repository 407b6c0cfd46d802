"""The agent's folder of certificates: its own, those it trusts, and those it refused, kept for review."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import socket
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from connectors.opcua.security.certificates import (
    Credentials,
    application_uris,
    common_name,
    der,
    fingerprint,
    load_certificates,
    load_credentials,
    make_own,
)
from pipelines.errors import ConfigError

MAX_REJECTED: Final = 20
"""Refused certificates that are kept; the oldest goes first, so that nobody fills the disk with them."""
_ENDINGS: Final = (".der", ".pem", ".crt", ".cer")
_CRL_ENDINGS: Final = (".crl", ".der", ".pem")
_PEM_LIST: Final = re.compile(rb"-----BEGIN X509 CRL-----.+?-----END X509 CRL-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Kept:
    """A certificate in the folder.

    Attributes:
        group: `trusted`, `issuers` or `rejected`.
        path: the file.
        certificate: what is in it.
    """

    group: str
    path: Path
    certificate: x509.Certificate


@dataclass(frozen=True, slots=True)
class Pki:
    """`<state folder>/pki`, with the sub-folders own, trusted, issuers, crl and rejected (as OPC 10000-12 §7.8.2).

    Attributes:
        folder: the folder itself; it is made when something is written.
    """

    folder: Path

    def own_paths(self) -> tuple[Path, Path]:
        """Certificate and private key of this agent."""
        return self.folder / "own/certificate.der", self.folder / "own/private_key.pem"

    def own(self, now: datetime) -> Credentials:
        """The agent's own certificate and key; made at the first call and kept from then on.

        Raises:
            ConfigError: it cannot be read or written.
        """
        certificate, key = self.own_paths()
        if not certificate.exists():
            self._finish_renewal()
        if not certificate.exists():
            host = re.sub(r"[^A-Za-z0-9.\-]", "-", socket.gethostname()) or "localhost"
            made = make_own(f"urn:{host}:shopfloor-agent:{uuid.uuid4()}", [host], now)
            self._place(made, replace=False)
        return load_credentials(certificate, key)

    def renew(self, now: datetime, bits: int) -> Credentials:
        """A new key and certificate under the same application URI; the ones before are kept in `own-before`.

        Raises:
            ConfigError: it cannot be read or written.
        """
        old = self.own(now).certificate
        host = re.sub(r"[^A-Za-z0-9.\-]", "-", socket.gethostname()) or "localhost"
        self._place(make_own(application_uris(old)[0], [host], now, bits), replace=True)
        return load_credentials(*self.own_paths())

    def kept(self, group: str) -> list[Kept]:
        """Certificates of one group; a file that holds none is passed over.

        Raises:
            ConfigError: the folder cannot be read.
        """
        return list(self._kept(group))

    def revocations(self) -> list[x509.CertificateRevocationList]:
        """Revocation lists of the folder `crl`.

        Raises:
            ConfigError: one is not readable: a revoked certificate must not pass because of that.
        """
        out = []
        for path in self._files("crl", _CRL_ENDINGS):
            try:
                out += _lists(path.read_bytes())
            except ValueError as error:
                raise ConfigError(path, None, "this is no revocation list; remove it or put a right one") from error
            except OSError as error:
                raise ConfigError(path, None, f"cannot read the revocation list: {error.strerror}") from error
        return out

    def add(self, certificate: x509.Certificate, group: str = "trusted") -> Path:
        """Keep a certificate; it leaves the rejected ones when it becomes trusted.

        Raises:
            ConfigError: it cannot be written.
        """
        path = self.folder / group / file_name(certificate)
        self._write(path, der(certificate))
        if group != "rejected":
            (self.folder / "rejected" / path.name).unlink(missing_ok=True)
        return path

    def add_revocations(self, path: Path) -> list[Path]:
        """Copy the revocation lists of a file into the folder; each replaces the one of the same authority and key.

        Raises:
            ConfigError: it holds none, or one cannot be written.
        """
        try:
            found = _lists(path.read_bytes())
        except OSError as error:
            raise ConfigError(path, None, f"cannot read it: {error.strerror}") from error
        except ValueError as error:
            raise ConfigError(path, None, "this is no revocation list in PEM or DER form") from error
        targets = [self.folder / "crl" / _list_name(one) for one in found]
        for target, one in zip(targets, found, strict=True):
            self._write(target, one.public_bytes(Encoding.DER))
        return targets

    def reject(self, certificate: x509.Certificate) -> Path:
        """Keep a refused certificate for review; the oldest beyond `MAX_REJECTED` are removed.

        Raises:
            ConfigError: it cannot be written.
        """
        path = self.folder / "rejected" / file_name(certificate)
        try:
            if path.exists():
                os.utime(path)
            else:
                self.add(certificate, "rejected")
            kept = sorted(path.parent.glob("*.der"), key=lambda one: one.stat().st_mtime_ns, reverse=True)
            for old in kept[MAX_REJECTED:]:
                old.unlink(missing_ok=True)
        except OSError as error:
            raise ConfigError(path, None, f"cannot keep it: {error.strerror}") from error
        return path

    def find(self, start: str, *groups: str) -> list[Kept]:
        """Kept certificates whose SHA-256 fingerprint starts so; colons and spaces in it do not matter."""
        start = re.sub(r"[:\s]", "", start).lower()
        return [one for group in groups for one in self.kept(group) if fingerprint(one.certificate).startswith(start)]

    def _kept(self, group: str) -> Iterator[Kept]:
        for path in self._files(group, _ENDINGS):
            try:
                found = load_certificates(path)
            except ConfigError:
                continue
            yield from (Kept(group, path, one) for one in found)

    def _files(self, group: str, endings: tuple[str, ...]) -> list[Path]:
        folder = self.folder / group
        try:
            return sorted(one for one in folder.iterdir() if one.suffix.lower() in endings)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ConfigError(folder, None, f"cannot read the folder: {error.strerror}") from error

    def _place(self, made: Credentials, *, replace: bool) -> None:
        """Put certificate and key in place together; whoever comes second leaves what the first has made."""
        own = self.folder / "own"
        fresh = self.folder / f"own-{uuid.uuid4().hex}"
        try:
            self._make_folders(fresh)
            secret = made.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            _write_synced(fresh / "private_key.pem", secret)
            _write_synced(fresh / "certificate.der", der(made.certificate))
            self._hand_over(fresh, fresh / "private_key.pem", fresh / "certificate.der")
            if replace:
                shutil.rmtree(self._before, ignore_errors=True)
                own.rename(self._before)
            fresh.rename(own)
            _sync_folder(self.folder)
        except OSError as error:
            shutil.rmtree(fresh, ignore_errors=True)
            if replace:
                self._finish_renewal()
            if replace or not (own / "certificate.der").exists():
                raise ConfigError(own, None, f"cannot keep the own certificate: {error.strerror}") from error

    @property
    def _before(self) -> Path:
        """The own certificate before the last renewal."""
        return self.folder / "own-before"

    def _finish_renewal(self) -> None:
        """A renewal that was cut off between its two renames has no certificate in place: the one before is."""
        with suppress(OSError):  # whatever keeps it from its place will be told of the place itself
            if self._before.exists() and not (self.folder / "own").exists():
                self._before.rename(self.folder / "own")

    def _write(self, path: Path, raw: bytes) -> None:
        part = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        try:
            self._make_folders(path.parent)
            _write_synced(part, raw)
            self._hand_over(path.parent, part)
            part.replace(path)
            _sync_folder(path.parent)
        except OSError as error:
            raise ConfigError(path, None, f"cannot write it: {error.strerror}") from error

    def _make_folders(self, last: Path) -> None:
        """The folders on the way.

        Raises:
            OSError: one cannot be made, or leads elsewhere: what root writes must not land there.
        """
        for folder in (self.folder.parent, self.folder, last):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if any(folder.is_symlink() for folder in (self.folder, last)):
            raise OSError(errno.ELOOP, "a folder of certificates must not be a symbolic link")

    def _hand_over(self, *paths: Path) -> None:
        """What root writes belongs to the owner of the state folder, or the service could not read it."""
        if os.geteuid() == 0:
            owner = self.folder.parent.stat()
            for path in (self.folder, *paths):
                os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def file_name(certificate: x509.Certificate) -> str:
    """A name people recognise, unique by the fingerprint."""
    shown = re.sub(r"[^A-Za-z0-9.\-]+", "-", common_name(certificate))[:60].strip("-.") or "certificate"
    return f"{shown}-{fingerprint(certificate)[:16]}.der"


def _lists(raw: bytes) -> list[x509.CertificateRevocationList]:
    """Every revocation list of a PEM file, or the one of a DER file.

    Raises:
        ValueError: there is none.
    """
    found = [x509.load_pem_x509_crl(one) for one in _PEM_LIST.findall(raw)]
    return found or [x509.load_der_x509_crl(raw)]


def _list_name(one: x509.CertificateRevocationList) -> str:
    """A name people recognise, the same for every list of one authority and key, and no other."""
    digest = hashlib.sha256(one.issuer.public_bytes())
    with suppress(x509.ExtensionNotFound):
        digest.update(one.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier or b"")
    shown = re.sub(r"[^A-Za-z0-9.\-]+", "-", one.issuer.rfc4514_string())[:60].strip("-.")
    return f"{shown}-{digest.hexdigest()[:16]}.crl"


def _sync_folder(path: Path) -> None:
    """What was renamed in it survives a power cut."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_synced(path: Path, raw: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())
