"""Finds the key that an item's error misses, which the connector names when it is a code and not personal."""

from __future__ import annotations

_LOOKUP = (" has no active row for the source key ", ";")
_REFERENCE = (" with ", " exists in the target Vault;")


def missing_lookup_key(text: str) -> str:
    """Return the source key that a reference lookup has no row for; empty when the text names none, or several."""
    return _code(_between(text, *_LOOKUP))


def missing_record_key(text: str, key_field: str) -> str:
    """Return the key that no record has in ``key_field``; empty when the text does not name it."""
    begin, end = _REFERENCE
    return _code(_between(text, f"{begin}{key_field} ", end))


def _between(text: str, begin: str, end: str) -> str:
    """Return what stands between two parts of a text; empty when one of them is missing."""
    _, found, rest = text.partition(begin)
    key, ended, _ = rest.partition(end)
    return key if found and ended else ""


def _code(key: str) -> str:
    """Return a key that is one code; empty for several keys, and for the words that stand for a key not named."""
    return "" if " " in key or "@" in key else key
