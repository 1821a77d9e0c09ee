"""Finds the missing key in an item's error text, which contains a key only if the key is a code, not personal data."""

from __future__ import annotations


def missing_lookup_key(text: str, lookup: str) -> str:
    """Return the source key without a row in a reference lookup; empty when the text names none, or several."""
    for line in text.splitlines():
        _, found, rest = line.partition(f"reference lookup {lookup} (")
        if found:
            return _code(rest, " has no active row for the source key ", ";")
    return ""


def missing_record_key(text: str, object_name: str, key_field: str) -> str:
    """Return the key that no record of an object has in a field; empty when the text does not contain it."""
    begin = f"no {object_name} with {key_field} "
    for line in text.splitlines():
        if begin in line:
            return _code(line, begin, " exists in the target Vault;")
    return ""


def _code(line: str, begin: str, end: str) -> str:
    """Return the text between two parts of a line if it is one code.

    Return an empty text for several keys, and for the words that replace a hidden key.
    """
    _, _, rest = line.partition(begin)
    key, ended, _ = rest.partition(end)
    return "" if not ended or " " in key or "@" in key else key
