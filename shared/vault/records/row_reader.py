"""Reads rows on their way in: checks every key against its object and turns every value into its column's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, cast

from shared.protocol.error_types import ErrorType
from shared.vault.components.platform import SOURCE_MODIFIED
from shared.vault.model.component_model import Field, FieldType, VaultObject
from shared.vault.records.field_values import InvalidValue, coercion
from shared.vault.records.lineage_entries import FIELD as LINEAGE
from shared.vault.records.lineage_entries import read_row
from shared.vault.records.rows import NORMAL, UnchangedFields, WriteMode

if TYPE_CHECKING:
    from shared.vault.components.registry import Registry
from typing import TYPE_CHECKING

from shared.vault.components.platform import AUDIT
from shared.vault.model.component_model import state_type_name
from shared.vault.records.rows import Row

TYPE_NAME_KEY = "object_type__v.api_name__v"


Setter = Callable[[Row, object], None]


class RowReader:
    """Reads rows for one object; made once per object, mode and component revision."""

    def __init__(
        self, target: VaultObject, registry: Registry, mode: WriteMode = NORMAL
    ) -> None:
        self.object = target
        self._mode = mode
        self._registry = registry
        self._setters: dict[str, Setter | None] = {}

    def read(
        self, rows: Sequence[Mapping[str, object]], key_field: Field | None = None
    ) -> list[Row]:
        """Rows in input order, each with its values or its errors; ``key_field`` names the row (``id``, idParam)."""
        key_of = coercion(key_field, self._registry) if key_field else None
        return [
            self._row(index, source, key_field, key_of)
            for index, source in enumerate(rows)
        ]

    def _row(
        self,
        index: int,
        source: Mapping[str, object],
        key_field: Field | None,
        key_of: Callable[[object], object] | None,
    ) -> Row:
        row = Row(index)
        setters = self._setters
        for name, value in source.items():
            try:
                if (
                    key_field is not None
                    and key_of is not None
                    and name == key_field.name
                ):
                    row.key = key_of(value)
                    if not key_field.system:
                        row.values[name] = row.key
                    continue
                setter = setters[name] if name in setters else self._prepare(name)
                if setter is None:
                    row.fail(
                        ErrorType.ATTRIBUTE_NOT_SUPPORTED,
                        f"[{self.object.name}] has no field [{name[:100]}]",
                    )
                else:
                    setter(row, value)
            except InvalidValue as fault:
                row.errors.append(fault.error)
        if key_field is not None and row.key is None and not row.errors:
            row.fail(
                ErrorType.PARAMETER_REQUIRED,
                f"Missing required parameter [{key_field.name}]",
            )
        return row

    def _prepare(self, name: str) -> Setter | None:
        """The setter of a key, kept for the next row; unknown keys are not kept, they have no bound."""
        setter = self._setter(name)
        if setter is not None:
            self._setters[name] = setter
        return setter

    def _setter(self, name: str) -> Setter | None:
        migrated = (
            migrated_field(name, self.object, self._registry)
            if self._mode.migration
            else None
        )
        if migrated is not None:
            return self._set_given(*migrated)
        if name == TYPE_NAME_KEY and self.object.allow_types:
            return self._set_type_by_name
        if name == LINEAGE:
            return _set_lineage
        target = self.object.fields.get(name)
        if target is None or not target.active:
            return self._lookup_setter(name)
        return (
            self._set_type if name == "object_type__v" else self._field_setter(target)
        )

    def _field_setter(self, target: Field) -> Setter:
        name = target.name
        if name == SOURCE_MODIFIED.name:
            return self._set_source_modified(target)
        if target.system or not (target.editable or self._mode.migration):
            always = self._mode.unchanged is UnchangedFields.ALWAYS_IGNORE
            return self._guard(target) if always else self._refuse(name)
        coerce = coercion(target, self._registry)
        if target.required and not (self._mode.migration and name != "name__v"):
            return self._required(target, coerce)

        def set_value(row: Row, value: object) -> None:
            stored = coerce(value)
            # Every record has a status: none given leaves it as it is.
            if stored is not None or name != "status__v":
                _give(row, name, stored)

        return set_value

    def _required(self, target: Field, coerce: Callable[[object], object]) -> Setter:
        def set_value(row: Row, value: object) -> None:
            stored = coerce(value)
            if stored is None:
                row.fail(
                    ErrorType.PARAMETER_REQUIRED,
                    f"Missing required parameter [{target.name}]",
                )
            _give(row, target.name, stored)

        return set_value

    def _set_source_modified(self, target: Field) -> Setter:
        coerce = cast(
            "Callable[[object], datetime | None]", coercion(target, self._registry)
        )

        def set_source_modified(row: Row, value: object) -> None:
            row.source_modified = coerce(value)

        return set_source_modified

    @staticmethod
    def _set_given(name: str, convert: Callable[[object], object]) -> Setter:
        def set_given(row: Row, value: object) -> None:
            if (stored := convert(value)) is not None:
                _give(row, name, stored)

        return set_given

    def _guard(self, target: Field) -> Setter:
        coerce = coercion(target, self._registry)

        def guard(row: Row, value: object) -> None:
            row.guarded[target.name] = coerce(value)

        return guard

    def _refuse(self, name: str) -> Setter:
        def refuse(row: Row, value: object) -> None:
            del value
            row.fail(ErrorType.INVALID_DATA, f"Field [{name}] is set by the Vault")

        return refuse

    def _lookup_setter(self, name: str) -> Setter | None:
        """For ``rel__vr.unique_field``: the reference is found by that field of the referenced object."""
        relationship, _, unique = name.partition(".")
        reference = self.object.outbound.get(relationship)
        referenced = (
            self._registry.objects.get(reference.object or "") if reference else None
        )
        target = referenced.fields.get(unique) if referenced else None
        if reference is None or target is None:
            return None
        if not (target.unique or target.type is FieldType.ID) or not reference.editable:
            return None
        coerce = coercion(target, self._registry)

        def set_lookup(row: Row, value: object) -> None:
            key = coerce(value)
            if key is None and reference.required:
                row.fail(
                    ErrorType.PARAMETER_REQUIRED,
                    f"Missing required parameter [{reference.name}]",
                )
            elif key is None:
                _give(row, reference.name, None)
            elif reference.name in row.values or reference.name in row.lookups:
                raise InvalidValue(f"Field [{reference.name}] is given twice")
            else:
                row.lookups[reference.name] = (unique, key)

        return set_lookup

    def _set_type_by_name(self, row: Row, value: object) -> None:
        if value is None or value == "":
            return
        chosen = self._registry.object_types.get((self.object.name, str(value)))
        if chosen is None or not chosen.active:
            raise InvalidValue(f"[{self.object.name}] has no such object type")
        _give(
            row,
            "object_type__v",
            self._registry.object_type_id(self.object.name, chosen.name),
        )

    def _set_type(self, row: Row, value: object) -> None:
        if value is None or value == "":
            return
        for (owner, name), chosen in self._registry.object_types.items():
            if (
                owner == self.object.name
                and chosen.active
                and value == self._registry.object_type_id(owner, name)
            ):
                _give(row, "object_type__v", value)
                return
        raise InvalidValue(f"[{self.object.name}] has no such object type")


def _set_lineage(row: Row, value: object) -> None:
    row.lineage = read_row(value)
    if row.lineage is None:
        raise InvalidValue(
            f"[{LINEAGE}] takes the number of an origin, a message id, and a source record's id or null"
        )


def _give(row: Row, name: str, value: object) -> None:
    """Set a field's value, once: a reference or a type may be named in two ways, but not in both."""
    if name in row.values or name in row.lookups:
        raise InvalidValue(f"Field [{name}] is given twice")
    row.values[name] = value


