"""The OpenAPI document: every operation described in full, and schemas that its own examples satisfy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.medical_vault.definition import MEDICAL_VAULT
from shared.vault.api.api_app import TAGS, create_api
from shared.vault.api.openapi.document import examples
from shared.vault.api.openapi.inference import schema_of
from shared.vault.assembly.vault import Vault
from tests.service.vault.served import settings

DOCUMENT = create_api(Vault(MEDICAL_VAULT, settings("", "", Path("nowhere")))).openapi()
FILES = {"multipart/form-data", "application/octet-stream", "application/zip"}


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for verb, operation in methods.items():
            if verb != "parameters":
                yield f"{verb.upper()} {path}", operation


OPERATIONS = dict(operations())
STRING, NUMBER, NULL = {"type": "string"}, {"type": "number"}, {"type": "null"}


@pytest.mark.parametrize("label", OPERATIONS)
def test_an_operation_is_described_in_full(label: str) -> None:
    operation = OPERATIONS[label]
    assert label in examples(), (
        f"shared/vault/api/openapi/examples has no answer of {label}"
    )
    assert operation["summary"] and operation["description"]
    assert operation["tags"][0] in {tag["name"] for tag in TAGS}
    for parameter in operation["parameters"]:
        assert "$ref" in parameter or parameter.get("description"), parameter["name"]
        assert parameter.get("in") != "path" or "example" in parameter, parameter[
            "name"
        ]
    for media, body in operation.get("requestBody", {"content": {}})["content"].items():
        assert "example" in body or media in FILES, media
    (answer,) = operation["responses"].values()
    assert all(
        content.get("examples")
        for media, content in answer["content"].items()
        if media not in FILES
    )


def test_no_example_is_of_an_operation_that_is_not_there() -> None:
    assert examples().keys() - OPERATIONS.keys() == set()


def test_operations_have_names_of_their_own() -> None:
    names = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(set(names)) == len(names)
    assert all(name.isidentifier() for name in names)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ([], {}),
        ([None], {}),
        (["a", "b"], STRING),
        ([1], {"type": "integer"}),
        ([True], {"type": "boolean"}),
        ([1, 1.5], NUMBER),
        (["a", None], {"anyOf": [STRING, NULL]}),
        ([["a"], "a"], {"anyOf": [{"type": "array", "items": STRING}, STRING]}),
        ([[]], {"type": "array", "items": {}}),
        (
            [[1.5, None], ["a"]],
            {"type": "array", "items": {"anyOf": [NUMBER, STRING, NULL]}},
        ),
        (
            [{"a": "x"}, {"b": 1.5}],
            {"type": "object", "properties": {"a": STRING, "b": NUMBER}},
        ),
    ],
)
def test_the_schema_of_examples(shown: list[Any], expected: dict[str, Any]) -> None:
    assert schema_of(shown) == expected


def test_members_with_any_fields() -> None:
    shown = {"data": [{"id": "1", "colour__c": "red"}], "size": 1.5}
    anything = {"type": "object", "additionalProperties": True}
    properties = {"data": {"type": "array", "items": anything}, "size": NUMBER}
    assert schema_of([shown], ["data"]) == {"type": "object", "properties": properties}
