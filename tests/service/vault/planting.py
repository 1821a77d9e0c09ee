"""Plants records, a document and files in a Vault of the tests, each with a marker that must not leak."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.service.vault import package_calls as packages
from tests.service.vault.jobbing import finished
from tests.service.vault.served import Api
from tests.service.vault.test_loader_api import load, stage, task
from tests.unit.packages.building import data_files, vpk

# By whose reading each may be seen: see ``entitled`` in test_reading.py.
RECORD, DOCUMENT, STAGED, PERSON = "zqrecord", "zqdocument", "zqstaged", "zqperson"
MARKERS = (RECORD, DOCUMENT, STAGED, PERSON)

MDL = """
RECREATE Object secret__c ( label('Secret'), prefix('ZSE'), allow_attachments(true),
  Field key__c ( type('String'), label('Key'), unique(true), max_length(40) ),
  Field text__c ( type('String'), label('Text'), max_length(100) ),
  Field story__c ( type('LongText'), label('Story') ),
  Field scan__c ( type('Attachment'), label('Scan') ) );
RECREATE Object open__c ( label('Open'), prefix('ZOP'),
  Field key__c ( type('String'), label('Key'), unique(true), max_length(40) ),
  Field secret__c ( type('Object'), label('Secret'), object('Object.secret__c') ),
  Field reader__c ( type('Object'), label('Reader'), object('Object.user__sys') ),
  Objectaction tell__c ( label('Tell'), action('notify'), fields('reader__c'), subject('${secret__cr.text__c}'),
    body('${name__v}: ${secret__cr.text__c}, ${secret__cr.story__c}') ) );
