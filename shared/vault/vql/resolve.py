"""Resolves the names of a statement: finds their fields, checks that they may be read, and joins their tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import assert_never

from shared.protocol.error_types import ErrorType
from shared.vault.model.component_model import Field, VaultObject
from shared.vault.model.field_types import Reference, outbound, quoted, table
from shared.vault.vql.deferred import Deferred, TokenValue
from shared.vault.vql.readable_objects import readable_objects
from shared.vault.vql.resolved_paths import FieldColumn, Related, SearchedText
from shared.vault.vql.syntax_tree import Item, Operand, Path, Select, SourceOption
from shared.vault.vql.targets import ABSENT, Registry, Target, inbound
from shared.vault.vql.vql_errors import (
    NameErrorType,
    VqlLimitError,
    VqlNameError,
    place,
)
from shared.vault.vql.vql_tokens import position_of

MAX_PATH = 10  # to-one relationships in one path
MAX_JOINS = 64  # distinct to-one relationships in one SELECT
MAX_SEMI_JOINS = 20  # in one statement
MAX_SHOWN_NAME = 128  # characters of a name that an error repeats

DOCUMENT_ID = "ID"  # how documents, and only they, may have their id written as well
RECENT_ROWS = 20
CHANGED = ("modified_by__v", "modified_date__v")

Readable = Callable[[str], bool]
"""Whether the caller may read records of the object with this name."""


class Statement:
    """Collects parameters, table aliases and allowed objects while one SQL statement is compiled.

    ``deferred`` says that a parameter has to be resolved before each run.
    """

    __slots__ = (
        "_aliases",
        "_allowed",
        "_readable",
        "_semi_joins",
        "_text",
        "deferred",
        "parameters",
        "registry",
        "targets",
    )

    def __init__(
        self,
        registry: Registry,
        readable: Readable,
        text: str,
        targets: Mapping[str, Target],
    ) -> None:
        self.registry = registry
        self.targets = targets
        self.parameters: list[object] = []
        self.deferred = False
        self._readable = readable
        self._text = text
        self._aliases = 0
        self._semi_joins = 0
        self._allowed: set[str] = set()

    def bind(self, value: object, sql_type: str) -> str:
        """Add a parameter, and return its place in the SQL."""
        self.parameters.append(value)
        if isinstance(value, Deferred):
            self.deferred = True
        number = len(self.parameters)
        # With a cast: otherwise PostgreSQL infers the type from the context, and not always the one that was bound.
        return f"${number}::{sql_type}"

    def alias(self) -> str:
        """Return a table alias not yet used."""
        alias = f"t{self._aliases}"
        self._aliases += 1
        return alias

    def fault(
        self,
        message: str,
        at: int,
        error: NameErrorType = ErrorType.INVALID_DATA,
    ) -> VqlNameError:
        """Return the error about the token ``at``."""
        where = self.place(at)
        return VqlNameError(error, f"{message} ({where})")

    def place(self, at: int) -> str:
        """Return the token ``at`` as ``line 1, column 8``."""
        position = position_of(self._text, at)
        return place(self._text, position)

    def object(self, name: str, at: int) -> VaultObject:
        """Return the object or target with this name.

        :raises VqlNameError: it does not exist, or the caller may not read it.
        """
        target = self.targets.get(name)
        found = self.registry.objects.get(name) if target is None else target.object
        if found is None and name in ABSENT:
            message = f"query target [{name}] is not available in this Vault"
            raise self.fault(message, at, ErrorType.ATTRIBUTE_NOT_SUPPORTED)
        if found is None:
            raise self.fault(f"unknown object [{_shown(name)}]", at)
        self._require_readable(name, at)
        return found

    def _require_readable(self, name: str, at: int) -> None:
        # A statement names an object many times; permissions are checked once.
        if name in self._allowed:
            return
        decisive = readable_by(self.targets, name)
        may_read = self._readable(decisive)
        if not may_read:
            message = f"no permission to read object [{name}]"
            raise self.fault(message, at, ErrorType.INSUFFICIENT_ACCESS)
        self._allowed.add(name)

    def relation(
        self,
        source: VaultObject,
        alias: str,
        option: SourceOption | None = None,
    ) -> str:
        """Return the FROM item of an object or target, with its alias."""
        if option is SourceOption.FAVORITES or option is SourceOption.RECENT:
            rows = self._own_rows(source, option)
            return f"{rows} {alias}"
        target = self.targets.get(source.name)
        if target is None:
            return f"{table(source.name)} {alias}"
        if target.rows is not None:
            holder = self.bind(target.rows, "jsonb")
            columns = target.recordset()
            return f"jsonb_to_recordset({holder}) AS {alias}({columns})"
        rows = target.relation if option is None else target.options[option]
        if target.about:
            rows = self._about_readable(rows, target.about)
        return f"{rows} {alias}"

    def _about_readable(self, rows: str, about: str) -> str:
        """Return the rows about objects that the caller may read, in parentheses."""
        # Documents are no object of the registry.
        documents = [name for name, each in self.targets.items() if each.documents]
        known = [*self.registry.objects, *documents]
        operator, names = readable_objects(known, self._readable)
        bound = self.bind(names, "text[]")
        return f"(SELECT * FROM {rows} q WHERE q.{quoted(about)} {operator}({bound}))"

    def option(self, source: VaultObject, select: Select) -> SourceOption | None:
        """Return the option of a SELECT, if any.

        :raises VqlNameError: the target does not have this option.
        """
        option = SourceOption.LATESTVERSION if select.latest else select.option
        match option:
            case None:
                return None
            case SourceOption.FAVORITES | SourceOption.RECENT:
                offered = self._changed(source) is not None
            case SourceOption.ALLVERSIONS | SourceOption.LATESTVERSION:
                target = self.targets.get(source.name)
                offered = target is not None and option in target.options
            case _:
                assert_never(option)
        if not offered:
            message = f"{option} is not available for query target [{source.name}]"
            raise self.fault(message, select.at, ErrorType.ATTRIBUTE_NOT_SUPPORTED)
        # In FROM it names the rows that the target has anyhow; in SELECT it chooses among all versions.
        if option is SourceOption.LATESTVERSION and not select.latest:
            return None
        return option

    def _changed(self, source: VaultObject) -> tuple[str, str] | None:
        """Return the fields with the user and the date of a record's last change; None for a source without them."""
        target = self.targets.get(source.name)
        if target is not None:
            return target.changed
        fields = source.fields
        has_both = all(name in fields for name in CHANGED)
        return CHANGED if has_both else None

    def _own_rows(self, source: VaultObject, option: SourceOption) -> str:
        """Return a sub-query of the rows of FAVORITES or RECENT; RECENT are those that the caller changed last."""
        target = self.targets.get(source.name)
        every = table(source.name) if target is None else target.relation
        changed = self._changed(source)
        # There is no way to mark a favorite here, so nobody has any.
        if option is SourceOption.FAVORITES or changed is None:
            return f"(SELECT * FROM {every} q WHERE false)"
        user, date = map(quoted, changed)
        caller = self.bind(TokenValue("user.id", text=False), "bigint")
        latest = f"ORDER BY q.{date} DESC LIMIT {RECENT_ROWS}"
        return f"(SELECT * FROM {every} q WHERE q.{user} = {caller} {latest})"

    def related(self, owner: VaultObject, relationship: str, at: int) -> Related:
        """Return the object that a sub-select through a relationship reads: children, or the referenced record.

        :raises VqlNameError: there is no such relationship, or the caller may not read the object.
        """
        reference = outbound(owner, relationship)
        if reference is None:
            child, referring = self.child(owner, relationship, at)
            return Related(child, '"id"', quoted(referring.name))
        near = f"{quoted(reference.field)}{reference.cast}"
        return Related(self.object(reference.target, at), near, '"id"')

    def child(
        self,
        parent: VaultObject,
        relationship: str,
        at: int,
    ) -> tuple[VaultObject, Field]:
        """Return the child object of a to-many relationship and its referring field.

        :raises VqlNameError: there is no such relationship, or the caller may not read the object.
        """
        found = inbound(self.registry, self.targets, parent.name).get(relationship)
        if found is None:
            raise self.unknown_relationship(parent, relationship, at)
        name, reference = found
        return self.object(name, at), reference

    def unknown_relationship(
        self,
        owner: VaultObject,
        relationship: str,
        at: int,
    ) -> VqlNameError:
        """Return the error for a relationship that an object does not have."""
        shown = _shown(relationship)
        message = f"unknown relationship [{shown}] of object [{owner.name}]"
        return self.fault(message, at)

    def count_semi_join(self, at: int) -> None:
        """Count one more semi-join.

        :raises VqlLimitError: there are too many.
        """
        self._semi_joins += 1
        if self._semi_joins > MAX_SEMI_JOINS:
            message = f"a statement takes at most {MAX_SEMI_JOINS} sub-selects with IN"
            where = self.place(at)
            raise VqlLimitError(f"{message} ({where})")


