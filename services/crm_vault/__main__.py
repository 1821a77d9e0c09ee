"""Starts a Vault CRM: ``python -m services.crm_vault``; with ``migrate`` it only migrates the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.vault.process.vault_command import main

if TYPE_CHECKING:
    from shared.vault.assembly.vault_definition import VaultDefinition


def definition() -> VaultDefinition:
    """Load the definition; a process that only starts others does not need it."""
    from services.crm_vault.definition import CRM_VAULT  # noqa: PLC0415

    return CRM_VAULT


if __name__ == "__main__":
    main("crm_vault", definition)
