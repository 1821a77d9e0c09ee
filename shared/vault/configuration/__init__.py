"""Stores a Vault's components in its database, and adapts the data that depends on them."""
