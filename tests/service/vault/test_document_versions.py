"""Versions of documents: states that create them, which are served, dates, numbers, files of later versions."""

from __future__ import annotations

import asyncio

import pytest

from shared.vault.assembly.vault import Vault
from shared.vault.storage.migrate import FOLDER
from tests.service.vault import documenting
from tests.service.vault.documenting import (
    DOCUMENTS,
    created,
    document,
    download,
    form,
    run,
    template,
)
from tests.service.vault.served import Api

types = documenting.types


async def test_an_approved_draft_is_the_next_major_version(user: Api) -> None:
    document_id = await created(user, b"one")
    actions = await user.get(
        f"{DOCUMENTS}/{document_id}/versions/0/1/lifecycle_actions"
    )
    (approve,) = actions.body["lifecycle_actions__v"]
    assert (approve["name__v"], approve["state__v"], approve["executable__v"]) == (
        "approve__v",
        "draft__v",
        True,
    )
    needed = await user.get(approve["entry_requirements__v"].removeprefix(user.url))
    assert needed.body["properties"] == []
    assert (
        await run(user, document_id, "0/1", "expire__v")
    ).error == "INSUFFICIENT_ACCESS"
    assert (await run(user, document_id, "0/1", "approve__v")).body["id"] == document_id
    shown = await document(user, document_id)
    assert (shown["version_id"], shown["status__v"]) == (
        f"{document_id}_1_0",
        "Approved",
    )
    assert (
        await user.get(f"{DOCUMENTS}/{document_id}/versions/0/1")
    ).error == "INVALID_DATA"
    assert (await download(user, f"{DOCUMENTS}/{document_id}/versions/1/0/file"))[
        2
    ] == b"one"

    drafted = await user.post(f"{DOCUMENTS}/{document_id}", data=form(b"two"))
    assert (
        drafted.body["major_version_number__v"],
        drafted.body["minor_version_number__v"],
    ) == (1, 1)
    assert (await document(user, document_id))["status__v"] == "Draft"
    await run(user, document_id, "1/1", "approve__v")
    states = {
        row["version_id"]: row["status__v"]
        for row in (
            await user.query(
                f"SELECT version_id, status__v FROM ALLVERSIONS documents WHERE id = {document_id}"
            )
        ).data
    }
    assert states == {
        f"{document_id}_1_0": "Superseded",
        f"{document_id}_2_0": "Approved",
    }
    steady = await user.query(
        f"SELECT id FROM documents WHERE id = {document_id} AND status__v = STEADYSTATE()"
    )
    assert len(steady.data) == 1


STEADY_CALLS = ("/file", "/renditions", "/renditions/viewable_rendition__v", "")
"""What a call on the latest version reads: each of them takes ``steadyState``."""


async def test_only_approved_content_is_served_to_those_who_ask_for_it(
    user: Api,
) -> None:
    document_id = await created(user, b"approved")
    own = f"{DOCUMENTS}/{document_id}"
    for call in STEADY_CALLS:
        refused = await user.get(f"{own}{call}?steadyState=true")
        assert refused.error == "INVALID_DATA", call
    await run(user, document_id, "0/1", "approve__v")
    rendition = f"{own}/renditions/viewable_rendition__v"
    await user.post(rendition, data=form(b"approved", "x.pdf"))
    await user.post(own, data=form(b"draft"))
    await user.post(rendition, data=form(b"draft", "x.pdf"))

    served = {}
    for steady in ("true", "false"):
        asked = f"?steadyState={steady}"
        _, _, file = await download(user, f"{own}/file{asked}")
        _, _, shown = await download(user, f"{rendition}{asked}")
        listed = (await user.get(f"{own}/renditions{asked}")).body["renditions"]
        read = (await user.get(f"{own}{asked}")).body["document"]["version_id"]
        content = listed["viewable_rendition__v"].removeprefix(user.url)
        _, _, addressed = await download(user, content.removeprefix("/api/v25.1"))
        served[steady] = (file, shown, addressed, read)
    assert served == {
        "true": (*[b"approved"] * 3, f"{document_id}_1_0"),
        "false": (*[b"draft"] * 3, f"{document_id}_1_1"),
    }
    for call in STEADY_CALLS:
        answer = await user.get(f"{own}{call}?steadyState=perhaps")
        assert answer.message == "Invalid value for parameter [steadyState]", call


async def test_changes_are_dated_in_milliseconds_by_the_clock_of_the_vault(
    admin: Api, user: Api
) -> None:
    """So that clients that ask for changes since a moment miss none, and find a version by the date that it shows."""
    told = (await admin.get("/services/clock")).data["date_time"]
    document_id = await created(user)
    dates = [(await document(user, document_id))["version_modified_date__v"]]
    for title in ("First", "Second"):
        await user.put(f"{DOCUMENTS}/{document_id}", data={"title__v": title})
        dates.append((await document(user, document_id))["version_modified_date__v"])
    assert told <= dates[0] < dates[1] < dates[2]
    answer = await user.query(
        f"SELECT id FROM documents WHERE id = {document_id} AND version_modified_date__v = '{dates[2]}'"
    )
    assert [row["id"] for row in answer.data] == [document_id]


