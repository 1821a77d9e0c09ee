"""The proxy's certificate: made for localhost when the operator has none, refused when it is unusable."""

from __future__ import annotations

from pathlib import Path

import pytest

from local import proxy_certificate
from local.tls import LocalTls


def named(monkeypatch: pytest.MonkeyPatch, certificate: str, key: str) -> None:
    monkeypatch.setenv("TLS_CERTIFICATE", certificate)
    monkeypatch.setenv("TLS_KEY", key)


def test_without_one_it_is_made_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named(monkeypatch, "localhost.pem", "localhost.key")
    assert proxy_certificate.main(tmp_path) == 0
    made = LocalTls(tmp_path).certificate.read_bytes()
    assert proxy_certificate.main(tmp_path) == 0
    assert LocalTls(tmp_path).certificate.read_bytes() == made


def test_the_operators_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = LocalTls(tmp_path)
    own.ensure()
    own.certificate.rename(tmp_path / "fullchain.pem")
    own.key.rename(tmp_path / "privkey.pem")
    files = {path: path.read_bytes() for path in tmp_path.iterdir()}
    named(monkeypatch, "fullchain.pem", "privkey.pem")
    assert proxy_certificate.main(tmp_path) == 0
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == files


@pytest.mark.parametrize(
    ("certificate", "key"),
    [
        ("absent.pem", "localhost.key"),
        ("localhost.pem", "absent.key"),
        ("localhost.key", "localhost.key"),
        ("ca.pem", "localhost.key"),
    ],
)
def test_what_cannot_be_served_is_refused(
    tmp_path: Path,
    certificate: str,
    key: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    LocalTls(tmp_path).ensure()
    named(monkeypatch, certificate, key)
    assert proxy_certificate.main(tmp_path) == 2
    assert "TLS_CERTIFICATE and TLS_KEY" in capsys.readouterr().err
