"""Reads the rows of a record call: checks every key against the object, and converts every value for its column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, assert_never

from shared.protocol.error_types import ErrorType
from shared.vault.components.platform import NAME, SOURCE_MODIFIED
from shared.vault.components.registry import is_tie, is_written_by_connections
from shared.vault.errors import MAX_ERRORS
from shared.vault.model.component_model import Field, FieldType, VaultObject
from shared.vault.records.field_values import coercion, migrated_field
from shared.vault.records.invalid_values import InactiveValue, InvalidValue
from shared.vault.records.lineage_entries import FIELD as LINEAGE
from shared.vault.records.row_setters import (
    ColumnSetter,
    Setter,
    by_columns,
    fail_missing,
    lineage,
    refuse,
    refuse_twice,
    set_once,
    set_unless_null,
    unchanged,
)
from shared.vault.records.rows import NORMAL, Guard, ReadRow, UnchangedFields, WriteMode

if TYPE_CHECKING:
    from shared.vault.components.registry import Registry

TYPE = "object_type__v"
TYPE_NAME_KEY = "object_type__v.api_name__v"


class RowReader:
    """Reads rows for one object; made once for each object, mode, kind of caller and version of the components.

    With ``for_connection`` the rows may also set the fields that only connections write, and without ``links`` no Link.
    """

    def __init__(
        self,
        target: VaultObject,
        registry: Registry,
        mode: WriteMode = NORMAL,
        *,
        for_connection: bool = False,
        links: bool = True,
    ) -> None:
        self.object = target
        self._mode = mode
        self._for_connection = for_connection
        self._links = links
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
                    fail_missing(row, key_field.name)
        return read

    def _read_alike(
        self,
        sources: Sequence[Mapping[str, object]],
        first: int,
        names: Sequence[str],
        setters: Sequence[Setter | None],
    ) -> list[ReadRow]:
        """Return rows that have these keys; ``first`` is the index of the first row in the call."""
        rows = by_columns(sources, first, names, setters)
        if rows is None:
            # A row names its errors in the order of its keys.
            rows = [ReadRow(index=first + place) for place in range(len(sources))]
            plain = [each.field for each in setters if isinstance(each, ColumnSetter)]
            for row, source in zip(rows, sources, strict=True):
                self._fill(row, source, setters)
                # As in rows that are read key by key: audit entries follow this order.
                first_values = {
                    n: row.values[n] for n in plain if n and n in row.values
                }
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
                _set(row, name, setter, value)
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
                return set_unless_null(*migrated)
        if name == TYPE_NAME_KEY and self.object.allow_types:
            return self._set_type_by_name
        if name == LINEAGE:
            return ColumnSetter(lineage, attribute="lineage")
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
            return ColumnSetter(coerce, attribute="source_modified")
        # Records of another system may lack what is required here, but for their name.
        if target.required and not (self._mode.migration and target.name != "name__v"):
            return ColumnSetter(coerce, target.name, required=True)
        # Every record has a status: an empty one leaves it as it is.
        if target.name == "status__v":
            return set_unless_null(target.name, coerce)
        return ColumnSetter(coerce, target.name)

    def _may_edit(self, target: Field) -> bool:
        if is_tie(self.object.name, target) and not self._links:
            return False
        if target.editable:
            return True
        by_connections = is_written_by_connections(self.object.name, target)
        return by_connections and self._for_connection

    def _guarded_setter(self, target: Field) -> Setter:
        """Return the setter of a field that callers may not set: it refuses any value, or any but the stored one."""
        match self._mode.unchanged:
            case UnchangedFields.ALWAYS_IGNORE:
                return unchanged(target.name, coercion(target, self._registry))
            case (
                UnchangedFields.IGNORE_SET_ON_CREATE_ONLY | UnchangedFields.NEVER_IGNORE
            ):
                return refuse(target.name)
            case _:
                assert_never(self._mode.unchanged)

    def _key_setter(self, key_field: Field) -> Setter:
        # An upsert stores its key with a new record; ``id`` is the Vault's to set.
        name = None if key_field.system else key_field.name
        return ColumnSetter(coercion(key_field, self._registry), name, attribute="key")

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
                fail_missing(row, reference.name)
            elif key is None:
                set_once(row, reference.name, None)
            else:
                refuse_twice(row, reference.name)
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
        set_once(row, TYPE, type_id)

    def _set_type(self, row: ReadRow, value: object) -> None:
        if value is None or value == "":
            return
        target = self.object.name
        for (owner, name), chosen in self._registry.object_types.items():
            if owner != target or not chosen.active:
                continue
            type_id = self._registry.object_type_id(owner, name)
            if value == type_id:
                set_once(row, TYPE, value)
                return
        raise InvalidValue(f"[{target}] has no such object type")


def _set(row: ReadRow, name: str, setter: Setter, value: object) -> None:
    """Set a value of a row; guard an inactive one, and add the error of an invalid one to the row."""
    try:
        setter(row, value)
    except InactiveValue as fault:
        row.guarded[name] = Guard(fault.value, fault.error, fault.names)
    except InvalidValue as fault:
        row.errors.append(fault.error)


def _is_key(field: Field) -> bool:
    """Return whether rows may refer to records by this field; names need not be unique, which resolving looks at."""
    return field.unique or field.type is FieldType.ID or field.name == NAME.name
