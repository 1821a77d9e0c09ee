"""A system with known passwords is not published to other machines, and the refusal names variables, not values."""

from __future__ import annotations

import pytest

from local import password_check

EVERY_ADDRESS = "0.0.0.0"  # noqa: S104  nothing listens there
KNOWN = {
    "MEDICAL_ADMIN_PASSWORD": "medical-admin-for-the-laptop",
    "CRM_OWNER_PASSWORD": "crm-owner-for-the-laptop",
    "POSTGRES_PASSWORD": "9f2c41d07a",
    "HOSTNAME": "name-for-the-laptop",
}
OWN = dict.fromkeys(KNOWN, "9f2c41d07a")


@pytest.mark.parametrize(
    ("address", "passwords", "expected"),
    [
        ("127.0.0.1", KNOWN, 0),
        ("127.8.0.1", KNOWN, 0),
        ("[::1]", KNOWN, 0),
        (EVERY_ADDRESS, KNOWN, 2),
        ("[::]", KNOWN, 2),
        ("", KNOWN, 2),
        ("192.168.1.7", KNOWN, 2),
        ("vault.example", KNOWN, 2),
        (EVERY_ADDRESS, OWN, 0),
        ("192.168.1.7", OWN, 0),
    ],
)
def test_what_is_refused(
    address: str,
    passwords: dict[str, str],
    expected: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in (passwords | {"BIND": address}).items():
        monkeypatch.setenv(name, value)
    assert password_check.main() == expected
    text = capsys.readouterr().err
    if not expected:
        assert text == ""
        return
    assert "Set CRM_OWNER_PASSWORD, MEDICAL_ADMIN_PASSWORD, or leave BIND unset" in text
    assert all(value not in text for value in passwords.values())
