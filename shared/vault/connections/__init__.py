"""Establishes connections between two Vaults by signed files, and checks changes of connections."""

AWAY = (
    "The connector does not answer, or a Vault cannot be reached; check that both run, and try again"
    " in a minute"
)
"""The message of a Vault whose connector does not answer."""
