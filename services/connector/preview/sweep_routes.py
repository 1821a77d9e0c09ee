"""The addresses of what is found out over many records: dry runs of integrations, and missing lookups."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from services.connector.asking.answers import Answers, csv_file, success
from services.connector.asking.traffic import Traffic, traffic
from services.connector.preview.record_preview import failure_json
from services.connector.preview.sweep import (
    Tally,
    counts,
    of_exceptions,
    of_integration,
    sweep,
)
from services.connector.rules.lookups import LookupSet
from services.connector.vaults.faults import passing_refusals
from services.connector.vaults.vaults import ConnectedVault, Vaults
from shared.client.errors import VaultRefused
from shared.protocol.error_types import ErrorType

BEGINNING = "1970-01-01T00:00:00Z"
COLUMNS = (
    "connection__sysr.api_name__sys",
    "reference_lookup_name__sys",
    "reference_lookup_type__sys",
    "target_object__sys",
    "target_key_field__sys",
    "source_key__sys",
    "target_key__sys",
)
"""Columns of a file of missing lookups; the last one is to be filled in."""


def router(answers: Answers) -> APIRouter:
    """The routes."""
    made = APIRouter(include_in_schema=False)

    @made.get("/dry-runs/{vault}/{integration}")
    async def dry_run(
        request: Request, vault: str, integration: str, since: str = BEGINNING
    ) -> Response:
        async def work(vaults: Vaults, own: ConnectedVault) -> Response:
            moment = _moment(since)
            with passing_refusals():
                asked = await traffic(vaults, own, integration=integration)
                return success(
                    _dry_run(
                        await sweep(asked, of_integration(asked, integration, moment))
                    )
                )

        return await answers.give(request, vault, work)

    @made.get("/missing-lookups/{vault}/{connection}")
    async def missing_lookups(
        request: Request,
        vault: str,
        connection: str,
        integration: str = "",
        since: str = BEGINNING,
        shape: Annotated[Literal["json", "csv"], Query(alias="format")] = "json",
    ) -> Response:
        async def work(vaults: Vaults, own: ConnectedVault) -> Response:
            moment = _moment(since)
            with passing_refusals():
                asked = await traffic(vaults, own, connection=connection)
                batches = (
                    of_integration(asked, integration, moment)
                    if integration
                    else of_exceptions(asked)
                )
                tally = await sweep(asked, batches)
            if shape == "csv":
                return csv_file("missing_lookups.csv", _csv(asked, tally))
            return success(
                {
                    "read": tally.read,
                    "complete": tally.complete,
                    "missing_lookups": _missing(tally),
                }
            )

        return await answers.give(request, vault, work)

    return made


def _moment(value: str) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise VaultRefused(
            ErrorType.INVALID_DATA, "[since] is a moment such as 2026-01-31T00:00:00Z"
        ) from None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _dry_run(tally: Tally) -> dict[str, object]:
    return {
        "read": tally.read,
        "written": tally.written,
        "skipped": tally.skipped,
        "failed": tally.failed,
        "complete": tally.complete,
        "writes": counts(tally.writes.items()),
        "failures": [
            {"id": item, **failure_json(failure)} for item, failure in tally.failures
        ],
        "missing_lookups": _missing(tally),
    }


def _missing(tally: Tally) -> list[dict[str, object]]:
    return [
        {
            "reference_lookup_name__sys": lookup.name,
            "reference_lookup_type__sys": _type(lookup),
            "source_key__sys": key,
            "count": count,
        }
        for lookup, key, count in tally.missing.listed()
    ]


def _csv(asked: Traffic, tally: Tally) -> str:
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    for lookup, key, _ in tally.missing.listed():
        target = (lookup.target_object or "", lookup.target_key_field or "")
        writer.writerow(
            (asked.connection.api_name, lookup.name, _type(lookup), *target, key, "")
        )
    return file.getvalue()


def _type(lookup: LookupSet) -> str:
    return f"{lookup.type}__sys"
