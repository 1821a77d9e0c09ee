"""Starts a Medical Vault process: ``python -m services.medical_vault``."""

from services.medical_vault.definition import MEDICAL_VAULT
from shared.vault.process.application import run

if __name__ == "__main__":
    run(MEDICAL_VAULT)
