"""Numbers document versions, and derives the stored values of a version from a caller's choices."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Self

from shared.protocol.error_types import ErrorType
from shared.protocol.whole_numbers import whole_number
from shared.vault.components.document_model import DOCUMENT_ID
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.model.component_model import (
        DocumentModel,
        DocumentType,
        Field,
        Lifecycle,
        VaultObject,
    )
    from shared.vault.records.rows import ResolvedRow

LEVELS = ("type__v", "subtype__v", "classification__v")
LIFECYCLE = "lifecycle__v"
MAJOR, MINOR = NUMBERS = ("major_version_number__v", "minor_version_number__v")
# By these names the vendor's Java client sends the number of a new document's first version.
SHORT_NUMBERS = ("major_version__v", "minor_version__v")
# A Vault that makes renditions is asked not to; this one makes none, and accepts the parameter.
SUPPRESS_RENDITION = "suppressRendition"
STATE, DOCUMENT_NUMBER = "status__v", "document_number__v"
# The fields of a CrossLink, a document whose file is that of another Vault's document.
CROSSLINK = (
    "source_vault_id__v",
    "source_document_id__v",
    "source_binding_rule__v",
    "bound_source_major_version__v",
    "bound_source_minor_version__v",
)
# Names and labels of the type of documents without a type.
UNCLASSIFIED = frozenset({"undefined__v", "Undefined", "Unclassified"})
CHOSEN = frozenset(
    (
        *LEVELS,
        LIFECYCLE,
        *NUMBERS,
        *SHORT_NUMBERS,
        SUPPRESS_RENDITION,
        *CROSSLINK,
    )
)
"""The fields by which a caller makes choices for a new document, beside those that can be changed later."""

MIGRATED = CHOSEN | {STATE, DOCUMENT_NUMBER}
"""The fields by which a caller makes choices for a new document in migration mode."""

# A version gets its own from its number.
NOT_COPIED = frozenset({"id", "global_version_id__sys", "version_link__sys"})

AuditLine = tuple[str, object, object]
"""A field, its value before a change, and its value after it."""

MAX_NUMBER = 9999
MAX_DOCUMENT_NUMBER = 255  # characters
DEFAULT_NUMBER_FORMAT = "VV-{#####}"

_DIGITS = re.compile(r"\{(#+)\}")


@dataclass(frozen=True, slots=True, order=True)
class Number:
    """A version's number: ``0.1`` is the first draft, ``1.0`` the first version in a steady state."""

    major: int
    minor: int

    @classmethod
    def of(cls, values: Record) -> Self:
        """Return the number of a stored version."""
        return cls(values[MAJOR], values[MINOR])

    @property
    def fields(self) -> dict[str, object]:
        """Return the number as fields of a version."""
        return {MAJOR: self.major, MINOR: self.minor}

    def draft_after(self) -> Number:
        """Return the number of the draft that follows the version with this number."""
        return Number(self.major, self.minor + 1)

    def steady_after(self) -> Number:
        """Return the number that a draft with this number gets when it becomes steady."""
        return Number(self.major + 1, 0)

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


FIRST = Number(0, 1)


@dataclass(frozen=True, slots=True)
class Beginning:
    """The choices for a new document: its type and lifecycle, and the number of its first version.

    ``state`` and ``document_number`` are those of migration mode; without them, the document is in the starting state,
    and gets the next number of its type.
    """

    kind: DocumentType
    lifecycle: Lifecycle
    number: Number
    state: str | None = None
    document_number: str | None = None


@dataclass(frozen=True, slots=True)
class Writing:
    """The Vault, the user (id) and the time of a version's creation or change."""

    vault_id: int
    user_id: int
    moment: datetime


def beginning_of(model: DocumentModel, fields: Mapping[str, str]) -> Beginning:
    """Read the type, lifecycle and first version number of a new document from fields.

    :raises VaultFault: PARAMETER_REQUIRED or INVALID_DATA when the fields choose no valid type, lifecycle or number.
    """
    kind = type_of(model, fields)
    lifecycle = lifecycle_of(model, kind, fields.get(LIFECYCLE))
    number = first_number(fields)
    return Beginning(kind, lifecycle, number)


