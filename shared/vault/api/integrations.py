"""Serves runs of integrations: starts and lists them, takes connectors' reports, and returns the Vault's clock."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, TypeVar

from fastapi import APIRouter, Path, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.protocol.json_values import date_time_text
from shared.vault.api import response_envelope as envelope
from shared.vault.api.admission import ReportsRuns
from shared.vault.api.body import missing, read_record
from shared.vault.api.jobs import submitted
from shared.vault.api.openapi.request_bodies import OBJECT_DOCUMENTATION
from shared.vault.api.paging import Offset
from shared.vault.api.request_context import PREFIX, SignedIn, vault_of
from shared.vault.errors import VaultFault
from shared.vault.integrations.run_model import Batch, Counts, Paging, Run

router = APIRouter(prefix=f"{PREFIX}/services", tags=["Integrations"])

# A count above it is a mistake of the connector, and would spoil the sums of a run.
MAX_COUNT = 10_000  # far above the 500 records of a batch
RUNS = "/integrations/{integration}/runs"
Limit = Annotated[int, Query(ge=1, le=200)]
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
Count = Annotated[int, Field(ge=0, le=MAX_COUNT, strict=True)]


class ReportBody(BaseModel):
    """A connector's JSON object; unknown members are refused, so that a misspelt member is not ignored."""

    model_config = ConfigDict(extra="forbid")


Parsed = TypeVar("Parsed", bound=ReportBody)


class _Progress(ReportBody):
    """The progress of a run: the source's clock, or the position of the reading, or the error that ends the run."""

    source_time: AwareDatetime | None = None
    complete_until: AwareDatetime | None = None
    read_since: AwareDatetime | None = None
    stage: Annotated[int, Field(ge=0, le=1000, strict=True)] | None = None
    batches: Annotated[int, Field(ge=0, le=10**9, strict=True)] = 0
    position: Annotated[str, Field(max_length=500)] = ""
    ended: bool = False
    more_stages: bool = False
    error: str | None = None


class _Report(ReportBody):
    """The counts of one batch."""

    integration_point: Annotated[str, Field(min_length=1, max_length=100)]
    read: Count
    mapped: Count
    skipped: Count
    written: Count
    failed: Count
    unchanged: Count = 0


@router.get("/clock", summary="The Vault's clock")
async def clock(request: Request, caller: SignedIn) -> Response:
    """Returns the time and, in `complete_until`, a moment before which no later commit will be dated.

    A client that next reads the changes from `complete_until` on misses none, however long a transaction lasts, and
    also when the server's clock is set back.
    """
    reading = await vault_of(request).runs.clock(caller)
    data = {
        "date_time": date_time_text(reading.date_time),
        "complete_until": date_time_text(reading.complete_until),
    }
    return envelope.success(data=data)


@router.post(RUNS, summary="Run an integration now")
async def request_run(
    request: Request,
    caller: SignedIn,
    integration: str,
) -> Response:
    """Starts a job that runs the integration; if a run is scheduled, that run starts now."""
    job_id = await vault_of(request).runs.request(caller, integration)
    return submitted(request, job_id)


@router.get(RUNS, summary="Runs of an integration")
async def list_runs(
    request: Request,
    caller: SignedIn,
    integration: str,
    limit: Limit = 50,
    offset: Offset = 0,
) -> Response:
    """Lists runs with their counts, the latest first, also scheduled ones."""
    runs = await vault_of(request).runs.runs(
        caller, integration, limit=limit, offset=offset
    )
    return envelope.success(
        responseDetails={"limit": limit, "offset": offset},
        data=[_run_json(run) for run in runs],
    )


@router.get(f"{RUNS}/{{job_id}}", summary="One run")
async def one_run(
    request: Request,
    caller: SignedIn,
    integration: str,
    job_id: Number,
) -> Response:
    """Returns a run: its counts, in total and by integration point, and the position of its reading."""
    run = await vault_of(request).runs.run(caller, integration, job_id)
    return envelope.success(data=_run_json(run))


