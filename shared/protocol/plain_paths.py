"""Decides which URL paths mean the same to every program that reads them."""

from __future__ import annotations

from urllib.parse import unquote

DOTS = frozenset({".", ".."})
# A reader that decodes a path, or decodes it twice, would see another path.
AMBIGUOUS = frozenset("/\\%")


def is_plain_path(path: str) -> bool:
    """Return whether a path of a URL leads to the same place for every program that reads it.

    Such a path has only characters of a URL path, no percent-encoded slash, backslash or percent sign, and no segment
    that is ``.`` or ``..``, whether as such, percent-encoded or before a ``;``.
    """
    if not path.isascii() or not path.isprintable() or " " in path or "\\" in path:
        return False
    return all(map(_is_plain_segment, path.split("/")))


def _is_plain_segment(segment: str) -> bool:
    decoded = unquote(segment)
    # Some servers take what follows a semicolon for parameters, and look for dots before it.
    name, _, _ = decoded.partition(";")
    return name not in DOTS and decoded.isprintable() and AMBIGUOUS.isdisjoint(decoded)
