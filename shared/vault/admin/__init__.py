"""The browser pages of a Vault: forms and tables over the services that the API calls, with the same permissions."""
