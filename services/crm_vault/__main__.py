"""Starts a Vault CRM: ``python -m services.crm_vault``; with ``migrate`` it migrates the database and ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.vault.process.vault_command import main

if TYPE_CHECKING:
    from shared.vault.assembly.vault_definition import VaultDefinition


def definition() -> VaultDefinition:
    """Load the definition, which a process that only begins others does not need."""
    from services.crm_vault.definition import CRM_VAULT  # noqa: PLC0415

    return CRM_VAULT


if __name__ == "__main__":
    main("crm_vault", definition)
