"""Attachment fields: one file for a record and field, set by a call or a row, read, queried, copied, emptied, swept."""

from __future__ import annotations

import hashlib
import io
import zipfile
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import aiohttp
import asyncpg
import pytest

from local.servers import PostgresServer
from shared.vault.assembly.vault import Vault
from shared.vault.components.schema import schema_name
from shared.vault.storage.migrate import FOLDER
from tests.servers import fresh_database
from tests.service.vault.attaching import content, staged
from tests.service.vault.jobbing import finished
from tests.service.vault.profiles import with_profile
from tests.service.vault.served import Answer, Api

MDL = """
RECREATE Object dossier__c ( label('Dossier'), prefix('ZDS'),
  Field key__c ( type('String'), label('Key'), unique(true), max_length(40) ),
  Field scan__c ( type('Attachment'), label('Scan') ),
  Field letter__c ( type('Attachment'), label('Letter') ),
  Field sealed__c ( type('Attachment'), label('Sealed'), editable(false) ),
  Field parent__c ( type('Object'), label('Parent'), object('Object.dossier__c'), relationship_type('parent'),
    relationship_deletion('cascade') ) );
RECREATE Object sleeve__c ( label('Sleeve'), prefix('ZSL'), Field file__c ( type('Attachment'), label('File') ) );
"""
DOSSIERS = "/vobjects/dossier__c"
SCAN = b"%PDF-1.4 a scan"
TOMORROW = datetime.now(UTC) + timedelta(days=1)

numbers = count(1)


@pytest.fixture(scope="module", autouse=True)
async def object_with_files(admin: Api) -> None:
    answer = await admin.post("/api/mdl/execute", data=MDL)
    assert answer.status == "SUCCESS", answer.text


async def dossier(api: Api, **values: Any) -> str:
    """A new record; its id."""
    row = {"name__v": "dossier", "key__c": f"D-{next(numbers)}", **values}
    return (await api.post(DOSSIERS, json=[row])).ids[0]


def path_of(record_id: str, field: str = "scan__c") -> str:
    return f"{DOSSIERS}/{record_id}/attachment_fields/{field}/file"


async def put(
    api: Api,
    record_id: str,
    data: bytes = SCAN,
    name: str = "scan.pdf",
    field: str = "scan__c",
) -> Answer:
    form = aiohttp.FormData(quote_fields=False)
    form.add_field("file", data, filename=name, content_type="application/octet-stream")
    return await api.post(path_of(record_id, field), data=form)


async def record(api: Api, record_id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await api.get(f"{DOSSIERS}/{record_id}")).data
    return found


async def test_a_file_is_set_read_replaced_and_removed(user: Api) -> None:
    record_id = await dossier(user)
    before = await record(user, record_id)
    assert before["scan__c"] is None
    answer = await put(user, record_id)
    url = f"/api/v25.1{DOSSIERS}/{record_id}"
    assert answer.data == [
        {
            "responseStatus": "SUCCESS",
            "data": {"id": record_id, "url": url, "event": "updated__sys"},
        }
    ]
    after = await record(user, record_id)
    assert after["scan__c"].startswith("ATF-")
    assert after["modified_date__v"] > before["modified_date__v"]
    file = await user.get(path_of(record_id))
    assert file.text.encode() == SCAN
    assert file.headers["Content-Type"] == "application/pdf;charset=UTF-8"
    assert file.headers["Content-Disposition"] == 'attachment;filename="scan.pdf"'
    assert await content(user, path_of(record_id), Range="bytes=5-7") == b"1.4"

    assert (await put(user, record_id, b"another", "other.txt")).status == "SUCCESS"
    assert await content(user, path_of(record_id)) == b"another"
    assert (await put(user, record_id, b"another", "other.txt")).data[0][
        "responseStatus"
    ] == "WARNING"
    assert (
        await user.put(f"{DOSSIERS}/{record_id}", data={"scan__c": ""})
    ).status == "SUCCESS"
    assert (await record(user, record_id))["scan__c"] is None
    assert (await user.get(path_of(record_id))).error == "INVALID_DATA"


