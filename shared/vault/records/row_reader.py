"""Reads the rows of a record call: checks every key against the object, and converts every value for its column."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, assert_never, cast

from shared.protocol.error_types import ErrorType
from shared.vault.components.platform import NAME, SOURCE_MODIFIED
from shared.vault.components.registry import is_written_by_connections
from shared.vault.errors import MAX_ERRORS
from shared.vault.model.component_model import Field, FieldType, VaultObject
from shared.vault.records.field_values import (
    Coercion,
    InvalidValue,
    coercion,
    converted,
    migrated_field,
)
from shared.vault.records.lineage_entries import FIELD as LINEAGE
from shared.vault.records.lineage_entries import read_row
from shared.vault.records.rows import NORMAL, ReadRow, UnchangedFields, WriteMode

if TYPE_CHECKING:
    from shared.vault.components.registry import Registry

TYPE = "object_type__v"
TYPE_NAME_KEY = "object_type__v.api_name__v"

Setter = Callable[[ReadRow, object], None]


class RowReader:
    """Reads rows for one object; made once for each object, mode, kind of caller and version of the components.

    With ``for_connection`` the rows may also set the fields that only connections write.
    """

    def __init__(
        self,
        target: VaultObject,
        registry: Registry,
        mode: WriteMode = NORMAL,
        *,
        for_connection: bool = False,
    ) -> None:
        self.object = target
        self._mode = mode
        self._for_connection = for_connection
        self._registry = registry
        self._setters: dict[str, Setter] = {}

    def read(
        self,
        rows: Sequence[Mapping[str, object]],
        key_field: Field | None = None,
    ) -> list[ReadRow]:
        """Return the rows in input order, each with its values and errors.

        ``key_field`` is the field whose value names each row's record (``id``, or the call's idParam).
        """
        read: list[ReadRow] = []
        # The rows of a call mostly have the same keys: then they are read key by key.
        for names, alike in groupby(rows, list):
            setters = self._setters_of(names, key_field)
            read += self._read_alike(list(alike), len(read), names, setters)
        if key_field is not None:
            for row in read:
                if row.key is None and not row.errors:
                    _fail_missing(row, key_field.name)
        return read

    def _read_alike(
        self,
        sources: Sequence[Mapping[str, object]],
        first: int,
        names: Sequence[str],
        setters: Sequence[Setter | None],
    ) -> list[ReadRow]:
        """Return rows that have these keys; ``first`` is the index of the first row in the call."""
        rows = _by_columns(sources, first, names, setters)
        if rows is None:
            # A row names its errors in the order of its keys.
            rows = [ReadRow(index=first + place) for place in range(len(sources))]
            plain = [each.name for each in setters if isinstance(each, _PlainSetter)]
            for row, source in zip(rows, sources, strict=True):
                self._fill(row, source, setters)
                # As in rows that are read key by key: audit entries follow this order.
                first_values = {n: row.values[n] for n in plain if n in row.values}
                row.values = first_values | row.values
        return rows

    def _setters_of(
        self, names: Sequence[str], key_field: Field | None
    ) -> list[Setter | None]:
        """Return the setters of a row's keys, None for a key that the object does not have."""
        setters = [self._setter_of(name) for name in names]
        if key_field is not None and key_field.name in names:
            setters[names.index(key_field.name)] = self._key_setter(key_field)
        return setters

    def _fill(
        self,
        row: ReadRow,
        source: Mapping[str, object],
        setters: Sequence[Setter | None],
    ) -> None:
        """Set the values of a row; add an error to the row for each invalid value."""
        for setter, (name, value) in zip(setters, source.items(), strict=True):
            if setter is None:
                row.fail(
                    ErrorType.ATTRIBUTE_NOT_SUPPORTED,
                    f"[{self.object.name}] has no field [{name[:100]}]",
                )
            else:
                try:
                    setter(row, value)
                except InvalidValue as fault:
                    row.errors.append(fault.error)
            # The answer names no more.
            if len(row.errors) > MAX_ERRORS:
                return

    def _setter_of(self, name: str) -> Setter | None:
        """Return the setter of a key, made once; None for a key that the object does not have."""
        known = self._setters.get(name)
        if known is not None:
            return known
        setter = self._make_setter(name)
        # Callers choose the keys: unknown ones are not kept, for there is no bound to them.
        if setter is not None:
            self._setters[name] = setter
        return setter

    def _make_setter(self, name: str) -> Setter | None:
        # Some keys mean in migration mode what they do not mean otherwise.
        if self._mode.migration:
            migrated = migrated_field(name, self.object, self._registry)
            if migrated is not None:
                return _set_unless_null(*migrated)
        if name == TYPE_NAME_KEY and self.object.allow_types:
            return self._set_type_by_name
        if name == LINEAGE:
            return _set_lineage
        target = self.object.fields.get(name)
        if target is None or not target.active:
            return self._lookup_setter(name)
        if name == TYPE:
            return self._set_type
        return self._field_setter(target)

    def _field_setter(self, target: Field) -> Setter:
        # A record that is migrated was created elsewhere: fields that are set once get the value they had there.
        may_be_set = self._may_edit(target) or self._mode.migration
        by_vault = target.system or not may_be_set
        if by_vault and target.name != SOURCE_MODIFIED.name:
            return self._guarded_setter(target)
        coerce = coercion(target, self._registry)
        if target.name == SOURCE_MODIFIED.name:
            return _source_modified_setter(coerce)
        # Records of another system may lack what is required here, but for their name.
        if target.required and not (self._mode.migration and target.name != "name__v"):
            return _PlainSetter(target.name, coerce, required=True)
        # Every record has a status: an empty one leaves it as it is.
        if target.name == "status__v":
            return _set_unless_null(target.name, coerce)
        return _PlainSetter(target.name, coerce)

    def _may_edit(self, target: Field) -> bool:
        if target.editable:
            return True
        by_connections = is_written_by_connections(self.object.name, target)
        return by_connections and self._for_connection

    def _guarded_setter(self, target: Field) -> Setter:
        """Return the setter of a field that callers may not set: it refuses any value, or any but the stored one."""
        match self._mode.unchanged:
            case UnchangedFields.ALWAYS_IGNORE:
                return _guard(target.name, coercion(target, self._registry))
            case (
                UnchangedFields.IGNORE_SET_ON_CREATE_ONLY | UnchangedFields.NEVER_IGNORE
            ):
                return _refuse(target.name)
            case _:
                assert_never(self._mode.unchanged)

    def _key_setter(self, key_field: Field) -> Setter:
        coerce = coercion(key_field, self._registry)

        def set_key(row: ReadRow, value: object) -> None:
            row.key = coerce(value)
            # An upsert stores its key with a new record; ``id`` is the Vault's to set.
            if not key_field.system:
                row.values[key_field.name] = row.key

        return set_key

    def takes(self, name: str) -> bool:
        """Return whether rows may have this key."""
        return self._setter_of(name) is not None

    def _lookup_setter(self, name: str) -> Setter | None:
        """Return the setter of ``rel__vr.unique_field``, a reference by a unique field or a name; None for other keys.

        The data of packages have the field in front of the dot: ``maker__c.name__v`` for ``maker__cr.name__v``.
        """
        before, _, key_name = name.partition(".")
        reference = self.object.outbound.get(before) or self.object.fields.get(before)
        if reference is None or not reference.active or not self._may_edit(reference):
            return None
        referenced = self._registry.objects.get(reference.object or "")
        target = None if referenced is None else referenced.fields.get(key_name)
        if target is None or not _is_key(target):
            return None
        coerce = coercion(target, self._registry)

        def set_lookup(row: ReadRow, value: object) -> None:
            key = coerce(value)
            if key is None and reference.required:
                _fail_missing(row, reference.name)
            elif key is None:
                _set_once(row, reference.name, None)
            else:
                _refuse_twice(row, reference.name)
                row.lookups[reference.name] = (key_name, key)

        return set_lookup

    def _set_type_by_name(self, row: ReadRow, value: object) -> None:
        if value is None or value == "":
            return
        owner = self.object.name
        chosen = self._registry.object_types.get((owner, str(value)))
        if chosen is None or not chosen.active:
            raise InvalidValue(f"[{owner}] has no such object type")
        type_id = self._registry.object_type_id(owner, chosen.name)
        _set_once(row, TYPE, type_id)

    def _set_type(self, row: ReadRow, value: object) -> None:
        if value is None or value == "":
            return
        target = self.object.name
        for (owner, name), chosen in self._registry.object_types.items():
            if owner != target or not chosen.active:
                continue
            type_id = self._registry.object_type_id(owner, name)
            if value == type_id:
                _set_once(row, TYPE, value)
                return
        raise InvalidValue(f"[{target}] has no such object type")


