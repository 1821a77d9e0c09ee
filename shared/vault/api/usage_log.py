"""Serves the API usage log of a day as a ZIP of CSV or tab-separated lines."""

from __future__ import annotations

import asyncio
import tempfile
import zipfile
from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from typing import IO, Annotated, assert_never

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from shared.protocol.csv_cells import exact_csv_text
from shared.vault.api.admission import ReadsApiUsage
from shared.vault.api.body import missing
from shared.vault.api.request_context import PREFIX, vault_of
from shared.vault.api.response_envelope import STATUS_HEADER, Status
from shared.vault.security.api_usage import COLUMNS, Line

router = APIRouter(prefix=f"{PREFIX}/logs", tags=["Audit"])

OCTETS = "application/octet-stream;charset=UTF-8"
# A day's ZIP is small; while it is made it may take this much memory, and stands on the disk beyond it.
MAX_MEMORY = 2**22


class LogFormat(StrEnum):
    """Values of `log_format`: the format of the file in the ZIP."""

    CSV = "csv"
    LOGFILE = "logfile"


Format = Annotated[LogFormat, Query(description="What the file in the ZIP is.")]
Day = Annotated[date | None, Query(alias="date", description="In UTC: `2026-01-31`.")]


@router.get(
    "/api_usage",
    summary="Calls of a day",
    response_class=Response,
)
async def api_usage(
    request: Request,
    caller: ReadsApiUsage,  # noqa: ARG001  admits
    day: Day = None,
    log_format: Format = LogFormat.CSV,
) -> Response:
    """Returns the calls of users on one of the last 30 days, as a ZIP; calls of the last seconds may be missing."""
    if day is None:
        raise missing("date")
    usage = vault_of(request).api_usage
    batches = await usage.batches(day)
    with tempfile.SpooledTemporaryFile(max_size=MAX_MEMORY) as buffer:
        with (
            zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive,
            archive.open(
                f"api_usage_{day.isoformat()}.{_ending(log_format)}", "w"
            ) as file,
        ):
            await asyncio.to_thread(_write, file, [COLUMNS], log_format)
            for batch in batches:
                lines = await usage.lines(batch)
                await asyncio.to_thread(_write, file, lines, log_format)
        buffer.seek(0)
        content = buffer.read()
    headers = {
        "Content-Disposition": 'attachment;filename="response.zip"',
        STATUS_HEADER: Status.SUCCESS,
    }
    return Response(content, 200, headers, OCTETS)


def _ending(log_format: LogFormat) -> str:
    """Return the file name extension of the file in the ZIP."""
    match log_format:
        case LogFormat.CSV:
            return "csv"
        case LogFormat.LOGFILE:
            return "log"
        case _:
            assert_never(log_format)


def _write(file: IO[bytes], lines: Sequence[Line], log_format: LogFormat) -> None:
    """Write lines of the log to a file in the ZIP."""
    match log_format:
        case LogFormat.CSV:
            text = exact_csv_text(lines)
        case LogFormat.LOGFILE:
            text = "".join("\t".join(map(_cell, line)) + "\n" for line in lines)
        case _:
            assert_never(log_format)
    file.write(text.encode())


def _cell(value: object) -> str:
    """Return a value of the log without separator characters; a dash for None."""
    text = "" if value is None else " ".join(str(value).split())
    return text or "-"
