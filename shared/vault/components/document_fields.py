"""Defines the fields of every document, except those of its file."""

from __future__ import annotations

from shared.vault.components.platform import LINK_MAX_LENGTH
from shared.vault.model.component_model import Field, FieldType

DOCUMENT_ID = "document_id__sys"
EXTERNAL_ID = "external_id__v"


NAME_LENGTH = 100


TEXT_LENGTH = 1500


def _set(
    name: str,
    label: str,
    kind: FieldType = FieldType.STRING,
    length: int | None = 255,
    shown: str | None = None,
) -> Field:
    """Return a field that the Vault itself sets."""
    # Only texts have a length.
    limit = length if kind is FieldType.STRING else None
    return Field(
        name,
        label,
        kind,
        editable=False,
        system=True,
        max_length=limit,
        shown_type=shown,
    )


STANDARD_FIELDS: tuple[Field, ...] = (
    Field(
        "id",
        "Version ID",
        FieldType.ID,
        required=True,
        unique=True,
        editable=False,
        system=True,
    ),
    _set(
        DOCUMENT_ID,
        "ID",
        FieldType.NUMBER,
        shown="id",
    ),
    _set("latest_version__sys", "Latest Version", FieldType.BOOLEAN),
    _set("global_id__sys", "Global ID"),
    _set("global_version_id__sys", "Global Version ID"),
    Field(
        "link__sys",
        "Link",
        FieldType.STRING,
        max_length=LINK_MAX_LENGTH,
    ),
    Field(
        "version_link__sys",
        "Version Link",
        FieldType.STRING,
        max_length=LINK_MAX_LENGTH,
    ),
    _set("document_number__v", "Document Number"),
    _set("major_version_number__v", "Major Version Number", FieldType.NUMBER),
    _set("minor_version_number__v", "Minor Version Number", FieldType.NUMBER),
    Field(
        "name__v",
        "Name",
        FieldType.STRING,
        required=True,
        max_length=NAME_LENGTH,
    ),
    Field(
        "title__v",
        "Title",
        FieldType.STRING,
        max_length=TEXT_LENGTH,
    ),
    Field(
        "description__v",
        "Description",
        FieldType.STRING,
        max_length=TEXT_LENGTH,
    ),
    Field(
        EXTERNAL_ID,
        "External ID",
        FieldType.STRING,
        max_length=250,
    ),
    _set("type__v", "Type", shown="Component"),
    _set("subtype__v", "Subtype", shown="Component"),
    _set("classification__v", "Classification", shown="Component"),
    _set("lifecycle__v", "Lifecycle", shown="Component"),
    _set("status__v", "Status", shown="Component"),
    _set("created_by__v", "Created By", FieldType.NUMBER),
    _set("document_creation_date__v", "Created Date", FieldType.DATE_TIME),
    _set("version_creation_date__v", "Version Created Date", FieldType.DATE_TIME),
    _set("version_created_by__v", "Version Created By", FieldType.NUMBER),
    _set("last_modified_by__v", "Last Modified By", FieldType.NUMBER),
    _set("version_modified_date__v", "Version Modified Date", FieldType.DATE_TIME),
)
