"""The routes' OpenAPI document completed: headers, envelopes, examples and the schemas they show."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from shared.protocol.error_types import ErrorType
from shared.vault.api.body import FORM, JSON, MULTIPART
from shared.vault.api.openapi import header_parameters as headers
from shared.vault.api.openapi import parameters
from shared.vault.api.openapi.inference import schema_of
from shared.vault.api.response_envelope import AUTHENTICATION_FAILED, Status

EXAMPLES = Path(__file__).parent / "examples"
VERBS = ("get", "post", "put", "delete")
MEMBERS_OF_ALL = frozenset(
    {"responseStatus", "responseMessage", "errors", "errorType", "warnings"}
)

ERROR = {
    "type": "object",
    "required": ["type", "message"],
    "properties": {
        "type": {"type": "string", "enum": [str(each) for each in ErrorType]},
        "message": {
            "type": "string",
            "description": "For a person; programs go by the type.",
        },
    },
}
WARNING = {
    "type": "object",
    "properties": {"warning_type": {"type": "string"}, "message": {"type": "string"}},
}
ENVELOPE = {
    "type": "object",
    "description": "What every answer in JSON has; with HTTP status 200, refusals included.",
    "required": ["responseStatus"],
    "properties": {
        "responseStatus": {
            "type": "string",
            "enum": [str(each) for each in Status],
            "description": "`FAILURE` is the caller's fault, `EXCEPTION` the server's.",
        },
        "responseMessage": {"anyOf": [{"type": "string"}, {"type": "null"}]},
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
REFUSED = {
    "summary": "A refusal",
    "value": {
        "responseStatus": "FAILURE",
        "responseMessage": None,
        "errors": [
            {"type": "INVALID_SESSION_ID", "message": "Invalid or expired session ID."}
        ],
    },
}


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """The document with all that the routes do not say themselves; changes it in place and returns it."""
    components = document.setdefault("components", {})
    components["schemas"] = {"Envelope": ENVELOPE, "Error": ERROR, "Warning": WARNING}
    components["parameters"] = headers.request_components()
    components["headers"] = headers.answer_components()
    known = examples()
    for path, operations in document["paths"].items():
        if "{version}" in path:
            operations["parameters"] = [parameters.VERSION]
        for verb in VERBS:
            if verb in operations:
                _complete_operation(
                    operations[verb], known.get(f"{verb.upper()} {path}", {})
                )
    return document


@cache
def examples() -> dict[str, dict[str, Any]]:
    """What the example files say of each operation, by verb and path.

    ``headers``: names of the request headers of its own; ``request``: an example by content type; ``answers``:
    content type → name → example; ``free``: members of the answer whose objects are records, with any fields.
    """
    found: dict[str, dict[str, Any]] = {}
    for file in sorted(EXAMPLES.glob("*.json")):
        found |= json.loads(file.read_text(encoding="utf-8"))
    return found


def _complete_operation(operation: dict[str, Any], shown: Mapping[str, Any]) -> None:
    own = operation.setdefault("parameters", [])
    for parameter in own:
        parameters.describe(parameter)
    own += [
        {"$ref": f"#/components/parameters/{name}"}
        for name in (*shown.get("headers", ()), *headers.COMMON)
    ]
    _add_requests(operation, shown.get("request", {}))
    operation["responses"] = {"200": _answers(shown)}


def _add_requests(operation: dict[str, Any], request: Mapping[str, Any]) -> None:
    """Examples of the body; what is shown as a form is shown as a form in parts and as a JSON object, too."""
    if not request:
        return
    content = operation.setdefault("requestBody", {"content": {}})["content"]
    for media, example in request.items():
        content.setdefault(media, {"schema": schema_of([example])})
    for media, described in content.items():
        example = request.get(
            media, request.get(FORM) if media in (MULTIPART, JSON) else None
        )
        if example is not None:
            schema = (
                _form(described["schema"], example)
                if media in (FORM, MULTIPART)
                else described["schema"]
            )
            content[media] = {"schema": schema, "example": example}


def _form(schema: Mapping[str, Any], example: Mapping[str, str]) -> dict[str, Any]:
    """The schema of a form with an example at each field, where pages show it."""
    described = schema.get("properties", {})
    shown = {
        name: {**described.get(name, {"type": "string"}), "example": value}
        for name, value in example.items()
    }
    return {**schema, "properties": {**described, **shown}}


def _answers(shown: Mapping[str, Any]) -> dict[str, Any]:
    """The answers by content type, that of the first example first; a refusal comes in JSON whatever was asked for."""
    answers = shown.get("answers", {})
    content = {
        media: _content(media, named, shown.get("free", ()))
        for media, named in answers.items()
    }
    refusals = content.setdefault(JSON, _content(JSON, {}))
    refusals["examples"]["refused"] = REFUSED
    references = {
        name: {"$ref": f"#/components/headers/{name}"} for name in headers.ANSWER
    }
    return {
        "description": "The answer, or a refusal.",
        "headers": references,
        "content": content,
    }


def _content(
    media: str, named: Mapping[str, Any], free: Sequence[str] = ()
) -> dict[str, Any]:
    if media == JSON:
        schema = _envelope(list(named.values()), free)
    elif media.startswith("text/"):
        schema = {"type": "string"}
    else:
        return {"schema": {"type": "string", "format": "binary"}}
    examples = {
        name.replace(" ", "-"): {"summary": name, "value": value}
        for name, value in named.items()
    }
    return {"schema": schema, "examples": examples}


def _envelope(given: list[Any], free: Sequence[str]) -> dict[str, Any]:
    """The schema of the answers in JSON: the envelope, and the members of its own that the examples have."""
    reference = {"$ref": "#/components/schemas/Envelope"}
    members = [
        {name: value for name, value in each.items() if name not in MEMBERS_OF_ALL}
        for each in given
    ]
    if not any(members):
        return reference
    return {"allOf": [reference, schema_of(members, free)]}
