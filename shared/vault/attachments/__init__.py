"""Stores attachments: files of records, with versions, descriptions and external ids."""
