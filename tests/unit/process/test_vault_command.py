"""The command line of a Vault: known tasks; a migration needs the owner's address and no settings of a service."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from services.medical_vault.definition import MEDICAL_VAULT
from shared.vault.process.vault_command import main

# The command configures the logging of its process.
pytestmark = pytest.mark.usefixtures("logging_restored")

DSN = "postgresql://medical_vault:a-secret@127.0.0.1/medical_vault"


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VAULT_DATABASE_DSN", "VAULT_OWNER_DSN", "SECRETS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)


def test_a_task_that_does_not_exist(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main("medical_vault", lambda: MEDICAL_VAULT, ["restart"])
    assert ended.value.code == 2
    assert "serve" in capsys.readouterr().err


def test_a_migration_without_an_owner_names_what_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VAULT_DATABASE_DSN", DSN)
    with pytest.raises(ValidationError) as refused:
        main("medical_vault", lambda: MEDICAL_VAULT, ["migrate"])
    assert [error["loc"] for error in refused.value.errors()] == [("owner_dsn",)]
    assert "a-secret" not in str(refused.value)
