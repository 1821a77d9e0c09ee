"""Serves previews of saved rules with a record, and dry runs of integrations: the effect of a transfer."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from shared.vault.access.permissions import Grant, authorize
from shared.vault.admin.connector_sessions import source_of
from shared.vault.admin.error_advice import in_words
from shared.vault.admin.integration_pages import OBJECT as INTEGRATION
from shared.vault.admin.page_context import CurrentPage, PageContext
from shared.vault.admin.rule_check import checked, preview
from shared.vault.admin.viewing import view
from shared.vault.components.rule_changes import RULE
from shared.vault.errors import ApiError, VaultFault
from shared.vault.exceptions.error_explanations import reason_of

router = APIRouter()

Record = Annotated[str, Query(max_length=200)]
Since = Annotated[str, Query(max_length=40)]


@router.get("/rules/{name}/preview")
async def preview_rule(
    context: CurrentPage, name: str, record: Record = ""
) -> Response:
    """Show the result of a rule for the record with an id."""
    return await _preview(context, name, record)


# What is typed may be a person's name, which belongs in no address.
@router.post("/rules/{name}/preview")
async def find_and_preview(context: CurrentPage, name: str) -> Response:
    """Show the result of a rule for the record whose name or id the form has."""
    return await _preview(context, name, context.form.fields.get("record", "")[:200])


async def _preview(context: PageContext, name: str, record: str) -> Response:
    authorize(context.caller, Grant.MANAGE_INTEGRATIONS)
    rule = context.vault.components.component(context.caller, f"{RULE}.{name}")
    check = checked(context.registry, rule, ())
    source = await source_of(context, rule.text("connection"), "api_name__sys")
    await preview(context, check, source, record.strip())
    return context.page("rule_preview.html", rule=rule, check=check, record=record)


@router.get("/integrations/{record_id}/dry-run")
async def dry_run(
    context: CurrentPage, record_id: str, since: Since = "", asked: bool = False
) -> Response:
    """Show the form that asks from which time to read; with ``asked``, also the result that a run would have."""
    authorize(context.caller, Grant.MANAGE_INTEGRATIONS)
    shown = await view(context, INTEGRATION, record_id)
    name = str(shown.values["integration_api_name__sys"])
    source = await source_of(context, str(shown.values["connection__sys"]))
    found: Mapping[str, Any] | None = None
    error: ApiError | None = None
    if asked and source is not None and source.has_session:
        params = {"since": since} if since else {}
        try:
            found = await context.vault.connector.ask(
                "dry-runs", name, sessions=source.sessions, params=params
            )
        except VaultFault as fault:
            error = fault.error
    return context.page(
        "dry_run.html",
        view=shown,
        since=since,
        source=source,
        found=found,
        error=error,
        reason_of=reason_of,
        in_words=partial(in_words, registry=context.registry),
    )
