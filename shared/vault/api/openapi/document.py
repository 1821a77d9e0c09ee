"""Completes the OpenAPI document of the routes: headers, envelopes, examples, and schemas derived from them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from shared.protocol.error_types import ErrorType
from shared.vault.api.openapi import header_parameters as headers
from shared.vault.api.openapi import parameters
from shared.vault.api.openapi.inference import schema_of
from shared.vault.api.openapi.request_bodies import FORM, JSON, MULTIPART

EXAMPLES = Path(__file__).parent / "examples"
VERBS = ("get", "post", "put", "delete")
# These come from the envelope: the schema of an answer's own members leaves them out.
MEMBERS_OF_ALL = frozenset(
    {"responseStatus", "responseMessage", "errors", "errorType", "warnings"}
)
REFUSED = {
    "summary": "A refusal",
    "value": {
        "responseStatus": "FAILURE",
        "errors": [
            {
                "type": ErrorType.INVALID_SESSION_ID,
                "message": "Invalid or expired session ID.",
            }
        ],
    },
}


SCIM_RESOURCE: dict[str, object] = {
    "type": "object",
    "required": ["schemas"],
    "description": "A resource of SCIM, whose schemas `GET /api/{version}/scim/v2/Schemas` describes.",
}


def complete(
    document: dict[str, Any],
    schemas: Mapping[str, object],
    version_pattern: str,
) -> dict[str, Any]:
    """Complete the document in place with what the routes do not declare, and return it.

    ``schemas`` are ``Envelope``, ``Error`` and ``Warning``; ``version_pattern`` is the pattern of the version in paths.
    """
    components = document.setdefault("components", {})
    # FastAPI's own schemas (its 422 answers) describe what this Vault never sends.
    components["schemas"] = dict(schemas)
    components["parameters"] = headers.request_components()
    components["headers"] = headers.answer_components()
    version = parameters.version_parameter(version_pattern)
    known = examples()
    for path, operations in document["paths"].items():
        if "{version}" in path:
            operations["parameters"] = [version]
        for verb in VERBS:
            if verb in operations:
                shown = known.get(f"{verb.upper()} {path}", {})
                _complete_operation(operations[verb], shown)
    return document


@cache
def examples() -> dict[str, dict[str, Any]]:
    """Return the content of the example files for each operation, by HTTP method and path.

    ``headers``: names of the operation's own request headers; ``request``: an example by content type; ``answers``:
    content type → name → example; ``free``: members of the answer whose objects are records, with any fields.
    """
    operations: dict[str, dict[str, Any]] = {}
    for file in sorted(EXAMPLES.glob("*.json")):
        operations |= json.loads(file.read_text(encoding="utf-8"))
    return operations


def _complete_operation(operation: dict[str, Any], shown: Mapping[str, Any]) -> None:
    """Add descriptions, headers, bodies and answers to one operation."""
    own = operation.setdefault("parameters", [])
    for parameter in own:
        parameters.describe(parameter)
    names = (*shown.get("headers", ()), *headers.COMMON)
    own += [{"$ref": f"#/components/parameters/{name}"} for name in names]
    _add_requests(operation, shown.get("request", {}))
    operation["responses"] = {"200": _answers(shown)}


def _add_requests(operation: dict[str, Any], request: Mapping[str, Any]) -> None:
    """Add an example to each kind of body; the example of a form is also that of a multipart form and a JSON object."""
    if not request:
        return
    content = operation.setdefault("requestBody", {"content": {}})["content"]
    for media, example in request.items():
        content.setdefault(media, {"schema": schema_of([example])})
    for media, described in content.items():
        # The same fields may come in three media types: the files show them once.
        same = request.get(FORM) if media in (MULTIPART, JSON) else None
        example = request.get(media, same)
        if example is None:
            continue
        schema = described["schema"]
        if media in (FORM, MULTIPART):
            schema = _form(schema, example)
        content[media] = {"schema": schema, "example": example}


def _form(schema: Mapping[str, Any], example: Mapping[str, str]) -> dict[str, Any]:
    """Return the schema of a form with an example at each field."""
    # Pages that show the document fill forms in from the fields, not from the body's example.
    described = schema.get("properties", {})
    shown = {
        name: {**described.get(name, {"type": "string"}), "example": value}
        for name, value in example.items()
    }
    return {**schema, "properties": {**described, **shown}}


def _answers(shown: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answers by content type, that of the first example first."""
    answers = shown.get("answers", {})
    free = shown.get("free", ())
    content = {media: _content(media, named, free) for media, named in answers.items()}
    # A refusal is JSON, also when the call accepts another type.
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
    media: str,
    named: Mapping[str, Any],
    free: Sequence[str] = (),
) -> dict[str, Any]:
    """Return one media type of an answer: its schema, and its examples by name."""
    if media == JSON:
        schema = _envelope(list(named.values()), free)
    elif media.startswith("text/"):
        schema = {"type": "string"}
    else:
        return {"schema": {"type": "string", "format": "binary"}}
    shown = {
        name.replace(" ", "-"): {"summary": name, "value": value}
        for name, value in named.items()
    }
    return {"schema": schema, "examples": shown}


def _envelope(answers: list[dict[str, Any]], free: Sequence[str]) -> dict[str, Any]:
    """Return the schema of JSON answers: the envelope and their own members."""
    reference = {"$ref": "#/components/schemas/Envelope"}
    # A refusal is an envelope, a resource of SCIM is none.
    if not any("responseStatus" in each for each in answers):
        return {"anyOf": [reference, SCIM_RESOURCE]}
    own = [_own_members(each) for each in answers]
    if not any(own):
        return reference
    return {"allOf": [reference, schema_of(own, free)]}


def _own_members(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members of an answer without the members that every envelope has."""
    return {name: value for name, value in answer.items() if name not in MEMBERS_OF_ALL}
