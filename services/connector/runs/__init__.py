"""Cuts what changed since Last Successful Run Time into batches that all connectors share."""
