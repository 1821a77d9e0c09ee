"""Makes Direct Data: the whole Vault as CSV files, its changes, and its audit trails, for data warehouses."""
