"""Says of a key that found nothing that it begins or ends with white space, which nobody sees."""

from __future__ import annotations

__all__ = ["edge_space_note"]


def edge_space_note(key: object) -> str:
    """Return what to add to an error about a key; an empty string unless it is text with white space at an end."""
    if not isinstance(key, str) or key == key.strip():
        return ""
    return "; the value begins or ends with white space"
