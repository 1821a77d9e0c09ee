"""Transfers the records that a message names, by the code of their integration point."""
