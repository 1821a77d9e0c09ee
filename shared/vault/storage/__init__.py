"""Reaches the database: connections and transactions, the clock, notifications, migrations."""
