"""Attachments of records: files in versions, by one call and by many rows, audited, and deleted with the record."""

from __future__ import annotations

import asyncio
import hashlib
import io
import zipfile
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import aiohttp
import pytest

from shared.vault.assembly.vault import Vault
from tests.service.vault.jobbing import finished
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
TOMORROW = datetime.now(UTC) + timedelta(days=1)
TYPE = "object_type__v.api_name__v"

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


async def test_a_file_is_attached_read_and_downloaded(user: Api, vault: Vault) -> None:
    record_id = await folder(user)
    created = await attach(user, record_id, description__v="the first")
    attachment_id = created.data["id"]
    assert created.data == {"id": attachment_id, "version__v": 1}
    path = f"{FOLDERS}/{record_id}/attachments/{attachment_id}"
    (shown,) = await listed(user, record_id)
    assert (await user.get(path)).data == [shown]
    assert shown.pop("created_date__v").endswith("Z")
    me = (await user.get("/objects/users/me")).body["users"][0]["user"]["id"]
    assert shown == {
        "id": attachment_id,
        "filename__v": "plan.pdf",
        "description__v": "the first",
        "external_id__v": None,
        "format__v": "application/pdf",
        "size__v": len(PLAN),
        "md5checksum__v": hashlib.md5(PLAN).hexdigest(),  # noqa: S324  as the API names it
        "version__v": 1,
        "created_by__v": me,
        "versions": [{"version__v": 1, "url": f"/api/v25.1{path}/versions/1"}],
    }
    file = await user.get(f"{path}/file")
    assert file.text.encode() == PLAN
    assert file.headers["Content-Type"] == "application/pdf;charset=UTF-8"
    assert file.headers["Content-Disposition"] == 'attachment;filename="plan.pdf"'
    assert await content(user, f"{path}/file", Range="bytes=5-7") == b"1.4"
    assert vault.attachments.max_file == 4 * 2**30


async def test_a_file_of_the_same_name_is_a_new_version(user: Api) -> None:
    record_id = await folder(user)
    first = (await attach(user, record_id, description__v="kept")).data
    second = (await attach(user, record_id, CHANGED)).data
    assert second == {"id": first["id"], "version__v": 2}
    (shown,) = await listed(user, record_id)
    assert (shown["version__v"], shown["size__v"], shown["description__v"]) == (
        2,
        len(CHANGED),
        "kept",
    )
    path = f"{FOLDERS}/{record_id}/attachments/{first['id']}"
    assert (await user.get(f"{path}/versions")).data == shown["versions"]
    assert [each["version__v"] for each in shown["versions"]] == [1, 2]
    (older,) = (await user.get(f"{path}/versions/1")).data
    assert (older["version__v"], older["size__v"]) == (1, len(PLAN))
    assert "versions" not in older
    assert await content(user, f"{path}/versions/1/file") == PLAN
    assert await content(user, f"{path}/file") == CHANGED


async def test_the_same_bytes_are_attached_once(user: Api) -> None:
    record_id = await folder(user)
    first = (await attach(user, record_id)).data
    again = await attach(user, record_id, name="copy.pdf")
    assert (again.status, again.body["warnings"][0]["warning_type"]) == (
        "WARNING",
        "NO_DATA_CHANGES",
    )
    assert again.data == first
    assert len(await listed(user, record_id)) == 1
    elsewhere = await attach(user, await folder(user))
    assert (elsewhere.status, elsewhere.data["version__v"]) == ("SUCCESS", 1)


