"""File staging through the API: items, content by range, own folders, jobs that move and delete, uploads in parts."""

from __future__ import annotations

import base64
import hashlib
import io
from typing import Any

import aiohttp
import pytest

from local.polling import answers_within
from shared.vault.assembly.vault import Vault
from shared.vault.staging import staging_service as service
from shared.vault.staging import uploads
from tests.service.vault.profiles import with_profile
from tests.service.vault.served import Answer, Api

ITEMS = "/services/file_staging/items"
UPLOAD = "/services/file_staging/upload"


def form(path: str, content: bytes | None = None, **fields: str) -> aiohttp.FormData:
    data = aiohttp.FormData()
    data.add_field("path", path)
    data.add_field("kind", "folder" if content is None else "file")
    for name, value in fields.items():
        data.add_field(name, value)
    if content is not None:
        data.add_field(
            "file",
            io.BytesIO(content),
            filename="any.bin",
            content_type="application/octet-stream",
        )
    return data


async def create(
    client: Api, path: str, content: bytes | None = None, **fields: str
) -> Answer:
    return await client.post(ITEMS, data=form(path, content, **fields))


async def download(client: Api, path: str, **headers: str) -> tuple[int, Any, bytes]:
    url = f"{client.url}/api/v25.1{ITEMS}/content/{path}"
    async with client.http.get(
        url, headers={"Authorization": client.session_id or "", **headers}
    ) as answer:
        return answer.status, answer.headers, await answer.read()


async def ended(client: Api, answer: Answer) -> str:
    """The final status of the job of an answer."""
    path = f"/services/jobs/{answer.data['job_id']}"
    assert answer.data["url"] == f"/api/v25.1{path}"

    async def reason() -> str | None:
        status = (await client.get(path)).data["status"]
        return status if status in ("QUEUED", "RUNNING") else None

    assert await answers_within(60, reason) is None
    return str((await client.get(path)).data["status"])


async def names(client: Api, path: str, query: str = "") -> list[str]:
    answer = await client.get(f"{ITEMS}/{path}{query}")
    return [item["path"] for item in answer.data]


async def test_a_file_goes_up_and_comes_down(integration: Api) -> None:
    content = bytes(range(256)) * 5000
    answer = await create(integration, "/up/Wonder Drug.bin", content)
    md5 = hashlib.md5(content, usedforsecurity=False)
    assert answer.body == {
        "responseStatus": "SUCCESS",
        "data": {
            "kind": "file",
            "path": "/up/Wonder Drug.bin",
            "name": "Wonder Drug.bin",
            "size": len(content),
            "file_content_md5": md5.hexdigest(),
        },
    }
    status, headers, body = await download(integration, "up/Wonder Drug.bin")
    assert (status, body) == (200, content)
    assert headers["Content-Type"].startswith("application/octet-stream")
    assert headers["Content-Disposition"] == 'attachment;filename="Wonder Drug.bin"'
    listed = (await integration.get(f"{ITEMS}/up")).data
    assert listed[0].pop("modified_date").endswith("Z")
    assert listed == [
        {
            "kind": "file",
            "path": "/up/Wonder Drug.bin",
            "name": "Wonder Drug.bin",
            "size": len(content),
        }
    ]
    assert (await integration.get(f"{ITEMS}/up/Wonder Drug.bin")).data[0][
        "size"
    ] == len(content)


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-9", 0, 10),
        ("bytes=5-", 5, 1000),
        ("bytes=-7", 993, 1000),
        ("bytes=990-5000", 990, 1000),
    ],
)
async def test_ranges(integration: Api, asked: str, start: int, end: int) -> None:
    content = bytes(n % 251 for n in range(1000))
    await create(integration, "ranged.bin", content, overwrite="true")
    status, headers, body = await download(integration, "ranged.bin", Range=asked)
    assert (status, body) == (206, content[start:end])
    assert headers["Content-Range"] == f"bytes {start}-{end - 1}/1000"


