"""Compares a folder with a Vault, and describes the differences in lines that a person can check."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from medcrm.configuration import ComponentText, Configuration, Table
from shared.vault.components.component_tree import Component, Scalar

# Longer texts are cut, so that one line of the report shows one attribute.
MAX_SHOWN = 80
Values = tuple[Scalar, ...]
Row = Mapping[str, str]


class Kind(StrEnum):
    """The changes that make a Vault's component or record like the folder's."""

    ADDED = "+"
    CHANGED = "~"
    REMOVED = "-"


@dataclass(frozen=True, slots=True)
class ComponentDifference:
    """One component that differs; ``lines`` describe how, one difference a line, indented by depth."""

    kind: Kind
    name: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RecordDifference:
    """One record that differs; ``values`` are those of the folder that differ from the Vault's."""

    kind: Kind
    object: str
    key: str
    lines: tuple[str, ...] = ()
    values: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """All differences. What only the Vault has is ``REMOVED``, and stays unless pruned."""

    components: tuple[ComponentDifference, ...] = ()
    records: tuple[RecordDifference, ...] = ()

    def without_removals(self) -> Difference:
        """Return the difference without removals, for an application that does not prune."""
        components = [each for each in self.components if each.kind is not Kind.REMOVED]
        records = [each for each in self.records if each.kind is not Kind.REMOVED]
        return Difference(tuple(components), tuple(records))

    def __bool__(self) -> bool:
        """Return whether anything differs."""
        return bool(self.components or self.records)


def compare(wanted: Configuration, present: Configuration) -> Difference:
    """Return the difference that changes ``present``, a Vault's configuration, to ``wanted``, a folder's."""
    components = _components(wanted, present)
    records = _records(wanted, present)
    return Difference(tuple(components), tuple(records))


def is_same(new: Component, old: Component) -> bool:
    """Return whether two versions of a component mean the same; the order of their parts is ignored."""
    return not any(_changed(new, old, ""))


def _components(
    wanted: Configuration,
    present: Configuration,
) -> Iterator[ComponentDifference]:
    for name in sorted({*wanted.components, *present.components}):
        new = wanted.components.get(name)
        old = present.components.get(name)
        if new is None:
            yield ComponentDifference(Kind.REMOVED, name)
        elif old is None:
            lines = tuple(_added(new))
            yield ComponentDifference(Kind.ADDED, name, lines)
        else:
            lines = tuple(_changed_text(new, old))
            if lines:
                yield ComponentDifference(Kind.CHANGED, name, lines)


def _added(component: ComponentText) -> Iterator[str]:
    if component.tree is None:
        return iter(())
    return _described(component.tree, "  ")


def _changed_text(new: ComponentText, old: ComponentText) -> Iterator[str]:
    if new.tree is not None and old.tree is not None:
        yield from _changed(new.tree, old.tree, "  ")
    # White space is no difference in any MDL, also in that of a type that is not known here.
    elif new.text.split() != old.text.split():
        yield "  ~ text"


def _changed(new: Component, old: Component, indent: str) -> Iterator[str]:
    """Yield a line for each attribute and sub-component that differs; their order is ignored."""
    yield from _changed_attributes(new, old, indent)
    after = {child.key: child for child in new.children}
    before = {child.key: child for child in old.children}
    deeper = f"{indent}  "
    for key in sorted({*after, *before}):
        title = " ".join(key)
        if key not in before:
            yield f"{indent}+ {title}"
            yield from _described(after[key], deeper)
        elif key not in after:
            yield f"{indent}- {title}"
        else:
            lines = list(_changed(after[key], before[key], deeper))
            # The title is written once it is known that something follows.
            if lines:
                yield f"{indent}~ {title}"
                yield from lines


def _changed_attributes(
    new: Component,
    old: Component,
    indent: str,
) -> Iterator[str]:
    after = _attributes(new)
    before = _attributes(old)
    for name in sorted({*after, *before}):
        if name not in before:
            yield f"{indent}+ {name} {_shown(after[name])}"
        elif name not in after:
            yield f"{indent}- {name} {_shown(before[name])}"
        elif after[name] != before[name]:
            yield f"{indent}~ {name} {_shown(before[name])} -> {_shown(after[name])}"


def _described(component: Component, indent: str) -> Iterator[str]:
    for name, values in sorted(_attributes(component).items()):
        yield f"{indent}+ {name} {_shown(values)}"
    for child in component.children:
        yield f"{indent}+ {child.type} {child.name}"
        yield from _described(child, f"{indent}  ")


def _attributes(component: Component) -> dict[str, Values]:
    """Return the attributes, except those with a default value: empty ones, and ``active(true)``."""
    attributes: dict[str, Values] = {}
    for name, values in component.attributes.items():
        is_active = name == "active" and values == (True,)
        if values not in ((), ("",)) and not is_active:
            attributes[name] = values
    return attributes


def _shown(values: Values) -> str:
    return ", ".join(_one(value) for value in values)


def _one(value: Scalar) -> str:
    # Before the test for texts and numbers: True is an int, and MDL writes it in lower case.
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value).replace("\n", " ")
    short = text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"
    return f"'{short}'" if isinstance(value, str) else short


def _records(
    wanted: Configuration,
    present: Configuration,
) -> Iterator[RecordDifference]:
    # Only objects that the folder has a file of: without one, it says nothing about an object's records.
    for name, table in wanted.tables.items():
        empty = Table(table.key, (), {})
        stored = present.tables.get(name, empty)
        yield from _rows(name, table, stored)


def _rows(
    object_name: str,
    wanted: Table,
    present: Table,
) -> Iterator[RecordDifference]:
    for key in sorted({*wanted.rows, *present.rows}):
        new = wanted.rows.get(key)
        old = present.rows.get(key)
        if new is None:
            yield RecordDifference(Kind.REMOVED, object_name, key)
        elif old is None:
            changed = _changed_cells(wanted.key, new, {})
            lines = [f"  + {column} '{value}'" for column, value in changed.items()]
            yield RecordDifference(Kind.ADDED, object_name, key, tuple(lines), new)
        else:
            changed = _changed_cells(wanted.key, new, old)
            if not changed:
                continue
            lines = [
                f"  ~ {column} '{old.get(column, '')}' -> '{value}'"
                for column, value in changed.items()
            ]
            values = {wanted.key: key, **changed}
            yield RecordDifference(
                Kind.CHANGED,
                object_name,
                key,
                tuple(lines),
                values,
            )


def _changed_cells(key: str, new: Row, old: Row) -> dict[str, str]:
    """Return the cells of the folder's columns that differ; a missing cell is empty."""
    return {
        column: value
        for column, value in new.items()
        if column != key and value != old.get(column, "")
    }
