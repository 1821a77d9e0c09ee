"""Files attached to a record by one call each: read, in versions, described, deleted, in an archive."""

from __future__ import annotations

import asyncio
import hashlib
import io
import zipfile
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest

from shared.vault.assembly.vault import Vault
from tests.service.vault import attaching
from tests.service.vault.attaching import (
    CHANGED,
    FOLDERS,
    PLAN,
    attach,
    attached,
    content,
    folder,
    listed,
)
from tests.service.vault.served import Api

object_with_attachments = attaching.object_with_attachments
TOMORROW = datetime.now(UTC) + timedelta(days=1)
TYPE = "object_type__v.api_name__v"


async def test_a_file_is_attached_read_and_downloaded(user: Api, vault: Vault) -> None:
    record_id = await folder(user)
    created = await attach(user, record_id, description__v="the first")
    (data,) = created.data
    assert data == {"id": data["id"], "version__v": 1}
    # The answer to this call has the id as text, lists have it as a number.
    assert isinstance(data["id"], str)
    attachment_id = int(data["id"])
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
    first = await attached(user, record_id, description__v="kept")
    second = (await attach(user, record_id, CHANGED)).data
    assert second == [{"id": str(first), "version__v": 2}]
    (shown,) = await listed(user, record_id)
    assert (shown["version__v"], shown["size__v"], shown["description__v"]) == (
        2,
        len(CHANGED),
        "kept",
    )
    path = f"{FOLDERS}/{record_id}/attachments/{first}"
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
    assert (elsewhere.status, elsewhere.data[0]["version__v"]) == ("SUCCESS", 1)


async def test_versions_are_restored_and_deleted(user: Api) -> None:
    record_id = await folder(user)
    attachment_id = await attached(user, record_id, description__v="one")
    await attach(user, record_id, CHANGED, description__v="two")
    path = f"{FOLDERS}/{record_id}/attachments/{attachment_id}"
    assert (await user.post(f"{path}/versions/1")).error == "PARAMETER_REQUIRED"
    assert (await user.post(f"{path}/versions/1?restore=true")).data == {
        "id": str(attachment_id),
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
    assert (await attach(user, record_id, b"another")).data[0]["version__v"] == 4
    for number in (1, 2, 4):
        assert (await user.delete(f"{path}/versions/{number}")).status == "SUCCESS"
    assert await listed(user, record_id) == []
    assert (await user.get(path)).error == "INVALID_DATA"


async def test_the_description_changes(user: Api) -> None:
    record_id = await folder(user)
    attachment_id = await attached(user, record_id, description__v="old")
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
    attachment_id = await attached(user, record_id)
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
    (added,) = (await attach(user, record_id, b"2", "C:\\mine\\notes.txt")).data
    assert added["version__v"] == 1
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


async def test_files_attached_at_the_same_time_are_versions_one_after_the_other(
    user: Api,
) -> None:
    record_id = await folder(user)
    answers = await asyncio.gather(
        *(attach(user, record_id, b"%d" % n) for n in range(8))
    )
    assert sorted(answer.data[0]["version__v"] for answer in answers) == list(
        range(1, 9)
    )
    assert len({answer.data[0]["id"] for answer in answers}) == 1


async def test_business_users_have_no_staging_area(user: Api) -> None:
    rows = [{"id": await folder(user), "filename__v": "a", "file": "/a"}]
    assert (
        await user.post(f"{FOLDERS}/attachments/batch", json=rows)
    ).error == "INSUFFICIENT_ACCESS"
