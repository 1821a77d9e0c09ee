"""Documents for tests: types and fields, forms that create them, and calls on them."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from tests.service.vault.objects import key
from tests.service.vault.served import Answer, Api

DOCUMENTS = "/objects/documents"
MDL = """
RECREATE Doctype promotion__c ( label('Promotion'), document_number_format('PRO-{####}'),
  available_lifecycles('Doclifecycle.content_lifecycle__v', 'Doclifecycle.short__c') );
RECREATE Doctype promotion__c.leaflet__c ( label('Leaflet') );
RECREATE Doctype promotion__c.leaflet__c.folded__c ( label('Folded') );
RECREATE Doclifecycle short__c ( label('Short'), Doclifecyclestate only__c ( label('Only') ) );
RECREATE Docfield channels__c ( label('Channels'), type('Picklist'), picklist('Picklist.size__c'), multi_value(true) );
RECREATE Docfield rank__c ( label('Rank'), type('Number'), min_value(1), max_value(9) );
"""
ORDERED = MDL.split(";")


@pytest.fixture(scope="module", autouse=True)
async def types(admin: Api) -> None:
    """Document types and fields of the tests."""
    order = (3, 0, 1, 2, 4, 5)  # a lifecycle before the types that have it
    text = ";".join(ORDERED[at] for at in order) + ";"
    answer = await admin.post("/api/mdl/execute", data=text)
    assert answer.status == "SUCCESS", answer.text


def form(
    content: bytes | None = None, filename: str = "letter.html", **fields: str
) -> aiohttp.FormData:
    data = aiohttp.FormData()
    for name, value in fields.items():
        data.add_field(name, value)
    if content is not None:
        data.add_field(
            "file", content, filename=filename, content_type="application/octet-stream"
        )
    return data


def template(**fields: str) -> dict[str, str]:
    return {"name__v": f"Template {key()}", "type__v": "email_template__v", **fields}


async def created(
    client: Api,
    content: bytes | None = None,
    filename: str = "letter.html",
    **fields: str,
) -> int:
    answer = await client.post(
        DOCUMENTS, data=form(content, filename, **template(**fields))
    )
    assert answer.status == "SUCCESS", answer.text
    assert answer.body["responseMessage"] == "successfully created document"
    return int(answer.body["id"])


async def document(client: Api, document_id: int, version: str = "") -> dict[str, Any]:
    path = f"{DOCUMENTS}/{document_id}{f'/versions/{version}' if version else ''}"
    answer = await client.get(path)
    assert answer.status == "SUCCESS", answer.text
    return dict(answer.body["document"])


async def download(client: Api, path: str, **headers: str) -> tuple[int, Any, bytes]:
    url = f"{client.url}/api/v25.1{path}"
    async with client.http.get(
        url, headers={"Authorization": client.session_id or "", **headers}
    ) as answer:
        return answer.status, answer.headers, await answer.read()


async def run(client: Api, document_id: int, version: str, action: str) -> Answer:
    return await client.put(
        f"{DOCUMENTS}/{document_id}/versions/{version}/lifecycle_actions/{action}"
    )