"""
LINEAGE = {
    "X-VaultAPI-Lineage": json.dumps(
        {
            "source_vault_id": 10102,
            "integration": "taking__c",
            "integration_point": "taking_in__c",
            "time": "2026-01-31T10:00:00.000Z",
            "origins": [{"object": "account__v", "rule": "one__c"}],
        }
    )
}


@dataclass
class Planted:
    """The ids of planted records, for the addresses of routes."""

    values: dict[str, str] = field(default_factory=dict)

    def path(self, template: str) -> str:
        return template.format(**self.values)


async def planted(admin: Api) -> Planted:
    """Everything in its place, by an administrator."""
    assert (await admin.post("/api/mdl/execute", data=MDL)).status == "SUCCESS"
    values: dict[str, str] = {}
    for plant in (_records, _files, _document, _jobs, _package, _staged, _person):
        values |= await plant(admin, values)
    return Planted(values)


async def _records(admin: Api, values: Mapping[str, str]) -> dict[str, str]:
    rows = [
        {
            "name__v": f"{RECORD} name {number}",
            "key__c": f"{RECORD}-{number}",
            "text__c": f"{RECORD} text",
            "story__c": f"{RECORD} story",
            "lineage__sys": [0, "message-1", f"{RECORD}-source"],
        }
        for number in range(2)
    ]
    made = await admin.post(
        "/vobjects/secret__c?idParam=key__c", json=rows, headers=LINEAGE
    )
    secret, second = made.ids
    await admin.put(f"/vobjects/secret__c/{secret}", json={"text__c": f"{RECORD} new"})
    row = {"name__v": "Open", "key__c": "open-1", "secret__c": secret}
    (opened,) = (await admin.post("/vobjects/open__c", json=[row])).ids
    page = await admin.query("SELECT id, name__v FROM secret__c PAGESIZE 1")
    following = page.body["responseDetails"]["next_page"]
    return {
        "secret": secret,
        "second": second,
        "open": opened,
        "message_id": "message-1",
        "following": following,
    }


async def _files(admin: Api, values: Mapping[str, str]) -> dict[str, str]:
    of_record = f"/vobjects/secret__c/{values['secret']}"
    answer = await admin.post(f"{of_record}/attachments", data=_form())
    assert answer.status == "SUCCESS", answer.text
    scan = await admin.post(f"{of_record}/attachment_fields/scan__c/file", data=_form())
    assert scan.status == "SUCCESS", scan.text
    return {"attachment_id": str(answer.data[0]["id"])}


async def _document(admin: Api, values: Mapping[str, str]) -> dict[str, str]:
    form = _form(DOCUMENT, type__v="email_template__v", name__v=f"{DOCUMENT} name")
    answer = await admin.post("/objects/documents", data=form)
    assert answer.status == "SUCCESS", answer.text
    path = f"/objects/documents/{answer.body['id']}"
    renamed = await admin.put(path, data={"name__v": f"{DOCUMENT} renamed"})
    assert renamed.status == "SUCCESS", renamed.text
    rendition = f"{path}/renditions/viewable_rendition__v"
    made = await admin.post(rendition, data=_form(DOCUMENT))
    assert made.status == "SUCCESS", made.text
    attached = await admin.post(f"{path}/attachments", data=_form(DOCUMENT))
    assert attached.status == "SUCCESS", attached.text
    return {
        "document_id": str(answer.body["id"]),
        "paper_id": str(attached.data["id"]),
    }


async def _jobs(admin: Api, values: Mapping[str, str]) -> dict[str, str]:
    """Jobs of an administrator: an extract, a load of which a row fails, a deep copy."""
    asked = {
        "object_type": "vobjects__v",
        "object": "open__c",
        "extract_options": "include_source__v",
        "fields": ["id", "secret__cr.text__c"],
    }
    related = await admin.post("/services/loader/extract", json=[asked])
    own = {**asked, "object": "secret__c", "fields": ["id", "text__c"]}
    extract = await admin.post("/services/loader/extract", json=[own])
    papers = {
        "object_type": "documents__v",
        "extract_options": "include_renditions__v",
        "fields": ["id", "name__v"],
    }
    copied = await admin.post("/services/loader/extract", json=[papers])
    for answer in (related, extract, copied):
        await finished(admin, answer.body["job_id"])
    text = f"name__v,key__c\n{RECORD} loaded,load-1\n{RECORD} failed,{RECORD}-1\n"
    await stage(admin, "/secrets.csv", text)
    loaded, _ = await load(admin, task("create", "/secrets.csv", object="secret__c"))
    return {
        "extract": str(extract.body["job_id"]),
        "related": str(related.body["job_id"]),
        "papers": str(copied.body["job_id"]),
        "load": str(loaded),
    }


async def _package(admin: Api, values: Mapping[str, str]) -> dict[str, str]:
    rows = f"key__c,name__v\r\npacked-1,{RECORD} packed\r\n"
    content = vpk(data_files(10, "secret__c", "Upsert", rows, "key__c"))
    return {"package_id": await packages.imported(admin, content)}


async def _staged(admin: Api, values: Mapping[str, str]) -> dict[str, str]:
    await stage(admin, f"/kept/{STAGED}.txt", f"{STAGED} content")
    return {"folder": "kept", "staged": f"{STAGED}.txt"}


async def _person(admin: Api, values: Mapping[str, str]) -> dict[str, str]:
    sent = {
        "user_name__v": f"{PERSON}@vault.example",
        "user_first_name__v": PERSON,
        "user_last_name__v": PERSON,
        "user_email__v": f"{PERSON}@vault.example",
        "password__v": "a test's password",
    }
    answer = await admin.post("/objects/users", data=sent)
    assert answer.status == "SUCCESS", answer.text
    person = str(answer.body["id"])
    group = {"label__v": "Of a person", "members__v": person}
    made = await admin.post("/objects/groups", data=group)
    assert made.status == "SUCCESS", made.text
    return {"person": person, "group": str(made.body["id"])}


def _form(marker: str = RECORD, **fields: str) -> aiohttp.FormData:
    form = aiohttp.FormData(fields, quote_fields=False)
    form.add_field(
        "file",
        f"{marker} content".encode(),
        filename=f"{marker}.txt",
        content_type="application/octet-stream",
    )
    return form


async def body_of(api: Api, method: str, path: str, **options: Any) -> str:
    """The whole answer as text, with packed files unpacked."""
    url = path if path.startswith("/api") else f"/api/{api.version}{path}"
    headers = {"Authorization": api.session_id or ""}
    async with api.http.request(
        method, api.url + url, headers=headers, **options
    ) as answer:
        content = await answer.read()
    return str(answer.headers) + unpacked(content)


def unpacked(content: bytes) -> str:
    """The bytes of an answer as text, with packed files unpacked."""
    if content.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            parts = [name.encode() + packed.read(name) for name in packed.namelist()]
        content = b"\n".join(parts)
    return content.decode(errors="replace")
