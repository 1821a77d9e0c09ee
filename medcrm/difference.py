"""What would have to change in a Vault for it to say what a folder says, in words that a person can check."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from medcrm.configuration import ComponentText, Configuration, Table
from shared.vault.components.component_tree import Component, Scalar

MAX_SHOWN = 80
Values = tuple[Scalar, ...]


class Kind(StrEnum):
    """What is to be done with a component or record."""

    ADDED = "+"
    CHANGED = "~"
    REMOVED = "-"


@dataclass(frozen=True, slots=True)
class ComponentDifference:
    """One component that is not the same; ``lines`` say what of it, one a line, indented by depth."""

    kind: Kind
    name: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RecordDifference:
    """One record that is not the same; ``values`` are those of the folder that the Vault has otherwise."""

    kind: Kind
    object: str
    key: str
    lines: tuple[str, ...] = ()
    values: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """All that is not the same. What only the Vault has is ``REMOVED``, and stays unless pruned."""

    components: tuple[ComponentDifference, ...] = ()
    records: tuple[RecordDifference, ...] = ()

    def without_removals(self) -> Difference:
        """What is left when nothing is pruned."""
        return Difference(
            tuple(c for c in self.components if c.kind is not Kind.REMOVED),
            tuple(r for r in self.records if r.kind is not Kind.REMOVED),
        )

    def __bool__(self) -> bool:
        return bool(self.components or self.records)


def compare(wanted: Configuration, present: Configuration) -> Difference:
    """What turns ``present``, a Vault's configuration, into ``wanted``, a folder's."""
    return Difference(
        tuple(_components(wanted, present)), tuple(_records(wanted, present))
    )


def _components(
    wanted: Configuration, present: Configuration
) -> Iterator[ComponentDifference]:
    for name in sorted({*wanted.components, *present.components}):
        new, old = wanted.components.get(name), present.components.get(name)
        if new is None:
            yield ComponentDifference(Kind.REMOVED, name)
        elif old is None:
            yield ComponentDifference(Kind.ADDED, name, tuple(_added(new)))
        elif lines := tuple(_changed_text(new, old)):
            yield ComponentDifference(Kind.CHANGED, name, lines)


def _added(component: ComponentText) -> Iterator[str]:
    return _described(component.tree, "  ") if component.tree else iter(())


def _changed_text(new: ComponentText, old: ComponentText) -> Iterator[str]:
    if new.tree is not None and old.tree is not None:
        yield from _changed(new.tree, old.tree, "  ")
    elif new.text.split() != old.text.split():
        yield "  ~ text"


def _changed(new: Component, old: Component, indent: str) -> Iterator[str]:
    """Attributes and sub-components that are not the same; their order does not matter."""
    after, before = _attributes(new), _attributes(old)
    for name in sorted({*after, *before}):
        if name not in before:
            yield f"{indent}+ {name} {_shown(after[name])}"
        elif name not in after:
            yield f"{indent}- {name} {_shown(before[name])}"
        elif after[name] != before[name]:
            yield f"{indent}~ {name} {_shown(before[name])} -> {_shown(after[name])}"
    new_children, old_children = (
        {child.key: child for child in c.children} for c in (new, old)
    )
    for key in sorted({*new_children, *old_children}):
        title = " ".join(key)
        if key not in old_children:
            yield f"{indent}+ {title}"
            yield from _described(new_children[key], f"{indent}  ")
        elif key not in new_children:
            yield f"{indent}- {title}"
        elif lines := list(
            _changed(new_children[key], old_children[key], f"{indent}  ")
        ):
            yield f"{indent}~ {title}"
            yield from lines


def _described(component: Component, indent: str) -> Iterator[str]:
    for name, values in sorted(_attributes(component).items()):
        yield f"{indent}+ {name} {_shown(values)}"
    for child in component.children:
        yield f"{indent}+ {child.type} {child.name}"
        yield from _described(child, f"{indent}  ")


def _attributes(component: Component) -> dict[str, Values]:
    """Attributes without those that say what is so without them: nothing, or active."""
    neutral: tuple[Values, ...] = ((), ("",))
    return {
        name: values
        for name, values in component.attributes.items()
        if values not in neutral and not (name == "active" and values == (True,))
    }


def _shown(values: Values) -> str:
    return ", ".join(_one(value) for value in values)


def _one(value: Scalar) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value).replace("\n", " ")
    short = text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"
    return f"'{short}'" if isinstance(value, str) else short


def _records(
    wanted: Configuration, present: Configuration
) -> Iterator[RecordDifference]:
    for name, table in wanted.tables.items():
        yield from _rows(
            name, table, present.tables.get(name) or Table(table.key, (), {})
        )


def _rows(
    object_name: str, wanted: Table, present: Table
) -> Iterator[RecordDifference]:
    for key in sorted({*wanted.rows, *present.rows}):
        new, old = wanted.rows.get(key), present.rows.get(key)
        if new is None:
            yield RecordDifference(Kind.REMOVED, object_name, key)
            continue
        changed = {
            c: value
            for c, value in new.items()
            if c != wanted.key and value != (old or {}).get(c, "")
        }
        if old is None:
            lines = tuple(
                f"  + {column} '{value}'" for column, value in changed.items()
            )
            yield RecordDifference(Kind.ADDED, object_name, key, lines, new)
        elif changed:
            lines = tuple(
                f"  ~ {c} '{old.get(c, '')}' -> '{value}'"
                for c, value in changed.items()
            )
            yield RecordDifference(
                Kind.CHANGED, object_name, key, lines, {wanted.key: key, **changed}
            )
