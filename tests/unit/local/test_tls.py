"""The local authority: created once, renewed in time, trusted for localhost only."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from local import tls
from local.tls import LocalTls


@pytest.fixture
def files(tmp_path: Path) -> LocalTls:
    made = LocalTls(tmp_path / "tls")
    made.ensure()
    return made


def contents(files: LocalTls) -> list[bytes]:
    return [path.read_bytes() for path in (files.ca_file, files.certificate, files.key)]


def test_it_is_made_once(files: LocalTls) -> None:
    before = contents(files)
    files.ensure()
    assert contents(files) == before


def test_the_certificate_is_for_localhost(files: LocalTls) -> None:
    authority, certificate = (
        x509.load_pem_x509_certificate(path.read_bytes())
        for path in (files.ca_file, files.certificate)
    )
    certificate.verify_directly_issued_by(authority)
    names = certificate.extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    ).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == [
        "127.0.0.1",
        "::1",
    ]
    permitted = authority.extensions.get_extension_for_class(
        x509.NameConstraints
    ).value.permitted_subtrees
    assert permitted is not None
    assert len(permitted) == 3
    assert certificate.not_valid_after_utc > datetime.now(UTC) + timedelta(days=300)


def test_only_its_user_may_read_it(files: LocalTls) -> None:
    assert stat.S_IMODE(files.directory.stat().st_mode) == 0o700
    assert stat.S_IMODE(files.key.stat().st_mode) == 0o600


@pytest.mark.parametrize("broken", ["ca_file", "certificate", "key"])
@pytest.mark.parametrize("how", ["gone", "damaged"])
def test_what_is_broken_is_made_anew(files: LocalTls, broken: str, how: str) -> None:
    path: Path = getattr(files, broken)
    path.unlink() if how == "gone" else path.write_bytes(b"-----BEGIN NOTHING-----")
    before = contents(LocalTls(files.directory)) if how == "damaged" else []
    files.ensure()
    assert contents(files) != before
    x509.load_pem_x509_certificate(files.ca_file.read_bytes())


def test_what_is_about_to_end_is_renewed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "CERTIFICATE_DAYS", tls.RENEW_DAYS)
    files = LocalTls(tmp_path / "tls")
    files.ensure()
    before = contents(files)
    monkeypatch.undo()
    files.ensure()
    assert contents(files) != before


def test_a_pair_that_does_not_belong_together_is_made_anew(
    files: LocalTls, tmp_path: Path
) -> None:
    other = LocalTls(tmp_path / "other")
    other.ensure()
    files.key.write_bytes(other.key.read_bytes())
    before = contents(files)
    files.ensure()
    assert contents(files) != before


def test_it_is_removed(files: LocalTls) -> None:
    files.remove()
    assert not files.directory.exists()
    files.remove()