async def test_versions_are_restored_and_deleted(user: Api) -> None:
    record_id = await folder(user)
    attachment_id = (await attach(user, record_id, description__v="one")).data["id"]
    await attach(user, record_id, CHANGED, description__v="two")
    path = f"{FOLDERS}/{record_id}/attachments/{attachment_id}"
    assert (await user.post(f"{path}/versions/1")).error == "PARAMETER_REQUIRED"
    assert (await user.post(f"{path}/versions/1?restore=true")).data == {
        "id": attachment_id,
        "version__v": 3,
    }
    (shown,) = await listed(user, record_id)
    assert (shown["version__v"], shown["description__v"], shown["size__v"]) == (
        3,
        "one",
        len(PLAN),
    )
    assert (await user.post(f"{path}/versions/3?restore=true")).status == "WARNING"

    assert (await user.delete(f"{path}/versions/3")).status == "SUCCESS"
    assert (await user.get(f"{path}/versions/3")).error == "INVALID_DATA"
    assert await content(user, f"{path}/file") == CHANGED
    # A number is not given again.
    assert (await attach(user, record_id, b"another")).data["version__v"] == 4
    for number in (1, 2, 4):
        assert (await user.delete(f"{path}/versions/{number}")).status == "SUCCESS"
    assert await listed(user, record_id) == []
    assert (await user.get(path)).error == "INVALID_DATA"


async def test_the_description_changes(user: Api) -> None:
    record_id = await folder(user)
    attachment_id = (await attach(user, record_id, description__v="old")).data["id"]
    path = f"{FOLDERS}/{record_id}/attachments/{attachment_id}"
    assert (await user.put(path, data={"description__v": "new"})).status == "SUCCESS"
    assert (await listed(user, record_id))[0]["description__v"] == "new"
    assert (await user.put(path, data={"description__v": ""})).status == "SUCCESS"
    assert (await listed(user, record_id))[0]["description__v"] is None
    assert (
        await user.put(path, data={"description__v": "x" * 1001})
    ).error == "INVALID_DATA"
    assert (await user.put(path, data={})).error == "PARAMETER_REQUIRED"


async def test_all_attachments_in_an_archive(admin: Api) -> None:
    record_id = await folder(admin, name__v="Congress", **{TYPE: "plan__c"})
    await attach(admin, record_id, b"older")
    await attach(admin, record_id, PLAN)
    await attach(admin, record_id, b"x" * 600_000, "größe.txt")
    answer = await admin.http.get(
        f"{admin.url}/api/v25.1{FOLDERS}/{record_id}/attachments/file",
        headers={"Authorization": str(admin.session_id)},
    )
    async with answer:
        assert answer.headers["Content-Type"] == "application/zip;charset=UTF-8"
        name = "Plan Folder Congress - attachments.zip"
        assert answer.headers["Content-Disposition"] == f'attachment;filename="{name}"'
        archive = zipfile.ZipFile(io.BytesIO(await answer.read()))
    assert {each: archive.read(each) for each in archive.namelist()} == {
        "plan.pdf": PLAN,
        "größe.txt": b"x" * 600_000,
    }
    empty = await content(admin, f"{FOLDERS}/{await folder(admin)}/attachments/file")
    assert zipfile.ZipFile(io.BytesIO(empty)).namelist() == []


