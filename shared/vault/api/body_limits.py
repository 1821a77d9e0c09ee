"""Declares the size limits of request bodies; docs/api.md lists them."""

from __future__ import annotations

MAX_ROWS_BYTES = 50 * 2**20
MAX_ROW_BYTES = 4 * 2**20
MAX_MEMBERS = 1000
"""Members of a row: columns of a CSV file, fields of a form."""
MAX_ITEMS = 1000
"""Items of a list that is a value."""
MAX_VALUES = 250_000
"""Values in a body, the items of lists among them."""
MAX_TEXT = 300_000
"""Characters of a value: as many as the longest text of a field, and more than a message of a queue has."""
MAX_TEXT_BYTES = 150 * 2**20
"""Bytes of all texts in memory: one, two or four a character, by the widest of a text."""
MAX_DEPTH = 100
MAX_EMPTY_LINES = 1000
MAX_HEADER = 256 * 2**10
"""Characters of the first line of a CSV body."""
MAX_COMMAS = 100_000
"""Commas in a line of a CSV body: more than its cells and their texts have."""
MAX_MDL_BYTES = 5 * 2**20
# A query of 50,000 characters fits, each of them percent-encoded.
MAX_FORM_BYTES = 2**20
# Signing in and changing a password: short texts, and whoever sends them has no session yet.
MAX_SIGN_IN_BYTES = 16 * 2**10
MAX_SIGNED_BYTES = 32 * 2**20
"""Of the messages that a connector has signed with one call: 50 of the longest, each quoted as JSON."""
