"""Describes request bodies for the OpenAPI document: the media types of calls, and their schemas."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from shared.vault.records.rows import MAX_ROWS

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
JSON = "application/json"
CSV = "text/csv"
OCTETS = "application/octet-stream"
TEXT = "text/plain"

Body = dict[str, object]
"""The ``openapi_extra`` of an endpoint: its ``requestBody``."""

# Administrators define the fields of objects, so the document cannot list them.
ANY_FIELDS: dict[str, object] = {"type": "object", "additionalProperties": True}
# OpenAPI's way to describe a file in a body.
FILE: dict[str, object] = {"type": "string", "format": "binary"}


def body_of(schemas: Mapping[str, object]) -> Body:
    """Return the documentation of a body by its possible media types, each with its schema."""
    content = {media: {"schema": schema} for media, schema in schemas.items()}
    return {"requestBody": {"content": content}}


def form_documentation(fields: Mapping[str, str]) -> Body:
    """Return the documentation of a form, or a JSON object, of text fields; ``fields`` has their descriptions."""
    properties = {
        name: {"type": "string", "description": text} for name, text in fields.items()
    }
    schema = {"type": "object", "properties": properties}
    # Public clients differ in which of the three they send.
    return body_of(dict.fromkeys((FORM, MULTIPART, JSON), schema))


def multipart_documentation(
    fields: Mapping[str, object] = MappingProxyType({}),
    required: tuple[str, ...] = ("file",),
) -> Body:
    """Return the documentation of a form with a file and other fields; ``fields`` has their schemas by name."""
    properties = {**fields, "file": FILE}
    schema = {"type": "object", "required": list(required), "properties": properties}
    return body_of({MULTIPART: schema})


def array_documentation(max_items: int) -> Body:
    """Return the documentation of a JSON array of objects."""
    items = {"type": "object"}
    return body_of({JSON: {"type": "array", "maxItems": max_items, "items": items}})


ROWS_DOCUMENTATION: Body = body_of(
    {
        JSON: {"type": "array", "maxItems": MAX_ROWS, "items": ANY_FIELDS},
        CSV: {"type": "string"},
        FORM: ANY_FIELDS,
        MULTIPART: ANY_FIELDS,
    }
)
"""Rows of records."""

RECORD_DOCUMENTATION: Body = body_of(
    {JSON: ANY_FIELDS, FORM: ANY_FIELDS, MULTIPART: ANY_FIELDS}
)
"""The fields of one record."""

OBJECT_DOCUMENTATION: Body = body_of({JSON: ANY_FIELDS})
"""A JSON object."""

FILE_FORM: Body = multipart_documentation()
"""A form with a file."""

DOCUMENT_FORM: Body = body_of(
    {
        MULTIPART: {
            "type": "object",
            "properties": {"file": FILE},
            "additionalProperties": True,
        },
        FORM: ANY_FIELDS,
        JSON: ANY_FIELDS,
    }
)
"""The fields of a document and its file."""

MDL_DOCUMENTATION: Body = body_of(
    {TEXT: {"type": "string"}, OCTETS: {"type": "string"}}
)
"""MDL text."""

OCTETS_DOCUMENTATION: Body = body_of({OCTETS: FILE})
"""The bytes of a file."""
