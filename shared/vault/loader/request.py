"""Reads the tasks of a loader call, checked as far as possible without the database."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum

from shared.protocol.error_types import ErrorType
from shared.protocol.whole_numbers import whole_number
from shared.vault.errors import VaultFault

MAX_TASKS = 10
MAX_ORDER = 999_999
MAX_FIELDS = 500
MAX_CRITERIA = 40_000  # characters; a query has 50,000
NAME = re.compile(r"[a-z][a-z0-9_]{0,99}")
FIELD = re.compile(r"[A-Za-z0-9_.]{1,200}|[A-Za-z]{1,30}\([A-Za-z0-9_.]{1,200}\)")
OBJECTS = "vobjects__v"
DOCUMENTS = "documents__v"
# What an extract reads beside objects: the query target, with its option.
TARGETS: Mapping[str, str] = {
    DOCUMENTS: "documents",
    "document_versions__v": "ALLVERSIONS documents",
    "document_relationships__v": "relationships",
    "groups__v": "groups",
}
WITH_FILES = frozenset({DOCUMENTS, "document_versions__v"})
# The files of documents that an extract copies to the staging area.
FILES: Mapping[str, str] = {
    "include_source__v": "source",
    "include_renditions__v": "renditions",
    "include_text__v": "text",
}


class Action(StrEnum):
    """The action of a load with its rows."""

    CREATE = "create"
    UPDATE = "update"
    UPSERT = "upsert"
    DELETE = "delete"


# What a load does beside objects.
LOADED: Mapping[str, frozenset[Action]] = {
    DOCUMENTS: frozenset({Action.CREATE, Action.UPDATE, Action.DELETE}),
    "document_versions__v": frozenset({Action.CREATE, Action.DELETE}),
    "document_renditions__v": frozenset({Action.CREATE, Action.DELETE}),
    "document_relationships__v": frozenset({Action.CREATE, Action.DELETE}),
    "document_roles__v": frozenset({Action.CREATE, Action.DELETE}),
    "document_attachments__v": frozenset({Action.CREATE, Action.UPDATE, Action.DELETE}),
}

# Actions of the public loader that a Vault has as calls only.
OF_CALLS = frozenset(
    {"create_attachments", "delete_attachments", "assign_roles", "remove_roles"}
)
# The loads of documents that have a migration mode.
MIGRATED = frozenset(
    (kind, Action.CREATE)
    for kind in (DOCUMENTS, "document_versions__v", "document_renditions__v")
)


@dataclass(frozen=True, slots=True)
class LoadTask:
    """One file to load; ``key`` and ``version`` identify the file in the store, once the file has been found.

    ``kind`` is the ``object_type`` of the call: records of an object, documents, or parts of documents.
    """

    task_id: str
    object_name: str
    action: Action
    file: str
    order: int
    id_param: str | None
    migration_mode: bool
    no_triggers: bool
    key: str = ""
    version: str = ""
    kind: str = OBJECTS

    def to_json(self) -> dict[str, object]:
        """Return the task as a job's parameter."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, object]) -> LoadTask:
        """Return the task of a job's parameters."""
        return cls(**{**stored, "action": Action(str(stored["action"]))})  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class ExtractTask:
    """One object whose records are to be extracted; ``criteria`` are the text after FROM, including WHERE if present.

    ``kind`` is the ``object_type`` of the call; ``files`` are the files of documents to copy.
    """

    task_id: str
    object_name: str
    fields: tuple[str, ...]
    criteria: str
    kind: str = OBJECTS
    files: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Return the task as a job's parameter."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, object]) -> ExtractTask:
        """Return the task of a job's parameters."""
        fields: Sequence[str] = stored["fields"]  # type: ignore[assignment]
        # Jobs of an older release have neither.
        files: Sequence[str] = stored.get("files", ())  # type: ignore[assignment]
        return cls(
            str(stored["task_id"]),
            str(stored["object_name"]),
            tuple(fields),
            str(stored["criteria"]),
            str(stored.get("kind", OBJECTS)),
            tuple(files),
        )


def load_tasks(rows: Sequence[Mapping[str, object]]) -> list[LoadTask]:
    """Return the tasks of a load, in the order in which they are listed.

    :raises VaultFault: PARAMETER_REQUIRED, INVALID_DATA.
    """
    return [
        _load_task(str(number), row) for number, row in enumerate(_bounded(rows), 1)
    ]


def extract_tasks(rows: Sequence[Mapping[str, object]]) -> list[ExtractTask]:
    """Return the tasks of an extract.

    :raises VaultFault: PARAMETER_REQUIRED, INVALID_DATA.
    """
    return [
        _extract_task(str(number), row) for number, row in enumerate(_bounded(rows), 1)
    ]


