"""Writes components as MDL text."""

from __future__ import annotations

from shared.vault.components.component_tree import Component, Embedded, Scalar


def render(component: Component) -> str:
    """Return the ``RECREATE`` statement that parses back to the same component."""
    return f"RECREATE {_render(component, indent='')};\n"


def _render(component: Component, indent: str) -> str:
    inner = indent + "    "
    lines = [
        f"{name}({', '.join(map(_literal, values))})"
        for name, values in component.attributes.items()
    ]
    lines += [_render(child, inner) for child in component.children]
    head = f"{component.type} {component.name}"
    if not lines:
        return f"{head} ()"
    body = ",\n".join(inner + line for line in lines)
    return f"{head} (\n{body}\n{indent})"


def _literal(value: Scalar) -> str:
    # A Boolean is an integer in Python as well, and an embedded value a string: both go first.
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Embedded):
        return str(value)
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        return f"'{escaped}'"
    return repr(value)
