"""Connections: established by signed files between two Vaults, and kept within their rules."""
