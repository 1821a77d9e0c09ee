"""Serves Direct Data: lists its files and returns their parts; the call that makes a file is our own addition."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from shared.vault.api import response_envelope as envelope
from shared.vault.api.admission import MakesDirectData
from shared.vault.api.body import missing, read_fields
from shared.vault.api.file_body import file_response
from shared.vault.api.jobs import submitted
from shared.vault.api.openapi.request_bodies import form_documentation
from shared.vault.api.own_address import origin
from shared.vault.api.request_context import (
    PREFIX,
    SignedIn,
    base_path,
    parse_moment,
    vault_of,
)
from shared.vault.direct_data.direct_data_service import Period
from shared.vault.direct_data.direct_data_table import DataFile

router = APIRouter(prefix=f"{PREFIX}/services/directdata/files", tags=["Direct Data"])

When = Annotated[
    str | None, Query(description="`YYYY-MM-DDTHH:MMZ`, with or without seconds.")
]
Kind = Annotated[
    str | None,
    Query(
        description="`full_directdata`, `incremental_directdata` or `log_directdata`; all of them without it."
    ),
]
MAKE = form_documentation(
    {"extract_type": "`full_directdata`, `incremental_directdata` or `log_directdata`"}
)


@router.get("", summary="Direct Data files")
async def files(
    request: Request,
    caller: SignedIn,
    extract_type: Kind = None,
    start_time: When = None,
    stop_time: When = None,
) -> Response:
    """Lists the Direct Data files that can be downloaded, the latest last, with the address of each part.

    `start_time` and `stop_time` restrict the list to files whose period lies between them. Full files start at
    2000-01-01T00:00Z.
    """
    period = Period(
        parse_moment("start_time", start_time), parse_moment("stop_time", stop_time)
    )
    found = await vault_of(request).direct_data.listed(caller, extract_type, period)
    data = [_shown(request, file) for file in found]
    return envelope.success(responseDetails={"total": len(data)}, data=data)


@router.get("/{part_name}", summary="Download a part of a Direct Data file")
async def download(request: Request, caller: SignedIn, part_name: str) -> Response:
    """Returns a part of a file; all parts, concatenated, are a `.tar.gz`."""
    direct_data = vault_of(request).direct_data
    file_name, size, content = await direct_data.part(caller, part_name)
    return file_response(content, file_name, size)


@router.post("", summary="Make a Direct Data file now", openapi_extra=MAKE)
async def make(request: Request, caller: MakesDirectData) -> Response:
    """Starts a job that makes a file of the requested type, even if the Vault makes files on a schedule."""
    fields = await read_fields(request)
    extract_type = fields.get("extract_type", "").strip()
    if not extract_type:
        raise missing("extract_type")
    job_id = await vault_of(request).direct_data.request(caller, extract_type)
    return submitted(request, job_id)


def _shown(request: Request, file: DataFile) -> dict[str, object]:
    """Return a Direct Data file as an entry of the list."""
    folder = f"{origin(request)}{base_path(request)}/services/directdata/files"
    parts: list[dict[str, object]] = []
    for number, part in enumerate(file.parts, 1):
        name = f"{file.name}.{number:03}"
        parts.append(
            {
                "name": name,
                "filename": f"{file.name}.tar.gz.{number:03}",
                "filepart": number,
                "size": part.size,
                "md5checksum": part.md5,
                "url": f"{folder}/{name}",
            }
        )
    return {
        "name": file.name,
        "filename": f"{file.name}.tar.gz",
        "extract_type": file.extract_type,
        "start_time": _minute(file.start_time),
        "stop_time": _minute(file.stop_time),
        "record_count": file.record_count,
        "size": file.size,
        "fileparts": len(parts),
        "filepart_details": parts,
    }


def _minute(moment: datetime) -> str:
    """Return a moment in the format of the list: in UTC, without seconds."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%MZ}"