@pytest.mark.parametrize(
    "asked",
    ["bytes=1000-", "bytes=9-5", "bytes=-", "rows=1-2", "bytes=0-1,4-5", "bytes=-0"],
)
async def test_what_is_no_range_of_the_file(integration: Api, asked: str) -> None:
    await create(integration, "ranged.bin", b"x" * 1000, overwrite="true")
    status, _, body = await download(integration, "ranged.bin", Range=asked)
    assert status == 200 and b"INVALID_DATA" in body


async def test_overwriting_is_asked_for(integration: Api) -> None:
    await create(integration, "over.txt", b"first", overwrite="true")
    assert (
        await create(integration, "over.txt", b"second")
    ).error == "ITEM_NAME_EXISTS"
    assert (
        await create(integration, "over.txt", b"third", overwrite="true")
    ).status == "SUCCESS"
    assert (await download(integration, "over.txt"))[2] == b"third"


async def test_a_checksum_is_checked(integration: Api) -> None:
    digest = hashlib.md5(b"content", usedforsecurity=False)
    for header in (digest.hexdigest(), base64.b64encode(digest.digest()).decode()):
        answer = await integration.post(
            ITEMS,
            data=form("sum.txt", b"content", overwrite="true"),
            headers={"Content-MD5": header},
        )
        assert answer.status == "SUCCESS"
    wrong = await integration.post(
        ITEMS, data=form("wrong.txt", b"content"), headers={"Content-MD5": "0" * 32}
    )
    assert wrong.error == "INVALID_DATA"
    assert (await integration.get(f"{ITEMS}/wrong.txt")).error == "INVALID_DATA"


async def test_folders(integration: Api) -> None:
    answer = await create(integration, "/made/inside")
    assert answer.data == {"kind": "folder", "path": "/made/inside/", "name": "inside"}
    assert (await create(integration, "/made/inside")).error == "ITEM_NAME_EXISTS"
    await create(integration, "/made/inside/a.txt", b"a")
    await create(integration, "/made/b.txt", b"b")
    assert await names(integration, "made") == ["/made/b.txt", "/made/inside"]
    assert await names(integration, "made", "?recursive=true") == [
        "/made/b.txt",
        "/made/inside",
        "/made/inside/a.txt",
    ]
    assert await names(integration, "made/") == await names(integration, "made")


async def test_pages_of_a_folder(integration: Api) -> None:
    for number in range(5):
        await create(integration, f"/paged/{number}/file.txt", b"x", overwrite="true")
    seen: list[str] = []
    path = f"{ITEMS}/paged?limit=3&recursive=true"
    while path:
        answer = await integration.get(path)
        assert len(answer.data) <= 3
        seen += [item["path"] for item in answer.data]
        following = answer.body.get("responseDetails", {}).get("next_page", "")
        path = following.removeprefix(integration.url)
    assert (
        seen == await names(integration, "paged", "?recursive=true") and len(seen) == 10
    )
    for cursor in ("!", "Li4vLi4v", "w6k="):
        assert (
            await integration.get(f"{ITEMS}/paged?cursor={cursor}")
        ).error == "INVALID_DATA"


async def test_everyone_is_in_their_own_folder_and_an_administrator_in_all(
    integration: Api, admin: Api
) -> None:
    me = (await integration.get("/objects/users/me")).body["users"][0]["user"]["id"]
    await create(integration, "/mine.txt", b"mine", overwrite="true")
    assert f"/u{me}" in await names(admin, "")
    assert (await download(admin, f"u{me}/mine.txt"))[2] == b"mine"
    assert (await download(integration, f"u{me}/mine.txt"))[2] == b"mine"
    await create(admin, "/theirs/secret.txt", b"secret", overwrite="true")
    for path in (
        "theirs/secret.txt",
        "../theirs/secret.txt",
        "u2/secret.txt",
        "%2e%2e/theirs/secret.txt",
    ):
        _, _, body = await download(integration, path)
        assert b"secret" not in body.replace(b"secret.txt", b"")
    assert "/theirs" not in await names(integration, "")


@pytest.mark.parametrize(
    "path",
    [
        "/../x",
        "a/../../x",
        "..%2Fx",
        ".hidden",
        "a\\b",
        "tab\tname",
        "x" * 300,
        "/",
        "",
    ],
)
async def test_paths_that_name_nothing(integration: Api, path: str) -> None:
    answer = await create(integration, path, b"x")
    if path == "..%2Fx":  # in a form, nothing but a name that begins with dots
        assert answer.error == "INVALID_DATA"
    assert answer.error in ("INVALID_DATA", "PARAMETER_REQUIRED")


