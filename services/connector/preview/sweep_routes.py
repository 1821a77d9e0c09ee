"""Serves counts over many records: dry runs of integrations, and missing lookups."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import datetime
from enum import StrEnum
from typing import Annotated, assert_never

from fastapi import APIRouter, Query, Request, Response

from services.connector.asking.answers import Answers, csv_file, success
from services.connector.asking.caller_reads import CallerSessions
from services.connector.asking.described import described
from services.connector.asking.traffic import Traffic, traffic
from services.connector.preview.record_preview import failure_json
from services.connector.preview.sweep import (
    Batch,
    Tally,
    counts,
    of_exceptions,
    of_integration,
    sweep,
)
from services.connector.rules.lookups import LookupSet
from services.connector.vaults.vaults import ConnectedVault, Vaults, passing_refusals
from shared.client.errors import VaultRefused
from shared.protocol.csv_cells import csv_text, restorable_cell
from shared.protocol.error_types import ErrorType
from shared.protocol.json_values import read_moment

BEGINNING = "1970-01-01T00:00:00Z"
# The columns that the loader takes for records of ``reference_lookup__sys``; a person fills in the last one.
COLUMNS = (
    "connection__sysr.api_name__sys",
    "reference_lookup_name__sys",
    "reference_lookup_type__sys",
    "target_object__sys",
    "target_key_field__sys",
    "source_key__sys",
    "target_key__sys",
)


class Shape(StrEnum):
    """Form in which missing lookups are returned."""

    JSON = "json"
    CSV = "csv"


def router(answers: Answers) -> APIRouter:
    """Return the routes ``GET /dry-runs/…`` and ``GET /missing-lookups/…``."""
    routes = APIRouter(tags=["preview"])

    @routes.get(
        "/dry-runs/{vault}/{integration}",
        openapi_extra=described(reads_source=True),
    )
    async def dry_run(
        request: Request,
        vault: str,
        integration: str,
        since: str = BEGINNING,
    ) -> Response:
        """Return what a run of an integration would write, and what would fail; nothing is written."""

        async def work(vaults: Vaults, own: ConnectedVault) -> Response:
            moment, caller = _moment(since), CallerSessions.of(request)
            with passing_refusals():
                scope = await traffic(vaults, own, integration=integration)
                batches = of_integration(scope, integration, moment, caller)
                tally = await sweep(scope, batches, caller)
            return success(_dry_run(tally))

        return await answers.respond(request, vault, work)

    @routes.get(
        "/missing-lookups/{vault}/{connection}",
        openapi_extra=described(reads_source=True),
    )
    async def missing_lookups(
        request: Request,
        vault: str,
        connection: str,
        integration: str = "",
        since: str = BEGINNING,
        shape: Annotated[Shape, Query(alias="format")] = Shape.JSON,
    ) -> Response:
        """Return the source keys that lookups of a connection lack, as JSON or as CSV to complete and load."""

        async def work(vaults: Vaults, own: ConnectedVault) -> Response:
            moment, caller = _moment(since), CallerSessions.of(request)
            with passing_refusals():
                scope = await traffic(vaults, own, connection=connection)
                batches = _batches(scope, caller, integration, moment)
                tally = await sweep(scope, batches, caller)
            return _missing_lookups(scope, tally, shape)

        return await answers.respond(request, vault, work)

    return routes


def _batches(
    scope: Traffic,
    caller: CallerSessions,
    integration: str,
    since: datetime,
) -> AsyncGenerator[Batch, None]:
    """Return batches of an integration's records; without one, of the records that failed for a missing lookup."""
    if integration:
        return of_integration(scope, integration, since, caller)
    return of_exceptions(scope, caller)


def _moment(value: str) -> datetime:
    """Return the moment ``since``; one without a time zone is UTC.

    :raises VaultRefused: INVALID_DATA when it is no moment.
    """
    try:
        return read_moment(value)
    except ValueError:
        message = "[since] must be a moment such as 2026-01-31T00:00:00Z"
        raise VaultRefused(ErrorType.INVALID_DATA, message) from None


def _dry_run(tally: Tally) -> dict[str, object]:
    failures = [
        {"id": item, **failure_json(failure)} for item, failure in tally.failures
    ]
    return {
        "read": tally.read,
        "written": tally.written,
        "skipped": tally.skipped,
        "failed": tally.failed,
        "complete": tally.complete,
        "writes": counts(tally.writes.items()),
        "failures": failures,
        "missing_lookups": _missing(tally),
    }


def _missing_lookups(scope: Traffic, tally: Tally, shape: Shape) -> Response:
    match shape:
        case Shape.CSV:
            return csv_file("missing_lookups.csv", _csv(scope, tally))
        case Shape.JSON:
            data = {
                "read": tally.read,
                "complete": tally.complete,
                "missing_lookups": _missing(tally),
            }
            return success(data)
        case _:
            assert_never(shape)


def _missing(tally: Tally) -> list[dict[str, object]]:
    return [
        {
            "reference_lookup_name__sys": lookup.name,
            "reference_lookup_type__sys": _type(lookup),
            "target_object__sys": lookup.target_object,
            "target_key_field__sys": lookup.target_key_field,
            "source_key__sys": key,
            "count": count,
        }
        for lookup, key, count in tally.missing.listed()
    ]


def _csv(scope: Traffic, tally: Tally) -> str:
    lines: list[tuple[str, ...]] = [COLUMNS]
    for lookup, key, _ in tally.missing.listed():
        row = (
            scope.connection.api_name,
            lookup.name,
            _type(lookup),
            lookup.target_object or "",
            lookup.target_key_field or "",
            key,
            "",
        )
        # The upload of reference lookups takes off what stands before a formula.
        lines.append(tuple(map(restorable_cell, row)))
    return csv_text(lines)


def _type(lookup: LookupSet) -> str:
    """Return the picklist value of a lookup's type."""
    return f"{lookup.type}__sys"
