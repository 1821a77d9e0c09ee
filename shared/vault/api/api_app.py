"""The REST API of a Vault as one application: routers, faults and headers put together."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from shared.runtime.telemetry import RequestMetrics
from shared.vault.api import (
    actions,
    attachment_fields,
    attachments,
    audit,
    auth,
    connections,
    delegation,
    document_batch,
    document_files,
    document_metadata,
    documents,
    domain,
    exceptions,
    groups,
    integrations,
    jobs,
    lineage,
    loader,
    metadata,
    notifications,
    packages,
    picklists,
    query,
    queue_log,
    queues,
    record_jobs,
    records,
    roles,
    staging,
    users,
)
from shared.vault.api import mdl_scripts as mdl
from shared.vault.api.documentation import add_documentation
from shared.vault.api.openapi.document import complete
from shared.vault.api.request_context import ApiHeaders
from shared.vault.api.response_envelope import (
    Faults,
    on_fault,
    on_http_error,
    on_invalid_parameter,
)
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from shared.vault.assembly.vault import Vault

CHAPTERS = (
    auth,
    delegation,
    query,
    roles,  # before the records: `DELETE /{object}/roles` names no record
    records,
    record_jobs,
    attachment_fields,
    attachments,
    actions,
    notifications,
    metadata,
    picklists,
    users,
    groups,
    domain,
    mdl,
    connections,
    queues,
    queue_log,
    exceptions,
    jobs,
    staging,
    loader,
    packages,
    audit,
    integrations,
    lineage,
    document_batch,  # before the documents: `batch` is no id of one
    documents,
    document_files,
    document_metadata,
)

TAGS = [
    {
        "name": "Authentication",
        "description": "Sign in, keep the session alive, sign out; API versions.",
    },
    {"name": "Queries", "description": "VQL and its pages."},
    {
        "name": "Object records",
        "description": "Up to 500 records in a call, as JSON, CSV or a form.",
    },
    {"name": "Attachments", "description": "Files of records, in versions."},
    {
        "name": "User actions",
        "description": "Actions of a record's lifecycle state, and of its object.",
    },
    {
        "name": "Notifications",
        "description": "What users are told about records; an addition to the public API.",
    },
    {"name": "Metadata", "description": "Objects, fields and component types."},
    {"name": "Components", "description": "Configuration as MDL."},
    {
        "name": "Picklists",
        "description": "Controlled lists of values, and where they are used.",
    },
    {
        "name": "Users",
        "description": "Users, their passwords, permissions and access tokens; groups.",
    },
    {
        "name": "Connections",
        "description": "Connections with other Vaults: files that establish them, certificates.",
    },
    {"name": "Spark queues", "description": "Outbound and inbound message queues."},
    {
        "name": "Documents",
        "description": "Documents with versions, files, renditions and lifecycles.",
    },
    {
        "name": "Integrations",
        "description": "Runs of integrations, their counts, and the clock they are read by.",
    },
    {
        "name": "Lineage",
        "description": "Which message, run, rule and source record has set each field of a record.",
    },
    {
        "name": "User exceptions",
        "description": "What could not be transferred, retried all at once.",
    },
    {
        "name": "Jobs",
        "description": "Work that outlives a request: status, tasks, histories, monitors.",
    },
    {
        "name": "File staging",
        "description": "Files and folders, downloads by range, uploads in parts.",
    },
    {
        "name": "Loader",
        "description": "Files of records loaded, and records extracted to files, as jobs.",
    },
    {
        "name": "Packages",
        "description": "Configuration and data in a file: import, validate, deploy, export.",
    },
    {"name": "Audit", "description": "What was changed by whom, and who signed in."},
]

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


DESCRIPTION = """REST API, compatible with public clients of the Vault REST API.

* **Sign in** with `POST /api/{version}/auth`; the `sessionId` of the answer goes into the header `Authorization` of
  every other call, alone or after `Bearer`.
* **Every answer in JSON is an envelope** with `responseStatus`. The HTTP status is 200 for everything that the Vault
  itself has processed, refusals included: look at `responseStatus`, and at `errors[].type` where it is `FAILURE`.
* **Forms** come URL-encoded, as `multipart/form-data`, or as a JSON object; records as JSON, CSV, or one as a form.
* What this Vault does not have it answers with `MALFORMED_URL`, a verb that a path does not have with
  `METHOD_NOT_SUPPORTED`.
"""


class Api(FastAPI):
    """FastAPI, whose OpenAPI document is completed with what the routes do not say themselves."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document."""
        if self.openapi_schema is None:
            self.openapi_schema = complete(super().openapi())
        return self.openapi_schema


def operation_id(route: APIRoute) -> str:
    """The name of an operation, as generated clients call it: chapter and function."""
    return f"{route.endpoint.__module__.rpartition('.')[2]}_{route.name}"


def create_api(vault: Vault, lifespan: Lifespan | None = None) -> FastAPI:
    """The application that serves ``vault``; routes outside ``/api`` may be added to it."""
    app = Api(
        title=vault.definition.label,
        description=DESCRIPTION,
        openapi_tags=TAGS,
        servers=[{"url": "/"}],
        generate_unique_id_function=operation_id,
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
    app.add_middleware(
        ApiHeaders, vault_id=vault.vault_id, burst_limit=vault.settings.burst_limit
    )
    app.add_middleware(RequestMetrics)
    return app
