"""Puts the REST API of a Vault together as one application: routers, faults, headers and its own pages."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from shared.runtime.http_layers import RequestMetrics
from shared.vault.api import (
    actions,
    attachment_fields,
    attachments,
    audit,
    auth,
    connections,
    delegation,
    deletions,
    direct_data,
    document_actions,
    document_attachments,
    document_batch,
    document_events,
    document_export,
    document_files,
    document_locks,
    document_metadata,
    document_relationships,
    document_roles,
    document_templates,
    document_tokens,
    document_workflows,
    documents,
    domain,
    exceptions,
    groups,
    integrations,
    jobs,
    lineage,
    loader,
    lookup_sheets,
    metadata,
    notifications,
    packages,
    picklists,
    query,
    queue_log,
    queues,
    reconciliations,
    record_jobs,
    records,
    rehearsal,
    role_rules,
    roles,
    scim,
    staging,
    usage_log,
    users,
    version_batch,
    workflow_bulk,
    workflow_tasks,
    workflows,
)
from shared.vault.api import mdl_scripts as mdl
from shared.vault.api.body import LargeBodies
from shared.vault.api.envelope_schemas import ENVELOPE_SCHEMAS
from shared.vault.api.fault_layer import FaultLayer
from shared.vault.api.openapi.document import complete
from shared.vault.api.plain_routes import PlainRoutes
from shared.vault.api.request_context import (
    ApiHeaders,
    VersionConvertor,
    header_in,
    is_api,
    wants_xml,
)
from shared.vault.api.response_envelope import (
    Faults,
    on_fault,
    on_http_error,
    on_invalid_parameter,
)
from shared.vault.api.single_slashes import SingleSlashes
from shared.vault.api.usage_notes import UsageNotes
from shared.vault.api.xml_answers import XmlAnswers
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from shared.vault.assembly.vault import Vault

STATIC = Path(__file__).parent / "static"

# The first route that fits a path serves it, so that the order of some chapters matters.
CHAPTERS = (
    auth,
    delegation,
    direct_data,
    query,
    roles,  # before the records: in `DELETE /{object}/roles`, `roles` is no record's id
    records,
    record_jobs,
    deletions,
    attachment_fields,
    attachments,
    actions,
    notifications,
    metadata,
    picklists,
    users,
    scim,
    groups,
    domain,
    workflow_tasks,  # before the workflows: `tasks` is no workflow's id
    workflows,
    workflow_bulk,
    role_rules,  # before the components: `role_assignment_rule` is no component type
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
    usage_log,
    integrations,
    reconciliations,
    lookup_sheets,
    lineage,
    rehearsal,
    document_batch,  # before the documents: `batch` is no document's id
    document_actions,
    document_workflows,
    version_batch,
    document_export,
    document_relationships,
    document_templates,  # before the documents: `templates` is no document's id
    document_tokens,
    document_events,
    documents,
    document_files,
    document_attachments,
    document_locks,
    document_roles,
    document_metadata,
)

TAGS = [
    {
        "name": "Authentication",
        "description": "Signing in and out, keeping sessions alive, delegated access; API versions.",
    },
    {"name": "Queries", "description": "VQL, and the pages of its results."},
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
        "name": "Workflows",
        "description": "Workflows of records and documents, and the tasks that they give to users.",
    },
    {
        "name": "Notifications",
        "description": "Messages to users about records; an addition to the public API.",
    },
    {"name": "Metadata", "description": "Objects, fields and component types."},
    {"name": "Components", "description": "Configuration as MDL."},
    {
        "name": "Picklists",
        "description": "Controlled lists of values, and where they are used.",
    },
    {
        "name": "Direct Data",
        "description": "The whole Vault as CSV files, and its changes since then; for data warehouses.",
    },
    {
        "name": "SCIM",
        "description": "Users in the format of identity providers: SCIM 2.0 (RFC 7643, RFC 7644).",
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
        "description": "Runs of integrations, their counts, and the Vault's clock, by which runs are read.",
    },
    {
        "name": "Lineage",
        "description": "Which message, run, rule and source record set each field of a record.",
    },
    {
        "name": "User exceptions",
        "description": "User exceptions: Retry Transfer for many of them at once.",
    },
    {
        "name": "Jobs",
        "description": "Work that takes longer than a request: status, tasks, histories, monitors.",
    },
    {
        "name": "File staging",
        "description": "Files and folders, downloads by range, uploads in parts.",
    },
    {
        "name": "Loader",
        "description": "Jobs that load records from files and extract records to files.",
    },
    {
        "name": "Packages",
        "description": "Configuration and data in a file (VPK): import, validate, deploy, export.",
    },
    {
        "name": "Rehearsal",
        "description": "Faults that are switched on for rehearsals, in a Vault that is not in production.",
    },
    {"name": "Audit", "description": "Who changed what, and who signed in."},
]

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


DESCRIPTION = """REST API, compatible with public clients of the Vault REST API.

