"""Integration rules: pure functions, rows in, values or errors out."""