async def test_moving_and_renaming(integration: Api) -> None:
    await create(integration, "/move/from/a.txt", b"a", overwrite="true")
    await create(integration, "/move/to")
    renamed = await integration.put(f"{ITEMS}/move/from/a.txt", data={"name": "b.txt"})
    assert await ended(integration, renamed) == "SUCCESS"
    moved = await integration.put(
        f"{ITEMS}/move/from", data={"parent": "/move/to", "name": "there"}
    )
    assert await ended(integration, moved) == "SUCCESS"
    assert await names(integration, "move", "?recursive=true") == [
        "/move/to",
        "/move/to/there",
        "/move/to/there/b.txt",
    ]
    into_itself = await integration.put(
        f"{ITEMS}/move/to", data={"parent": "/move/to/there"}
    )
    assert into_itself.error == "OPERATION_NOT_ALLOWED"
    assert (
        await integration.put(f"{ITEMS}/move/to", data={})
    ).error == "PARAMETER_REQUIRED"
    assert (
        await integration.put(f"{ITEMS}/move/to", data={"name": "../up"})
    ).error == "INVALID_DATA"
    assert (
        await integration.put(f"{ITEMS}/move/nothing", data={"name": "x"})
    ).error == "INVALID_DATA"
    await create(integration, "/move/taken.txt", b"x")
    taken = await integration.put(
        f"{ITEMS}/move/to/there/b.txt", data={"parent": "/move", "name": "taken.txt"}
    )
    assert await ended(integration, taken) == "ERRORS_ENCOUNTERED"


async def test_deleting(integration: Api) -> None:
    for name in ("1.txt", "in/2.txt", "in/deep/3.txt"):
        await create(integration, f"/gone/{name}", b"x", overwrite="true")
    assert (await integration.delete(f"{ITEMS}/gone")).error == "OPERATION_NOT_ALLOWED"
    assert (
        await ended(integration, await integration.delete(f"{ITEMS}/gone/1.txt"))
        == "SUCCESS"
    )
    assert (
        await ended(
            integration, await integration.delete(f"{ITEMS}/gone?recursive=true")
        )
        == "SUCCESS"
    )
    assert (await integration.get(f"{ITEMS}/gone")).error == "INVALID_DATA"
    assert (await integration.delete(f"{ITEMS}/gone")).error == "INVALID_DATA"
    assert (
        await integration.delete(f"{ITEMS}/?recursive=true")
    ).error == "OPERATION_NOT_ALLOWED"


async def test_a_form_without_what_it_needs(integration: Api) -> None:
    for data, error in (
        ({"path": "/x", "kind": "file"}, "PARAMETER_REQUIRED"),
        ({"path": "/x", "kind": "link"}, "INVALID_DATA"),
        ({"kind": "folder"}, "PARAMETER_REQUIRED"),
    ):
        assert (await integration.post(ITEMS, data=data)).error == error
    listed = await integration.get(f"{ITEMS}?format_result=csv")
    assert listed.error == "ATTRIBUTE_NOT_SUPPORTED"


