"""Searches accounts of Vault CRM on demand, under their country's agreement, and keeps nothing of them."""
