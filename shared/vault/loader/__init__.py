"""Vault Loader: files of records loaded from the staging area, and records extracted to files."""
