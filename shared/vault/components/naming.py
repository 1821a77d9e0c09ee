"""Makes API names out of labels, and prefixes of record ids for objects that come without one."""

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
_APART = re.compile(r"[^a-z0-9]+")


def name_of_label(label: str) -> str:
    """``North America`` → ``north_america__c``; a label without Latin letters or digits gets a name of its own."""
    plain = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode()
    stem = _APART.sub("_", plain.lower()).strip("_")[:MAX_STEM].strip("_")
    return f"{stem or 'x' + hashlib.sha256(label.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}__c"


_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_RESERVED = frozenset({"OOT", "VCM"})  # ids of object types and of components


def with_prefix(
    component: Component, former: Component | None, taken: Collection[str]
) -> Component:
    """The Object component with the prefix it has written, had before, or is given now: one that is not taken."""
    if component.type != ComponentKind.OBJECT or component.text("prefix"):
        return component
    prefix = former.text("prefix") if former is not None else ""
    return replace(
        component,
        attributes={
            **component.attributes,
            "prefix": (prefix or _free(component.name, taken),),
        },
    )


def _free(name: str, taken: Collection[str]) -> str:
    """The same name gets the same prefix in every Vault, unless another object has it already."""
    count = len(_DIGITS) ** 3
    start = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
    for step in range(count):
        number = (start + step) % count
        prefix = (
            _DIGITS[number // 1296] + _DIGITS[number // 36 % 36] + _DIGITS[number % 36]
        )
        if prefix not in taken and prefix not in _RESERVED:
            return prefix
    raise ComponentError(f"Object.{name}: all prefixes are taken.", Code.EXISTS)
