"""Makes the query target of an object's attachments, ``attachments__sysr``, which sub-selects read."""

from __future__ import annotations

import json

from shared.vault import vql
from shared.vault.components.schema import quote
from shared.vault.files.attachment_model import OCTETS, TYPES
from shared.vault.model.component_model import (
    Field,
    FieldType,
    RelationshipType,
    VaultObject,
)
from shared.vault.vql.syntax_tree import SourceOption

NAME, RELATIONSHIP = "attachments__sys", "attachments__sysr"
RECORD = "object_record_id__sys"

_LATEST = "v.version = (SELECT max(l.version) FROM platform.attachment_version l WHERE l.attachment_id = a.id)"
# The format is that of the file name, as it is where attachments are downloaded.
_FORMATS = json.dumps(TYPES).replace("'", "''")
# The fields of the target, which has a row for each version: SQL, label, type.
_FIELDS = {
    "object_name__sys": ("a.object", "Object", FieldType.STRING),
    "attachment_id__sys": ("a.id", "Attachment ID", FieldType.NUMBER),
    "attachment_name__sys": ("a.filename", "Attachment Name", FieldType.STRING),
    "attachment_external_id__sys": ("a.external_id", "External ID", FieldType.STRING),
    "attachment_version__sys": ("v.version", "Version", FieldType.NUMBER),
    "file_name__sys": ("a.filename", "File Name", FieldType.STRING),
    "description__sys": ("v.description", "Description", FieldType.STRING),
    "md5checksum__sys": ("c.md5", "MD5 Checksum", FieldType.STRING),
    "latest_version__sys": (_LATEST, "Latest Version", FieldType.BOOLEAN),
    "created_date__sys": ("v.created_date", "Created Date", FieldType.DATE_TIME),
    "created_by__sys": ("v.created_by", "Created By", FieldType.NUMBER),
    "modified_date__sys": ("v.created_date", "Last Modified Date", FieldType.DATE_TIME),
    "modified_by__sys": ("v.created_by", "Last Modified By", FieldType.NUMBER),
    "format__sys": (
        rf"coalesce('{_FORMATS}'::jsonb ->> lower(substring(a.filename FROM '\.[^.]*$')), '{OCTETS}')",
        "Format",
        FieldType.STRING,
    ),
    "size__sys": ("c.size", "Size", FieldType.NUMBER),
}
_KEY = "version_key"


def attachment_target(owner: VaultObject) -> vql.Target:
    """Return the target ``attachments__sysr`` of an object that allows attachments.

    It has a row for each attachment with its latest version; with ALLVERSIONS, a row for each version.
    """
    record = Field(
        RECORD,
        "Object Record",
        FieldType.OBJECT,
        editable=False,
        object=owner.name,
        relationship_type=RelationshipType.REFERENCE,
        relationship_outbound_name="object_record__sysr",
        relationship_inbound_name=RELATIONSHIP,
    )
    fields = {record.name: record}
    for name, (_, label, kind) in _FIELDS.items():
        fields[name] = Field(name, label, kind, editable=False)
    # One target an object: each has the permissions of its records' object.
    shown = VaultObject(
        f"{NAME}.{owner.name}", "Attachment", "Attachments", "", fields=fields
    )
    every = _relation(owner)
    return vql.Target(
        shown,
        relation=f"({every} AND {_LATEST})",
        options={SourceOption.ALLVERSIONS: f"({every})"},
        key=_KEY,
        part_of=owner.name,
    )


def _relation(owner: VaultObject) -> str:
    """Return the SELECT of every version of the attachments of an object's records, without parentheses."""
    columns = [f"concat(a.id, '_', v.version) AS {_KEY}", f"a.record_id AS {RECORD}"]
    columns += [f"{sql} AS {quote(name)}" for name, (sql, _, _) in _FIELDS.items()]
    selected = ", ".join(columns)
    # Quoted as an identifier, and so checked to be one: in a string it needs no escapes.
    named = quote(owner.name).replace('"', "'")
    return (
        f"SELECT {selected} FROM platform.attachment a "
        "JOIN platform.attachment_version v ON v.attachment_id = a.id JOIN platform.content c USING (sha256) "
        f"WHERE a.object = {named}"
    )
