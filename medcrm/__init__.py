"""Provides the administrator's console: configuration of Vaults as files, by the public API only."""