def _is_key(field: Field) -> bool:
    """Return whether rows may refer to records by this field; names need not be unique, which resolving looks at."""
    return field.unique or field.type is FieldType.ID or field.name == NAME.name


def _by_columns(
    sources: Sequence[Mapping[str, object]],
    first: int,
    names: Sequence[str],
    setters: Sequence[Setter | None],
) -> list[ReadRow] | None:
    """Return rows of the same keys, read key by key; None when a row has an error."""
    columns = zip(*(source.values() for source in sources), strict=True)
    changed: dict[str, Sequence[object]] = {}
    others: dict[str, tuple[Setter, Sequence[object]]] = {}
    try:
        for name, setter, column in zip(names, setters, columns, strict=True):
            if setter is None:
                return None
            if not isinstance(setter, _PlainSetter):
                others[name] = setter, column
                continue
            stored = setter.stored(column)
            if stored is not column:
                changed[name] = stored
        rows = _copied(sources, first, others.keys(), changed)
        for other, sent in others.values():
            for row, value in zip(rows, sent, strict=True):
                other(row, value)
    except InvalidValue:
        return None
    return None if any(row.errors for row in rows) else rows


def _copied(
    sources: Sequence[Mapping[str, object]],
    first: int,
    omitted: Collection[str],
    changed: Mapping[str, Sequence[object]],
) -> list[ReadRow]:
    """Return rows with the values that were sent, without the ``omitted`` keys, and with ``changed`` columns.

    Most values are stored as they are sent, and a copy takes a fraction of what setting each value does.
    """
    rows: list[ReadRow] = []
    for index, source in enumerate(sources, first):
        values = dict(source)
        for name in omitted:
            del values[name]
        rows.append(ReadRow(index=index, values=values))
    if changed:
        for row, stored in zip(rows, zip(*changed.values(), strict=True), strict=True):
            row.values.update(zip(changed, stored, strict=True))
    return rows


