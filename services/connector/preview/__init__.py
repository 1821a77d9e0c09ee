"""Previews what a transfer would do, without doing it."""
