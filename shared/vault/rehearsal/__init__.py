"""Simulates faults of a Vault that is not in production, so that its clients can be tested."""
