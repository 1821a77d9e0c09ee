"""Runs jobs: work that outlives a request, shared by all processes of a Vault."""