async def test_what_is_refused(
    admin: Api, user: Api, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_id, other = await folder(user), await folder(user)
    path = f"{FOLDERS}/{record_id}/attachments"
    attachment_id = (await attach(user, record_id)).data["id"]
    assert (
        await user.get("/vobjects/thing__c/0000/attachments")
    ).error == "OPERATION_NOT_ALLOWED"
    assert (
        await user.get("/vobjects/nothing__c/0000/attachments")
    ).error == "INVALID_DATA"
    assert (await user.get(f"{FOLDERS}/0000/attachments")).error == "INVALID_DATA"
    assert (await attach(user, "0000")).error == "INVALID_DATA"
    assert (await user.get(f"{path}/{2**31}")).error == "INVALID_DATA"
    for call in (user.get, user.delete):
        assert (await call(f"{path}/2147483647")).error == "INVALID_DATA"
        assert (
            await call(f"{FOLDERS}/{other}/attachments/{attachment_id}")
        ).error == "INVALID_DATA"
        assert (
            await call(f"{path}/{attachment_id}/versions/7")
        ).error == "INVALID_DATA"
    for name in ("..", "a\tb.pdf", "x" * 256):
        assert (await attach(user, record_id, b"1", name)).error == "INVALID_DATA", name
    assert (await attach(user, record_id, b"2", "C:\\mine\\notes.txt")).data[
        "version__v"
    ] == 1
    assert [each["filename__v"] for each in await listed(user, record_id)] == [
        "plan.pdf",
        "notes.txt",
    ]
    form = aiohttp.FormData(
        {"description__v": "without a file"}, default_to_multipart=True
    )
    assert (await user.post(path, data=form)).error == "PARAMETER_REQUIRED"
    monkeypatch.setattr(vault.attachments, "max_file", 100)
    assert (await attach(user, record_id, b"0" * 101)).error == "EXCEEDS_FILE_MAX_SIZE"
    # Integration users read and write business data, and so attachments; platform objects do not allow any.
    assert (
        await admin.get("/vobjects/connection__sys/0000/attachments")
    ).error == "OPERATION_NOT_ALLOWED"
    assert (
        await user.get("/vobjects/connection__sys/0000/attachments")
    ).error == "INSUFFICIENT_ACCESS"


async def test_queries_tell_of_attachments_in_sub_selects(
    user: Api, admin: Api
) -> None:
    record_id, other, empty = await folder(user), await folder(user), await folder(user)
    await attach(user, record_id, description__v="first")
    attachment_id = (await attach(user, record_id, CHANGED)).data["id"]
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
    attachment_id = (await attach(admin, record_id)).data["id"]
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
    first = (await attach(admin, record_id)).data["id"]
    await attach(admin, record_id, CHANGED)
    second = (await attach(admin, record_id, b"3", "other.txt")).data["id"]
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


async def test_files_are_attached_to_many_records(
    integration: Api, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = await folder(integration), await folder(integration)
    key = (await integration.get(f"{FOLDERS}/{two}")).data["key__c"]
    await staged(integration, "/attached/a.txt", b"a")
    await staged(integration, "/attached/b.txt", b"b")
    rows = [
        {
            "id": one,
            "filename__v": "a.txt",
            "file": "/attached/a.txt",
            "external_id__v": f"X-{one}",
        },
        {
            "id": one,
            "filename__v": "a.txt",
            "file": "/attached/b.txt",
            "description__v": "second",
        },
        {"id": "none", "filename__v": "a.txt", "file": "/attached/a.txt"},
        {"id": two, "filename__v": "a.txt", "file": "/attached/none.txt"},
        {
            "id": two,
            "filename__v": "a.txt",
            "file": "/attached/a.txt",
            "external_id__v": f"X-{one}",
        },
        {"id": two, "file": "/attached/a.txt"},
        {"id": two, "filename__v": "a.txt", "file": "/attached/a.txt", "size__v": 1},
        {"id": two, "filename__v": "..", "file": "/attached/a.txt"},
    ]
    answer = await integration.post(f"{FOLDERS}/attachments/batch", json=rows)
    attachment_id = answer.data[0]["id"]
    assert answer.data[:2] == [
        {"responseStatus": "SUCCESS", "id": attachment_id, "version": 1},
        {"responseStatus": "SUCCESS", "id": attachment_id, "version": 2},
    ]
    assert [row["errors"][0]["type"] for row in answer.data[2:]] == [
        "INVALID_DATA",
        "INVALID_DATA",
        "INVALID_DATA",
        "PARAMETER_REQUIRED",
        "ATTRIBUTE_NOT_SUPPORTED",
        "INVALID_DATA",
    ]
    (shown,) = await listed(integration, one)
    assert (shown["external_id__v"], shown["description__v"], shown["version__v"]) == (
        f"X-{one}",
        "second",
        2,
    )
    csv = f"key__c,filename__v,file\n{key},b.txt,/attached/b.txt\n{key},c.txt,/attached/b.txt\n"
    by_key = await integration.post(
        f"{FOLDERS}/attachments/batch?idParam=key__c",
        data=csv,
        headers={"Content-Type": "text/csv"},
    )
    assert [row["responseStatus"] for row in by_key.data] == ["SUCCESS", "WARNING"]
    assert by_key.data[1]["id"] == by_key.data[0]["id"]
    assert (
        await content(
            integration, f"{FOLDERS}/{two}/attachments/{by_key.data[0]['id']}/file"
        )
        == b"b"
    )
    monkeypatch.setattr(vault.attachment_batches, "max_file", 0)
    refused = await integration.post(f"{FOLDERS}/attachments/batch", json=rows[:1])
    assert refused.data[0]["errors"][0]["type"] == "EXCEEDS_FILE_MAX_SIZE"


async def test_many_attachments_are_described_and_deleted(admin: Api) -> None:
    one, two = await folder(admin), await folder(admin)
    await staged(admin, "/many.txt", b"many")
    rows = [
        {
            "id": each,
            "filename__v": "m.txt",
            "file": "/many.txt",
            "external_id__v": f"M-{each}",
        }
        for each in (one, two)
    ]
    first, second = [
        row["id"]
        for row in (await admin.post(f"{FOLDERS}/attachments/batch", json=rows)).data
    ]
    changes = [
        {"id": one, "attachment_id": first, "description__v": "described"},
        {"id": one, "attachment_id": first, "description__v": "again"},
        {"id": one, "attachment_id": second, "description__v": "not its own"},
        {"id": one, "attachment_id": "x", "description__v": "no id"},
        {"id": one, "attachment_id": second},
        {"attachment_id": second, "description__v": "no record"},
    ]
    answer = await admin.put(f"{FOLDERS}/attachments/batch", json=changes)
    assert answer.data[0] == {"responseStatus": "SUCCESS", "id": first, "version": 1}
    assert [row["errors"][0]["type"] for row in answer.data[1:]] == [
        *["INVALID_DATA"] * 3,
        *["PARAMETER_REQUIRED"] * 2,
    ]
    assert (await listed(admin, one))[0]["description__v"] == "described"
    by_external = [{"external_id__v": f"M-{two}", "description__v": "by external id"}]
    path = f"{FOLDERS}/attachments/batch?idParam=external_id__v"
    assert (await admin.put(path, json=by_external)).data[0]["id"] == second
    assert (await listed(admin, two))[0]["description__v"] == "by external id"
    assert (
        await admin.put(f"{FOLDERS}/attachments/batch?idParam=key__c", json=changes)
    ).error == "INVALID_DATA"
    gone = await admin.delete(
        f"{FOLDERS}/attachments/batch", json=[{"id": one, "attachment_id": first}]
    )
    assert gone.data == [{"responseStatus": "SUCCESS", "id": first}]
    gone = await admin.delete(
        path, json=[{"external_id__v": f"M-{two}"}, {"external_id__v": "none"}]
    )
    assert [row["responseStatus"] for row in gone.data] == ["SUCCESS", "FAILURE"]
    assert [await listed(admin, each) for each in (one, two)] == [[], []]


async def test_files_attached_at_the_same_time_are_versions_one_after_the_other(
    user: Api,
) -> None:
    record_id = await folder(user)
    answers = await asyncio.gather(
        *(attach(user, record_id, b"%d" % n) for n in range(8))
    )
    assert sorted(answer.data["version__v"] for answer in answers) == list(range(1, 9))
    assert len({answer.data["id"] for answer in answers}) == 1


async def test_business_users_have_no_staging_area(user: Api) -> None:
    rows = [{"id": await folder(user), "filename__v": "a", "file": "/a"}]
    assert (
        await user.post(f"{FOLDERS}/attachments/batch", json=rows)
    ).error == "INSUFFICIENT_ACCESS"


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
