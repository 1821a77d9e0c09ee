"""The headers that calls may carry and that answers do, as the OpenAPI document tells them."""

from __future__ import annotations

from shared.vault.queries.query_properties import RecordProperties
from shared.vault.records.rows import UnchangedFields

TEXT = {"type": "string"}
NUMBER = {"type": "integer"}
TRUE = {"type": "string", "enum": ["true", "false"]}

COMMON = ("X-VaultAPI-ClientID", "X-VaultAPI-ReferenceId")
"""Those that any call may carry."""

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
        "The client's name in the Vault's log; the query parameter `client_id` says the same.",
        {
            "type": "string",
            "pattern": "^[A-Za-z0-9._-]{1,100}$",
            "example": "nightly-load",
        },
    ),
    "X-VaultAPI-ReferenceId": (
        "Any text of the client's own; the answer carries it back.",
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
        "`true`, from an administrator, lets rows set system fields and states, and leave required fields empty.",
        dict(TRUE),
    ),
    "X-VaultAPI-NoTriggers": (
        "`true`, with migration mode, leaves out the object's own rules.",
        dict(TRUE),
    ),
    "X-VaultAPI-UnchangedFieldBehavior": (
        "What becomes of fields whose value is stored already.",
        {"type": "string", "enum": [str(each) for each in UnchangedFields]},
    ),
    "X-VaultAPI-Lineage": (
        "From those who copy records: JSON that says where the rows come from which have `lineage__sys`.",
        {
            "type": "string",
            "example": '{"source_vault_id":10102,"integration":"medical_inquiry_details__v","integration_point":'
            '"account_inbound__v","run":1201,"time":"2026-01-31T10:32:11.020Z",'
            '"origins":[{"object":"account__v","rule":"pull_accounts__v","own":["object_type__v"]}]}',
        },
    ),
}
"""Name → description and schema."""

ANSWER: dict[str, tuple[str, dict[str, str]]] = {
    "X-VaultAPI-ExecutionId": ("The call's id in the Vault's log.", TEXT),
    "X-VaultAPI-Status": ("The envelope's `responseStatus`.", TEXT),
    "X-VaultAPI-BurstLimit": ("Calls that the user has in five minutes.", NUMBER),
    "X-VaultAPI-BurstLimitRemaining": ("How many of them are left.", NUMBER),
    "X-VaultAPI-ResponseDelay": (
        "Milliseconds by which the answer was delayed, where a limit was passed.",
        NUMBER,
    ),
    "X-VaultAPI-VaultId": ("The Vault, with a session.", NUMBER),
    "X-VaultAPI-UserId": ("The caller, with a session.", NUMBER),
    "X-VaultAPI-TruncatedSessionId": (
        "The beginning of the session id, with a session.",
        TEXT,
    ),
    "X-VaultAPI-ReferenceId": ("What the call carried.", TEXT),
    "X-VaultAPI-Connection": ("The connection, when a Vault calls through one.", TEXT),
}
"""Name → description and schema."""


def request_components() -> dict[str, dict[str, object]]:
    """``components.parameters`` of the request headers."""
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
    """``components.headers`` of the answers."""
    return {
        name: {"description": text, "schema": schema}
        for name, (text, schema) in ANSWER.items()
    }
