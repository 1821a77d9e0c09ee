"""Records User Exception Messages of the Vault itself, and ignores or retries them for administrators."""
