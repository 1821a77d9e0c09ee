"""Content files of components: uploaded, named by a component, found again."""

from __future__ import annotations

import hashlib

import aiohttp
import pytest

from shared.vault.assembly.vault import Vault
from shared.vault.configuration.component_files import MAX_FILE_BYTES
from tests.service.vault.served import Answer, Api

CONTENT = b"%PDF-1.4 a template"


async def upload(
    api: Api, content: bytes = CONTENT, name: str = "Quote.pdf", field: str = "file"
) -> Answer:
    form = aiohttp.FormData(quote_fields=False)
    form.add_field(field, content, filename=name, content_type="application/pdf")
    return await api.post("/api/mdl/files", data=form)


async def test_a_file_is_uploaded_referred_to_and_read(
    admin: Api, integration: Api
) -> None:
    data = (await upload(admin)).data
    name = data["name__v"]
    assert data == {
        "name__v": name,
        "original_name__v": "Quote.pdf",
        "format__v": "application/pdf",
        "size__v": len(CONTENT),
        "sha1_checksum__v": hashlib.sha1(CONTENT).hexdigest(),  # noqa: S324  as the API names it
    }
    assert len(name) == 32
    assert (await upload(admin)).data["name__v"] == name
    text = (
        f"RECREATE Formattedoutput quote__c (label('Quote'), template_file('{name}'));"
    )
    assert (await admin.post("/api/mdl/execute", data=text)).status == "SUCCESS"
    answer = await integration.get("/api/mdl/components/Formattedoutput.quote__c/files")
    assert answer.data == [data]
    (link,) = answer.body["links"]
    assert (link["rel"], link["method"], link["accept"]) == (
        "content",
        "GET",
        "application/pdf",
    )
    file = await integration.get(link["href"])
    assert (file.text.encode(), file.headers["Content-Disposition"]) == (
        CONTENT,
        'attachment;filename="Quote.pdf"',
    )


async def test_a_component_without_files_has_none(admin: Api) -> None:
    answer = await admin.get("/api/mdl/components/Picklist.colour__c/files")
    assert (answer.data, answer.body["links"]) == ([], [])
    assert (
        await admin.get("/api/mdl/components/Picklist.never__c/files")
    ).error == "INVALID_DATA"
    assert (await admin.get("/api/mdl/files/never")).error == "INVALID_DATA"


# Large bytes are what is refused here.
@pytest.mark.filterwarnings(
    "ignore:Sending a large body directly with raw bytes:ResourceWarning"
)
async def test_uploads_that_are_refused(admin: Api, integration: Api) -> None:
    assert (await upload(admin, field="other")).error == "PARAMETER_REQUIRED"
    assert (
        await upload(admin, b"0" * (MAX_FILE_BYTES + 1))
    ).error == "EXCEEDS_FILE_MAX_SIZE"
    assert (await upload(integration)).error == "INSUFFICIENT_ACCESS"
    data = (await upload(admin, b"named badly", "../a/b.bin")).data
    assert (data["original_name__v"], data["format__v"]) == (
        "b.bin",
        "application/octet-stream",
    )


async def test_what_no_component_names_makes_room(admin: Api, vault: Vault) -> None:
    unused = (await upload(admin, b"unused")).data["name__v"]
    used = (await upload(admin, b"used")).data["name__v"]
    text = f"RECREATE Signaturepage page__c (label('Page'), file('{used}'));"
    assert (await admin.post("/api/mdl/execute", data=text)).status == "SUCCESS"
    async with vault.database.connection() as connection:
        await connection.execute(
            "UPDATE platform.component_file SET created_date = now() - interval '8 days'"
        )
    await upload(admin, b"another")
    assert (await admin.get(f"/api/mdl/files/{unused}")).error == "INVALID_DATA"
    assert (await admin.get(f"/api/mdl/files/{used}")).text == "used"