@dataclass(frozen=True, slots=True)
class _PlainSetter:
    """Sets the value of a field, which may be empty unless it is ``required``."""

    name: str
    coerce: Coercion
    required: bool = False

    def __call__(self, row: ReadRow, value: object) -> None:
        if (stored := self.coerce(value)) is None and self.required:
            _fail_missing(row, self.name)
        _set_once(row, self.name, stored)

    def stored(self, column: Sequence[object]) -> Sequence[object]:
        """Return the values of all rows as they are stored.

        :raises InvalidValue: when a value is not valid, or missing.
        """
        stored = converted(self.coerce, column)
        if self.required and None in stored:
            raise InvalidValue(_missing(self.name))
        return stored


def _set_unless_null(name: str, coerce: Coercion) -> Setter:
    def set_value(row: ReadRow, value: object) -> None:
        stored = coerce(value)
        if stored is not None:
            _set_once(row, name, stored)

    return set_value


def _source_modified_setter(coerce: Coercion) -> Setter:
    def set_source_modified(row: ReadRow, value: object) -> None:
        row.source_modified = cast("datetime | None", coerce(value))

    return set_source_modified


def _guard(name: str, coerce: Coercion) -> Setter:
    def guard(row: ReadRow, value: object) -> None:
        # Whether it is the stored value is known when the record is.
        row.guarded[name] = coerce(value)

    return guard


def _refuse(name: str) -> Setter:
    def refuse(row: ReadRow, value: object) -> None:
        del value
        row.fail(ErrorType.INVALID_DATA, f"Field [{name}] is set by the Vault")

    return refuse


def _set_lineage(row: ReadRow, value: object) -> None:
    row.lineage = read_row(value)
    if row.lineage is None:
        raise InvalidValue(
            f"[{LINEAGE}] takes the number of an origin, a message id, and a source record's id or null"
        )


def _set_once(
    row: ReadRow,
    name: str,
    value: object,
) -> None:
    """Set a field's value.

    :raises InvalidValue: when the field is set already: a row may name a reference or a type in one of two ways, not in
        both.
    """
    _refuse_twice(row, name)
    row.values[name] = value


def _refuse_twice(row: ReadRow, name: str) -> None:
    if name in row.values or name in row.lookups:
        raise InvalidValue(f"Field [{name}] is set twice")


def _fail_missing(row: ReadRow, name: str) -> None:
    row.fail(ErrorType.PARAMETER_REQUIRED, _missing(name))


def _missing(name: str) -> str:
    return f"Missing required parameter [{name}]"