async def test_all_files_of_a_record_in_an_archive(user: Api) -> None:
    record_id = await dossier(user, name__v="Congress")
    await put(user, record_id)
    await put(user, record_id, b"Dear", "scan.pdf", "letter__c")
    all_files = f"{DOSSIERS}/{record_id}/attachment_fields/file"
    archive = zipfile.ZipFile(io.BytesIO(await content(user, all_files)))
    assert {each: archive.read(each) for each in archive.namelist()} == {
        "scan__c/scan.pdf": SCAN,
        "letter__c/scan.pdf": b"Dear",
    }
    async with user.http.get(
        f"{user.url}/api/v25.1{all_files}",
        headers={"Authorization": str(user.session_id)},
    ) as response:
        name = "Dossier Congress - attachment fields.zip"
        assert (
            response.headers["Content-Disposition"] == f'attachment;filename="{name}"'
        )


async def test_rows_name_files_of_the_staging_area_or_of_other_records(
    admin: Api,
) -> None:
    path = await staged(admin, "/dossier/staged.csv", b"a,b\n")
    one, two = f"D-{next(numbers)}", f"D-{next(numbers)}"
    rows = [
        {"name__v": "staged", "key__c": one, "scan__c": path},
        {"name__v": "none", "key__c": two, "scan__c": "/no"},
    ]
    created = (await admin.post(DOSSIERS, json=rows)).data
    assert [each["responseStatus"] for each in created] == ["SUCCESS", "FAILURE"]
    assert created[1]["errors"][0]["type"] == "INVALID_DATA"
    first = created[0]["data"]["id"]
    assert await content(admin, path_of(first)) == b"a,b\n"

    handle = (await record(admin, first))["scan__c"]
    body = f"key__c,name__v,scan__c,letter__c\n{two},copy,{handle},{path}\n{one},staged,{handle},\n"
    upserted = await admin.post(
        f"{DOSSIERS}?idParam=key__c", data=body, headers={"Content-Type": "text/csv"}
    )
    assert [each["responseStatus"] for each in upserted.data] == ["SUCCESS", "SUCCESS"]
    second = await record(admin, upserted.ids[0])
    assert (second["scan__c"], second["letter__c"]) == (handle, handle)
    unknown = "ATF-00000000-0000-0000-0000-000000000000"
    for value in (unknown, "ATF-", "../x", 7):
        answer = await admin.put(DOSSIERS, json=[{"id": first, "scan__c": value}])
        assert answer.data[0]["errors"][0]["type"] == "INVALID_DATA", value
    assert (await record(admin, first))["scan__c"] == handle


async def test_a_load_takes_files(admin: Api) -> None:
    file = await staged(admin, "/dossier/loaded.txt", b"loaded")
    key = f"D-{next(numbers)}"
    sheet = f"name__v,key__c,scan__c\nloaded,{key},{file}\nbad,{key}x,/nowhere\n"
    source = await staged(admin, "/dossier/rows.csv", sheet.encode())
    task = {
        "object_type": "vobjects__v",
        "object": "dossier__c",
        "action": "create",
        "file": source,
    }
    job_id = (await admin.post("/services/loader/load", json=[task])).body["job_id"]
    await finished(admin, job_id)
    (row,) = (
        await admin.query(
            f"SELECT FILENAME(scan__c) AS name FROM dossier__c WHERE key__c LIKE '{key}%'"
        )
    ).data
    assert row["name"] == "loaded.txt"


async def test_queries_tell_of_files(user: Api) -> None:
    record_id, other, empty = (
        await dossier(user),
        await dossier(user),
        await dossier(user),
    )
    await put(user, record_id, SCAN, "b.pdf")
    await put(user, other, b"text", "a.txt")
    md5 = hashlib.md5(SCAN).hexdigest()  # noqa: S324  as the API names it
    ids = f"id CONTAINS ('{record_id}', '{other}', '{empty}')"
    select = (
        "SELECT id, scan__c, FILENAME(scan__c) AS name, FILESIZE(scan__c) AS size, MIMETYPE(scan__c) AS type,"
        f" MD5CHECKSUM(scan__c) AS md5 FROM dossier__c WHERE {ids}"
    )
    answer = await user.query(
        f"{select} ORDER BY name", headers={"X-VaultAPI-DescribeQuery": "true"}
    )
    assert [row["id"] for row in answer.data] == [other, record_id, empty]
    handle = (await record(user, record_id))["scan__c"]
    assert answer.data[1] == {
        "id": record_id,
        "scan__c": handle,
        "name": "b.pdf",
        "size": len(SCAN),
        "type": "application/pdf",
        "md5": md5,
    }
    assert {
        answer.data[2][name] for name in ("scan__c", "name", "size", "type", "md5")
    } == {None}
    described = {
        field["name"]: field for field in answer.body["queryDescribe"]["fields"]
    }
    assert (described["scan__c"]["type"], described["name"]["function"]) == (
        "Attachment",
        "FILENAME",
    )
    for condition, expected in {
        "FILENAME(scan__c) = 'b.pdf'": {record_id},
        "name LIKE 'a%'": {other},
        "FILENAME(scan__c) != 'b.pdf'": {other, empty},
        "FILENAME(scan__c) = null": {empty},
        "scan__c = null": {empty},
        f"scan__c = '{handle}'": {record_id},
    }.items():
        found = (await user.query(f"{select} AND {condition}")).data
        assert {row["id"] for row in found} == expected, condition
    searched = "SELECT id, FILENAME(scan__c) AS name FROM dossier__c FIND ('b' SCOPE {}) WHERE id CONTAINS ('{}', '{}')"
    for scope in ("name", "FILENAME(scan__c)"):
        found = (await user.query(searched.format(scope, record_id, other))).data
        assert found == [{"id": record_id, "name": "b.pdf"}]
    child = await dossier(user, parent__c=record_id)
    (row,) = (
        await user.query(
            f"SELECT FILENAME(parent__cr.scan__c) FROM dossier__c WHERE id = '{child}'"
        )
    ).data
    assert row == {"parent__cr.scan__c": "b.pdf"}


