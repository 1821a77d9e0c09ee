"""Relationships between documents, and files of documents exported to the staging area."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service.vault import documenting
from tests.service.vault.documenting import DOCUMENTS, created, document, run
from tests.service.vault.jobbing import finished
from tests.service.vault.objects import key
from tests.service.vault.profiles import execute
from tests.service.vault.served import Api
from tests.service.vault.test_loader_api import ended, rows, stage

types = documenting.types

TYPES = """
RECREATE Docrelationshiptype claims__c (label('Claims'), active(true), source_version_specific(true),
  target_version_specific(true), carry_forward_source_specific(true));
RECREATE Docrelationshiptype original__c (label('Original'), active(true), single_use(true));
RECREATE Docrelationshiptype leaflets__c (label('Leaflets'), active(true), target_doctype('Doctype.promotion__c'));
RECREATE Docrelationshiptype idle__c (label('Idle'), active(false));
"""
PIECES, CLAIMS = "related_pieces__v", "claims__c"
BATCH = f"{DOCUMENTS}/relationships/batch"
EXPORT = f"{DOCUMENTS}/batch/actions/fileextract"


@pytest.fixture(scope="module", autouse=True)
async def kinds(admin: Api, types: None) -> None:
    """Relationship types of the tests."""
    answer = await execute(admin, TYPES)
    assert answer.status == "SUCCESS", answer.text


def path(document_id: int, version: str = "0/1") -> str:
    return f"{DOCUMENTS}/{document_id}/versions/{version}/relationships"


def to(document_id: int, kind: str = PIECES, **fields: object) -> dict[str, Any]:
    return {"target_doc_id__v": document_id, "relationship_type__v": kind, **fields}


async def related(
    client: Api, document_id: int, version: str = "0/1"
) -> list[dict[str, Any]]:
    answer = await client.get(path(document_id, version))
    assert answer.status == "SUCCESS", answer.text
    for member in ("responseMessage", "errorCodes", "errorType"):
        assert answer.body[member] is None
    return [each["relationship"] for each in answer.body["relationships"]]


async def test_the_types_of_relationships_are_described(user: Api) -> None:
    answer = await user.get(
        "/metadata/objects/documents/types/promotion__c/relationships"
    )
    kinds = {each["value"]: each for each in answer.body["relationshipTypes"]}
    assert kinds[CLAIMS] == {
        "value": CLAIMS,
        "label": "Claims",
        "sourceDocVersionSpecific": True,
        "targetDocVersionSpecific": True,
        "system": False,
        "singleUse": False,
        "targetDocumentTypes": kinds[PIECES]["targetDocumentTypes"],
    }
    assert kinds["leaflets__c"]["targetDocumentTypes"] == [
        {"label": "Promotion", "value": "promotion__c"}
    ]
    assert "idle__c" not in kinds
    names = [each["name"] for each in answer.body["properties"]]
    assert len(names) == 11
    assert names[-1] == "source_vault_id__v"
    ends = [each["relationship_name"] for each in answer.body["relationships"]]
    assert ends == ["source__vr", "target__vr"]


async def test_a_relationship_is_created_read_and_deleted(
    admin: Api, user: Api
) -> None:
    source, target = await created(user), await created(user)
    made = await user.post(path(source), data=to(target))
    message = "Document relationship successfully created."
    assert made.body["responseMessage"] == message
    (found,) = await related(user, source)
    assert found.keys() == {
        "id",
        "source_doc_id__v",
        "relationship_type__v",
        "created_by__v",
        "created_date__v",
        "target_doc_id__v",
    }
    assert found["id"] == made.body["id"]
    assert (found["source_doc_id__v"], found["target_doc_id__v"]) == (source, target)
    own = f"{path(source)}/{found['id']}"
    one = (await user.get(own)).body["relationships"]
    assert one == [{"relationship": found}]
    # As with the public API, one that is there already has the id 0.
    assert (await user.post(path(source), data=to(target))).body["id"] == 0
    assert (await user.get(f"{path(target)}/{found['id']}")).error == "INVALID_DATA"
    gone = await user.delete(own)
    assert gone.body["id"] == found["id"]
    assert await related(user, source) == []
    assert (await user.delete(own)).error == "INVALID_DATA"
    trail = await admin.get(f"{DOCUMENTS}/{source}/audittrail?limit=10")
    changes = [row for row in trail.data if row["field_name"] == PIECES]
    assert {row["old_value"] or row["new_value"] for row in changes} == {str(target)}
    assert len(changes) == 2


async def test_a_relationship_of_versions_follows_them(admin: Api, user: Api) -> None:
    source, target = await created(user), await created(user)
    version = {"target_major_version__v": 0, "target_minor_version__v": 1}
    lacking = await user.post(path(source), data=to(target, CLAIMS))
    assert lacking.error == "PARAMETER_REQUIRED"
    made = await user.post(path(source), data=to(target, CLAIMS, **version))
    assert made.status == "SUCCESS", made.text
    await user.post(path(source), data=to(target))
    await user.post(f"{DOCUMENTS}/{source}?createDraft=latestContent", data={})
    carried = await related(user, source, "0/2")
    assert {each["relationship_type__v"] for each in carried} == {CLAIMS, PIECES}
    # A target that becomes steady is the same version under another number.
    assert (await run(user, target, "0/1", "approve__v")).status == "SUCCESS"
    (claim,) = [each for each in carried if each["relationship_type__v"] == CLAIMS]
    (seen,) = [
        each for each in await related(user, source, "0/2") if each["id"] == claim["id"]
    ]
    assert (seen["source_minor_version__v"], seen["target_major_version__v"]) == (2, 1)
    await admin.delete(f"{DOCUMENTS}/{source}/versions/0/2")
    assert len(await related(user, source)) == 2
    await admin.delete(f"{DOCUMENTS}/{target}")
    assert await related(user, source) == []


REFUSED: tuple[tuple[dict[str, object], str], ...] = (
    ({"target_doc_id__v": ""}, "PARAMETER_REQUIRED"),
    ({"target_doc_id__v": "999999999"}, "INVALID_DATA"),
    ({"target_doc_id__v": "some"}, "INVALID_DATA"),
    ({"relationship_type__v": ""}, "PARAMETER_REQUIRED"),
    ({"relationship_type__v": "basedon__v"}, "INVALID_DATA"),
    ({"relationship_type__v": "idle__c"}, "INVALID_DATA"),
    ({"relationship_type__v": "leaflets__c"}, "INVALID_DATA"),
    ({"target_major_version__v": "7"}, "INVALID_DATA"),
    ({"note__c": "7"}, "ATTRIBUTE_NOT_SUPPORTED"),
)


@pytest.mark.parametrize(("fields", "error"), REFUSED)
async def test_what_cannot_be_related_is_refused(
    user: Api, fields: dict[str, object], error: str
) -> None:
    source, target = await created(user), await created(user)
    sent = to(target) | fields
    assert (await user.post(path(source), data=sent)).error == error
    assert (await user.post(path(source, "7/7"), data=to(target))).error == (
        "INVALID_DATA"
    )
    row = {"source_doc_id__v": source, **sent}
    batch = await user.post(BATCH, json=[row])
    assert batch.data[0]["errors"][0]["type"] == error


async def test_many_relationships_by_csv_and_json(user: Api) -> None:
    source, target = await created(user), await created(user)
    text = (
        "id,source_doc_id__v,target_doc_id__v,relationship_type__v\n"
        f"7,{source},{target},{PIECES}\n8,{source},{target},original__c\n"
        f"9,{source},{source},original__c\n"
    )
    csv = {"Content-Type": "text/csv"}
    answer = await user.post(BATCH, data=text, headers=csv)
    statuses = [row["responseStatus"] for row in answer.data]
    assert statuses == ["SUCCESS", "SUCCESS", "FAILURE"]
    assert answer.data[2]["errors"][0]["type"] == "OPERATION_NOT_ALLOWED"
    ids = [row["id"] for row in answer.data[:2]]
    assert ids == [each["id"] for each in await related(user, source)]
    named = [{"id": each} for each in (*ids, 999_999_999)]
    gone = await user.delete(BATCH, json=named)
    assert [row.get("id") for row in gone.data] == [*ids, None]
    refused = await user.post(f"{BATCH}?idParam=external_id__v", json=[])
    assert refused.error == "ATTRIBUTE_NOT_SUPPORTED"


async def test_relationships_are_queried_with_their_documents(user: Api) -> None:
    source, target = await created(user), await created(user)
    name = (await document(user, target))["name__v"]
    await user.post(path(source), data=to(target))
    answer = await user.query(
        "SELECT source_doc_id__v, relationship_type__v, target__vr.name__v, target_major_version__v, target__vr.id"
        f" FROM relationships WHERE source__vr.version_id = '{source}_0_1' AND source_doc_id__v = {source}"
    )
    assert answer.data == [
        {
            "source_doc_id__v": source,
            "relationship_type__v": PIECES,
            "target__vr.name__v": name,
            "target_major_version__v": None,
            "target__vr.id": target,
        }
    ]
    own = f"FROM relationships WHERE target_doc_id__v = {target}"
    assert (await user.query(f"SELECT id {own} PAGESIZE 1")).data
    counted = await user.query(f"SELECT id {own} AND id > 0 ORDER BY created_date__v")
    assert counted.body["responseDetails"]["total"] == 1


async def exported(
    client: Api, path: str, sent: list[dict[str, Any]], status: str = "SUCCESS"
) -> tuple[str, list[dict[str, Any]]]:
    """Export documents, and return the job's id and its results."""
    answer = await client.post(path, json=sent)
    assert answer.status == "SUCCESS", answer.text
    job_id = answer.body["job_id"]
    assert answer.body["url"] == f"/api/v25.1/services/jobs/{job_id}"
    assert (await finished(client, int(job_id)))["status"] == status
    results = await client.get(f"{EXPORT}/{job_id}/results")
    assert results.status == "SUCCESS", results.text
    return job_id, results.data


