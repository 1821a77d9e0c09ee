"""Establishes connections between two Vaults by signed files, and checks changes of connections."""

AWAY = (
    "The connector or a Vault does not answer; check that both are running, and try again"
    " in a minute"
)
"""The message of a Vault whose connector does not answer."""
