"""Carries out runs: divides the changes since Last Successful Run Time into batches that all connectors share."""