class Scope:
    """The object of one SELECT and the to-one joins that its paths need, one join for each path.

    ``key`` is the SQL of the key of its rows. ``of_table`` says that these are all rows of the object's table, which
    its search index covers. ``searched`` caches the text that FIND looks through, by the fields of a scope, and
    whether it takes content and all fields.
    """

    __slots__ = (
        "_aliases",
        "_joined",
        "_relation",
        "alias",
        "joins",
        "key",
        "object",
        "of_table",
        "searched",
        "statement",
    )

    def __init__(
        self,
        statement: Statement,
        source: VaultObject,
        select: Select | None = None,
    ) -> None:
        self.statement = statement
        self.object = source
        self.alias = statement.alias()
        option = None if select is None else statement.option(source, select)
        self._relation = statement.relation(source, self.alias, option)
        target = statement.targets.get(source.name)
        key = "id" if target is None else target.key
        self.key = f"{self.alias}.{quoted(key)}"
        self.of_table = target is None and option is None
        self.joins: list[str] = []
        self.searched: dict[tuple[tuple[Operand, ...], bool, bool], SearchedText] = {}
        own = self.alias, source
        self._joined: dict[tuple[str, ...], tuple[str, VaultObject]] = {(): own}
        self._aliases = {} if select is None else _aliases(select)

    def source(self) -> str:
        """Return the FROM list: the object's table and the joins made so far."""
        joins = "".join(self.joins)
        return f"{self._relation}{joins}"

    def aliased(self, path: Path, function: str | None) -> tuple[Path, str | None]:
        """Return the field and function of a path that is an alias of the SELECT; any other path unchanged."""
        item = self._aliases.get(path.text)
        # A field of the object comes before an alias of the same name.
        if item is None or path.text in self.object.fields:
            return path, function
        aliased = Path(item.path.parts, path.at)
        return aliased, function or item.function

    def column(self, path: Path) -> FieldColumn:
        """Return the column that a path names.

        :raises VqlNameError: a part of the path does not exist, or the caller may not read it.
        :raises VqlLimitError: the path leads over too many relationships.
        """
        *relationships, name = path.parts
        if relationships and name == "id":
            return self._reference_column(path)
        alias, owner = self._at(tuple(relationships), path)
        field = self._field(owner, name, path.at)
        return FieldColumn(f"{alias}.{quoted(field.name)}", field, owner)

    def _reference_column(self, path: Path) -> FieldColumn:
        """Return the column of the id behind a relationship: the reference itself, which needs no join."""
        *relationships, last, _ = path.parts
        alias, owner = self._at(tuple(relationships), path)
        reference, target = self._reference(owner, last, path.at)
        sql = f"{alias}.{quoted(reference.field)}{reference.cast}"
        return FieldColumn(sql, self._field(target, "id", path.at), target)

    def shows_label(self, field: Field, owner: VaultObject) -> bool:
        """Return whether a field returns and accepts labels unless a function asks for names."""
        target = self.statement.targets.get(owner.name)
        return target is not None and field.name in target.labels

    def _field(self, owner: VaultObject, name: str, at: int) -> Field:
        target = self.statement.targets.get(owner.name)
        of_documents = target is not None and target.documents
        is_id = of_documents and name == DOCUMENT_ID
        field_name = "id" if is_id else name
        field = owner.fields.get(field_name)
        if field is None:
            message = f"unknown field [{_shown(name)}] of object [{owner.name}]"
            raise self.statement.fault(message, at)
        return field

    def _reference(
        self,
        owner: VaultObject,
        relationship: str,
        at: int,
    ) -> tuple[Reference, VaultObject]:
        found = outbound(owner, relationship)
        if found is None:
            raise self.statement.unknown_relationship(owner, relationship, at)
        return found, self.statement.object(found.target, at)

    def _at(
        self, relationships: tuple[str, ...], path: Path
    ) -> tuple[str, VaultObject]:
        """Return alias and object at the end of a chain of to-one relationships; add the joins that are missing."""
        known = self._joined.get(relationships)
        if known is not None:
            return known
        if len(relationships) > MAX_PATH or len(self.joins) >= MAX_JOINS:
            message = f"more than {MAX_PATH} relationships in a path or {MAX_JOINS} in a SELECT"
            raise VqlLimitError(f"{message} ({self.statement.place(path.at)})")
        *before, last = relationships
        near, owner = self._at(tuple(before), path)
        reference, target = self._reference(owner, last, path.at)
        alias = self.statement.alias()
        relation = self.statement.relation(target, alias)
        # LEFT: a record without the reference stays in the result, with nulls.
        referring = f"{near}.{quoted(reference.field)}{reference.cast}"
        self.joins.append(f' LEFT JOIN {relation} ON {alias}."id" = {referring}')
        self._joined[relationships] = alias, target
        return alias, target


def readable_by(targets: Mapping[str, Target], name: str) -> str:
    """Return the object or target whose permissions decide whether a caller may read this one."""
    target = targets.get(name)
    if target is None:
        return name
    return target.part_of or name


def _aliases(select: Select) -> dict[str, Item]:
    fields = (item for item in select.items if isinstance(item, Item))
    return {item.alias: item for item in fields if item.alias}


def _shown(name: str) -> str:
    if len(name) <= MAX_SHOWN_NAME:
        return name
    return name[:MAX_SHOWN_NAME] + "…"
