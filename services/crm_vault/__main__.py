"""Starts a Vault CRM: ``python -m services.crm_vault``; with ``migrate`` it migrates the database and ends."""

from services.crm_vault.definition import CRM_VAULT
from shared.vault.process.vault_command import main

if __name__ == "__main__":
    main(CRM_VAULT)
