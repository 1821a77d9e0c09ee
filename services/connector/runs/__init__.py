"""Runs: what changed since Last Successful Run Time, cut into batches that all connectors share."""
