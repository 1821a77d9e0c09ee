"""Starts a Vault CRM process: ``python -m services.crm_vault``."""

from services.crm_vault.definition import CRM_VAULT
from shared.vault.process.application import run

if __name__ == "__main__":
    run(CRM_VAULT)
