"""Attachments follow their record: queried with it, audited, merged, deleted, renamed."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import aiohttp

from shared.vault.assembly.vault import Vault
from tests.service.vault import attaching
from tests.service.vault.attaching import (
    CHANGED,
    FOLDERS,
    PLAN,
    attach,
    attached,
    folder,
    listed,
    numbers,
    trail,
)
from tests.service.vault.jobbing import finished
from tests.service.vault.served import Api

object_with_attachments = attaching.object_with_attachments
TOMORROW = datetime.now(UTC) + timedelta(days=1)


async def test_queries_tell_of_attachments_in_sub_selects(
    user: Api, admin: Api
) -> None:
    record_id, other, empty = await folder(user), await folder(user), await folder(user)
    await attach(user, record_id, description__v="first")
    attachment_id = await attached(user, record_id, CHANGED)
    await attach(user, record_id, b"text", "a.TXT")
    await attach(user, other, b"text", "a.txt")
    ids = f"id CONTAINS ('{record_id}', '{other}', '{empty}')"
    names = "file_name__sys, attachment_version__sys, latest_version__sys, format__sys, size__sys, description__sys"
    sub = f"(SELECT {names} FROM {{}}attachments__sysr ORDER BY file_name__sys, attachment_version__sys)"
    head = f"SELECT id, {sub} FROM folder__c WHERE"

    async def found(options: str = "") -> list[list[object]]:
        rows = (await user.query(f"{head.format(options)} id = '{record_id}'")).data[0][
            "attachments__sysr"
        ]
        assert rows["responseDetails"]["total"] == len(rows["data"])
        return [list(row.values()) for row in rows["data"]]

    text: list[object] = ["a.TXT", 1, True, "text/plain", 4, None]
    latest: list[object] = [
        "plan.pdf",
        2,
        True,
        "application/pdf",
        len(CHANGED),
        "first",
    ]
    earlier: list[object] = [
        "plan.pdf",
        1,
        False,
        "application/pdf",
        len(PLAN),
        "first",
    ]
    assert await found() == [text, latest]
    assert await found("ALLVERSIONS ") == [text, earlier, latest]
    for where, expected in {
        "": {record_id, other},
        f" WHERE attachment_id__sys = {attachment_id}": {record_id},
        f" WHERE md5checksum__sys = '{hashlib.md5(b'text').hexdigest()}'": {  # noqa: S324
            record_id,
            other,
        },
        " WHERE size__sys > 1000": set(),
    }.items():
        semi = f"id IN (SELECT object_record_id__sys FROM attachments__sysr{where})"
        rows = (
            await user.query(f"SELECT id FROM folder__c WHERE {ids} AND {semi}")
        ).data
        assert {row["id"] for row in rows} == expected, where
    paged = f"SELECT (SELECT file_name__sys FROM attachments__sysr PAGESIZE 1) FROM folder__c WHERE id = '{record_id}'"
    first = (await user.query(paged)).data[0]["attachments__sysr"]
    rest = await user.get(first["responseDetails"]["next_page"])
    assert sorted(row["file_name__sys"] for row in (*first["data"], *rest.data)) == [
        "a.TXT",
        "plan.pdf",
    ]
    shown = await user.query("SHOW RELATIONSHIPS FROM folder__c LIKE 'attach%'")
    assert shown.data == [
        {"name": "attachments__sysr", "target": "attachments__sys", "type": "inbound"}
    ]
    assert (await admin.query("SHOW TARGETS LIKE 'attachments%'")).data == []


async def test_changes_are_audited(admin: Api) -> None:
    record_id = await folder(admin)
    attachment_id = await attached(admin, record_id)
    await attach(admin, record_id, CHANGED)
    path = f"{FOLDERS}/{record_id}/attachments/{attachment_id}"
    await admin.put(path, data={"description__v": "final"})
    await admin.delete(f"{path}/versions/1")
    await admin.delete(path)
    assert await trail(admin, record_id) == [
        ("plan.pdf (2): final", None),
        ("plan.pdf (1)", None),
        ("plan.pdf (2)", "plan.pdf (2): final"),
        ("plan.pdf (1)", "plan.pdf (2)"),
        (None, "plan.pdf (1)"),
    ]


async def test_attachments_go_with_their_record_and_their_content_with_them(
    admin: Api, vault: Vault
) -> None:
    parent = await folder(admin)
    child = await folder(admin, parent__c=parent)
    unique = f"only here {next(numbers)}".encode()
    await attach(admin, child, unique)
    sha256 = hashlib.sha256(unique).hexdigest()
    await vault.content.remove_unused(TOMORROW)
    assert await vault.content.find(sha256)
    assert (await admin.delete(FOLDERS, json=[{"id": parent}])).data[0][
        "responseStatus"
    ] == "SUCCESS"
    assert (await admin.get(f"{FOLDERS}/{child}/attachments")).error == "INVALID_DATA"
    await vault.content.remove_unused(TOMORROW)
    assert await vault.content.find(sha256) is None


async def test_deleted_attachments_are_listed(admin: Api) -> None:
    record_id = await folder(admin)
    first = await attached(admin, record_id)
    await attach(admin, record_id, CHANGED)
    second = await attached(admin, record_id, b"3", "other.txt")
    await admin.delete(f"{FOLDERS}/{record_id}/attachments/{first}/versions/1")
    await admin.delete(f"{FOLDERS}/{record_id}/attachments/{first}")
    await admin.delete(FOLDERS, json=[{"id": record_id}])
    path = "/objects/deletions/vobjects/folder__c"
    everything = await admin.get(f"{path}/attachments")
    ours = [each for each in everything.data if each["id"] in (first, second)]
    assert [
        (each["id"], each["version"], each["record_id"], each["deletion_type"])
        for each in ours
    ] == [
        (first, 1, record_id, "attachment_version__sys"),
        (first, "", record_id, "attachment__sys"),
        (second, "", record_id, "attachment__sys"),
    ]
    assert everything.body["responseDetails"]["total"] == len(everything.data)
    page = await admin.get(f"{path}/attachments?limit=1&offset=1")
    assert page.data == everything.data[1:2]
    assert (
        page.body["responseDetails"]["previous_page"]
        == f"/api/v25.1{path}/attachments?limit=1&offset=0"
    )
    assert record_id in {each["id"] for each in (await admin.get(path)).data}
    assert all(each["id"] != first for each in (await admin.get(path)).data)


async def test_merging_takes_attachments_along_and_copying_does_not(admin: Api) -> None:
    main, duplicate = await folder(admin), await folder(admin)
    await attach(admin, main)
    await attach(admin, duplicate, CHANGED)
    await attach(admin, duplicate, b"more", "more.txt")
    copied = await admin.post(f"{FOLDERS}/{duplicate}/actions/deepcopy")
    await finished(admin, copied.body["job_id"])
    plain = (
        await admin.post(
            FOLDERS,
            json=[{"source_record_id": duplicate, "key__c": f"F-{next(numbers)}"}],
        )
    ).ids[0]
    assert await listed(admin, plain) == []
    everything = (await admin.query("SELECT id FROM folder__c")).data
    assert [
        each["id"]
        for each in everything
        if each["id"] > duplicate and await listed(admin, each["id"])
    ] == []

    merged = await admin.post(
        f"{FOLDERS}/actions/merge",
        json=[{"duplicate_record_id": duplicate, "main_record_id": main}],
    )
    assert (await finished(admin, merged.data["job_id"]))["status"] == "SUCCESS"
    names = {each["filename__v"] for each in await listed(admin, main)}
    assert names == {"plan.pdf", f"{duplicate} plan.pdf", "more.txt"}


async def test_the_metadata_tells_and_a_renamed_object_keeps_them(admin: Api) -> None:
    metadata = (await admin.get("/metadata/vobjects/folder__c")).body["object"]
    assert metadata["allow_attachments"] is True
    assert (
        metadata["urls"]["attachments"]
        == "/api/v25.1/vobjects/folder__c/{id}/attachments"
    )
    plain = (await admin.get("/metadata/vobjects/thing__c")).body["object"]
    assert (plain["allow_attachments"], "attachments" in plain["urls"]) == (
        False,
        False,
    )
    script = "RECREATE Object drawer__c ( label('Drawer'), prefix('ZDR'), allow_attachments(true) );"
    assert (await admin.post("/api/mdl/execute", data=script)).status == "SUCCESS"
    record_id = (
        await admin.post("/vobjects/drawer__c", json=[{"name__v": "drawer"}])
    ).ids[0]
    form = aiohttp.FormData()
    form.add_field("file", b"kept", filename="kept.txt")
    await admin.post(f"/vobjects/drawer__c/{record_id}/attachments", data=form)
    assert (
        await admin.post(
            "/api/mdl/execute", data="RENAME Object drawer__c TO locker__c;"
        )
    ).status == "SUCCESS"
    (kept,) = (await admin.get(f"/vobjects/locker__c/{record_id}/attachments")).data
    assert kept["filename__v"] == "kept.txt"
