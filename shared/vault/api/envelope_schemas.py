"""Describes the envelope of answers as schemas of the OpenAPI document."""

from __future__ import annotations

from shared.protocol.error_types import ErrorType
from shared.vault.api.response_envelope import AUTHENTICATION_FAILED, Status

TEXT = {"type": "string"}

ERROR = {
    "type": "object",
    "required": ["type", "message"],
    "properties": {
        "type": {"type": "string", "enum": [str(each) for each in ErrorType]},
        "message": {
            "type": "string",
            "description": "For people; programs decide by the type.",
        },
    },
}
WARNING = {
    "type": "object",
    "properties": {"warning_type": TEXT, "message": TEXT},
}
ENVELOPE = {
    "type": "object",
    "description": "What every answer in JSON has; its HTTP status is 200, also when a call is refused.",
    "required": ["responseStatus"],
    "properties": {
        "responseStatus": {
            "type": "string",
            # From the code's own enumerations: a status that is added is documented.
            "enum": [str(each) for each in Status],
            "description": "`FAILURE` is the caller's fault, `EXCEPTION` the server's.",
        },
        "responseMessage": TEXT,
        "errors": {
            "type": "array",
            "items": {"$ref": "#/components/schemas/Error"},
            "description": "With `FAILURE`.",
        },
        "errorType": {
            "type": "string",
            "enum": [AUTHENTICATION_FAILED],
            "description": "Where signing in failed.",
        },
        "warnings": {
            "type": "array",
            "items": {"$ref": "#/components/schemas/Warning"},
            "description": "With `WARNING`.",
        },
    },
}

ENVELOPE_SCHEMAS = {"Envelope": ENVELOPE, "Error": ERROR, "Warning": WARNING}
"""``components.schemas`` of the document, by the names that its references use."""