async def test_a_version_shows_who_made_it(admin: Api, user: Api, vault: Vault) -> None:
    document_id = await created(user, b"one")
    await run(admin, document_id, "0/1", "approve__v")
    await admin.post(f"{DOCUMENTS}/{document_id}", data=form(b"two"))
    await user.post(f"{DOCUMENTS}/{document_id}", data=form(b"three"))
    await user.post(f"{DOCUMENTS}/{document_id}", data=form(b"four"))
    await run(user, document_id, "1/2", "approve__v")
    fields = "version_id, version_created_by__v"
    query = f"SELECT {fields} FROM ALLVERSIONS documents WHERE id = {document_id}"
    shown = {
        row["version_id"]: row["version_created_by__v"]
        for row in (await user.query(query)).data
    }
    mine, admins = [
        (await client.get("/objects/users/me")).body["users"][0]["user"]["id"]
        for client in (user, admin)
    ]
    expected = {
        f"{document_id}_1_0": mine,
        f"{document_id}_1_1": admins,
        f"{document_id}_2_0": mine,
        f"{document_id}_1_3": mine,
    }
    assert shown == expected
    assert await found_by_migration(vault, document_id) == expected


async def found_by_migration(vault: Vault, document_id: int) -> dict[str, int]:
    """Who made each version, as a Vault finds it in its audit trail that has not stored it."""
    script = (FOLDER / "0033_version_creators.sql").read_text()
    table = "records.document_version__sys"
    async with vault.database.connection() as connection:
        transaction = connection.transaction()
        await transaction.start()
        try:
            column = "version_created_by__v"
            await connection.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
            await connection.execute(script)
            rows = await connection.fetch(
                f"SELECT id, {column} FROM {table} WHERE document_id__sys = $1",
                document_id,
            )
            return {row["id"]: row[column] for row in rows}
        finally:
            await transaction.rollback()


SENT_BACK = (
    "id",
    "version_id",
    "type__v",
    "lifecycle__v",
    "status__v",
    "document_number__v",
    "major_version_number__v",
    "created_by__v",
    "document_creation_date__v",
    "size__v",
    "md5checksum__v",
    "locked__v",
    "latest_version__v",
    "version_created_by__v",
)


async def test_a_whole_document_may_be_sent_back(user: Api) -> None:
    document_id = await created(user, b"one", title__v="Before", rank__c="2")
    own = f"{DOCUMENTS}/{document_id}"
    shown = await document(user, document_id)
    whole = {**shown, "title__v": "After"}
    assert (await user.put(own, json=whole)).body["id"] == document_id
    batch = f"{DOCUMENTS}/batch"
    (row,) = (await user.put(batch, json=[{**whole, "rank__c": 3}])).data
    assert row["responseStatus"] == "SUCCESS", row
    after = await document(user, document_id)
    assert (after["title__v"], after["rank__c"]) == ("After", 3)
    for name in SENT_BACK:
        (error,) = (await user.put(own, json={**shown, name: "9"})).body["errors"]
        assert name in error["message"], name
        assert "document_version" not in error["message"], name


@pytest.mark.parametrize(
    "names",
    [
        ("major_version_number__v", "minor_version_number__v"),
        ("major_version__v", "minor_version__v"),
    ],
)
async def test_the_number_of_a_first_version_has_two_names(
    user: Api, names: tuple[str, str]
) -> None:
    chosen = dict(zip(names, ("1", "2"), strict=True))
    document_id = await created(user, None, **chosen)
    answer = await user.post(f"{DOCUMENTS}/batch", json=[template(**chosen)])
    for each in (document_id, answer.data[0]["id"]):
        assert (await document(user, each))["version_id"] == f"{each}_1_2"


async def test_a_version_goes_on_with_the_file_of_the_latest(user: Api) -> None:
    document_id = await created(user, b"same", rank__c="4")
    assert (await user.post(f"{DOCUMENTS}/{document_id}")).error == "PARAMETER_REQUIRED"
    assert (
        await user.post(f"{DOCUMENTS}/{document_id}?createDraft=other")
    ).error == "INVALID_DATA"
    await user.post(f"{DOCUMENTS}/{document_id}", data={"createDraft": "latestContent"})
    shown = await document(user, document_id)
    assert (shown["version_id"], shown["rank__c"], shown["size__v"]) == (
        f"{document_id}_0_2",
        4,
        4,
    )
    numbers = await user.get(f"{DOCUMENTS}/{document_id}/versions")
    assert [version["number"] for version in numbers.body["versions"]] == ["0.1", "0.2"]


async def test_versions_made_at_once_follow_each_other(user: Api) -> None:
    document_id = await created(user)
    answers = await asyncio.gather(
        *(
            user.post(f"{DOCUMENTS}/{document_id}", data=form(str(n).encode()))
            for n in range(5)
        )
    )
    assert sorted(answer.body["minor_version_number__v"] for answer in answers) == [
        2,
        3,
        4,
        5,
        6,
    ]
    latest = await user.query(
        f"SELECT version_id FROM documents WHERE id = {document_id}"
    )
    assert [row["version_id"] for row in latest.data] == [f"{document_id}_0_6"]
