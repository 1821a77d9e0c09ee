"""Adds to the connector's OpenAPI document what the framework does not know of its routes: sessions and bodies."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

DOCUMENT = "/openapi.json"
FRONT: dict[str, object] = {
    "service": "Medical-CRM connector",
    "purpose": "Carries records between a Medical Vault and Vault CRM. It has no pages; the Vaults have.",
    "links": {
        "its addresses (OpenAPI)": DOCUMENT,
        "able to work": "/readyz",
        "alive": "/healthz",
        "metrics": "/metrics",
    },
}
SCHEMES = {
    "session": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "The id of a session of the Vault in the path.",
    },
    "source_session": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Source-Authorization",
        "description": "The id of a session of the Vault that the records are read from.",
    },
}


def described(
    body: type[BaseModel] | None = None, *, reads_source: bool = False
) -> dict[str, Any]:
    """Return the additions to a route's operation: its sessions, and ``body`` as the schema of its JSON body."""
    needed: dict[str, list[str]] = {"session": []}
    if reads_source:
        needed["source_session"] = []
    described: dict[str, Any] = {"security": [needed]}
    if body is not None:
        content = {"application/json": {"schema": body.model_json_schema()}}
        described["requestBody"] = {"required": True, "content": content}
    return described


def describe_itself(app: FastAPI) -> None:
    """Serve at ``/`` the name of the process and links to its routes, and describe sessions in the OpenAPI document."""

    @app.get("/", include_in_schema=False)
    async def front() -> dict[str, object]:
        return FRONT

    routes_only = app.openapi

    def with_sessions() -> dict[str, Any]:
        document = routes_only()
        document.setdefault("components", {})["securitySchemes"] = SCHEMES
        return document

    app.openapi = with_sessions  # type: ignore[method-assign]
