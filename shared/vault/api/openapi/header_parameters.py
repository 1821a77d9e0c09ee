"""Describes the headers of calls and answers for the OpenAPI document and the API reference."""

from __future__ import annotations

from shared.vault.queries.query_pages import RecordProperties
from shared.vault.records.rows import UnchangedFields

TEXT = {"type": "string"}
NUMBER = {"type": "integer"}
# Header values are text: what looks like a boolean is one of two words.
TRUE = {"type": "string", "enum": ["true", "false"]}

# Every operation refers to them, so that generated clients can send them with any call.
COMMON = ("X-VaultAPI-ClientID", "X-VaultAPI-ReferenceId")
"""Headers that any call may carry."""

REQUEST: dict[str, tuple[str, dict[str, object]]] = {
    "Accept": (
        "`text/csv` for the results as CSV.",
        {
            "type": "string",
            "enum": ["application/json", "text/csv"],
            "default": "application/json",
        },
    ),
    "X-VaultAPI-ClientID": (
        "The client's name in the Vault's log; the query parameter `client_id` may carry it instead.",
        {
            "type": "string",
            "pattern": "^[A-Za-z0-9._-]{1,100}$",
            "example": "nightly-load",
        },
    ),
    "X-VaultAPI-ReferenceId": (
        "Any text that the client chooses; the answer repeats it.",
        {"type": "string", "maxLength": 100, "example": "load-2026-01-31"},
    ),
    "X-VaultAPI-DescribeQuery": (
        "`true` adds `queryDescribe`, the fields and their types.",
        dict(TRUE),
    ),
    "X-VaultAPI-RecordProperties": (
        "Adds `record_properties`, what the caller may do with each record.",
        {"type": "string", "enum": [str(each) for each in RecordProperties]},
    ),
    "X-VaultAPI-Facets": (
        "Names of fields, separated by commas; adds `facets`, how many records have which value.",
        {"type": "string", "example": "status__v"},
    ),
    "X-VaultAPI-MigrationMode": (
        "`true`, from an administrator: records may get system fields and states, new documents any state and number.",
        dict(TRUE),
    ),
    "X-VaultAPI-NoTriggers": (
        "`true`, with migration mode, does not run the object's own rules.",
        dict(TRUE),
    ),
    "X-VaultAPI-UnchangedFieldBehavior": (
        "What to do with fields of an update whose value is stored already.",
        {"type": "string", "enum": [str(each) for each in UnchangedFields]},
    ),
    "X-VaultAPI-Lineage": (
        "From callers who may copy records: JSON that describes the origin of the rows that have `lineage__sys`.",
        {
            "type": "string",
            "example": '{"source_vault_id":10102,"integration":"medical_inquiry_details__v","integration_point":'
            '"account_inbound__v","run":1201,"time":"2026-01-31T10:32:11.020Z",'
            '"origins":[{"object":"account__v","rule":"pull_accounts__v","own":["object_type__v"]}]}',
        },
    ),
}
"""Name → description and schema."""

# Every answer of the document refers to all of them, also those that come with a session only.
ANSWER: dict[str, tuple[str, dict[str, str]]] = {
    "X-VaultAPI-ExecutionId": ("The call's id in the Vault's log.", TEXT),
    "X-VaultAPI-Status": ("The envelope's `responseStatus`.", TEXT),
    "X-VaultAPI-BurstLimit": (
        "How many calls the user may make in five minutes.",
        NUMBER,
    ),
    "X-VaultAPI-BurstLimitRemaining": ("How many of these calls are left.", NUMBER),
    "X-VaultAPI-ResponseDelay": (
        "Milliseconds by which the answer was delayed because a limit was passed.",
        NUMBER,
    ),
    "X-VaultAPI-VaultId": ("The Vault's id; with a session.", NUMBER),
    "X-VaultAPI-UserId": ("The caller's id; with a session.", NUMBER),
    "X-VaultAPI-TruncatedSessionId": (
        "The first characters of the session id; with a session.",
        TEXT,
    ),
    "X-VaultAPI-ConfigurationRevision": (
        "The revision of the Vault's configuration when the call began; with a session.",
        TEXT,
    ),
    "X-VaultAPI-ReferenceId": ("The text that the client sent.", TEXT),
    "X-VaultAPI-Connection": ("The connection, when a Vault calls through one.", TEXT),
}
"""Name → description and schema."""


def request_components() -> dict[str, dict[str, object]]:
    """Return ``components.parameters``: the request headers."""
    return {
        name: {
            "name": name,
            "in": "header",
            "required": False,
            "description": text,
            "schema": schema,
        }
        for name, (text, schema) in REQUEST.items()
    }


def answer_components() -> dict[str, dict[str, object]]:
    """Return ``components.headers``: the headers of answers."""
    return {
        name: {"description": text, "schema": schema}
        for name, (text, schema) in ANSWER.items()
    }
