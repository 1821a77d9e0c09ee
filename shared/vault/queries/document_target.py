"""Documents as VQL reads them: a row a document, its latest version; ALLVERSIONS, a row a version."""

from __future__ import annotations

from collections.abc import Mapping
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
    VaultObject,
)
from shared.vault.vql.syntax_tree import SourceOption, StateFunctionName

DOCUMENTS = "documents"
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

# Of the file: the name in SQL, label, type.
_FILE = {
    "filename__v": ("f.filename", "File Name", FieldType.STRING),
    "format__v": ("f.format", "Format", FieldType.STRING),
    "size__v": ("c.size", "Size", FieldType.NUMBER),
    "md5checksum__v": ("c.md5", "MD5 Checksum", FieldType.STRING),
}


def document_target(model: DocumentModel) -> vql.Target | None:
    """The query target ``documents``, or None in a Vault without document types."""
    versions = model.versions
    if versions is None:
        return None
    stored = {
        name: field
        for name, field in versions.fields.items()
        if name not in ("id", DOCUMENT_ID, _LATEST)
    }
    version_id = Field(
        "version_id", "Version ID", FieldType.STRING, editable=False, system=True
    )
    of_file = [
        Field(name, label, kind, editable=False, system=True)
        for name, (_, label, kind) in _FILE.items()
    ]
    shown = (
        replace(versions.fields[DOCUMENT_ID], name="id"),
        version_id,
        *stored.values(),
        *of_file,
    )
    every = _relation(list(stored))
    return vql.Target(
        VaultObject(
            DOCUMENTS,
            "Document",
            "Documents",
            "",
            fields={field.name: field for field in shown},
        ),
        relation=f"({every} WHERE v.{quote(_LATEST)})",
        options={
            SourceOption.ALLVERSIONS: f"({every})",
            SourceOption.LATESTVERSION: f"({every})",
        },
        documents=True,
        states={
            function: _states(model, kind) for function, kind in STATE_FUNCTIONS.items()
        },
        labels=labels_of(model),
        key=version_id.name,
        newest=_NEWEST,
        changed=("last_modified_by__v", "version_modified_date__v"),
        content=CONTENT,
    )


def labels_of(model: DocumentModel) -> Mapping[str, Mapping[str, str]]:
    """What people see for the names in fields that hold components, by field."""
    levels: list[dict[str, str]] = [{}, {}, {}]
    for kind in model.types.values():
        levels[len(kind.path) - 1][kind.path[-1]] = kind.label
    states = {
        state.name: state.label
        for lifecycle in model.lifecycles.values()
        for state in lifecycle.states.values()
    }
    return {
        **dict(
            zip(("type__v", "subtype__v", "classification__v"), levels, strict=True)
        ),
        "lifecycle__v": {
            lifecycle.name: lifecycle.label for lifecycle in model.lifecycles.values()
        },
        "status__v": states,
    }


def _relation(stored: list[str]) -> str:
    columns = [f'v.{quote(DOCUMENT_ID)} AS "id"', 'v."id" AS "version_id"']
    columns += [f"v.{quote(name)}" for name in stored]
    columns += [f"{sql} AS {quote(name)}" for name, (sql, _, _) in _FILE.items()]
    return (
        f"SELECT {', '.join(columns)} FROM {table(VERSIONS)} v "
        f"LEFT JOIN platform.document_file f ON f.version_id = v.id AND f.rendition = '{SOURCE_FILE}' "
        "LEFT JOIN platform.content c ON c.sha256 = f.sha256"
    )


def _states(model: DocumentModel, kind: str) -> tuple[str, ...]:
    return tuple(
        f"{lifecycle.name}.{state.name}"
        for lifecycle in model.lifecycles.values()
        for state in lifecycle.states.values()
        if state.state_type == kind
    )
