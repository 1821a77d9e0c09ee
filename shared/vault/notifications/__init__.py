"""Notifications: told to users in the Vault, and by e-mail where there is a server for it."""
