"""Makes the query targets of documents (the latest versions; with ALLVERSIONS, all) and of their relationships."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from shared.vault import vql
from shared.vault.components.document_model import (
    DOCUMENT_ID,
    STEADY,
    SUPERSEDED,
    VERSIONS,
)
from shared.vault.components.schema import quote, table
from shared.vault.model.component_model import (
    DocumentModel,
    Field,
    FieldType,
    Lifecycle,
    LifecycleState,
    VaultObject,
)
from shared.vault.model.field_types import DOCUMENTS
from shared.vault.vql.syntax_tree import SourceOption, StateFunctionName

SOURCE_FILE = ""  # the rendition type of a version's own file

STATE_FUNCTIONS = {
    StateFunctionName.STEADY: STEADY,
    StateFunctionName.SUPERSEDED: SUPERSEDED,
    StateFunctionName.OBSOLETE: "obsolete_state__sys",
    StateFunctionName.DELETED: "deleted_state__sys",
}
_LATEST = "latest_version__sys"
_NEWEST = ("major_version_number__v", "minor_version_number__v")

CONTENT = (
    "(SELECT x.text FROM platform.document_file f JOIN platform.content_text x USING (sha256) "
    f"WHERE f.version_id = {{key}} AND f.rendition = '{SOURCE_FILE}')"
)

# The fields of a version's file, for which documents have no columns: SQL, label, type.
_FILE = {
    "filename__v": ("f.filename", "File Name", FieldType.STRING),
    "format__v": ("f.format", "Format", FieldType.STRING),
    "size__v": ("c.size", "Size", FieldType.NUMBER),
    "md5checksum__v": ("c.md5", "MD5 Checksum", FieldType.STRING),
}

# The fields that are made of others, for which documents have no columns: SQL, label, type. Here nobody links a
# document, and none is a binder; its owner is who created it.
_COMPUTED = {
    "latest_version__v": ("v.latest_version__sys", "Latest Version", FieldType.BOOLEAN),
    "owner__v": ("v.created_by__v", "Owner", FieldType.NUMBER),
    "pages__v": ("NULL::bigint", "Pages", FieldType.NUMBER),
    "locked__v": (
        f"EXISTS (SELECT FROM platform.document_lock l WHERE l.document_id = v.{quote(DOCUMENT_ID)})",
        "Locked",
        FieldType.BOOLEAN,
    ),
    "crosslink__v": ("false", "CrossLink", FieldType.BOOLEAN),
    "binder__v": ("false", "Binder", FieldType.BOOLEAN),
}
_MADE = {**_FILE, **_COMPUTED}

RELATIONSHIPS = "relationships"
_RELATIONSHIP_KEY = "relationship_key"

_ENDS = ("source", "target")
# SQL, label and type of the fields of a relationship that are not of one end.
_OF_RELATIONSHIP = {
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


def document_target(model: DocumentModel) -> vql.Target | None:
    """Return the query target ``documents``, or None in a Vault without document types."""
    versions = model.versions
    if versions is None:
        return None
    hidden = ("id", DOCUMENT_ID, _LATEST)
    stored = {
        name: field for name, field in versions.fields.items() if name not in hidden
    }
    # A row of the table is a version, with an id of its own; clients know the document by its number.
    document_id = replace(versions.fields[DOCUMENT_ID], name="id")
    version_id = _read_only("version_id", "Version ID", FieldType.STRING)
    made = [_read_only(name, label, kind) for name, (_, label, kind) in _MADE.items()]
    shown = (document_id, version_id, *stored.values(), *made)
    fields = {field.name: field for field in shown}
    states = {
        function: _states(model, kind) for function, kind in STATE_FUNCTIONS.items()
    }
    every = _relation(list(stored))
    latest = quote(_LATEST)
    return vql.Target(
        VaultObject(DOCUMENTS, "Document", "Documents", "", fields=fields),
        relation=f"({every} WHERE v.{latest})",
        # LATESTVERSION chooses among all versions: the latest one that matches need not be the latest of all.
        options={
            SourceOption.ALLVERSIONS: f"({every})",
            SourceOption.LATESTVERSION: f"({every})",
        },
        documents=True,
        states=states,
        labels=labels_of(model),
        key=version_id.name,
        newest=_NEWEST,
        changed=("last_modified_by__v", "version_modified_date__v"),
        content=CONTENT,
    )


def _read_only(
    name: str,
    label: str,
    kind: FieldType,
) -> Field:
    return Field(name, label, kind, editable=False, system=True)


def labels_of(model: DocumentModel) -> Mapping[str, Mapping[str, str]]:
    """Return field → name → label for the fields whose values are names of components."""
    types: dict[str, str] = {}
    subtypes: dict[str, str] = {}
    classifications: dict[str, str] = {}
    levels = (types, subtypes, classifications)
    for kind in model.types.values():
        depth = len(kind.path) - 1
        levels[depth][kind.path[-1]] = kind.label
    lifecycles = model.lifecycles.values()
    return {
        "type__v": types,
        "subtype__v": subtypes,
        "classification__v": classifications,
        "lifecycle__v": {each.name: each.label for each in lifecycles},
        "status__v": {state.name: state.label for _, state in _every_state(model)},
    }


def _every_state(model: DocumentModel) -> Iterator[tuple[Lifecycle, LifecycleState]]:
    for lifecycle in model.lifecycles.values():
        for state in lifecycle.states.values():
            yield lifecycle, state


def _relation(stored: list[str]) -> str:
    """Return the SELECT of every version of documents, without parentheses."""
    columns = [f'v.{quote(DOCUMENT_ID)} AS "id"', 'v."id" AS "version_id"']
    columns += [f"v.{quote(name)}" for name in stored]
    columns += [f"{sql} AS {quote(name)}" for name, (sql, _, _) in _MADE.items()]
    selected = ", ".join(columns)
    # LEFT: a document may have no file.
    return (
        f"SELECT {selected} FROM {table(VERSIONS)} v "
        f"LEFT JOIN platform.document_file f ON f.version_id = v.id AND f.rendition = '{SOURCE_FILE}' "
        "LEFT JOIN platform.content c ON c.sha256 = f.sha256"
    )


def _states(model: DocumentModel, state_type: str) -> tuple[str, ...]:
    """Return the states of a type, each with its lifecycle, since state names are unique within a lifecycle only."""
    return tuple(
        f"{lifecycle.name}.{state.name}"
        for lifecycle, state in _every_state(model)
        if state.state_type == state_type
    )


def relationship_target() -> vql.Target:
    """Return the query target ``relationships``; ``source__vr`` and ``target__vr`` lead to the latest versions."""
    # Pages go by a text, and ids are numbers.
    columns = {_RELATIONSHIP_KEY: "r.id::text"}
    columns |= {name: sql for name, (sql, _, _) in _OF_RELATIONSHIP.items()}
    fields = {
        name: Field(name, label, kind, editable=False, system=True)
        for name, (_, label, kind) in _OF_RELATIONSHIP.items()
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
    selected = ", ".join(f"{sql} AS {quote(name)}" for name, sql in columns.items())
    return vql.Target(
        VaultObject(RELATIONSHIPS, "Relationship", "Relationships", "", fields=fields),
        relation=f"(SELECT {selected} FROM platform.document_relationship r)",
        key=_RELATIONSHIP_KEY,
        part_of=DOCUMENTS,
    )
