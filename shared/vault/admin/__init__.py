"""Serves the browser pages of a Vault: forms and tables over the services of the API, with the same permissions."""
