"""Stores files: in a folder or a bucket, as content by checksum, and as attachments of records."""