@router.put(
    f"{RUNS}/{{job_id}}",
    # Its first name: generated clients have it in the name of their operation.
    name="tell",
    summary="Report the progress of a run",
    openapi_extra=OBJECT_DOCUMENTATION,
)
async def report_progress(
    request: Request,
    caller: ReportsRuns,
    integration: str,
    job_id: Number,
) -> Response:
    """Takes the window, or `stage`, `batches`, `position`, `ended`, `more_stages`, or `error`.

    For connectors. The window is `source_time`, the source Vault's clock when the reading begins, with
    `complete_until`, the moment until which its changes are complete (omitted when unknown), and `read_since`, the
    moment from which changes are read. `position` is where the reading continues, and `error` why the run ends before
    everything is read.
    """
    runs = vault_of(request).runs
    progress = parsed(_Progress, await read_record(request))
    # An error ends the run, even when the connector has sent progress with it.
    if progress.error is not None:
        error = without_nul(progress.error)
        run = await runs.give_up(caller, integration, job_id, error)
    elif progress.source_time is not None:
        source_time = milliseconds("source_time", progress.source_time)
        others = [
            None if moment is None else milliseconds(name, moment)
            for name, moment in (
                ("complete_until", progress.complete_until),
                ("read_since", progress.read_since),
            )
        ]
        run = await runs.begin_reading(
            caller, integration, job_id, source_time, *others
        )
    elif progress.stage is not None:
        paging = Paging(
            progress.stage,
            progress.batches,
            without_nul(progress.position),
            progress.ended,
            progress.more_stages,
        )
        # The answer says where to go on: another connector may have read further.
        run = await runs.store_paging(caller, integration, job_id, paging)
    else:
        raise missing("stage")
    return envelope.success(data=_run_json(run))


@router.put(
    f"{RUNS}/{{job_id}}/batches/{{batch}}",
    summary="Report a batch",
    openapi_extra=OBJECT_DOCUMENTATION,
)
async def report(
    request: Request,
    caller: ReportsRuns,
    integration: str,
    job_id: Number,
    batch: Number,
) -> Response:
    """Takes `integration_point` and the counts of a batch; a batch counts once, even if it is reported again.

    For connectors.
    """
    body = parsed(_Report, await read_record(request))
    counts = Counts(**body.model_dump(exclude={"integration_point"}))
    done = Batch(batch, without_nul(body.integration_point), counts)
    run = await vault_of(request).runs.report(caller, integration, job_id, done)
    return envelope.success(data=_run_json(run))


def parsed(kind: type[Parsed], body: dict[str, object]) -> Parsed:
    """Return the body as a model of the class ``kind``.

    :raises VaultFault: INVALID_DATA, naming the first member that does not fit.
    """
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        location = error.errors()[0]["loc"]
        name = ".".join(str(part) for part in location)
        message = f"Invalid value for parameter [{name[:100]}]"
        # Without its cause, whose text quotes the values.
        raise VaultFault(ErrorType.INVALID_DATA, message) from None


def without_nul(value: str) -> str:
    """Return a text without NUL, which PostgreSQL cannot store."""
    return value.replace("\x00", "")


def milliseconds(name: str, value: datetime) -> datetime:
    """Return the moment in whole milliseconds, as the API writes moments.

    :raises VaultFault: INVALID_DATA when it is outside the calendar.
    """
    try:
        return value.replace(microsecond=value.microsecond // 1000 * 1000)
    except OverflowError:
        message = f"Invalid value for parameter [{name}]"
        raise VaultFault(ErrorType.INVALID_DATA, message) from None


def _run_json(run: Run) -> dict[str, object]:
    """Return a run in the format of the API."""
    by_point = {point: counts.to_json() for point, counts in run.by_point.items()}
    document: dict[str, object] = {
        "job_id": run.job_id,
        "status": run.status,
        "created_by": run.created_by,
        "created_date": date_time_text(run.created_date),
        "run_start_date": date_time_text(run.run_start_date),
        "run_end_date": date_time_text(run.run_end_date),
        "changed_since": date_time_text(run.changed_since),
        "read_since": date_time_text(run.read_since),
        "continues": run.continues,
        "source_time": date_time_text(run.source_time),
        "complete_until": date_time_text(run.complete_until),
        "stage": run.stage,
        "position": run.position,
        "batches": run.batches,
        # `paged` says that all has been read; the run ends when its batches are reported as well.
        "batches_reported": run.reported,
        "paged": run.paged,
        "counts": run.counts.to_json(),
        "integration_points": by_point,
    }
    if run.notice is not None:
        document["notice"] = run.notice
    if run.error is not None:
        document["error"] = run.error
    return document
