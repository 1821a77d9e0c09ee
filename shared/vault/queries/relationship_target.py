"""Makes the query target of relationships between documents: ``relationships``, read by whoever may read documents."""

from __future__ import annotations

from shared.vault import vql
from shared.vault.model.component_model import Field, FieldType, VaultObject
from shared.vault.model.field_types import DOCUMENTS, quoted

NAME = "relationships"
_KEY = "relationship_key"

_ENDS = ("source", "target")
# SQL, label and type of the fields that are not of one end.
_OWN = {
    "id": ("r.id", "ID", FieldType.NUMBER),
    "relationship_type__v": (
        "r.relationship_type",
        "Relationship Type",
        FieldType.STRING,
    ),
    "created_date__v": ("r.created_date", "Created Date", FieldType.DATE_TIME),
    "created_by__v": ("r.created_by", "Created By", FieldType.NUMBER),
    # No document here comes from another Vault.
    "source_vault_id__v": ("NULL::bigint", "Source Vault ID", FieldType.NUMBER),
}


def relationship_target() -> vql.Target:
    """Return the query target ``relationships``; ``source__vr`` and ``target__vr`` lead to the latest versions."""
    # Pages go by a text, and ids are numbers.
    columns = {_KEY: "r.id::text"}
    columns |= {name: sql for name, (sql, _, _) in _OWN.items()}
    fields = {
        name: Field(name, label, kind, editable=False, system=True)
        for name, (_, label, kind) in _OWN.items()
    }
    for end in _ENDS:
        name = f"{end}_doc_id__v"
        label = end.capitalize()
        columns[name] = f"r.{end}_id"
        fields[name] = Field(
            name,
            f"{label} Document ID",
            FieldType.NUMBER,
            editable=False,
            object=DOCUMENTS,
            relationship_outbound_name=f"{end}__vr",
        )
        # The id of a version has the numbers: 12_0_1.
        for place, part in ((2, "major"), (3, "minor")):
            number = f"{end}_{part}_version__v"
            columns[number] = f"split_part(r.{end}_version, '_', {place})::bigint"
            title = f"{label} {part.capitalize()} Version"
            fields[number] = Field(number, title, FieldType.NUMBER, editable=False)
    selected = ", ".join(f"{sql} AS {quoted(name)}" for name, sql in columns.items())
    return vql.Target(
        VaultObject(NAME, "Relationship", "Relationships", "", fields=fields),
        relation=f"(SELECT {selected} FROM platform.document_relationship r)",
        key=_KEY,
        part_of=DOCUMENTS,
    )
