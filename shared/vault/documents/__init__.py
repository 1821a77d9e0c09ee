"""Keeps documents: their versions, files and renditions, lifecycles, and how VQL sees them."""
