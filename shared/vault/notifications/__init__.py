"""Notifies users in the Vault, and by e-mail where it has a mail server."""
