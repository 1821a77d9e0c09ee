"""Runs of integrations: requested, listed, and what connectors tell of them; the clock that runs are read by."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, TypeVar

from fastapi import APIRouter, Path, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import Response

from shared.protocol.date_times import date_time_text
from shared.protocol.error_types import ErrorType
from shared.vault.api import response_envelope as envelope
from shared.vault.api.addresses import PREFIX, base_path
from shared.vault.api.body import OBJECT_DOCUMENTATION, read_record
from shared.vault.api.request_session import SignedIn, vault_of
from shared.vault.errors import VaultFault
from shared.vault.integrations.run_model import Batch, Counts, Paging, Run

router = APIRouter(prefix=f"{PREFIX}/services", tags=["Integrations"])

MAX_COUNT = 10_000  # records of one batch, which holds 500
RUNS = "/integrations/{integration}/runs"
Limit = Annotated[int, Query(ge=1, le=200)]
Offset = Annotated[int, Query(ge=0, le=2**31)]
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
Count = Annotated[int, Field(ge=0, le=MAX_COUNT, strict=True)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


Parsed = TypeVar("Parsed", bound=_Body)


class _Progress(_Body):
    """One of three things: the source's clock, how far the reading has come, or why it ends."""

    source_time: AwareDatetime | None = None
    stage: Annotated[int, Field(ge=0, le=1000, strict=True)] | None = None
    batches: Annotated[int, Field(ge=0, le=10**9, strict=True)] = 0
    position: Annotated[str, Field(max_length=500)] = ""
    ended: bool = False
    more_stages: bool = False
    error: str | None = None


class _Report(_Body):
    integration_point: Annotated[str, Field(min_length=1, max_length=100)]
    read: Count
    mapped: Count
    skipped: Count
    written: Count
    failed: Count


@router.get("/clock", summary="The Vault's clock")
async def clock(request: Request, caller: SignedIn) -> Response:
    """A moment before which no change is dated that is made from now on, also when the server's clock is set back."""
    told = await vault_of(request).runs.clock(caller)
    return envelope.success(data={"date_time": date_time_text(told)})


@router.post(RUNS, summary="Run an integration now")
async def request_run(request: Request, caller: SignedIn, integration: str) -> Response:
    """A job; one that waits already is brought forward."""
    job_id = await vault_of(request).runs.request(caller, integration)
    return envelope.success(
        url=f"{base_path(request)}/services/jobs/{job_id}", job_id=job_id
    )


@router.get(RUNS, summary="Runs of an integration")
async def list_runs(
    request: Request,
    caller: SignedIn,
    integration: str,
    limit: Limit = 50,
    offset: Offset = 0,
) -> Response:
    """The latest first, with their counts; those that wait are among them."""
    runs = await vault_of(request).runs.runs(
        caller, integration, limit=limit, offset=offset
    )
    return envelope.success(
        responseDetails={"limit": limit, "offset": offset},
        data=[_run_json(run) for run in runs],
    )


@router.get(f"{RUNS}/{{job_id}}", summary="One run")
async def one_run(
    request: Request, caller: SignedIn, integration: str, job_id: Number
) -> Response:
    """Its counts, in all and by integration point, and how far the reading has come."""
    return envelope.success(
        data=_run_json(await vault_of(request).runs.run(caller, integration, job_id))
    )


@router.put(
    f"{RUNS}/{{job_id}}",
    summary="Tell how far a run has come",
    openapi_extra=OBJECT_DOCUMENTATION,
)
async def tell(
    request: Request, caller: SignedIn, integration: str, job_id: Number
) -> Response:
    """`source_time`, or `stage` with `batches`, `position`, `ended` and `more_stages`, or `error`."""
    runs, told = vault_of(request).runs, _parsed(_Progress, await read_record(request))
    if told.error is not None:
        run = await runs.give_up(
            caller, integration, job_id, told.error.replace("\x00", "")
        )
    elif told.source_time is not None:
        run = await runs.begin_reading(
            caller, integration, job_id, _in_range(told.source_time)
        )
    elif told.stage is not None:
        position = told.position.replace("\x00", "")
        paging = Paging(
            told.stage, told.batches, position, told.ended, told.more_stages
        )
        run = await runs.read_on(caller, integration, job_id, paging)
    else:
        raise VaultFault(
            ErrorType.PARAMETER_REQUIRED, "Missing required parameter [stage]"
        )
    return envelope.success(data=_run_json(run))


@router.put(
    f"{RUNS}/{{job_id}}/batches/{{batch}}",
    summary="Report a batch",
    openapi_extra=OBJECT_DOCUMENTATION,
)
async def report(
    request: Request, caller: SignedIn, integration: str, job_id: Number, batch: Number
) -> Response:
    """`integration_point` and the counts; a batch counts once, however often it is reported."""
    told = _parsed(_Report, await read_record(request))
    counts = Counts(told.read, told.mapped, told.skipped, told.written, told.failed)
    done = Batch(batch, told.integration_point.replace("\x00", ""), counts)
    return envelope.success(
        data=_run_json(
            await vault_of(request).runs.report(caller, integration, job_id, done)
        )
    )


def _parsed(kind: type[Parsed], body: dict[str, object]) -> Parsed:
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        named = ".".join(str(part) for part in error.errors()[0]["loc"])[:100]
        raise VaultFault(
            ErrorType.INVALID_DATA, f"Invalid value for parameter [{named}]"
        ) from None


def _in_range(value: datetime) -> datetime:
    try:
        return value.replace(microsecond=value.microsecond // 1000 * 1000)
    except OverflowError:
        raise VaultFault(
            ErrorType.INVALID_DATA, "Invalid value for parameter [source_time]"
        ) from None


def _run_json(run: Run) -> dict[str, object]:
    return {
        "job_id": run.job_id,
        "status": run.status,
        "created_by": run.created_by,
        "created_date": date_time_text(run.created_date),
        "run_start_date": date_time_text(run.run_start_date),
        "run_end_date": date_time_text(run.run_end_date),
        "changed_since": date_time_text(run.changed_since),
        "source_time": date_time_text(run.source_time),
        "stage": run.stage,
        "position": run.position,
        "batches": run.batches,
        "batches_reported": run.reported,
        "paged": run.paged,
        "counts": run.counts.as_json(),
        "integration_points": {
            point: counts.as_json() for point, counts in run.by_point.items()
        },
        **({} if run.error is None else {"error": run.error}),
    }
