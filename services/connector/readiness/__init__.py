"""Finds what still keeps a connection from working, in the order in which to correct it."""
