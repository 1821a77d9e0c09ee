"""Previews the result of a transfer, and writes nothing."""
