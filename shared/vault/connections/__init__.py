"""Keeps connections: established by signed files between two Vaults, and changed within their rules."""
