"""Stores files and what they are the content of: stores, content by checksum, attachments as values and tables."""