STATE = "state__v"


STATE_LABEL = "state_label"


STATE_LABEL_PREFIX = "base:object_lifecycle:"


INITIAL = "initial_state__sys"


AUDIT_NAMES = frozenset(field.name for field in AUDIT)


Conversion = Callable[[object], object]


def migrated_field(
    name: str, target: VaultObject, registry: Registry
) -> tuple[str, Conversion] | None:
    """The field that a key sets in migration mode only, and its conversion; None for every other key.

    The conversion raises InvalidValue, and returns None where the Vault is to set the field itself.
    """
    if name in AUDIT_NAMES:
        return name, coercion(target.fields[name], registry)
    if target.lifecycle and name == STATE:
        return STATE, lambda value: _state(target, registry, value)
    if target.lifecycle and name == STATE_LABEL:
        return STATE, lambda value: _state_of_type(target, registry, value)
    return None


def _state(target: VaultObject, registry: Registry, value: object) -> str | None:
    name = value[0] if isinstance(value, list) and len(value) == 1 else value
    if name is None or name == "":
        return None
    states = registry.lifecycles[target.lifecycle or ""].states
    if not isinstance(name, str) or name not in states or not states[name].active:
        raise InvalidValue(
            f"Field [{STATE}] takes a state of lifecycle [{target.lifecycle}]"
        )
    return name


def _state_of_type(
    target: VaultObject, registry: Registry, value: object
) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not value.startswith(STATE_LABEL_PREFIX):
        raise InvalidValue(f"[{STATE_LABEL}] takes {STATE_LABEL_PREFIX}{{state type}}")
    wanted = state_type_name(value)
    lifecycle = registry.lifecycles[target.lifecycle or ""]
    for state in lifecycle.states.values():
        if state.active and state.state_type == wanted:
            return state.name
    if wanted == INITIAL:
        return lifecycle.starting_state
    raise InvalidValue(f"Lifecycle [{target.lifecycle}] has no state of this type")
