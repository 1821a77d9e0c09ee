"""Establishes connections between two Vaults by signed files, and checks changes of connections."""