async def test_files_of_documents_are_exported_to_the_staging_area(
    admin: Api, integration: Api, user: Api
) -> None:
    document_id = await created(integration, b"<p>kept words</p>", "letter.html")
    version = f"{DOCUMENTS}/{document_id}/versions/0/1"
    pdf = documenting.form(b"%PDF-1", "page.pdf")
    await integration.post(f"{version}/renditions/viewable_rendition__v", data=pdf)
    draft = f"{DOCUMENTS}/{document_id}?createDraft=latestContent"
    await integration.post(draft, data={})
    whole = f"{EXPORT}?renditions=true&allversions=true&text=true"
    job_id, results = await exported(integration, whole, [{"id": str(document_id)}])
    me = (await integration.get("/objects/users/me")).body["users"][0]["user"]["id"]
    home = f"/{job_id}/{document_id}"
    assert results[0] == {
        "responseStatus": "SUCCESS",
        "id": document_id,
        "major_version_number__v": 0,
        "minor_version_number__v": 1,
        "file": f"{home}/0_1/letter.html",
        "user_id__v": me,
    }
    assert {row["file"] for row in results} == {
        f"{home}/0_1/letter.html",
        f"{home}/0_1/text_file.txt",
        f"{home}/0_1/renditions/viewable_rendition__v.pdf",
        f"{home}/0_2/letter.html",
        f"{home}/0_2/text_file.txt",
    }
    staged = "/services/file_staging/items/content"
    _, _, content = await documenting.download(
        integration, f"{staged}{home}/0_1/text_file.txt"
    )
    assert content == b"kept words"
    # Others see neither the export nor, without the permission, may they begin one.
    assert (await user.get(f"{EXPORT}/{job_id}/results")).error == "INSUFFICIENT_ACCESS"
    assert (await user.post(EXPORT, json=[])).error == "INSUFFICIENT_ACCESS"
    assert (await admin.get(f"{EXPORT}/{job_id}/results")).status == "SUCCESS"


