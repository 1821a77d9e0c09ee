"""Files attached to documents: by one call on one document or version, and on many."""

from __future__ import annotations

import io
import zipfile

import pytest

from tests.service.vault import documenting
from tests.service.vault.documenting import DOCUMENTS, created, download, form, run
from tests.service.vault.served import Answer, Api
from tests.service.vault.test_loader_api import load, stage

types = documenting.types


def errors(answer: Answer) -> list[str]:
    return [row["errors"][0]["type"] for row in answer.data if "errors" in row]


async def attached(client: Api, document_id: int, content: bytes, name: str) -> int:
    own = f"{DOCUMENTS}/{document_id}/attachments"
    answer = await client.post(own, data=form(content, name))
    assert answer.status == "SUCCESS", answer.text
    return int(answer.data["id"])


async def test_a_document_s_file_has_versions(admin: Api, user: Api) -> None:
    document_id = await created(user, b"letter")
    own = f"{DOCUMENTS}/{document_id}/attachments"
    assert (await user.get(own)).data == []
    file_id = await attached(user, document_id, b"one", "study.txt")
    assert await attached(user, document_id, b"two", "study.txt") == file_id
    again = await user.post(own, data=form(b"two", "study.txt"))
    assert again.status == "WARNING"
    assert again.data == {"id": str(file_id), "version__v": 2}
    (shown,) = (await user.get(own)).data
    assert (shown["filename__v"], shown["version__v"]) == ("study.txt", 2)
    address = shown["versions"][0]["url"].removeprefix(f"{user.url}/api/v25.1")
    assert address == f"{own}/{file_id}/versions/1"
    assert (await user.get(address)).data[0]["size__v"] == 3
    listed = (await user.get(f"{own}/{file_id}/versions")).data
    assert [each["version__v"] for each in listed] == [1, 2]
    assert (await download(user, f"{address}/file"))[2] == b"one"
    assert (await download(user, f"{own}/{file_id}/file"))[2] == b"two"
    described = await user.put(f"{own}/{file_id}", data={"description__v": "The study"})
    assert described.status == "SUCCESS"
    restored = await user.post(f"{address}?restore=true")
    assert restored.data == {"id": str(file_id), "version__v": 3}
    assert (await user.delete(f"{own}/{file_id}/versions/2")).status == "SUCCESS"
    whole = (await user.get(f"{DOCUMENTS}/{document_id}")).body["attachments"]
    assert [each["id"] for each in whole] == [file_id]
    assert (await user.delete(f"{own}/{file_id}")).status == "SUCCESS"
    assert (await user.get(f"{own}/{file_id}")).error == "INVALID_DATA"
    audited = await admin.get(f"{DOCUMENTS}/{document_id}/audittrail?limit=20")
    entries = [row for row in audited.data if row["field_name"] == "attachments"]
    assert len(entries) == 7


async def test_every_version_of_a_document_has_its_attachments(user: Api) -> None:
    document_id = await created(user, b"letter")
    file_id = await attached(user, document_id, b"one", "study.txt")
    await run(user, document_id, "0/1", "approve__v")
    await user.post(f"{DOCUMENTS}/{document_id}", data=form(b"draft"))
    own = f"{DOCUMENTS}/{document_id}"
    for number in ("1/0", "1/1"):
        shown = (await user.get(f"{own}/versions/{number}")).body
        assert [each["id"] for each in shown["attachments"]] == [file_id]
        (only,) = shown["versions"]
        assert only["number"] == number.replace("/", ".")
        assert only["value"].endswith(f"{own}/versions/{number}")
        version = f"{own}/versions/{number}/attachments"
        for listing in (version, f"{own}/version/{number}/attachments"):
            (shown,) = (await user.get(listing)).data
            assert shown["id"] == file_id
            assert shown["versions"][0]["url"].endswith(
                f"{version}/{file_id}/versions/1"
            )
        for path in (f"{file_id}/file", f"{file_id}/versions/1/file"):
            assert (await download(user, f"{version}/{path}"))[2] == b"one"
        for archive in (f"{version}/file", f"{own}/{number}/attachments/file"):
            _, headers, content = await download(user, archive)
            assert zipfile.ZipFile(io.BytesIO(content)).namelist() == ["study.txt"]
            assert "attachments.zip" in headers["Content-Disposition"]
    missing = await user.get(f"{own}/versions/3/0/attachments")
    assert missing.error == "INVALID_DATA"


