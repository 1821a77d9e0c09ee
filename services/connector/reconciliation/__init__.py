"""Compares what the rules make of the source's records with what the target has, slice by slice."""
