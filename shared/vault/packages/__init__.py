"""Packages (VPK): configuration and data in a file, validated, deployed whole or not at all, and exported."""
