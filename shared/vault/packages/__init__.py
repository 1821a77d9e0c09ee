"""Packages (VPK): configuration and data in a file, validated, deployed completely or not at all, and exported."""
