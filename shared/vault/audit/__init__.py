"""Writes and reads the audit trails of a Vault: every change of records and configuration, and every sign-in."""
