"""Writes components as MDL text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from shared.vault.components.component_tree import Component, Embedded, Scalar
from shared.vault.components.statement import (
    AddChild,
    AddValues,
    Change,
    Command,
    DropAttribute,
    DropChild,
    DropValues,
    ModifyChild,
    RenameChild,
    SetAttribute,
    Statement,
)


def render(component: Component) -> str:
    """Return the ``RECREATE`` statement that parses back to the same component."""
    return f"RECREATE {_render(component, indent='')};\n"


def render_statement(statement: Statement) -> str:
    """Return the text of a statement; parsing it returns the same statement, apart from its line number."""
    condition = f" {statement.condition}" if statement.condition else ""
    head = f"{statement.command} {statement.type}{condition} {statement.name}"
    match statement.command:
        case Command.CREATE | Command.RECREATE:
            component = statement.component or Component(statement.type, statement.name)
            own = _render(component, indent="").removeprefix(component.type)
            return f"{statement.command} {statement.type}{condition}{own};\n"
        case Command.ALTER:
            return f"{head} {_changes(statement.changes, indent='')};\n"
        case Command.RENAME:
            return f"{head} TO {statement.new_name};\n"
        case Command.DROP:
            return f"{head};\n"
        case _:
            assert_never(statement.command)


def _changes(changes: Iterable[Change], indent: str) -> str:
    inner = indent + "    "
    body = ",\n".join(inner + _change(change, inner) for change in changes)
    return f"(\n{body}\n{indent})"


def _change(change: Change, indent: str) -> str:
    match change:
        case SetAttribute():
            text = f"{change.name}({_literals(change.values)})"
        case AddValues():
            text = f"{change.name} ADD ({_literals(change.values)})"
        case DropValues():
            text = f"{change.name} DROP ({_literals(change.values)})"
        case DropAttribute():
            text = f"DROP {change.name}"
        case AddChild():
            own = _render(change.child, indent).removeprefix(change.child.type)
            text = f"ADD {change.child.type}{_if(change)}{own}"
        case ModifyChild():
            head = f"MODIFY {change.type}{_if(change)} {change.name}"
            text = f"{head} {_changes(change.changes, indent)}"
        case RenameChild():
            head = f"RENAME {change.type}{_if(change)} {change.name}"
            text = f"{head} TO {change.new_name}"
        case DropChild():
            text = f"DROP {change.type}{_if(change)} {change.name}"
        case _:
            assert_never(change)
    return text


def _if(change: AddChild | ModifyChild | RenameChild | DropChild) -> str:
    """Return the condition of a change in MDL, which precedes the name; empty without a condition."""
    return f" {change.condition}" if change.condition else ""


def _render(component: Component, indent: str) -> str:
    inner = indent + "    "
    lines = [
        f"{name}({_literals(values)})" for name, values in component.attributes.items()
    ]
    lines += [_render(child, inner) for child in component.children]
    head = f"{component.type} {component.name}"
    if not lines:
        return f"{head} ()"
    body = ",\n".join(inner + line for line in lines)
    return f"{head} (\n{body}\n{indent})"


def _literals(values: Iterable[Scalar]) -> str:
    return ", ".join(map(_literal, values))


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
