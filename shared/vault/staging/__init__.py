"""Serves file staging: a store of files, and the part of it that users see."""
