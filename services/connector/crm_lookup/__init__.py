"""CRM Lookup: accounts of Vault CRM searched on demand, under their country's agreement; nothing is kept."""
