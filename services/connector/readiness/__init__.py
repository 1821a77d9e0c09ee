"""Finds what still keeps a connection from working, in the order to mend it."""
