"""Lineage: which message, run, rule and source record has set each field of a transferred record."""
