"""Defines what both ends of the REST API have to agree on, and nothing that only one end needs."""