def migrated_beginning(model: DocumentModel, fields: Mapping[str, str]) -> Beginning:
    """Read the choices for a new document in migration mode from fields: also its state and document number.

    :raises VaultFault: as ``beginning_of`` does; INVALID_DATA when the lifecycle has no such state, or the document
        number is too long.
    """
    beginning = beginning_of(model, fields)
    document_number = fields.get(DOCUMENT_NUMBER) or None
    if document_number is not None and not _is_document_number(document_number):
        message = f"[{DOCUMENT_NUMBER}] has at most {MAX_DOCUMENT_NUMBER} printable characters"
        raise VaultFault(ErrorType.INVALID_DATA, message)
    state = _state_named(beginning.lifecycle, fields.get(STATE))
    return replace(beginning, state=state, document_number=document_number)


def _is_document_number(text: str) -> bool:
    """Return whether a text may be a document number."""
    return len(text) <= MAX_DOCUMENT_NUMBER and text.isprintable()


def _state_named(lifecycle: Lifecycle, text: str | None) -> str | None:
    """Return the name of the active state with this name or label; None without a text.

    :raises VaultFault: INVALID_DATA when the lifecycle has no such state.
    """
    if not text:
        return None
    active = [state for state in lifecycle.states.values() if state.active]
    for state in active:
        if text in (state.name, state.label):
            return state.name
    message = f"Lifecycle [{lifecycle.name}] has no such active state"
    raise VaultFault(ErrorType.INVALID_DATA, message)


def first_number(fields: Mapping[str, str]) -> Number:
    """Return the number of the first version of a new document, by default 0.1.

    :raises VaultFault: INVALID_DATA when only one part of the number is sent, or a part is not a whole number up to
        9999.
    """
    named = zip(NUMBERS, SHORT_NUMBERS, strict=True)
    texts = [fields.get(name) or fields.get(short) or "" for name, short in named]
    if not any(texts):
        return FIRST
    major, minor = (whole_number(text, MAX_NUMBER) for text in texts)
    if major is None or minor is None:
        raise VaultFault(
            ErrorType.INVALID_DATA,
            f"[{MAJOR}] and [{MINOR}] must both be sent, as whole numbers",
        )
    return Number(major, minor)


def version_id(document_id: int, number: Number) -> str:
    """Return the id of a version, ``12_0_1``."""
    return f"{document_id}_{number.major}_{number.minor}"


def type_of(model: DocumentModel, fields: Mapping[str, str]) -> DocumentType:
    """Return the document type that the fields name, level by level, each by its name or its label.

    :raises VaultFault: PARAMETER_REQUIRED without a first level; INVALID_DATA when a level names no active type below
        the one above it; OPERATION_NOT_ALLOWED for a CrossLink, and for a document without a type.
    """
    if any(fields.get(name) for name in CROSSLINK):
        message = (
            "CrossLink documents are not supported: each document has its own file"
        )
        raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)
    if not fields.get(LEVELS[0]):
        raise VaultFault(
            ErrorType.PARAMETER_REQUIRED, f"Missing required parameter [{LEVELS[0]}]"
        )
    found: DocumentType | None = None
    for level in LEVELS:
        text = fields.get(level)
        if not text:
            break
        found = _named(text, _below(model, found))
        if found is None and level == LEVELS[0] and text in UNCLASSIFIED:
            message = "Unclassified documents are not supported: each document has a type of this Vault"
            raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)
        if found is None:
            raise VaultFault(
                ErrorType.INVALID_DATA,
                f"Field [{level}] names no active document type below the level above it",
            )
    # A classification without a subtype ends the loop before it is read.
    named_levels = sum(bool(fields.get(level)) for level in LEVELS)
    if found is None or len(found.path) != named_levels:
        raise VaultFault(
            ErrorType.INVALID_DATA, f"Field [{LEVELS[-1]}] needs the levels above it"
        )
    return found


def _below(model: DocumentModel, above: DocumentType | None) -> Iterable[DocumentType]:
    """Yield the document types one level below ``above``; below None, those of the first level."""
    prefix = "" if above is None else f"{above.name}."
    for kind in model.types.values():
        if kind.name == prefix + kind.path[-1]:
            yield kind


