"""Defines the typed components of a Vault: objects, picklists, lifecycles, queues, document types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import assert_never

Scalar = str | bool | int | float
"""One attribute value as MDL writes it; component references stay strings (``Object.account__v``)."""


class FieldType(StrEnum):
    """Field types, spelled as the object metadata endpoint returns them."""

    ID = "ID"
    STRING = "String"
    LONG_TEXT = "LongText"
    RICH_TEXT = "RichText"
    NUMBER = "Number"
    BOOLEAN = "Boolean"
    DATE = "Date"
    DATE_TIME = "DateTime"
    PICKLIST = "Picklist"
    OBJECT = "Object"
    ATTACHMENT = "Attachment"


class RelationshipType(StrEnum):
    """The relation of a referenced record to the record that refers to it."""

    REFERENCE = "reference"
    PARENT = "parent"


class RelationshipDeletion(StrEnum):
    """The effect that the deletion of a referenced record has on the record that refers to it."""

    BLOCK = "block"
    SET_NULL = "setnull"
    CASCADE = "cascade"


class QueueType(StrEnum):
    """The types of queues: for Spark messages in one direction, or for jobs, which need no broker."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"
    JOB = "job"

    @property
    def takes_deliveries(self) -> bool:
        """Return whether messages of other Vaults arrive in such a queue."""
        match self:
            case QueueType.INBOUND:
                return True
            case QueueType.OUTBOUND | QueueType.JOB:
                return False
            case _:
                assert_never(self)

    @property
    def delivers(self) -> bool:
        """Return whether messages leave the Vault from such a queue."""
        match self:
            case QueueType.OUTBOUND:
                return True
            case QueueType.INBOUND | QueueType.JOB:
                return False
            case _:
                assert_never(self)

    @property
    def has_delivery_switch(self) -> bool:
        """Return whether delivery from such a queue can be enabled and disabled."""
        match self:
            case QueueType.OUTBOUND | QueueType.JOB:
                return True
            case QueueType.INBOUND:
                return False
            case _:
                assert_never(self)


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an object; a platform field (``system``) is set by the Vault and exists on every object.

    ``relationship_outbound_name`` is the to-one name, e.g. ``account__vr``; ``relationship_inbound_name`` the to-many
    name on the referenced object, e.g. ``addresses__vr``. ``shown_type`` is the type in metadata where that is not
    a FieldType, as for some fields of documents. ``no_copy`` leaves the field out of copies of a record. Without
    ``search``, the values of a picklist are no words of the search index; searches find them nevertheless.
    """

    name: str
    label: str
    type: FieldType
    active: bool = True
    required: bool = False
    unique: bool = False
    editable: bool = True
    system: bool = False
    max_length: int | None = None
    scale: int | None = None
    min_value: float | None = None
    max_value: float | None = None
    picklist: str | None = None
    multi_value: bool = False
    object: str | None = None
    relationship_type: RelationshipType | None = None
    relationship_deletion: RelationshipDeletion = RelationshipDeletion.BLOCK
    relationship_outbound_name: str | None = None
    relationship_inbound_name: str | None = None
    system_managed_name: bool = False
    # Metadata repeats it; values are stored as they are, for the database is encrypted as a whole.
    encrypted: bool = False
    format_mask: str | None = None
    value_format: str | None = None  # e.g. CR-{000000}, for system-managed names
    no_copy: bool = False
    search: bool = True
    shown_type: str | None = None


@dataclass(frozen=True, slots=True)
class ObjectType:
    """One object type of an object (component ``Objecttype.{object}.{name}``).

    ``fields`` maps the name of each field of the type's records to whether it is required.
    """

    name: str
    object: str
    label: str
    active: bool = True
    description: str = ""
    label_plural: str = ""
    validations: tuple[str, ...] = ()  # additional_type_validations
    # A type that declares no fields has all of the object's.
    fields: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ObjectUserAction:
    """A user action of an object (``Objectaction.{object}.{name}``), available in every lifecycle state."""

    name: str
    label: str
    action: str  # a named action of this Vault, or what an exported component names
    active: bool = True
    order: int = 0
    prompts: tuple[str, ...] = ()
    parameters: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class VaultObject:
    """One object: a PostgreSQL table of typed columns, platform fields included in ``fields``."""

    name: str
    label: str
    label_plural: str
    prefix: str  # three characters, the head of every record id
    description: str = ""
    active: bool = True
    in_menu: bool = True
    allow_types: bool = False
    allow_attachments: bool = False
    raw: bool = False  # a call creates all of its rows or none
    search: bool = True  # its texts have an index of words
    audited: bool = True
    default_type: str | None = None
    lifecycle: str | None = None
    fields: Mapping[str, Field] = field(default_factory=dict)
    actions: tuple[ObjectUserAction, ...] = ()

    @cached_property
    def holds_files(self) -> bool:
        """Return whether records may have files, in active fields of type Attachment."""
        return any(
            f.type is FieldType.ATTACHMENT and f.active for f in self.fields.values()
        )

    @cached_property
    def outbound(self) -> Mapping[str, Field]:
        """Return the object-reference fields by their to-one relationship name."""
        return {
            f.relationship_outbound_name: f
            for f in self.fields.values()
            if f.relationship_outbound_name
        }


@dataclass(frozen=True, slots=True)
class PicklistEntry:
    """One value of a picklist."""

    name: str
    label: str
    order: int = 0
    active: bool = True


@dataclass(frozen=True)
class Picklist:
    """A controlled list of values, by name."""

    name: str
    label: str
    active: bool = True
    description: str = ""
    entries: Mapping[str, PicklistEntry] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EntryAction:
    """A named action, with its parameters, that runs when a record enters a state."""

    name: str
    action: str
    order: int = 0
    parameters: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict)


class ValueFormat(StrEnum):
    """The format of a field's text that an entry criterion demands."""

    EMAIL = "email"
    PHONE = "phone"


