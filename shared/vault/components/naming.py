"""Derives API names from labels, and prefixes of record ids for objects that declare none."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Collection
from dataclasses import replace

from shared.vault.components.component_errors import Code, ComponentError
from shared.vault.components.component_kinds import ComponentKind
from shared.vault.components.component_tree import Component

__all__ = ["name_of_label", "with_prefix"]

MAX_STEM = 40
DIGEST_LENGTH = 8
MAX_LABEL = 500  # characters of a label that its name is made of
_APART = re.compile(r"[^a-z0-9]+")
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_PREFIXES = len(_DIGITS) ** 3
_RESERVED = frozenset({"OOT", "VCM"})  # ids of object types and of components


def name_of_label(label: str) -> str:
    """Return the API name for a label, as Vault derives it for items that are created with a label only.

    ``North America`` → ``north_america__c``; from a label without Latin letters or digits, a digest of the label. The
    name of a long label ends with a digest, which tells it apart from others that begin alike.
    """
    # Of the beginning alone: to order the accents of one letter takes the square of their number.
    decomposed = unicodedata.normalize("NFKD", label[:MAX_LABEL])
    plain = decomposed.encode("ascii", "ignore").decode()
    words = _APART.sub("_", plain.lower()).strip("_")
    stem = words if len(words) <= MAX_STEM else _shortened(words)
    if not stem:
        # A label can come from JSON with half of a surrogate pair, which is no UTF-8.
        encoded = label.encode("utf-8", "surrogatepass")
        stem = "x" + hashlib.sha256(encoded).hexdigest()[:12]
    return f"{stem}__c"


def _shortened(words: str) -> str:
    digest = hashlib.sha256(words.encode()).hexdigest()[:DIGEST_LENGTH]
    # Cutting off can leave an underscore at the end, and a name has no two in a row.
    start = words[: MAX_STEM - DIGEST_LENGTH - 1].rstrip("_")
    return f"{start}_{digest}"


def with_prefix(
    component: Component,
    former: Component | None,
    taken: Collection[str],
) -> Component:
    """Return an Object component with a prefix: its own, the one of ``former``, or one that is not ``taken``.

    Components of other types are returned unchanged.

    :raises ComponentError: EXISTS when all prefixes are taken.
    """
    if component.type != ComponentKind.OBJECT or component.text("prefix"):
        return component
    prefix = former.text("prefix") if former is not None else ""
    if not prefix:
        prefix = _free_prefix(component.name, taken)
    attributes = {**component.attributes, "prefix": (prefix,)}
    return replace(component, attributes=attributes)


def _free_prefix(name: str, taken: Collection[str]) -> str:
    # A digest of the name comes first, so that an object has the same prefix in nearly every Vault.
    digest = hashlib.sha256(name.encode()).digest()
    start = int.from_bytes(digest[:4], "big")
    for step in range(_PREFIXES):
        prefix = _prefix((start + step) % _PREFIXES)
        if prefix not in taken and prefix not in _RESERVED:
            return prefix
    raise ComponentError(f"Object.{name}: all prefixes are taken.", Code.EXISTS)


def _prefix(number: int) -> str:
    """Return a number below 36³ as three digits of base 36."""
    base = len(_DIGITS)
    rest, last = divmod(number, base)
    first, middle = divmod(rest, base)
    return _DIGITS[first] + _DIGITS[middle] + _DIGITS[last]
