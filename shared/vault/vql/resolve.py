"""Finds the names of a statement in the registry, asks whether they may be read, and joins what they lie in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from shared.vault.components.model import Field, VaultObject
from shared.vault.vql.errors import NameErrorType, VqlLimitError, VqlNameError
from shared.vault.vql.tokens import place, position_of
from shared.vault.vql.tree import Path

MAX_PATH = 10  # to-one relationships in one path
MAX_JOINS = 64  # distinct to-one relationships in one SELECT
MAX_SHOWN_NAME = 128  # characters of a name that an error repeats

Readable = Callable[[str], bool]
"""Whether the caller may read records of the object with this name."""


class Registry(Protocol):
    """What VQL needs of the component registry."""

    @property
    def objects(self) -> Mapping[str, VaultObject]:
        """Objects by name."""
        ...

    def inbound(self, object_name: str) -> Mapping[str, tuple[str, Field]]:
        """To-many relationships of an object by name: the child object and its referring field."""
        ...


def quoted(name: str) -> str:
    """An identifier of the registry for SQL text."""
    return '"' + name.replace('"', '""') + '"'


def table(name: str) -> str:
    """The table that holds an object's records."""
    return f"records.{quoted(name)}"


class Statement:
    """What one SQL statement collects while it is compiled: parameters, table aliases, objects allowed."""

    __slots__ = ("_aliases", "_allowed", "_readable", "_text", "parameters", "registry")

    def __init__(self, registry: Registry, readable: Readable, text: str) -> None:
        self.registry = registry
        self.parameters: list[object] = []
        self._readable = readable
        self._text = text
        self._aliases = 0
        self._allowed: set[str] = set()

    def bind(self, value: object, sql_type: str) -> str:
        """Add a parameter; its place holder with a cast, so that its type never depends on context."""
        self.parameters.append(value)
        return f"${len(self.parameters)}::{sql_type}"

    def alias(self) -> str:
        """A table alias not yet used."""
        self._aliases += 1
        return f"t{self._aliases - 1}"

    def fault(self, message: str, at: int, error: NameErrorType = "INVALID_DATA") -> VqlNameError:
        """The error to raise about the token ``at``."""
        return VqlNameError(error, f"{message} ({self.place(at)})")

    def place(self, at: int) -> str:
        """``line 1, column 8`` of the token ``at``."""
        return place(self._text, position_of(self._text, at))

    def object(self, name: str, at: int) -> VaultObject:
        """The object with this name; raises VqlNameError when it does not exist or may not be read."""
        found = self.registry.objects.get(name)
        if found is None:
            message = f"unknown object [{_shown(name)}]"
            raise self.fault(message, at)
        if name not in self._allowed:
            if not self._readable(name):
                message = f"no permission to read object [{name}]"
                raise self.fault(message, at, "INSUFFICIENT_ACCESS")
            self._allowed.add(name)
        return found

    def child(self, parent: VaultObject, relationship: str, at: int) -> tuple[VaultObject, Field]:
        """The child object of a to-many relationship and its referring field; raises VqlNameError."""
        found = self.registry.inbound(parent.name).get(relationship)
        if found is None:
            message = f"unknown relationship [{_shown(relationship)}] of object [{parent.name}]"
            raise self.fault(message, at)
        name, reference = found
        return self.object(name, at), reference


class Scope:
    """One SELECT's object and the to-one joins that its paths need, one join a path however often it is used."""

    __slots__ = ("_joined", "alias", "joins", "object", "statement")

    def __init__(self, statement: Statement, source: VaultObject) -> None:
        self.statement = statement
        self.object = source
        self.alias = statement.alias()
        self.joins: list[str] = []
        self._joined: dict[tuple[str, ...], tuple[str, VaultObject]] = {(): (self.alias, source)}

    def source(self) -> str:
        """The FROM list: the object's table and, so far, the joins."""
        return f"{table(self.object.name)} {self.alias}{''.join(self.joins)}"

    def column(self, path: Path) -> tuple[str, Field, VaultObject]:
        """The column a path names, its field and the field's object; raises VqlNameError, VqlLimitError."""
        parts = path.parts
        if len(parts) > 1 and parts[-1] == "id":
            # The reference itself is the id of the record behind it: no join.
            alias, owner = self._at(parts[:-2], path)
            reference, target = self._reference(owner, parts[-2], path.at)
            return f"{alias}.{quoted(reference.name)}", self._field(target, "id", path.at), target
        alias, owner = self._at(parts[:-1], path)
        field = self._field(owner, parts[-1], path.at)
        return f"{alias}.{quoted(field.name)}", field, owner

    def _field(self, owner: VaultObject, name: str, at: int) -> Field:
        field = owner.fields.get(name)
        if field is None:
            message = f"unknown field [{_shown(name)}] of object [{owner.name}]"
            raise self.statement.fault(message, at)
        return field

    def _reference(self, owner: VaultObject, relationship: str, at: int) -> tuple[Field, VaultObject]:
        reference = owner.outbound.get(relationship)
        if reference is None or reference.object is None:
            message = f"unknown relationship [{_shown(relationship)}] of object [{owner.name}]"
            raise self.statement.fault(message, at)
        return reference, self.statement.object(reference.object, at)

    def _at(self, relationships: tuple[str, ...], path: Path) -> tuple[str, VaultObject]:
        """The alias and object behind a chain of to-one relationships, joined when they are not yet."""
        known = self._joined.get(relationships)
        if known is not None:
            return known
        if len(relationships) > MAX_PATH or len(self.joins) >= MAX_JOINS:
            message = f"more than {MAX_PATH} relationships in a path or {MAX_JOINS} in a SELECT"
            raise VqlLimitError(f"{message} ({self.statement.place(path.at)})")
        near, owner = self._at(relationships[:-1], path)
        reference, target = self._reference(owner, relationships[-1], path.at)
        alias = self.statement.alias()
        self.joins.append(f' LEFT JOIN {table(target.name)} {alias} ON {alias}."id" = {near}.{quoted(reference.name)}')
        self._joined[relationships] = alias, target
        return alias, target


def _shown(name: str) -> str:
    return name if len(name) <= MAX_SHOWN_NAME else name[:MAX_SHOWN_NAME] + "…"