async def test_single_versions_are_exported_and_unknown_ones_are_said(
    integration: Api,
) -> None:
    document_id = await created(integration, b"<p>one</p>", ".profile")
    number = {"major_version_number__v": 0, "minor_version_number__v": 1}
    sent = [{"id": document_id, **number}, {"id": 999_999_999, **number}]
    path = f"{DOCUMENTS}/versions/batch/actions/fileextract"
    job_id, results = await exported(integration, path, sent, "ERRORS_ENCOUNTERED")
    by_id = {row["id"]: row for row in results}
    assert by_id[document_id]["file"] == f"/{job_id}/{document_id}/0_1/_.profile"
    assert by_id[999_999_999]["errors"][0]["type"] == "INVALID_DATA"
    for refused, error in (
        ([], "PARAMETER_REQUIRED"),
        ([{"id": document_id}], "PARAMETER_REQUIRED"),
        ([{"id": "some", **number}], "INVALID_DATA"),
        ([{"id": document_id, **number, "note": "x"}], "ATTRIBUTE_NOT_SUPPORTED"),
    ):
        assert (await integration.post(path, json=refused)).error == error


async def loaded(client: Api, kind: str, text: str, action: str = "create") -> str:
    """Load a file of something of documents, and return the job's id."""
    path = f"/{kind}-{key()}.csv"
    await stage(client, path, text)
    task = {"object_type": kind, "action": action, "file": path}
    answer = await client.post("/services/loader/load", json=[task])
    assert await ended(client, answer) in ("SUCCESS", "ERRORS_ENCOUNTERED")
    return str(answer.body["job_id"])