async def test_files_have_bounds(
    vault: Vault, integration: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MAX_UPLOAD", 1000)
    assert (
        await create(integration, "large.bin", b"x" * 1001)
    ).error == "EXCEEDS_FILE_MAX_SIZE"
    assert (
        await create(integration, "large.bin", b"x" * 1000, overwrite="true")
    ).status == "SUCCESS"
    monkeypatch.setattr(
        vault.staging, "limits", service.StagingLimits(file_bytes=500, user_bytes=2**40)
    )
    assert (
        await create(integration, "larger.bin", b"x" * 501)
    ).error == "EXCEEDS_FILE_MAX_SIZE"
    opened = await integration.post(UPLOAD, data={"path": "/larger.bin", "size": "501"})
    assert opened.error == "EXCEEDS_FILE_MAX_SIZE"
    monkeypatch.setattr(
        vault.staging,
        "limits",
        service.StagingLimits(file_bytes=10**6, user_bytes=1000),
    )
    assert (
        await create(integration, "another.bin", b"x")
    ).error == "EXCEEDS_FILE_MAX_SIZE"


async def put_part(
    client: Api, session: str, number: int, part: bytes, **headers: str
) -> Answer:
    headers = {
        "X-VaultAPI-FilePartNumber": str(number),
        "Content-Type": "application/octet-stream",
        **headers,
    }
    return await client.put(f"{UPLOAD}/{session}", data=part, headers=headers)


async def test_an_upload_in_parts(integration: Api) -> None:
    parts = [b"a" * 70_000, b"b" * 70_000, b"c" * 10]
    size = sum(map(len, parts))
    opened = await integration.post(
        UPLOAD,
        data={"path": "/parts/whole.bin", "size": str(size), "overwrite": "true"},
    )
    session = opened.data["id"]
    created = opened.data["created_date"]
    assert opened.data == {
        "path": "/parts/whole.bin",
        "name": "whole.bin",
        "id": session,
        "expiration_date": opened.data["expiration_date"],
        "created_date": created,
        "last_uploaded_date": created,
        "owner": opened.data["owner"],
        "uploaded_parts": 0,
        "size": size,
        "uploaded": 0,
        "overwrite": True,
    }
    assert (await put_part(integration, session, 2, parts[1])).error == "INVALID_DATA"
    first = await put_part(integration, session, 1, b"wrong at first")
    md5 = hashlib.md5(parts[0], usedforsecurity=False).hexdigest()
    first = await put_part(integration, session, 1, parts[0], **{"Content-MD5": md5})
    assert first.data == {"size": 70_000, "part_number": 1, "part_content_md5": md5}
    assert (
        await put_part(integration, session, 2, parts[1], **{"Content-MD5": md5})
    ).error == "INVALID_DATA"
    assert (await integration.post(f"{UPLOAD}/{session}")).error == "INVALID_DATA"
    for number in (2, 3):
        await put_part(integration, session, number, parts[number - 1])
    details = (await integration.get(f"{UPLOAD}/{session}")).data
    assert (details["uploaded_parts"], details["uploaded"]) == (3, size)
    listed = await integration.get(f"{UPLOAD}/{session}/parts?limit=2")
    assert [part["part_number"] for part in listed.data] == [1, 2]
    rest = await integration.get(
        listed.body["responseDetails"]["next_page"].removeprefix(integration.url)
    )
    assert [part["size"] for part in rest.data] == [
        10
    ] and "responseDetails" not in rest.body
    assert session in [each["id"] for each in (await integration.get(UPLOAD)).data]

    committed = await integration.post(
        f"{UPLOAD}/{session}", headers={"Content-Type": "application/json"}
    )
    assert await ended(integration, committed) == "SUCCESS"
    assert (await download(integration, "parts/whole.bin"))[2] == b"".join(parts)
    assert (await integration.get(f"{UPLOAD}/{session}")).error == "INVALID_DATA"


async def test_an_upload_does_not_take_the_place_of_a_file_unasked(
    vault: Vault, integration: Api
) -> None:
    await create(integration, "/parts/there.bin", b"there", overwrite="true")
    refused = await integration.post(
        UPLOAD, data={"path": "/parts/there.bin", "size": "3"}
    )
    assert refused.error == "ITEM_NAME_EXISTS"
    opened = await integration.post(
        UPLOAD, data={"path": "/parts/late.bin", "size": "3"}
    )
    session = opened.data["id"]
    await put_part(integration, session, 1, b"abc")
    await create(integration, "/parts/late.bin", b"meanwhile")
    assert (
        await ended(integration, await integration.post(f"{UPLOAD}/{session}"))
        == "ERRORS_ENCOUNTERED"
    )
    assert (await download(integration, "parts/late.bin"))[2] == b"meanwhile"
    await ended(integration, await integration.delete(f"{ITEMS}/parts/late.bin"))
    assert (
        await ended(integration, await integration.post(f"{UPLOAD}/{session}"))
        == "SUCCESS"
    )
    assert (await download(integration, "parts/late.bin"))[2] == b"abc"


async def test_an_upload_is_its_owners(integration: Api, admin: Api, user: Api) -> None:
    opened = await admin.post(UPLOAD, data={"path": "/admin.bin", "size": "3"})
    session = opened.data["id"]
    for answer in (
        await integration.get(f"{UPLOAD}/{session}"),
        await integration.get(f"{UPLOAD}/{session}/parts"),
        await put_part(integration, session, 1, b"abc"),
        await integration.post(f"{UPLOAD}/{session}"),
        await integration.delete(f"{UPLOAD}/{session}"),
        await user.get(UPLOAD),
    ):
        assert answer.error == "INSUFFICIENT_ACCESS"
    assert session not in [each["id"] for each in (await integration.get(UPLOAD)).data]
    mine = await integration.post(UPLOAD, data={"path": "/mine.bin", "size": "3"})
    assert (await admin.get(f"{UPLOAD}/{mine.data['id']}")).status == "SUCCESS"
    for client, each in ((admin, session), (integration, mine.data["id"])):
        assert (await client.delete(f"{UPLOAD}/{each}")).status == "SUCCESS"
        assert (await client.delete(f"{UPLOAD}/{each}")).error == "INVALID_DATA"


async def test_parts_have_bounds(
    integration: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = await integration.post(UPLOAD, data={"path": "/bounds.bin", "size": "100"})
    session = opened.data["id"]
    assert (
        await put_part(integration, session, 1, b"x" * 101)
    ).error == "EXCEEDS_FILE_MAX_SIZE"
    monkeypatch.setattr(uploads, "MAX_PART", 50)
    assert (
        await put_part(integration, session, 1, b"x" * 51)
    ).error == "EXCEEDS_FILE_MAX_SIZE"
    monkeypatch.setattr(uploads, "MAX_PARTS", 1)
    assert (await put_part(integration, session, 1, b"x" * 50)).status == "SUCCESS"
    assert (await put_part(integration, session, 2, b"x" * 50)).error == "INVALID_DATA"
    await integration.delete(f"{UPLOAD}/{session}")
    for fields in (
        {"path": "/x"},
        {"size": "3"},
        {"path": "/x", "size": "0"},
        {"path": "/x", "size": "many"},
    ):
        assert (await integration.post(UPLOAD, data=fields)).error in (
            "PARAMETER_REQUIRED",
            "INVALID_DATA",
        )


async def test_expired_uploads_and_their_parts_are_removed(
    vault: Vault, integration: Api
) -> None:
    opened = await integration.post(UPLOAD, data={"path": "/expired.bin", "size": "3"})
    session = opened.data["id"]
    await put_part(integration, session, 1, b"abc")
    assert await vault.files.list(f"uploads/{session}")
    async with vault.database.connection() as connection:
        await connection.execute(
            "UPDATE platform.upload_session SET expiration_date = now() WHERE id = $1",
            session,
        )
    assert await vault.uploads.purge() >= 1
    assert not await vault.files.list(f"uploads/{session}")
    assert (await integration.get(f"{UPLOAD}/{session}")).error == "INVALID_DATA"


async def test_one_user_leaves_room_for_the_uploads_of_others(
    admin: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "MAX_OWN_SESSIONS", 2)
    somebody = await with_profile(admin, {"use_staging"}, {})
    opened: list[tuple[Api, str]] = []
    for number in range(2):
        sent = {"path": f"own-{number}.bin", "size": "10"}
        answer = await somebody.post(UPLOAD, data=sent)
        opened.append((somebody, answer.data["id"]))
    refused = await somebody.post(UPLOAD, data={"path": "own-3.bin", "size": "10"})
    assert refused.error == "OPERATION_NOT_ALLOWED"
    assert "2 of one user" in refused.message
    for number in range(3):
        sent = {"path": f"/admins-{number}.bin", "size": "10"}
        answer = await admin.post(UPLOAD, data=sent)
        assert answer.status == "SUCCESS", answer.text
        opened.append((admin, answer.data["id"]))
    for client, session in opened:
        assert (await client.delete(f"{UPLOAD}/{session}")).status == "SUCCESS"