async def test_raw_objects_tell_names_of_files_only(admin: Api) -> None:
    field = "Field scan__c ( type('Attachment'), label('Scan') )"
    script = f"RECREATE Object raw_dossier__c ( label('Raw'), prefix('ZRD'), data_store('raw'), {field} );"
    assert (await admin.post("/api/mdl/execute", data=script)).status == "SUCCESS"
    assert (
        await admin.query("SELECT FILENAME(scan__c) FROM raw_dossier__c")
    ).data == []
    for function in ("FILESIZE", "MIMETYPE", "MD5CHECKSUM"):
        answer = await admin.query(f"SELECT {function}(scan__c) FROM raw_dossier__c")
        assert answer.error == "ATTRIBUTE_NOT_SUPPORTED"


async def test_what_is_refused(
    admin: Api, user: Api, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_id = await dossier(user)
    assert (await put(user, record_id, field="key__c")).error == "INVALID_DATA"
    assert (await put(user, record_id, field="nothing__c")).error == "INVALID_DATA"
    assert (await put(user, record_id, field="sealed__c")).error == "INVALID_DATA"
    assert (await put(user, "0000")).error == "INVALID_DATA"
    assert (await put(user, record_id, name="..")).error == "INVALID_DATA"
    form = aiohttp.FormData(
        {"description__v": "without a file"}, default_to_multipart=True
    )
    assert (
        await user.post(path_of(record_id), data=form)
    ).error == "PARAMETER_REQUIRED"
    for path in (
        path_of("0000"),
        path_of(record_id, "key__c"),
        f"{DOSSIERS}/0000/attachment_fields/file",
    ):
        assert (await user.get(path)).error == "INVALID_DATA"
    assert (
        await user.get("/vobjects/connection__sys/0/attachment_fields/file")
    ).error == "INSUFFICIENT_ACCESS"
    assert (await user.delete(path_of(record_id))).error == "METHOD_NOT_SUPPORTED"
    monkeypatch.setattr(vault.attachment_fields, "max_file", 100)
    assert (await put(user, record_id, b"0" * 101)).error == "EXCEEDS_FILE_MAX_SIZE"
    path = await staged(admin, "/dossier/large.bin", b"0" * 101)
    answer = await admin.put(DOSSIERS, json=[{"id": record_id, "scan__c": path}])
    assert answer.data[0]["errors"][0]["type"] == "INVALID_DATA"
    assert (await record(user, record_id))["scan__c"] is None


async def test_to_know_a_handle_is_no_right_to_its_file(admin: Api) -> None:
    hidden = await dossier(admin)
    await put(admin, hidden, b"for readers of dossiers")
    handle = (await record(admin, hidden))["scan__c"]
    outsider = await with_profile(admin, set(), {"sleeve__c": "rced"})
    made = await outsider.post(
        "/vobjects/sleeve__c", json=[{"name__v": "mine", "file__c": handle}]
    )
    assert made.data[0]["errors"][0]["type"] == "INVALID_DATA", made.text
    reader = await with_profile(admin, set(), {"sleeve__c": "rced", "dossier__c": "r"})
    made = await reader.post(
        "/vobjects/sleeve__c", json=[{"name__v": "theirs", "file__c": handle}]
    )
    assert made.status == "SUCCESS", made.text


async def test_copies_share_a_file_and_it_is_swept_after_the_last(
    admin: Api, vault: Vault
) -> None:
    unique = f"only here {next(numbers)}".encode()
    sha256 = hashlib.sha256(unique).hexdigest()
    original = await dossier(admin)
    await put(admin, original, unique)
    copy = await dossier(admin, source_record_id=original)
    deep = (
        await admin.post(
            f"{DOSSIERS}/{original}/actions/deepcopy",
            json=[{"key__c": f"D-{next(numbers)}"}],
        )
    ).body
    await finished(admin, deep["job_id"])
    handle = (await record(admin, original))["scan__c"]
    sharing = (
        await admin.query(f"SELECT id FROM dossier__c WHERE scan__c = '{handle}'")
    ).data
    assert len(sharing) == 3
    await admin.delete(DOSSIERS, json=[row for row in sharing if row["id"] != copy])
    await vault.attachment_fields.remove_unused(TOMORROW)
    await vault.content.remove_unused(TOMORROW)
    assert await content(admin, path_of(copy)) == unique
    await admin.delete(DOSSIERS, json=[{"id": copy}])
    await vault.attachment_fields.remove_unused(TOMORROW)
    await vault.content.remove_unused(TOMORROW)
    assert await vault.content.find(sha256) is None


async def test_a_change_is_audited(admin: Api) -> None:
    record_id = await dossier(admin)
    await put(admin, record_id)
    handle = (await record(admin, record_id))["scan__c"]
    entries = (await admin.get(f"{DOSSIERS}/{record_id}/audittrail")).data
    assert [
        (e["old_value"], e["new_value"])
        for e in entries
        if e["field_name"] == "scan__c"
    ] == [(None, handle)]


async def test_a_field_is_renamed_with_its_files(admin: Api) -> None:
    record_id = await dossier(admin)
    await put(admin, record_id, field="letter__c")
    script = "ALTER Object dossier__c ( RENAME Field letter__c TO answer__c );"
    assert (await admin.post("/api/mdl/execute", data=script)).status == "SUCCESS"
    assert await content(admin, path_of(record_id, "answer__c")) == SCAN
    back = "ALTER Object dossier__c ( RENAME Field answer__c TO letter__c );"
    assert (await admin.post("/api/mdl/execute", data=back)).status == "SUCCESS"
    drop = "ALTER Object dossier__c ( DROP Field letter__c );"
    refused = await admin.post("/api/mdl/execute", data=drop)
    assert refused.status == "FAILURE"
    await admin.delete(DOSSIERS, json=[{"id": record_id}])


LONG = f"{'x' * 47}__c"
OLD_OBJECT = f"""{{"type": "Object", "name": "old__c", "attributes": {{}}, "children": [
    {{"type": "Field", "name": "file__c", "attributes": {{"type": ["Attachment"]}}, "children": []}},
    {{"type": "Field", "name": "{LONG}", "attributes": {{"type": ["Attachment"]}}, "children": []}},
    {{"type": "Field", "name": "seen__c", "attributes": {{"type": ["Attachment"], "lookup_source_field": ["x__c"]}},
      "children": []}}]}}"""


async def test_fields_from_before_they_held_files_get_their_columns(
    postgres_server: PostgresServer,
) -> None:
    async with fresh_database(postgres_server) as dsn:
        connection = await asyncpg.connect(dsn)
        migration = "0020_field_files.sql"
        for file in sorted(FOLDER.glob("*.sql")):
            if file.name < migration:
                await connection.execute(file.read_text(encoding="utf-8"))
        await connection.execute("CREATE TABLE records.old__c (id text PRIMARY KEY)")
        await connection.execute(
            "INSERT INTO platform.component (type, name, definition, modified_by) VALUES ('Object', 'old__c', $1, 1)",
            OLD_OBJECT,
        )
        await connection.execute((FOLDER / migration).read_text(encoding="utf-8"))
        rows = await connection.fetch(
            "SELECT conname FROM pg_constraint WHERE conrelid = 'records.old__c'::regclass AND contype = 'f'"
        )
        await connection.close()
    assert {row["conname"] for row in rows} == {
        schema_name("old__c", "file__c", "fkey"),
        schema_name("old__c", LONG, "fkey"),
    }
