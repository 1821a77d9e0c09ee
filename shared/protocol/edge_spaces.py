"""Adds to an error about an unknown key that the key begins or ends with white space, which is invisible."""

from __future__ import annotations

__all__ = ["edge_space_note"]


def edge_space_note(key: object) -> str:
    """Return the sentence to add to an error about a key; empty unless the key is text with white space at an end."""
    if not isinstance(key, str) or key == key.strip():
        return ""
    return "; the value begins or ends with white space"
