"""Previews: what a transfer would do, told without doing it."""
