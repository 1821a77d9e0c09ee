"""Stores documents: their versions, files and renditions, and runs their lifecycles."""
