"""Compares the values that the rules give for the source's records with the target's records, slice by slice."""
