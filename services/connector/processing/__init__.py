"""Processes inbound messages at their integration points, and records their exceptions."""