@dataclass(frozen=True, slots=True)
class EntryCriterion:
    """A requirement of records that enter a state: criteria in VQL, and the message for a record that fails them.

    ``required_field`` is set when the criteria only require that one field has a value: the name of that field; the
    message is then empty unless the configuration gives one. With ``condition``, also criteria in VQL, only the records
    that meet it have to meet the criteria. ``value_format`` is the format that the required field's value must have.
    """

    name: str
    criteria: str
    message: str
    order: int = 0
    required_field: str | None = None
    condition: str | None = None
    value_format: ValueFormat | None = None


@dataclass(frozen=True, slots=True)
class UserAction:
    """An action that a user may run on a record in a state: ``change_state`` to ``next_state``, or a named action."""

    name: str
    label: str
    action: str
    order: int = 0
    next_state: str | None = None
    prompts: tuple[str, ...] = ()  # fields that the caller may set while running it
    workflow: str = ""  # that it starts


@dataclass(frozen=True, slots=True)
class LifecycleState:
    """One state of a lifecycle."""

    name: str
    label: str
    active: bool = True
    entry_actions: tuple[EntryAction, ...] = ()
    user_actions: tuple[UserAction, ...] = ()
    state_type: str | None = None  # e.g. initial_state__sys
    entry_criteria: tuple[EntryCriterion, ...] = ()
    record_status: str | None = None  # what status__v becomes in this state


@dataclass(frozen=True)
class Lifecycle:
    """A lifecycle: the states of records, and the state in which new records start."""

    name: str
    label: str
    starting_state: str
    active: bool = True
    states: Mapping[str, LifecycleState] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class QueueConnection:
    """A destination of a queue: the connection's API name and the queue in the remote Vault."""

    name: str
    connection_name: str
    connection_type: str | None = None
    deliver_to_queue: str | None = None
    active: bool = True


@dataclass(frozen=True)
class Queue:
    """A queue of Spark messages or of jobs."""

    name: str
    label: str
    type: QueueType
    active: bool = True
    description: str = ""
    message_processor: str | None = None
    message_processor_user: str | None = None
    message_delivery_event_handler: str | None = None
    message_delivery_event_handler_user: str | None = None
    rollback_on_error: bool = False
    sequential: bool = False
    connections: tuple[QueueConnection, ...] = ()


@dataclass(frozen=True, slots=True)
class DocumentType:
    """One level of the hierarchy of document types: ``type``, ``type.subtype`` or ``type.subtype.classification``.

    ``lifecycles`` are those that its documents may have; without any, those of the level above apply.
    """

    name: str
    label: str
    active: bool = True
    lifecycles: tuple[str, ...] = ()
    number_format: str = ""

    @property
    def path(self) -> tuple[str, ...]:
        """Return the names of the type and, where they exist, of subtype and classification."""
        return tuple(self.name.split("."))


@dataclass(frozen=True)
class DocumentModel:
    """The document types, lifecycles and fields of a Vault.

    ``versions`` is the table of documents, with a row for each version; None without document types. It is an object
    for code that plans tables and reads rows, but not an object of the API. ``renditions`` are rendition types and
    their labels.
    """

    versions: VaultObject | None = None
    types: Mapping[str, DocumentType] = field(default_factory=dict)
    lifecycles: Mapping[str, Lifecycle] = field(default_factory=dict)
    renditions: Mapping[str, str] = field(default_factory=dict)

    def lifecycles_of(self, name: str) -> tuple[str, ...]:
        """Return the lifecycles that documents of a type may have: its own, else those of the nearest level above."""
        while name:
            found = self.types.get(name)
            if found is not None and found.lifecycles:
                return found.lifecycles
            name = name.rpartition(".")[0]
        return ()


def state_type_name(text: str) -> str:
    """Return the name of a state type from any spelling: ``base:object_lifecycle:initial`` → ``initial_state__sys``."""
    # Exports write a component reference or a qualified label, criteria in VQL the bare name.
    unprefixed = text.removeprefix("Lifecyclestatetype.")
    name = unprefixed.rpartition(":")[2]
    if "__" in name:
        return name
    stem = name.removesuffix("_type").removesuffix("_state")
    return f"{stem}_state__sys"
