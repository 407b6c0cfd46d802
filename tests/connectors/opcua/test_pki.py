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
    common_name,
    der,
    fingerprint,
    host_names,
    load_certificates,
    load_credentials,
    load_key,
    make_own,
    sent_certificates,
    split_der,
)
from connectors.opcua.security.expiry import warning
from connectors.opcua.security.pki import MAX_REJECTED, Pki
from connectors.opcua.security.validate import Trust, judge
from pipelines.errors import ConfigError
from tests.connectors.opcua.secured import DAY, NOW, URI, make, revocations


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


def test_a_renewal_that_was_cut_off_leaves_the_certificate_before_in_place(tmp_path: Path) -> None:
    pki = Pki(tmp_path / "pki")
    before = pki.own(NOW)
    (tmp_path / "pki/own").rename(tmp_path / "pki/own-before")  # the power was cut between the two renames
    assert pki.own(NOW).certificate == before.certificate


def test_root_does_not_follow_a_link_out_of_the_folder(tmp_path: Path) -> None:
    """The service's own user may write in its folder; root, who runs `agent trust`, must not be led elsewhere."""
    outside = tmp_path / "outside"
    outside.mkdir()
    pki = Pki(tmp_path / "state/pki")
    pki.folder.mkdir(parents=True)
    (pki.folder / "trusted").symlink_to(outside)
    with pytest.raises(ConfigError, match="a folder of certificates must not be a symbolic link"):
        pki.add(make().certificate)
    assert not list(outside.iterdir())


def test_a_refused_certificate_that_cannot_be_kept_says_so(tmp_path: Path) -> None:
    pki = Pki(tmp_path / "pki")
    pki.folder.mkdir()
    (pki.folder / "rejected").write_text("")
    with pytest.raises(ConfigError, match="rejected"):
        pki.reject(make().certificate)


def test_every_list_of_a_bundle_is_kept_and_none_takes_the_place_of_another(tmp_path: Path) -> None:
    long = "Certificate Authority of the Plant in the Industrial Park, "[:58].ljust(58)
    authorities = [make(long + end, uri=None, hosts=(), ca=True, which=1) for end in ("Hall A", "Hall B")]
    bundle = tmp_path / "plant.crl"
    bundle.write_bytes(b"\n".join(revocations(one, 7).public_bytes(Encoding.PEM) for one in authorities))
    pki = Pki(tmp_path / "pki")
    assert len(set(pki.add_revocations(bundle))) == 2
    pki.add_revocations(bundle)
    assert {one.issuer for one in pki.revocations()} == {one.certificate.subject for one in authorities}
    (tmp_path / "pki/crl/own.pem").write_bytes(bundle.read_bytes())
    assert len(pki.revocations()) == 4
    (tmp_path / "pki/crl/not.crl").mkdir()
    with pytest.raises(ConfigError, match="cannot read the revocation list"):
        pki.revocations()


def test_a_name_shows_as_one_line() -> None:
    """What `agent trust show` prints is compared with the device: a name must not bring a line of its own."""
    made = make("plc\nSHA-256      00\x1b[2K").certificate
    assert common_name(made) == "plc\ufffdSHA-256      00\ufffd[2K"


def test_what_a_server_sends_is_bounded_and_readable_to_the_last_part() -> None:
    made, issuer = make().certificate, make("CA", ca=True).certificate
    assert sent_certificates(der(made) + der(issuer)) == (made, [issuer])
    with pytest.raises(ValueError, match="65537 bytes are too many"):
        sent_certificates(b"\x30\x00" * 32_768 + b"\x30")
    raw = der(made)
    place = raw.index(bytes.fromhex("06092a864886f70d010101"))  # its key is of a kind that nobody knows
    strange = raw[: place + 2] + b"\x00" + raw[place + 3 :]
    with pytest.raises(ValueError, match="Unknown key type"):
        sent_certificates(strange)
    assert sent_certificates(der(made) + strange) == (made, [])


@pytest.mark.parametrize("base", [make().certificate, make("CA", uri=None, hosts=(), ca=True).certificate])
def test_a_changed_byte_of_a_certificate_raises_nothing_else(base: x509.Certificate) -> None:
    raw = der(base)
    for place in range(len(raw)):
        try:
            one, _ = sent_certificates(raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :])
        except ValueError:
            continue
        known = Trust([base, one])
        judge(one, [base], known, NOW, policy="auto", uri=URI, host="plc.example", host_must_match=False)


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
