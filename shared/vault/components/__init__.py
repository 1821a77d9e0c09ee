"""Defines components: MDL text, the component model, the registry of a Vault's components, and their tables."""
