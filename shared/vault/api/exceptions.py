"""User exceptions beside their records: Retry Transfer for all that are open."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from shared.vault.api.body import read_fields
from shared.vault.api.jobs import submitted
from shared.vault.api.openapi.request_bodies import form_documentation
from shared.vault.api.request_context import PREFIX, SignedIn, vault_of

router = APIRouter(prefix=f"{PREFIX}/services/exceptions", tags=["User exceptions"])


@router.post(
    "/actions/retry",
    summary="Retry all open exceptions",
    openapi_extra=form_documentation(
        {
            "connection": "API name of a connection.",
            "integration": "API name of an integration.",
        }
    ),
)
async def retry(request: Request, caller: SignedIn) -> Response:
    """Starts a job that runs Retry Transfer on every open exception of the connection or integration, else on all.

    Its task `retry` counts messages that were queued again or refused; its task `outcome` what has become of them.
    """
    return submitted(
        request,
        await vault_of(request).bulk_retries.submit(caller, await read_fields(request)),
    )
