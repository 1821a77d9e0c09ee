"""Delivery: outbound queue of one Vault to the inbound queue of the remote Vault."""