def _named(text: str, kinds: Iterable[DocumentType]) -> DocumentType | None:
    """Return the active type with this name or, if there is none, with this label."""
    active = [kind for kind in kinds if kind.active]
    for kind in active:
        if kind.path[-1] == text:
            return kind
    for kind in active:
        if kind.label == text:
            return kind
    return None


def lifecycle_of(
    model: DocumentModel,
    kind: DocumentType,
    chosen: str | None,
) -> Lifecycle:
    """Return the lifecycle of a new document: the chosen one, by name or label, or the only one of its type.

    :raises VaultFault: PARAMETER_REQUIRED without a choice among several; INVALID_DATA when the type does not have the
        chosen one.
    """
    lifecycles = [model.lifecycles[name] for name in model.lifecycles_of(kind.name)]
    offered = [lifecycle for lifecycle in lifecycles if lifecycle.active]
    if chosen:
        offered = [each for each in offered if chosen in (each.name, each.label)]
    if not offered:
        raise VaultFault(
            ErrorType.INVALID_DATA,
            f"Documents of type [{kind.name}] have no such lifecycle",
        )
    if len(offered) > 1:
        raise VaultFault(
            ErrorType.PARAMETER_REQUIRED, f"Missing required parameter [{LIFECYCLE}]"
        )
    return offered[0]


def require_fields(versions: VaultObject, row: ResolvedRow) -> None:
    """Add an error to the row of a new document for each required field that it lacks."""
    for field in versions.fields.values():
        if _must_have(field) and not _has(row, field.name) and not row.errors:
            row.fail(
                ErrorType.PARAMETER_REQUIRED,
                f"Missing required parameter [{field.name}]",
            )


def _must_have(field: Field) -> bool:
    """Return whether a field must have a value that the caller sends with a new document."""
    return field.required and field.active and not field.system


def _has(row: ResolvedRow, name: str) -> bool:
    """Return whether a row has a value for a field."""
    return row.values.get(name) is not None


def document_number(kind: DocumentType, document_id: int) -> str:
    """Return the number by which users refer to a document, in the format of its type: ``ET-{######}``."""
    text = kind.number_format or DEFAULT_NUMBER_FORMAT
    digits = str(document_id)
    return _DIGITS.sub(lambda match: digits.rjust(len(match[1]), "0"), text)


def first_version(
    writing: Writing,
    document_id: int,
    beginning: Beginning,
    fields: Mapping[str, object],
) -> dict[str, object]:
    """Return all stored values of the first version of a document with these fields."""
    named = beginning.document_number or document_number(beginning.kind, document_id)
    values = {
        **fields,
        DOCUMENT_ID: document_id,
        "global_id__sys": f"{writing.vault_id}_{document_id}",
        DOCUMENT_NUMBER: named,
        **chosen_type(beginning),
        "document_creation_date__v": writing.moment,
        "created_by__v": writing.user_id,
    }
    version = latest_version(writing, values, beginning.lifecycle, beginning.number)
    if beginning.state is not None:
        version[STATE] = beginning.state
    return version


def chosen_type(beginning: Beginning) -> dict[str, object]:
    """Return type, subtype, classification and lifecycle of a new document as values of its version."""
    levels = dict(zip(LEVELS, beginning.kind.path, strict=False))
    return {**levels, LIFECYCLE: beginning.lifecycle.name}


def latest_version(
    writing: Writing,
    values: Mapping[str, object],
    lifecycle: Lifecycle,
    number: Number,
) -> dict[str, object]:
    """Return all stored values of a new latest version, in the state in which drafts begin.

    ``values`` are the values of the document, and the fields of the version.
    """
    document_id = int(str(values[DOCUMENT_ID]))
    version = version_id(document_id, number)
    return {
        **values,
        "id": version,
        "latest_version__sys": True,
        "global_version_id__sys": f"{writing.vault_id}_{version}",
        **number.fields,
        STATE: lifecycle.starting_state,
        "version_creation_date__v": writing.moment,
        "version_created_by__v": writing.user_id,
        "last_modified_by__v": writing.user_id,
        "version_modified_date__v": writing.moment,
    }
