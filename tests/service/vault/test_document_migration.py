"""Documents and versions in migration mode: in any state, under any number."""

from __future__ import annotations

from typing import Any

from tests.service.vault import documenting
from tests.service.vault.documenting import (
    DOCUMENTS,
    created,
    document,
    download,
    form,
    template,
)
from tests.service.vault.objects import key
from tests.service.vault.served import Answer, Api
from tests.service.vault.test_loader_api import load, stage

types = documenting.types
MIGRATION = {"X-VaultAPI-MigrationMode": "true"}


def outcomes(answer: Answer) -> list[str]:
    """Success or the error type, by row."""
    return [
        row["errors"][0]["type"] if "errors" in row else row["responseStatus"]
        for row in answer.data
    ]


def version(document_id: int, major: int, minor: int, **fields: Any) -> dict[str, Any]:
    return {
        "id": document_id,
        "file": "/migrated/old.txt",
        "name__v": "Old letter",
        "type__v": "Email Template",
        "lifecycle__v": "content_lifecycle__v",
        "major_version_number__v": major,
        "minor_version_number__v": minor,
        "status__v": "approved__v",
        **fields,
    }


async def test_a_document_is_created_in_a_state_and_under_a_number(admin: Api) -> None:
    number = f"OLD-{key()}"
    fields = {"major_version_number__v": "3", "minor_version_number__v": "0"}
    chosen = template(status__v="Approved", document_number__v=number, **fields)
    made = await admin.post(DOCUMENTS, data=form(None, "", **chosen), headers=MIGRATION)
    assert made.status == "SUCCESS", made.text
    stored = await document(admin, made.body["id"])
    assert stored["document_number__v"] == number
    assert stored["status__v"] == "Approved"
    assert stored["major_version_number__v"] == 3
    again = await admin.post(
        DOCUMENTS, data=form(None, "", **chosen), headers=MIGRATION
    )
    assert again.error == "ITEM_NAME_EXISTS"
    unknown = form(None, "", **template(status__v="nothing__c"))
    refused = await admin.post(DOCUMENTS, data=unknown, headers=MIGRATION)
    assert refused.error == "INVALID_DATA"
    plain = await admin.post(
        DOCUMENTS, data=form(None, "", **template(status__v="Approved"))
    )
    assert plain.status == "FAILURE"


async def test_many_documents_are_created_in_states_and_under_numbers(
    admin: Api,
) -> None:
    number = f"OLD-{key()}"
    rows = [
        template(status__v="approved__v", document_number__v=number),
        template(document_number__v=number),
        template(document_number__v="x" * 256),
        template(status__v="nothing__c"),
    ]
    batch = f"{DOCUMENTS}/batch"
    made = await admin.post(batch, json=rows, headers=MIGRATION)
    assert outcomes(made) == [
        "SUCCESS",
        "ITEM_NAME_EXISTS",
        "INVALID_DATA",
        "INVALID_DATA",
    ]
    stored = await document(admin, made.data[0]["id"])
    assert (stored["document_number__v"], stored["status__v"]) == (number, "Approved")


async def test_versions_are_created_in_states_and_under_numbers(admin: Api) -> None:
    document_id = await created(admin, b"draft")
    await stage(admin, "/migrated/old.txt", "old")
    rows = [
        version(document_id, 1, 0, title__v="First"),
        version(document_id, 0, 1),
        version(document_id, 2, 0, status__v="nothing__c"),
        version(document_id, 2, 0, colour__v="red"),
        version(document_id, 2, 0, document_number__v="X-1"),
        {**version(document_id, 2, 0), "status__v": ""},
        version(999999999, 2, 0),
    ]
    batch = f"{DOCUMENTS}/versions/batch"
    made = await admin.post(batch, json=rows, headers=MIGRATION)
    assert outcomes(made)[:3] == ["SUCCESS", "INVALID_DATA", "INVALID_DATA"]
    assert "SUCCESS" not in outcomes(made)[3:]
    assert outcomes(made)[5:] == ["PARAMETER_REQUIRED", "INVALID_DATA"]
    assert made.data[0]["major_version_number__v"] == 1
    latest = await document(admin, document_id)
    assert latest["status__v"] == "Approved"
    assert (latest["name__v"], latest["title__v"]) == ("Old letter", "First")
    draft = await document(admin, document_id, "0/1")
    assert draft["document_number__v"] == latest["document_number__v"]
    own = f"{DOCUMENTS}/{document_id}/versions/1/0"
    assert (await download(admin, f"{own}/file"))[2] == b"old"


async def test_an_earlier_version_leaves_the_latest_one(admin: Api) -> None:
    number = {"major_version_number__v": "2", "minor_version_number__v": "0"}
    document_id = await created(admin, b"new", **number)
    await stage(admin, "/migrated/old.txt", "old")
    batch = f"{DOCUMENTS}/versions/batch"
    made = await admin.post(batch, json=[version(document_id, 1, 0)], headers=MIGRATION)
    assert outcomes(made) == ["SUCCESS"]
    assert (await document(admin, document_id))["major_version_number__v"] == 2
    listed = (await admin.get(f"{DOCUMENTS}/{document_id}/versions")).body["versions"]
    assert [each["number"] for each in listed] == ["1.0", "2.0"]


async def test_the_columns_need_migration_mode(admin: Api) -> None:
    document_id = await created(admin, b"draft")
    await stage(admin, "/migrated/old.txt", "old")
    batch = f"{DOCUMENTS}/versions/batch"
    made = await admin.post(batch, json=[version(document_id, 1, 0)])
    (error,) = made.data[0]["errors"]
    assert error["type"] == "ATTRIBUTE_NOT_SUPPORTED"
    assert "migration mode" in error["message"]


async def test_migration_mode_needs_its_permission(user: Api, integration: Api) -> None:
    document_id = await created(user, b"draft")
    calls = [
        await user.post(
            DOCUMENTS, data=form(None, "", **template()), headers=MIGRATION
        ),
        await user.post(f"{DOCUMENTS}/batch", json=[template()], headers=MIGRATION),
        await user.post(
            f"{DOCUMENTS}/versions/batch",
            json=[version(document_id, 1, 0)],
            headers=MIGRATION,
        ),
    ]
    assert {answer.error for answer in calls} == {"INSUFFICIENT_ACCESS"}


async def test_a_load_has_migration_mode(admin: Api, integration: Api) -> None:
    document_id, number = await created(admin, b"draft"), f"OLD-{key()}"
    await stage(admin, "/migrated/old.txt", "old")
    row = version(document_id, 1, 0)
    await stage(
        admin, "/versions.csv", f"{','.join(row)}\n{','.join(map(str, row.values()))}\n"
    )
    text = f"name__v,type__v,status__v,document_number__v\nLetter,email_template__v,Approved,{number}\n"
    await stage(admin, "/documents.csv", text)
    task = {"action": "create", "documentmigrationmode": True}
    versions = {"object_type": "document_versions__v", "file": "/versions.csv", **task}
    documents = {"object_type": "documents__v", "file": "/documents.csv", **task}
    _, status = await load(admin, versions, documents)
    assert status == "SUCCESS"
    assert (await document(admin, document_id))["major_version_number__v"] == 1
    query = f"SELECT status__v FROM documents WHERE document_number__v = '{number}'"
    assert (await admin.query(query)).data == [{"status__v": "Approved"}]
    refused = await integration.post("/services/loader/load", json=[documents])
    assert refused.error == "INSUFFICIENT_ACCESS"
