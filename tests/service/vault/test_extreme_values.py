"""No date or number at or beyond the end of its range causes a fault of the Vault, in any call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from services.medical_vault.definition import MEDICAL_VAULT
from shared.vault.assembly.vault import Vault
from shared.vault.process.application import create_app
from tests.service.vault.served import Answer, Api, settings

NUMBERS = (
    "-1",
    "2147483648",
    "9223372036854775807",
    "9223372036854775808",
    "9" * 5000,
)
DATES = ("0001-01-01", "9999-12-31", "10000-01-01")
MOMENTS = (
    "0001-01-01T00:00:00.000+14:00",
    "9999-12-31T23:59:59.999Z",
    "9999-12-31T23:59:59.999-14:00",
)
# What a parameter may be that its document says no more of than that it is text.
TEXTS = (*NUMBERS[-2:], *DATES[1:], *MOMENTS, "1e400", "NaN")
# Names of things, in which numbers and dates are names as others.
NAMES = (NUMBERS[-1],)
# What would end the session of these tests, or take a part of the Vault out of service for the others.
LEFT_OUT = (
    "/session",
    "/auth",
    "configuration_mode",
    "/password",
    "/actions/reset",
    "_delivery",
)
KNOWN = {
    "version": "v25.1",
    "object_name": "thing__c",
    "audit_trail_type": "object_audit_trail",
    "log_date": "2025-01-01",
    "major": "0",
    "minor": "1",
}


@dataclass(frozen=True)
class Operation:
    """One operation of the API, from its OpenAPI document."""

    method: str
    path: str
    parameters: tuple[Mapping[str, Any], ...]
    fields: tuple[str, ...]
    rows: bool

    def __str__(self) -> str:
        return f"{self.method} {self.path.removeprefix('/api/{version}')}"


def operations(app: FastAPI) -> Iterator[Operation]:
    """All operations that take a parameter or fields."""
    for path, members in app.openapi()["paths"].items():
        for method, described in members.items():
            if method == "parameters" or any(part in path for part in LEFT_OUT):
                continue
            parameters = tuple(
                each for each in described.get("parameters", ()) if "in" in each
            )
            fields, rows = body(described)
            if parameters or fields:
                yield Operation(method.upper(), path, parameters, fields, rows)


def body(described: Mapping[str, Any]) -> tuple[tuple[str, ...], bool]:
    """The fields of an operation's body, and whether it takes them in rows."""
    content = described.get("requestBody", {}).get("content", {})
    names: dict[str, None] = {}
    for kind in content.values():
        names |= dict.fromkeys(kind.get("schema", {}).get("properties", {}))
    schema = content.get("application/json", {}).get("schema", {})
    rows = schema.get("type") == "array"
    if rows:
        items = schema.get("items", {})
        names |= dict.fromkeys(items.get("properties", {}))
    return tuple(names), rows


def all_operations() -> list[Operation]:
    nowhere = settings("postgresql://nobody@localhost/none", "amqp://localhost", Path())
    return list(operations(create_app(Vault(MEDICAL_VAULT, nowhere))))


@dataclass
class Target:
    """The values of paths, chosen so that a call gets past its first checks."""

    admin: Api
    record: str
    document: str

    async def call(
        self, operation: Operation, changed: Mapping[str, str], **options: Any
    ) -> Answer:
        """Call an operation with one of its parameters changed."""
        names = {**KNOWN, "record_id": self.record, "document_id": self.document}
        path = operation.path
        query: dict[str, str] = {}
        headers: dict[str, str] = {}
        for parameter in operation.parameters:
            name = parameter["name"]
            value = changed.get(name)
            if parameter["in"] == "path":
                known = names.get(name, "1")
                path = path.replace(f"{{{name}}}", known if value is None else value)
            elif value is not None:
                into = query if parameter["in"] == "query" else headers
                into[name] = value
        path = path.replace("{version}", KNOWN["version"])
        return await self.admin.call(
            operation.method, path, params=query, headers=headers, **options
        )


@pytest.fixture(scope="module")
async def target(admin: Api) -> Target:
    made = await admin.post("/vobjects/thing__c", json=[{"name__v": "Extreme"}])
    document = await admin.post(
        "/objects/documents", data={"name__v": "Extreme", "type__v": "base_document__v"}
    )
    return Target(admin, made.ids[0], str(document.body.get("id", 1)))


def is_fault(answer: Answer) -> bool:
    return answer.http_status >= 500 or '"UNEXPECTED_ERROR"' in answer.text


def values_of(parameter: Mapping[str, Any]) -> tuple[str, ...]:
    """The extremes to send as a parameter."""
    if parameter["schema"].get("type") == "integer":
        return NUMBERS
    is_name = parameter["name"].endswith(("_name", "_type", "version", "name"))
    return NAMES if is_name else TEXTS


@pytest.mark.parametrize("operation", all_operations(), ids=str)
async def test_extremes_are_answered(target: Target, operation: Operation) -> None:
    faults = []
    for parameter in operation.parameters:
        for value in values_of(parameter):
            answer = await target.call(operation, {parameter["name"]: value})
            if is_fault(answer):
                faults.append((parameter["name"], value[:40], answer.text[:200]))
    for name in operation.fields:
        for value in TEXTS:
            sent: object = {name: value}
            answer = await target.call(
                operation, {}, json=[sent] if operation.rows else sent
            )
            if is_fault(answer):
                faults.append((name, value[:40], answer.text[:200]))
    assert not faults
    assert (await target.admin.get("/objects/users/me")).status == "SUCCESS"