def _load_task(
    task_id: str,
    row: Mapping[str, object],
) -> LoadTask:
    kind = _kind(task_id, row, LOADED)
    name = _object(task_id, row) if kind == OBJECTS else kind
    action = _text(task_id, row, "action").lower()
    if action in OF_CALLS:
        message = f"Task {task_id}: action [{action}] is not loaded from files; a call for many rows does it"
        raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)
    if action not in LOADED.get(kind, frozenset(Action)):
        raise _invalid(task_id, "action")
    mode = "recordmigrationmode" if kind == OBJECTS else "documentmigrationmode"
    migration_mode = _flag(row.get(mode))
    if kind != OBJECTS and migration_mode and (kind, action) not in MIGRATED:
        message = f"Task {task_id}: [{mode}] is for creating documents, versions and renditions"
        raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)
    id_param = _text(
        task_id,
        row,
        "idparam",
        required=action == Action.UPSERT,
    )
    order = whole_number(str(row.get("order") or task_id), MAX_ORDER)
    if order is None:
        raise _invalid(task_id, "order")
    return LoadTask(
        task_id=task_id,
        object_name=name,
        action=Action(action),
        file=_text(task_id, row, "file"),
        order=order,
        id_param=id_param or None,
        migration_mode=migration_mode,
        no_triggers=_flag(row.get("notriggers")),
        kind=kind,
    )


def _extract_task(
    task_id: str,
    row: Mapping[str, object],
) -> ExtractTask:
    kind = _kind(task_id, row, TARGETS)
    name = _object(task_id, row) if kind == OBJECTS else TARGETS[kind]
    listed = row.get("fields")
    fields = listed.split(",") if isinstance(listed, str) else listed
    if not fields or not isinstance(fields, list):
        raise VaultFault(
            ErrorType.PARAMETER_REQUIRED,
            f"Task {task_id}: missing required parameter [fields]",
        )
    names = tuple(dict.fromkeys(str(field).strip() for field in fields))
    if len(names) > MAX_FIELDS or not all(FIELD.fullmatch(field) for field in names):
        raise _invalid(task_id, "fields")
    criteria = _text(
        task_id,
        row,
        "vql_criteria__v",
        required=False,
    )
    if len(criteria) > MAX_CRITERIA:
        raise _invalid(task_id, "vql_criteria__v")
    return ExtractTask(
        task_id,
        name,
        names,
        clause(criteria),
        kind,
        _files(task_id, kind, row),
    )


# What may follow FROM without WHERE.
CLAUSES = frozenset(
    {
        "WHERE",
        "FIND",
        "ORDER",
        "MAXROWS",
        "SKIP",
        "PAGESIZE",
        "PAGEOFFSET",
        "LIMIT",
        "OFFSET",
    }
)


def clause(criteria: str) -> str:
    """Return the criteria of an extract as a clause of a query, with WHERE if they have no keyword."""
    text = criteria.strip()
    first = text.partition(" ")[0].upper()
    return f"WHERE {text}" if text and first not in CLAUSES else text


def _bounded(rows: Sequence[Mapping[str, object]]) -> Sequence[Mapping[str, object]]:
    if not rows:
        raise VaultFault(ErrorType.PARAMETER_REQUIRED, "The call has no tasks")
    if len(rows) > MAX_TASKS:
        raise VaultFault(
            ErrorType.INVALID_DATA,
            f"A call takes at most {MAX_TASKS} tasks; {len(rows)} were sent",
        )
    return rows


def _files(task_id: str, kind: str, row: Mapping[str, object]) -> tuple[str, ...]:
    """Return the files that an extract of documents copies; other extracts ignore the option.

    :raises VaultFault: INVALID_DATA for an unknown option.
    """
    if kind not in WITH_FILES:
        return ()
    text = _text(task_id, row, "extract_options", required=False)
    options = [option.strip() for option in text.split(",") if option.strip()]
    if not all(option in FILES for option in options):
        raise _invalid(task_id, "extract_options")
    return tuple(FILES[option] for option in dict.fromkeys(options))


def _kind(task_id: str, row: Mapping[str, object], kinds: Mapping[str, object]) -> str:
    """Return the ``object_type`` of a task.

    :raises VaultFault: PARAMETER_REQUIRED without one; OPERATION_NOT_ALLOWED for one that is neither ``vobjects__v``
        nor in ``kinds``.
    """
    # Later versions of the API say entity_type for it.
    kind = row.get("object_type") or row.get("entity_type")
    if not kind:
        raise VaultFault(
            ErrorType.PARAMETER_REQUIRED,
            f"Task {task_id}: missing required parameter [object_type]",
        )
    if not isinstance(kind, str) or kind not in {OBJECTS, *kinds}:
        supported = ", ".join((OBJECTS, *kinds))
        message = f"Task {task_id}: object_type is one of {supported}"
        raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)
    return kind


def _object(task_id: str, row: Mapping[str, object]) -> str:
    """Return the name of a task's object.

    :raises VaultFault: PARAMETER_REQUIRED when the task names none; INVALID_DATA when it is no name of an object.
    """
    name = _text(task_id, row, "object")
    if not NAME.fullmatch(name):
        raise _invalid(task_id, "object")
    return name


def _text(
    task_id: str,
    row: Mapping[str, object],
    name: str,
    *,
    required: bool = True,
) -> str:
    value = row.get(name)
    if value is None or value == "":
        if required:
            raise VaultFault(
                ErrorType.PARAMETER_REQUIRED,
                f"Task {task_id}: missing required parameter [{name}]",
            )
        return ""
    if not isinstance(value, str):
        raise _invalid(task_id, name)
    return value


def _flag(value: object) -> bool:
    return value is True or str(value).lower() == "true"


def _invalid(task_id: str, name: str) -> VaultFault:
    return VaultFault(
        ErrorType.INVALID_DATA, f"Task {task_id}: invalid value for parameter [{name}]"
    )
