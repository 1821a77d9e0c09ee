"""An object with attachments, and the calls by which tests attach files to its records and read them."""

from __future__ import annotations

from itertools import count
from typing import Any

import aiohttp
import pytest

from tests.service.vault.served import Answer, Api

MDL = """
RECREATE Object folder__c ( label('Folder'), prefix('ZFO'), allow_attachments(true), allow_types(true),
  Field key__c ( type('String'), label('Key'), unique(true), max_length(40) ),
  Field parent__c ( type('Object'), label('Parent'), object('Object.folder__c'), relationship_type('parent'),
    relationship_deletion('cascade') ) );
RECREATE Objecttype folder__c.plan__c ( label('Plan Folder') );
"""
FOLDERS = "/vobjects/folder__c"
PLAN, CHANGED = b"%PDF-1.4 a plan", b"%PDF-1.4 the plan, changed"
numbers = count(1)


@pytest.fixture(scope="module", autouse=True)
async def object_with_attachments(admin: Api) -> None:
    answer = await admin.post("/api/mdl/execute", data=MDL)
    assert answer.status == "SUCCESS", answer.text


async def folder(api: Api, **values: Any) -> str:
    """A new record; its id."""
    row = {"name__v": "folder", "key__c": f"F-{next(numbers)}", **values}
    return (await api.post(FOLDERS, json=[row])).ids[0]


async def attach(
    api: Api,
    record_id: str,
    content: bytes = PLAN,
    name: str = "plan.pdf",
    **fields: str,
) -> Answer:
    form = aiohttp.FormData(fields, quote_fields=False)
    form.add_field(
        "file", content, filename=name, content_type="application/octet-stream"
    )
    return await api.post(f"{FOLDERS}/{record_id}/attachments", data=form)


async def attached(
    api: Api,
    record_id: str,
    content: bytes = PLAN,
    name: str = "plan.pdf",
    **fields: str,
) -> int:
    """Attach a file; return the id of the attachment."""
    answer = await attach(api, record_id, content, name, **fields)
    (data,) = answer.data
    return int(data["id"])


async def listed(api: Api, record_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (
        await api.get(f"{FOLDERS}/{record_id}/attachments")
    ).data
    return found


async def content(api: Api, path: str, **headers: str) -> bytes:
    sent = {"Authorization": str(api.session_id), **headers}
    async with api.http.get(f"{api.url}/api/v25.1{path}", headers=sent) as response:
        assert response.headers["X-VaultAPI-Status"] == "SUCCESS"
        return await response.read()


async def staged(api: Api, path: str, data: bytes) -> str:
    form = aiohttp.FormData({"kind": "file", "path": path, "overwrite": "true"})
    form.add_field("file", data, filename=path)
    assert (
        await api.post("/services/file_staging/items", data=form)
    ).status == "SUCCESS"
    return path


async def trail(admin: Api, record_id: str) -> list[tuple[str | None, str | None]]:
    """Old and new value of each change of a record's attachments, the latest first."""
    entries = (await admin.get(f"{FOLDERS}/{record_id}/audittrail")).data
    return [
        (e["old_value"], e["new_value"])
        for e in entries
        if e["field_name"] == "attachments"
    ]
