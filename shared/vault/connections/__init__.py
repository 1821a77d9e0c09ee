"""Establishes connections between two Vaults by signed files, and checks changes of connections."""

AWAY = (
    "The connector does not answer, or a Vault is away; look whether both run, and try again"
    " in a minute"
)
"""What a Vault says when the connector cannot be asked."""
