"""Starts a Medical Vault: ``python -m services.medical_vault``; with ``migrate`` it only migrates the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.vault.process.vault_command import main

if TYPE_CHECKING:
    from shared.vault.assembly.vault_definition import VaultDefinition


def definition() -> VaultDefinition:
    """Load the definition; a process that only starts others does not need it."""
    from services.medical_vault.definition import MEDICAL_VAULT  # noqa: PLC0415

    return MEDICAL_VAULT


if __name__ == "__main__":
    main("medical_vault", definition)
