"""The folder of certificates: what is in it, who may read it, how much it grows."""

from __future__ import annotations

import os
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from connectors.opcua.security.certificates import (
    application_uris,
    der,
    fingerprint,
    host_names,
    load_certificates,
    load_credentials,
    load_key,
    make_own,
    split_der,
)
from connectors.opcua.security.expiry import warning
from connectors.opcua.security.pki import MAX_REJECTED, Pki
from pipelines.errors import ConfigError
from tests.connectors.opcua.secured import DAY, NOW, make


def test_the_own_certificate_is_made_once_and_kept(tmp_path: Path) -> None:
    pki = Pki(tmp_path / "state/pki")
    first = pki.own(NOW)
    again = Pki(tmp_path / "state/pki").own(NOW + DAY)
    assert first.certificate == again.certificate
    certificate, key = pki.own_paths()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(certificate.parent.stat().st_mode) == 0o700
    (uri,) = application_uris(first.certificate)
    assert uri.startswith("urn:")
    assert ":shopfloor-agent:" in uri
    assert host_names(first.certificate)
    usage = first.certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature
    assert usage.content_commitment
    assert usage.key_encipherment
    assert usage.data_encipherment
    assert first.key.key_size == 2048
    assert "PRIVATE" not in repr(first)
    other = Pki(tmp_path / "other/pki").own(NOW)
    assert application_uris(other.certificate) != [uri]


def test_a_renewed_certificate_keeps_the_application_uri(tmp_path: Path) -> None:
    pki = Pki(tmp_path / "pki")
    before = pki.own(NOW)
    after = pki.renew(NOW, 3072)
    assert after.key.key_size == 3072
    assert application_uris(after.certificate) == application_uris(before.certificate)
    assert load_certificates(tmp_path / "pki/own-before/certificate.der") == [before.certificate]
    assert pki.own(NOW).certificate == after.certificate


def test_rejected_certificates_are_bounded_and_trusting_takes_one_out(tmp_path: Path) -> None:
    pki = Pki(tmp_path / "pki")
    made = [make(f"plc {number}").certificate for number in range(MAX_REJECTED + 5)]
    for number, one in enumerate(made):
        os.utime(pki.reject(one), (number, number))
    kept = {fingerprint(one.certificate) for one in pki.kept("rejected")}
    assert len(kept) == MAX_REJECTED
    assert fingerprint(made[-1]) in kept
    last = fingerprint(made[-1])
    (found,) = pki.find(":".join([last[:2], last[2:4], last[4:16].upper()]), "rejected")
    pki.add(found.certificate)
    assert [one.certificate for one in pki.kept("trusted")] == [made[-1]]
    assert made[-1] not in [one.certificate for one in pki.kept("rejected")]


def test_files_in_both_forms_are_read(tmp_path: Path) -> None:
    made = make()
    (tmp_path / "a.pem").write_bytes(made.certificate.public_bytes(Encoding.PEM) + made.pem)
    (tmp_path / "a.der").write_bytes(der(made.certificate))
    (tmp_path / "key.pem").write_bytes(made.pem)
    assert load_certificates(tmp_path / "a.pem") == load_certificates(tmp_path / "a.der") == [made.certificate]
    assert (
        load_credentials(tmp_path / "a.der", tmp_path / "key.pem").key.private_numbers() == made.key.private_numbers()
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no certificate", "this is no certificate in PEM or DER form"),
        (b"", "there is no certificate in it"),
        (b"\x30\x82\xff\xff", "this is no certificate in PEM or DER form"),
    ],
)
def test_a_file_that_is_none_says_so(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "x.der"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=reason):
        load_certificates(path)
    with pytest.raises(ConfigError, match="cannot read the private key"):
        load_key(tmp_path / "absent.pem")


def test_a_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.der").write_bytes(der(make().certificate))
    (tmp_path / "key.pem").write_bytes(make(which=5).pem)
    with pytest.raises(ConfigError, match="this is not the private key of"):
        load_credentials(tmp_path / "a.der", tmp_path / "key.pem")


def test_a_chain_is_taken_apart() -> None:
    one, two = make().certificate, make("b").certificate
    assert split_der(der(one) + der(two)) == [der(one), der(two)]
    with pytest.raises(ValueError, match="cut off"):
        split_der(der(one)[:-1])


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (timedelta(days=30, seconds=1), None),
        (timedelta(days=30), (30, "x expires in 30 days, on ")),
        (timedelta(days=7), (7, "x expires in 7 days, on ")),
        (timedelta(days=1), (1, "x expires in 1 day, on ")),
        (timedelta(hours=3), (1, "x expires in less than a day, on ")),
        (timedelta(0), (0, "x expired on ")),
    ],
)
def test_warnings_before_the_end(left: timedelta, said: tuple[int, str] | None) -> None:
    certificate = make_own("urn:x", ["h"], NOW).certificate
    found = warning(certificate, "x", certificate.not_valid_after_utc - left)
    assert (found is None) == (said is None)
    if found and said:
        assert found[0] == said[0]
        assert found[1].startswith(said[1])