async def test_many_documents_get_files_in_one_call(admin: Api) -> None:
    first, second = await created(admin), await created(admin)
    await stage(admin, "/papers/study.txt", "the study")
    batch = f"{DOCUMENTS}/attachments/batch"
    file = {"filename__v": "study.txt", "file": "/papers/study.txt"}
    rows = [
        {"document_id__v": first, "external_id__v": "STUDY-1", **file},
        {"document_id__v": second, **file},
        {"document_id__v": 999999999, **file},
        {"document_id__v": first, **file, "file": "/papers/none.txt"},
        file,
        {"id": first, **file},
    ]
    made = await admin.post(batch, json=rows)
    assert [row["responseStatus"] for row in made.data[:2]] == ["SUCCESS", "SUCCESS"]
    assert errors(made) == [
        "INVALID_DATA",
        "INVALID_DATA",
        "PARAMETER_REQUIRED",
        "ATTRIBUTE_NOT_SUPPORTED",
    ]
    described = await admin.put(
        f"{batch}?idParam=external_id__v",
        json=[{"external_id__v": "STUDY-1", "description__v": "The first"}],
    )
    assert described.data[0]["responseStatus"] == "SUCCESS"
    (shown,) = (await admin.get(f"{DOCUMENTS}/{first}/attachments")).data
    assert shown["description__v"] == "The first"
    file_id = made.data[1]["id"]
    again = await admin.put(batch, json=[{"id": file_id, "description__v": "Second"}])
    assert again.data == [{"responseStatus": "SUCCESS", "id": file_id, "version": 1}]
    refused = [{"id": file_id, "document_id__v": first}, {"id": "x"}, {}]
    assert errors(await admin.delete(batch, json=refused)) == [
        "INVALID_DATA",
        "INVALID_DATA",
        "PARAMETER_REQUIRED",
    ]
    text = f"id,document_id__v\n{file_id},{second}\n"
    csv = {"Content-Type": "text/csv"}
    removed = await admin.delete(batch, data=text, headers=csv)
    assert removed.data == [{"responseStatus": "SUCCESS", "id": file_id}]
    assert (await admin.get(f"{DOCUMENTS}/{second}/attachments")).data == []


async def test_an_attachment_of_one_version_is_refused_with_the_reason(
    admin: Api,
) -> None:
    document_id = await created(admin)
    number = {"major_version_number__v": 0, "minor_version_number__v": 1}
    row = {"document_id__v": document_id, "filename__v": "a.txt", "file": "/a.txt"}
    await stage(admin, "/a.txt", "a")
    made = await admin.post(f"{DOCUMENTS}/attachments/batch", json=[{**row, **number}])
    (error,) = made.data[0]["errors"]
    assert error["type"] == "OPERATION_NOT_ALLOWED"
    assert "all versions" in error["message"]


@pytest.mark.parametrize("path", ["", "/file", "/1", "/1/versions"])
async def test_a_deleted_document_leaves_no_attachments(admin: Api, path: str) -> None:
    document_id = await created(admin)
    await attached(admin, document_id, b"one", "study.txt")
    await admin.delete(f"{DOCUMENTS}/{document_id}")
    gone = await admin.get(f"{DOCUMENTS}/{document_id}/attachments{path}")
    assert gone.error == "INVALID_DATA"


async def test_deleted_attachments_of_documents_are_listed(admin: Api) -> None:
    document_id = await created(admin, b"letter")
    own = f"{DOCUMENTS}/{document_id}/attachments"
    first = await attached(admin, document_id, b"one", "study.txt")
    await attached(admin, document_id, b"two", "study.txt")
    second = await attached(admin, document_id, b"more", "more.txt")
    await admin.delete(f"{own}/{first}/versions/1")
    await admin.delete(f"{own}/{first}")
    await admin.delete(f"{DOCUMENTS}/{document_id}")
    path = "/objects/deletions/documents/attachments"
    everything = await admin.get(path)
    ours = [each for each in everything.data if each["id"] in (first, second)]
    assert [(each["id"], each["version"], each["deletion_type"]) for each in ours] == [
        (first, 1, "attachment_version__sys"),
        (first, "", "attachment__sys"),
        (second, "", "attachment__sys"),
    ]
    vault_id, _, named = ours[0]["global_id__sys"].partition("_")
    assert (vault_id.isdigit(), named) == (True, str(document_id))
    assert ours[0]["global_version_id__sys"] is None
    page = await admin.get(f"{path}?limit=1&offset=1")
    assert page.data == everything.data[1:2]
    assert page.body["responseDetails"]["total"] == len(everything.data)
    documents = await admin.get("/objects/deletions/documents")
    assert sum(each["id"] == document_id for each in documents.data) == 1


async def test_a_load_attaches_describes_and_deletes_files(admin: Api) -> None:
    document_id = await created(admin)
    own = f"{DOCUMENTS}/{document_id}/attachments"
    await stage(admin, "/loaded/study.txt", "the study")
    rows = (
        f"document_id__v,filename__v,file\n{document_id},study.txt,/loaded/study.txt\n"
    )
    await stage(admin, "/attach.csv", rows)
    of_attachments = {"object_type": "document_attachments__v", "file": "/attach.csv"}
    _, status = await load(admin, {**of_attachments, "action": "create"})
    (shown,) = (await admin.get(own)).data
    assert (status, shown["filename__v"]) == ("SUCCESS", "study.txt")
    await stage(admin, "/attach.csv", f"id,description__v\n{shown['id']},The study\n")
    await load(admin, {**of_attachments, "action": "update"})
    (described,) = (await admin.get(own)).data
    assert described["description__v"] == "The study"
    await stage(admin, "/attach.csv", f"id\n{shown['id']}\n")
    await load(admin, {**of_attachments, "action": "delete"})
    assert (await admin.get(own)).data == []
