"""Imports, validates, deploys and exports packages (VPK): configuration and data in one file."""