async def test_documents_are_loaded_and_extracted(integration: Api, user: Api) -> None:
    names = [f"Loaded {key()}" for _ in range(2)]
    await stage(integration, "/loaded.html", "<p>loaded</p>")
    header = "name__v,type__v,file"
    lines = [f"{name},email_template__v,/loaded.html" for name in names]
    job = await loaded(
        integration, "documents__v", "\n".join([header, *lines, "x,nothing__c,"])
    )
    succeeded = await rows(integration, int(job), "1", "successlog")
    ids = [row["id"] for row in succeeded]
    assert len(ids) == 2
    (failed,) = await rows(integration, int(job), "1", "failurelog")
    assert failed["name__v"] == "x"
    text = f"id,rendition_type__v,file\n{ids[0]},viewable_rendition__v,/loaded.html\n999999999,x,/y\n"
    job = await loaded(integration, "document_renditions__v", text)
    assert len(await rows(integration, int(job), "1", "failurelog")) == 1
    text = f"source_doc_id__v,target_doc_id__v,relationship_type__v\n{ids[0]},{ids[1]},{PIECES}\n"
    await loaded(integration, "document_relationships__v", text)
    assert len(await related(user, int(ids[0]))) == 1
    criteria = f"id CONTAINS ({', '.join(ids)})"
    tasks = [
        {
            "object_type": "documents__v",
            "fields": ["id", "name__v"],
            "vql_criteria__v": criteria,
            "extract_options": "include_source__v,include_renditions__v",
        },
        {
            "object_type": "document_versions__v",
            "fields": ["version_id"],
            "vql_criteria__v": criteria,
        },
        {
            "object_type": "document_relationships__v",
            "fields": ["target_doc_id__v"],
            "vql_criteria__v": f"source_doc_id__v = {ids[0]}",
        },
    ]
    answer = await integration.post("/services/loader/extract", json=tasks)
    assert answer.body["tasks"][0] == {"task_id": "1", **tasks[0]}
    assert await ended(integration, answer) == "SUCCESS"
    job_id = answer.body["job_id"]
    found = {row["id"]: row for row in await rows(integration, job_id, "1", "results")}
    home = f"/{job_id}/{ids[0]}/0_1"
    assert found[ids[0]] == {
        "file": f"{home}/loaded.html",
        "id": ids[0],
        "name__v": names[0],
    }
    (rendition,) = await rows(integration, job_id, "1", "results/renditions")
    assert rendition == {
        "file": f"{home}/renditions/viewable_rendition__v.html",
        "rendition_type__v": "viewable_rendition__v",
        "id": ids[0],
        "name__v": names[0],
    }
    assert len(await rows(integration, job_id, "2", "results")) == 2
    assert await rows(integration, job_id, "3", "results") == [
        {"target_doc_id__v": ids[1]}
    ]
