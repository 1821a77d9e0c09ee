"""User Exception Messages that the Vault records itself."""
