"""Record id prefixes for objects that come without one, as exported objects do."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import replace

from shared.vault.components.component_errors import Code, ComponentError
from shared.vault.components.component_tree import Component

__all__ = ["with_prefix"]

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_RESERVED = frozenset({"OOT", "VCM"})  # ids of object types and of components


def with_prefix(
    component: Component, former: Component | None, taken: Collection[str]
) -> Component:
    """The Object component with the prefix it has written, had before, or is given now: one that is not taken."""
    if component.type != "Object" or component.text("prefix"):
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