* **Sign in** with `POST /api/{version}/auth`; send the `sessionId` of the answer in the header `Authorization` of every
  other call, alone or after `Bearer`.
* **Every answer in JSON is an envelope** with `responseStatus`. The HTTP status is 200 for everything that the Vault
  itself has processed, also when it refuses a call: look at `responseStatus`, and at `errors[].type` when it is
  `FAILURE`.
* **Forms** come URL-encoded, as `multipart/form-data`, or as a JSON object; records as JSON, CSV, or one as a form.
* The Vault answers an unknown path with `MALFORMED_URL`, and a verb that a path does not support with
  `METHOD_NOT_SUPPORTED`.
"""


class Api(FastAPI):
    """The application; it adds to its OpenAPI document what the routes do not declare."""

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document."""
        # Made when it is first asked for: most processes of a Vault never are.
        if self.openapi_schema is None:
            document = super().openapi()
            self.openapi_schema = complete(
                document, ENVELOPE_SCHEMAS, VersionConvertor.regex
            )
        return self.openapi_schema


class Detour:
    """ASGI middleware that passes calls through a layer only when ``needed`` says that they need it."""

    def __init__(
        self,
        app: ASGIApp,
        layer: Callable[[ASGIApp], ASGIApp],
        needed: Callable[[Scope], bool],
    ) -> None:
        self._app = app
        self._layer = layer(app)
        self._needed = needed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on, through the layer or without it."""
        way = self._layer if self._needed(scope) else self._app
        await way(scope, receive, send)


def operation_id(route: APIRoute) -> str:
    """Return the name by which generated clients call an operation: the module and the name of its function."""
    _, _, chapter = route.endpoint.__module__.rpartition(".")
    return f"{chapter}_{route.name}"


def create_api(vault: Vault, lifespan: Lifespan | None = None) -> FastAPI:
    """Return the application that serves ``vault``; routes outside ``/api`` may be added to it."""
    app = Api(
        title=vault.definition.label,
        description=DESCRIPTION,
        openapi_tags=TAGS,
        servers=[{"url": "/"}],
        generate_unique_id_function=operation_id,
        # A redirect would make a client repeat a write; an unknown path is an error of the API.
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.vault = vault
    for chapter in CHAPTERS:
        app.include_router(chapter.router)
    _add_documentation(app)
    app.add_exception_handler(VaultFault, on_fault)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(RequestValidationError, on_invalid_parameter)
    routes = [route for chapter in CHAPTERS for route in chapter.router.routes]
    app.add_middleware(PlainRoutes, routes=routes)
    # The last one added is the outermost: headers belong on the answers to faults as well.
    app.add_middleware(Faults)
    app.add_middleware(Detour, layer=XmlAnswers, needed=_asks_for_xml)
    app.add_middleware(UsageNotes, pending=vault.api_usage.pending)
    app.add_middleware(
        ApiHeaders, vault_id=vault.vault_id, burst_limit=vault.settings.burst_limit
    )
    app.add_middleware(LargeBodies)
    # Around all that answers: what a fault sends in its place is a proxy's word, or none.
    switches = vault.rehearsal.switches

    def may_be_struck(scope: Scope) -> bool:
        return bool(switches.known_by_id) and scope["type"] == "http"

    faults = partial(FaultLayer, vault=vault)
    app.add_middleware(Detour, layer=faults, needed=may_be_struck)
    app.add_middleware(RequestMetrics)
    app.add_middleware(Detour, layer=SingleSlashes, needed=_has_spare_slashes)
    return app


def _asks_for_xml(scope: Scope) -> bool:
    if scope["type"] != "http" or not is_api(scope["path"]):
        return False
    return wants_xml(header_in(scope, b"accept"))


def _has_spare_slashes(scope: Scope) -> bool:
    path = scope["path"] if scope["type"] == "http" else ""
    return "//" in path or path.endswith("/")


def _add_documentation(app: FastAPI) -> None:
    """Serve ``/docs``, the OpenAPI document in a browser, and its files."""
    # From this Vault, not from a network of other hosts: many Vaults stand where browsers reach nothing else.
    app.mount("/static", StaticFiles(directory=STATIC), name="static")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url=app.openapi_url or "/openapi.json",
            title=app.title,
            swagger_js_url="/static/swagger-ui/swagger-ui-bundle.js",
            swagger_css_url="/static/swagger-ui/swagger-ui.css",
            swagger_favicon_url="/static/swagger-ui/favicon-32x32.png",
        )
