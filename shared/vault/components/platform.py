"""Defines the fields that the Vault itself adds to every object, and other components that it supplies."""

from __future__ import annotations

from collections.abc import Mapping

from shared.vault.model.component_model import (
    Field,
    FieldType,
    ObjectUserAction,
    Picklist,
    PicklistEntry,
)

# The values of ``status__v``, where no Picklist component of this name says otherwise.
DEFAULT_STATUS = Picklist(
    "default_status__v",
    "Status",
    entries={
        "active__v": PicklistEntry("active__v", "Active", 0),
        "inactive__v": PicklistEntry("inactive__v", "Inactive", 1),
    },
)

# The security profiles that every Vault has; users may also have those that are components.
SECURITY_PROFILES = Picklist(
    "security_profile__sys",
    "Security Profile",
    entries={
        "system_admin__v": PicklistEntry("system_admin__v", "System Admin", 0),
        "integration_user__v": PicklistEntry(
            "integration_user__v", "Integration User", 1
        ),
        "business_user__v": PicklistEntry("business_user__v", "Business User", 2),
    },
)

# The objects of the platform's namespace that Vaults have here. Every other Vault has more of them, for features
# that are not here, and nobody but the platform's maker can create one.
SYSTEM_OBJECTS = frozenset(
    {
        "connection__sys", "exception_item__sys", "exception_message__sys", "integration__sys",
        "integration_point__sys", "person__sys", "reconciliation__sys", "reconciliation_finding__sys",
        "reference_lookup__sys", "user__sys",
    }
)  # fmt: skip

# The object type that every object with types has.
BASE_TYPE = "base__v"

NAME_MAX_LENGTH = 128
GLOBAL_ID_MAX_LENGTH = 200
LINK_MAX_LENGTH = 1500

# Characters in a unique text field: 2,000 bytes at most, which a PostgreSQL index row can hold.
UNIQUE_MAX_LENGTH = 500

# What counts for a user who has no value there, by field of ``user__sys``.
USER_DEFAULTS: Mapping[str, str] = {
    "timezone__sys": "UTC",
    "locale__sys": "en_US",
    "language__sys": "en",
    "license_type__sys": "full__v",
}

NAME = Field(
    "name__v",
    "Name",
    FieldType.STRING,
    required=True,
    max_length=NAME_MAX_LENGTH,
)
STATUS = Field(
    "status__v",
    "Status",
    FieldType.PICKLIST,
    picklist=DEFAULT_STATUS.name,
)
LINK = Field(
    "link__sys",
    "Link",
    FieldType.STRING,
    max_length=LINK_MAX_LENGTH,
)


def _system(
    name: str,
    label: str,
    type_: FieldType,
    max_length: int | None = None,
    *,
    unique: bool = False,
) -> Field:
    return Field(
        name,
        label,
        type_,
        required=True,
        unique=unique,
        editable=False,
        system=True,
        max_length=max_length,
    )


ID = _system(
    "id",
    "ID",
    FieldType.ID,
    20,
    unique=True,
)
GLOBAL_ID = _system(
    "global_id__sys",
    "Global ID",
    FieldType.STRING,
    GLOBAL_ID_MAX_LENGTH,
    unique=True,
)
OBJECT_TYPE = Field(
    "object_type__v",
    "Object Type",
    FieldType.STRING,
    system=True,
    max_length=128,
)
LIFECYCLE = Field(
    "lifecycle__v",
    "Lifecycle",
    FieldType.STRING,
    editable=False,
    system=True,
    max_length=128,
)
STATE = Field(
    "state__v",
    "Lifecycle State",
    FieldType.STRING,
    editable=False,
    system=True,
    max_length=128,
)
MODIFIED_DATE = "modified_date__v"
AUDIT = (
    _system("created_by__v", "Created By", FieldType.NUMBER),
    _system("created_date__v", "Created Date", FieldType.DATE_TIME),
    _system("modified_by__v", "Last Modified By", FieldType.NUMBER),
    _system(MODIFIED_DATE, "Last Modified Date", FieldType.DATE_TIME),
)
# Which version of its source a copied record is; set by connections only.
SOURCE_MODIFIED = Field(
    "source_modified_date__sys",
    "Source Modified Date",
    FieldType.DATE_TIME,
    editable=False,
    system=True,
)

# The type of every platform field, by name.
PLATFORM_FIELD_TYPES: Mapping[str, FieldType] = {
    field.name: field.type
    for field in (
        ID,
        GLOBAL_ID,
        LINK,
        NAME,
        STATUS,
        OBJECT_TYPE,
        LIFECYCLE,
        STATE,
        *AUDIT,
        SOURCE_MODIFIED,
    )
}

# User actions that the Vault itself gives to objects, unless a component of the same name says
# otherwise.
OBJECT_ACTIONS: Mapping[str, tuple[ObjectUserAction, ...]] = {
    "exception_message__sys": (
        ObjectUserAction("retry_transfer__sys", "Retry Transfer", "retry_transfer"),
        ObjectUserAction("ignore__sys", "Ignore", "ignore"),
    ),
    "exception_item__sys": (ObjectUserAction("ignore__sys", "Ignore", "ignore"),),
}
