"""Transfers the records that a message names, each integration point in its own way."""
