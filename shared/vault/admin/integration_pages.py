"""Serves an integration's pages: its settings, its integration points, and its runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from shared.vault.access.permissions import Grant, Operation, may
from shared.vault.admin.cookies import NoteKind
from shared.vault.admin.exception_filters import ExceptionSelection
from shared.vault.admin.fault_pages import status_of
from shared.vault.admin.inputs import changed, entered, inputs
from shared.vault.admin.job_pages import SOON
from shared.vault.admin.listing import PAGE_SIZE, Listing, Page, selected
from shared.vault.admin.page_context import CurrentPage, PageContext
from shared.vault.admin.run_progress import Progress, chart_of, progress_of
from shared.vault.admin.showing import ValueFormatter, named
from shared.vault.admin.viewing import object_of, record_of, view
from shared.vault.errors import ApiError
from shared.vault.exceptions.exception_model import MESSAGE as EXCEPTION
from shared.vault.integrations.run_model import Run

router = APIRouter(prefix="/integrations")

OBJECT, POINT = "integration__sys", "integration_point__sys"
SETTINGS = ("status__v", "last_successful_run_time__sys", "run_interval__sys")
POINT_COLUMNS = (
    "name__v",
    "integration_point_api_name__sys",
    "direction__sys",
    "status__v",
)
LATEST = 5
DRAWN = 30  # runs of the chart

Number = Annotated[int, Path(ge=1, le=2**31 - 1)]


@router.get("/{record_id}")
async def one_integration(
    context: CurrentPage,
    record_id: str,
) -> Response:
    """Show an integration: its settings as a form, its integration points and latest runs."""
    return await _page(context, record_id)


@router.post("/{record_id}")
async def save(
    context: CurrentPage,
    record_id: str,
) -> Response:
    """Store changed settings; an earlier Last Successful Run Time makes an active integration run."""
    target = object_of(context, OBJECT)
    fields = [target.fields[name] for name in SETTINGS]
    record = await record_of(context, OBJECT, record_id)
    values = entered(fields, context.form.fields, context.registry)
    row = changed(fields, values, record)
    (result,) = await context.vault.records.update(
        context.caller, OBJECT, [{"id": record_id, **row}]
    )
    if result.errors:
        return await _page(context, record_id, result.errors[0])
    path = f"/ui/integrations/{record_id}"
    return context.go_with(path, result, "The integration was saved.")


@router.post("/{record_id}/runs")
async def run_now(
    context: CurrentPage,
    record_id: str,
) -> Response:
    """Run the integration as soon as a connector is free."""
    path = f"/ui/integrations/{record_id}"
    api_name = await _api_name(context, record_id)
    job_id = await context.vault.runs.request(context.caller, api_name)
    # The job's page shows the progress of the run that was just requested.
    return context.go(f"{path}/runs/{job_id}", "The run was requested.", NoteKind.BEGUN)


@router.get("/{record_id}/runs")
async def runs(
    context: CurrentPage,
    record_id: str,
    page: Page = 1,
) -> Response:
    """List the runs of an integration, the latest first."""
    api_name = await _api_name(context, record_id)
    offset = (page - 1) * PAGE_SIZE
    # One run more than the page shows is read, to know without counting whether a next page follows.
    found = await context.vault.runs.runs(
        context.caller, api_name, limit=PAGE_SIZE + 1, offset=offset
    )
    return context.page(
        "runs.html",
        view=await view(context, OBJECT, record_id),
        runs=found[:PAGE_SIZE],
        page=page,
        more=len(found) > PAGE_SIZE,
        may_run=await _may_run(context, api_name),
    )


@router.get("/{record_id}/runs/{job_id}")
async def one_run(
    context: CurrentPage,
    record_id: str,
    job_id: Number,
) -> Response:
    """Show a run: its progress, and its counts by integration point."""
    api_name = await _api_name(context, record_id)
    run = await context.vault.runs.run(context.caller, api_name, job_id)
    shown = await view(context, OBJECT, record_id)
    return context.page(
        "run.html",
        view=shown,
        run=run,
        progress=progress_of(run, datetime.now(UTC)),
        points=await named(context, POINT),
        failures=_failures(context, api_name),
        again_in=None if run.status.finished else SOON,
    )


async def _page(
    context: PageContext,
    record_id: str,
    error: ApiError | None = None,
) -> Response:
    """Show an integration; with an error, as the answer to a form that was refused."""
    shown = await view(context, OBJECT, record_id)
    target = shown.target
    points = object_of(context, POINT)
    # The inputs keep the values of a refused form.
    values = {**shown.values, **context.form.fields}
    columns = ", ".join(POINT_COLUMNS)
    own = f"WHERE integration__sys = '{shown.id}' ORDER BY id"
    statement = f"SELECT id, {columns} FROM {POINT} {own}"
    settings = [target.fields[name] for name in SETTINGS]
    api_name = str(shown.values["integration_api_name__sys"])
    sees_runs = context.granted(Grant.COPY_RECORDS)
    runs: Sequence[Run] = ()
    if sees_runs:
        service = context.vault.runs
        runs = await service.runs(context.caller, api_name, limit=DRAWN, offset=0)
    return context.page(
        "integration.html",
        status_of(error) if error else 200,
        view=shown,
        inputs=await inputs(context, target, settings, values),
        formatter=ValueFormatter(points, context.caller, context.registry),
        columns=POINT_COLUMNS,
        points=Listing(await selected(context, statement), 0),
        # The points stand on the page already.
        further=[each for each in shown.children if POINT not in each[1]],
        runs=runs[:LATEST],
        under_way=_under_way(runs),
        chart=chart_of(runs),
        soon=SOON,
        sees_runs=sees_runs,
        may_run=await _may_run(context, api_name),
        error=error,
    )


async def _may_run(context: PageContext, api_name: str) -> bool:
    """Return whether a run that the caller requests would not be refused."""
    active = await context.vault.runs.is_active(api_name)
    return active and context.granted(Grant.REQUEST_RUNS)


def _failures(context: PageContext, api_name: str) -> str:
    """Return the address of the list of an integration's open exceptions; empty when the caller may not read them."""
    reads = may(context.caller, EXCEPTION, Operation.READ)
    if reads:
        return ExceptionSelection(integration=api_name).path
    return ""


def _under_way(runs: Sequence[Run]) -> tuple[Run, Progress] | None:
    """Return the run that has not ended, with its progress; None when there is none."""
    # An integration has one at a time.
    for run in runs:
        if not run.status.finished:
            return run, progress_of(run, datetime.now(UTC))
    return None


async def _api_name(context: PageContext, record_id: str) -> str:
    """Return the API name of an integration that the caller may read."""
    queries = context.vault.queries
    record = await queries.record(context.caller, OBJECT, record_id)
    return str(record["integration_api_name__sys"])
