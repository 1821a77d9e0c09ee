"""Puts the pages of a Vault together as one application below ``/ui``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse
from starlette.staticfiles import StaticFiles

from shared.vault.admin import component_pages as components
from shared.vault.admin import connection_pages as connections
from shared.vault.admin import document_pages as documents
from shared.vault.admin import document_version_pages as document_versions
from shared.vault.admin import (
    document_viewer,
    edit,
    home,
    picking,
    processors,
    rule_editing,
    sign_in,
)
from shared.vault.admin import exception_pages as exceptions
from shared.vault.admin import group_pages as groups
from shared.vault.admin import inbound_package_pages as inbound_packages
from shared.vault.admin import integration_pages as integrations
from shared.vault.admin import job_pages as jobs
from shared.vault.admin import lifecycle_pages as lifecycles
from shared.vault.admin import live_pages as live
from shared.vault.admin import lookup_pages as lookups
from shared.vault.admin import message_pages as messages
from shared.vault.admin import missing_lookup_pages as missing_lookups
from shared.vault.admin import notification_pages as notifications
from shared.vault.admin import outbound_package_pages as outbound_packages
from shared.vault.admin import queue_log_pages as queue_log
from shared.vault.admin import queue_pages as queues
from shared.vault.admin import readiness_pages as readiness
from shared.vault.admin import recipient_pages as recipients
from shared.vault.admin import reconciliation_pages as reconciliations
from shared.vault.admin import record_pages as records
from shared.vault.admin import rehearsal_pages as rehearsal
from shared.vault.admin import response_pages as responses
from shared.vault.admin import rule_pages as rules
from shared.vault.admin import rule_preview_pages as rule_previews
from shared.vault.admin import security_pages as security
from shared.vault.admin import task_pages as tasks
from shared.vault.admin import user_pages as users
from shared.vault.admin.fault_pages import (
    error_page,
    on_fault,
    on_http_error,
    on_invalid_parameter,
)
from shared.vault.admin.rendering import TEMPLATES, PageHeaders
from shared.vault.api.response_envelope import Faults
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from shared.vault.assembly.vault import Vault

# The first route that fits a path serves it.
CHAPTERS = (
    sign_in,
    document_viewer,
    home,
    connections,
    readiness,
    reconciliations,
    integrations,
    lookups,
    missing_lookups,
    rules,
    rule_previews,  # before the editing: `preview` is no kind of part
    rule_editing,
    components,
    documents,
    document_versions,
    inbound_packages,
    outbound_packages,
    lifecycles,
    users,
    groups,
    security,
    queues,
    live,
    messages,
    processors,
    queue_log,
    exceptions,
    jobs,
    tasks,
    notifications,
    rehearsal,
    recipients,
    responses,
    picking,
    edit,  # before the records: in `/new`, `new` is no record's id
    records,
)
STATIC = TEMPLATES.parent / "static"


def create_pages(vault: Vault) -> FastAPI:
    """Return the application that serves the pages of ``vault``; it has no OpenAPI document."""
    pages = FastAPI(
        openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False
    )
    pages.state.vault = vault
    for chapter in CHAPTERS:
        pages.include_router(chapter.router)
    pages.mount("/static", StaticFiles(directory=STATIC), name="static")
    pages.add_exception_handler(VaultFault, on_fault)
    pages.add_exception_handler(HTTPException, on_http_error)
    pages.add_exception_handler(RequestValidationError, on_invalid_parameter)
    # The last one added is the outermost: headers belong on the pages of faults as well.
    pages.add_middleware(Faults, respond=error_page)
    pages.add_middleware(PageHeaders)
    return pages


def add_pages(app: FastAPI, vault: Vault) -> None:
    """Serve the pages at ``/ui``."""

    @app.get("/", include_in_schema=False)
    @app.get("/ui", include_in_schema=False)
    async def front() -> RedirectResponse:
        return RedirectResponse("/ui/", 307)

    app.mount("/ui", create_pages(vault), name="ui")
