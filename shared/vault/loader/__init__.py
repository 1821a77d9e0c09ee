"""Loads files of records from the staging area, and extracts records to files (Vault Loader)."""
