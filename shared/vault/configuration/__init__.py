"""Keeps a Vault's components in its database, and the stored data that depends on them."""
