"""Reads, compiles and runs integration rules: pure functions, rows in, values or errors out."""
