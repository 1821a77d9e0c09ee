"""The REST API of a Vault as one application: routers, faults and headers put together."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from shared.runtime.telemetry import RequestMetrics
from shared.vault.api import (
    actions,
    audit,
    auth,
    delegation,
    groups,
    jobs,
    loader,
    mdl,
    metadata,
    packages,
    picklists,
    query,
    queues,
    record_jobs,
    records,
    staging,
    users,
)
from shared.vault.api.addresses import VersionConvertor
from shared.vault.api.documentation import add_documentation
from shared.vault.api.faults import Faults, on_fault, on_http_error, on_invalid_parameter
from shared.vault.api.headers import ApiHeaders
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from shared.vault.vault import Vault

CHAPTERS = (
    auth,
    delegation,
    query,
    records,
    record_jobs,
    actions,
    metadata,
    picklists,
    users,
    groups,
    mdl,
    queues,
    jobs,
    staging,
    loader,
    packages,
    audit,
)

TAGS = [
    {"name": "Authentication", "description": "Sign in, keep the session alive, sign out; API versions."},
    {"name": "Queries", "description": "VQL and its pages."},
    {"name": "Object records", "description": "Up to 500 records in a call, as JSON, CSV or a form."},
    {"name": "User actions", "description": "Actions of a record's lifecycle state, and of its object."},
    {"name": "Metadata", "description": "Objects, fields and component types."},
    {"name": "Components", "description": "Configuration as MDL."},
    {"name": "Picklists", "description": "Controlled lists of values, and where they are used."},
    {"name": "Users", "description": "Users, their passwords, permissions and access tokens; groups."},
    {"name": "Spark queues", "description": "Outbound and inbound message queues."},
    {"name": "Jobs", "description": "Work that outlives a request: status, tasks, histories, monitors."},
    {"name": "File staging", "description": "Files and folders, downloads by range, uploads in parts."},
    {"name": "Loader", "description": "Files of records loaded, and records extracted to files, as jobs."},
    {"name": "Packages", "description": "Configuration and data in a file: import, validate, deploy, export."},
    {"name": "Audit", "description": "What was changed by whom, and who signed in."},
]

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


VERSION_PARAMETER = {
    "name": "version",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": f"^{VersionConvertor.regex}$", "example": "v25.1"},
}


class Api(FastAPI):
    """FastAPI, with the version parameter in its OpenAPI document that no endpoint declares."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document."""
        document = super().openapi()
        for path, operations in document["paths"].items():
            if "{version}" in path:
                operations["parameters"] = [VERSION_PARAMETER]
        return document


def create_api(vault: Vault, lifespan: Lifespan | None = None) -> FastAPI:
    """The application that serves ``vault``; routes outside ``/api`` may be added to it."""
    app = Api(
        title=vault.definition.label,
        description="REST API. Every answer is an envelope with `responseStatus`; the HTTP status is 200 for "
        "everything that the Vault itself has processed, refusals included.",
        openapi_tags=TAGS,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.vault = vault
    for chapter in CHAPTERS:
        app.include_router(chapter.router)
    add_documentation(app)
    app.add_exception_handler(VaultFault, on_fault)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(RequestValidationError, on_invalid_parameter)
    # The last one added is the outermost: headers belong on the answers to faults as well.
    app.add_middleware(Faults)
    app.add_middleware(ApiHeaders, vault_id=vault.vault_id, burst_limit=vault.settings.burst_limit)
    app.add_middleware(RequestMetrics)
    return app
