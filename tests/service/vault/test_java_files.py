"""The vendor's Java client and files: attachments, the staging area, loads."""

from __future__ import annotations

import json

from tests.service.vault import java_session
from tests.service.vault.java_client import (
    CSV,
    FORM,
    JSON,
    MULTIPART,
    Body,
    Integer,
    JavaClient,
    Long,
    Types,
    form,
    raw,
)
from tests.service.vault.java_client import file as a_file
from tests.service.vault.java_models import ADDED, ATTACHMENT, JOB_CREATED, ROWS, STAGED
from tests.service.vault.java_session import finished, succeeded

client = java_session.client


async def test_attachments(client: JavaClient) -> None:
    script = raw(
        "text/plain",
        "RECREATE Object java_file__c (label('File'), prefix('ZJF'), allow_attachments(true));",
    )
    succeeded(
        await client.send(
            "POST", "/api/mdl/execute", script, Content_Type=JSON, Accept=JSON
        )
    )
    body = raw(JSON, json.dumps([{"name__v": "a"}, {"name__v": "b"}]))
    record, other = (
        await client.send("POST", "/vobjects/java_file__c", body, Accept=JSON)
    ).ids
    path = f"/vobjects/java_file__c/{record}/attachments"
    succeeded(
        await client.send(
            "POST", path, a_file(b"one", "plan.txt"), Content_Type=MULTIPART
        ),
        ADDED,
    )
    added = await client.send(
        "POST", path, a_file(b"two", "plan.txt"), Content_Type=MULTIPART
    )
    (one,) = succeeded(added, ADDED).data
    for shown in (
        path,
        f"{path}/{one['id']}",
        f"{path}/{one['id']}/versions",
        f"{path}/{one['id']}/versions/1",
    ):
        succeeded(await client.send("GET", shown), ATTACHMENT)
    assert (await client.send("GET", f"{path}/{one['id']}/file")).text == "two"
    assert (
        await client.send("GET", f"{path}/{one['id']}/versions/1/file")
    ).text == "one"
    # An empty form-encoded body, as its POST and DELETE without parameters are.
    restored = await client.send(
        "POST", f"{path}/{one['id']}/versions/1?restore=true", form()
    )
    assert succeeded(restored).data == {
        "id": one["id"],
        "version__v": 3,
    }
    described = form(description__v="the first again")
    succeeded(
        await client.send("PUT", f"{path}/{one['id']}", described, Content_Type=FORM)
    )
    succeeded(await client.send("DELETE", f"{path}/{one['id']}/versions/1", Body()))
    staged = a_file(
        b"three", "three.txt", kind="file", path="/three.txt", overwrite="true"
    )
    succeeded(
        await client.send(
            "POST", "/services/file_staging/items", staged, Content_Type=MULTIPART
        ),
        STAGED,
    )
    batch = "/vobjects/java_file__c/attachments/batch"
    csv = raw(
        CSV, f"id,filename__v,file,external_id__v\n{other},three.txt,/three.txt,J-1\n"
    )
    rows = succeeded(
        await client.send("POST", batch, csv, Content_Type=CSV, Accept=JSON), ATTACHMENT
    )
    key = f"{other},{rows.data[0]['id']}"
    update = raw(CSV, f"id,attachment_id,description__v\n{key},described\n")
    succeeded(
        await client.send("PUT", batch, update, Content_Type=CSV, Accept=JSON),
        ATTACHMENT,
    )
    delete = raw(CSV, f"id,attachment_id\n{key}\n")
    succeeded(
        await client.send("DELETE", batch, delete, Content_Type=CSV, Accept=JSON),
        ATTACHMENT,
    )
    succeeded(await client.send("DELETE", f"{path}/{one['id']}", Body()))
    assert succeeded(await client.send("GET", path)).data == []


