"""Starts a Medical Vault: ``python -m services.medical_vault``; with ``migrate`` it migrates the database and ends."""

from services.medical_vault.definition import MEDICAL_VAULT
from shared.vault.process.vault_command import main

if __name__ == "__main__":
    main(MEDICAL_VAULT)
