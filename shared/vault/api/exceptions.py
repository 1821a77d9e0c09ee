"""Serves the call that retries all open user exceptions; the calls of records read and change them."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from shared.vault.api.admission import RetriesExceptions
from shared.vault.api.body import read_fields
from shared.vault.api.jobs import submitted
from shared.vault.api.openapi.request_bodies import form_documentation
from shared.vault.api.request_context import PREFIX, vault_of

router = APIRouter(prefix=f"{PREFIX}/services/exceptions", tags=["User exceptions"])


@router.post(
    "/actions/retry",
    summary="Retry all open exceptions",
    openapi_extra=form_documentation(
        {
            "connection": "API name of a connection; only its exceptions",
            "integration": "API name of an integration; only its exceptions",
        }
    ),
)
async def retry(request: Request, caller: RetriesExceptions) -> Response:
    """Starts a job that runs Retry Transfer on every open exception, or on those of one connection or integration.

    Its task `retry` counts the messages that were queued again or refused; its task `outcome` counts how their
    transfers ended.
    """
    fields = await read_fields(request)
    # A job, as there may be more exceptions than a call has time for.
    job_id = await vault_of(request).bulk_retries.submit(caller, fields)
    return submitted(request, job_id)