async def test_attachment_fields(client: JavaClient) -> None:
    script = "RECREATE Object java_scan__c (label('S'), prefix('ZJS'), Field a__c (label('A'), type('Attachment')));"
    succeeded(
        await client.send(
            "POST",
            "/api/mdl/execute",
            raw("text/plain", script),
            Content_Type=JSON,
            Accept=JSON,
        )
    )
    created = await client.send(
        "POST", "/vobjects/java_scan__c", raw(JSON, '[{"name__v": "a"}]'), Accept=JSON
    )
    path = f"/vobjects/java_scan__c/{created.ids[0]}/attachment_fields"
    put = await client.send(
        "POST", f"{path}/a__c/file", a_file(b"one", "plan.txt"), Content_Type=MULTIPART
    )
    assert succeeded(put, ROWS).ids == created.ids
    assert (await client.send("GET", f"{path}/a__c/file")).text == "one"


async def test_files_and_loads(client: JavaClient) -> None:
    staging = "/services/file_staging"
    # The client says multipart here; a form without a file is sent URL-encoded all the same.
    folder = await client.send(
        "POST",
        f"{staging}/items",
        form(kind="folder", path="/java"),
        Content_Type=MULTIPART,
    )
    succeeded(folder, STAGED)
    rows = a_file(
        b"key__c,name__v\nJL-1,loaded\nJL-2,\n",
        "rows.csv",
        kind="file",
        path="/java/rows.csv",
        overwrite="true",
    )
    succeeded(
        await client.send("POST", f"{staging}/items", rows, Content_Type=MULTIPART),
        STAGED,
    )
    items: Types = {
        "data[].kind": str,
        "data[].path": str,
        "data[].name": str,
        "data[].size": Long,
    }
    succeeded(
        await client.send("GET", f"{staging}/items/java?recursive=true&limit=10"), items
    )
    content = await client.send(
        "GET", f"{staging}/items/content/java/rows.csv", Range="bytes=0-5"
    )
    assert (content.http_status, content.text) == (206, "key__c")
    task = {
        "object_type": "vobjects__v",
        "object": "thing__c",
        "action": "upsert",
        "file": "/java/rows.csv",
        "idparam": "key__c",
    }
    loaded = await client.send(
        "POST",
        "/services/loader/load?sendNotification=false",
        raw(JSON, json.dumps([task])),
        Accept=JSON,
    )
    job_id = succeeded(
        loaded, JOB_CREATED, {"tasks[].task_id": str, "tasks[].object": str}
    ).body["job_id"]
    assert await finished(client, job_id) == "ERRORS_ENCOUNTERED"
    for log, line in (("successlog", "JL-1"), ("failurelog", "JL-2")):
        text = await client.send(
            "GET",
            f"/services/loader/{job_id}/tasks/1/{log}",
            Content_Type=JSON,
            Accept=CSV,
        )
        assert line in text.text
    renamed = await client.send(
        "PUT",
        f"{staging}/items/java/rows.csv",
        form(name="old.csv"),
        Content_Type=MULTIPART,
    )
    assert (
        await finished(client, succeeded(renamed, STAGED).data["job_id"]) == "SUCCESS"
    )
    session = await client.send(
        "POST",
        f"{staging}/upload",
        form(path="/java/big.txt", size="6", overwrite="true"),
    )
    upload = f"{staging}/upload/{succeeded(session, STAGED).data['id']}"
    headers = {
        "Content_Type": "application/octet-stream",
        "X_VaultAPI_FilePartNumber": "1",
    }
    succeeded(await client.send("PUT", upload, Body(b"abcdef"), **headers), STAGED)
    succeeded(await client.send("GET", upload), STAGED)
    succeeded(
        await client.send("GET", f"{upload}/parts"),
        {"data[].part_number": Integer, "data[].size": Long},
    )
    committed = succeeded(await client.send("POST", upload, Body()), STAGED)
    assert await finished(client, committed.data["job_id"]) == "SUCCESS"
    gone = succeeded(
        await client.send("DELETE", f"{staging}/items/java?recursive=true", Body()),
        STAGED,
    )
    assert await finished(client, gone.data["job_id"]) == "SUCCESS"
