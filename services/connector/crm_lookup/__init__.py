"""Searches accounts of Vault CRM on demand, as their country's agreement allows, and stores nothing of them."""
