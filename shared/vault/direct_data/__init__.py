"""Direct Data: the whole Vault as files of CSV, what has changed since, and its audit trails, for data warehouses."""
