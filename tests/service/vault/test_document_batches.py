"""Many documents in one call: faulty rows fail separately; files are on the staging area."""

from __future__ import annotations

import asyncio

import pytest

from tests.service.vault.documenting import document, download, form
from tests.service.vault.objects import key
from tests.service.vault.served import Answer, Api

BATCH = "/objects/documents/batch"


def outcomes(answer: Answer) -> list[str]:
    """Success or the error type, by row."""
    assert answer.status == "SUCCESS", answer.text
    return [
        row["errors"][0]["type"] if "errors" in row else row["responseStatus"]
        for row in answer.data
    ]


def row(**fields: object) -> dict[str, object]:
    return {"name__v": f"Document {key()}", "type__v": "email_template__v", **fields}


async def created(client: Api, *rows: dict[str, object]) -> list[int]:
    answer = await client.post(BATCH, json=list(rows))
    assert set(outcomes(answer)) == {"SUCCESS"}, answer.text
    return [row["id"] for row in answer.data]


async def test_documents_are_created_and_wrong_rows_fail_alone(
    admin: Api, user: Api
) -> None:
    path = f"decks/{key()}.txt"
    staged = form(b"Take with food", "x.txt", kind="file", path=path)
    assert (
        await admin.post("/services/file_staging/items", data=staged)
    ).status == "SUCCESS"
    rows = [
        row(subject__v="One", file=path),
        row(type__v="nothing__v"),
        row(file="nothing.txt"),
        row(name__v=""),
        row(colour__v="red"),
        row(
            type__v="Presentation",
            language__v="german__v",
            expiration_date__v="2027-01-31",
        ),
    ]
    answer = await admin.post(BATCH, json=rows)
    assert outcomes(answer) == [
        "SUCCESS",
        "INVALID_DATA",
        "INVALID_DATA",
        "PARAMETER_REQUIRED",
        "ATTRIBUTE_NOT_SUPPORTED",
        "SUCCESS",
    ]
    first, last = answer.data[0]["id"], answer.data[5]["id"]
    shown = await document(user, first)
    assert (shown["version_id"], shown["subject__v"], shown["status__v"]) == (
        f"{first}_0_1",
        "One",
        "Draft",
    )
    assert (await download(user, f"/objects/documents/{first}/file"))[
        2
    ] == b"Take with food"
    assert (await document(user, last))["type__v"] == "Presentation"
    trail = await admin.get(f"/objects/documents/{last}/audittrail")
    assert [entry["action"] for entry in trail.data] == ["Create"]
    found = await user.query(
        f"SELECT id FROM documents FIND ('food' SCOPE CONTENT) WHERE id = {first}"
    )
    assert [found_row["id"] for found_row in found.data] == [first]


async def test_latest_versions_are_changed_by_id_and_by_external_id(
    admin: Api, user: Api
) -> None:
    own = key()
    first, second, third = await created(
        user,
        row(external_id__v=own),
        row(external_id__v=f"{own}-2"),
        row(external_id__v=f"{own}-2"),
    )
    answer = await user.put(
        BATCH,
        json=[
            {"id": first, "subject__v": "A", "from_name__v": "Someone"},
            {"id": str(second), "subject__v": "B"},
            {"id": first, "subject__v": "C"},
            {"id": 2_000_000_000, "subject__v": "D"},
            {"id": "one", "subject__v": "E"},
            {"id": third, "language__v": "klingon__v"},
        ],
    )
    assert outcomes(answer) == ["SUCCESS", "SUCCESS", *["INVALID_DATA"] * 4]
    assert [(await document(user, each))["subject__v"] for each in (first, second)] == [
        "A",
        "B",
    ]
    trail = (await admin.get(f"/objects/documents/{first}/audittrail")).data
    assert {
        (entry["field_name"], entry["new_value"])
        for entry in trail
        if entry["action"] == "Edit"
    } == {
        ("subject__v", "A"),
        ("from_name__v", "Someone"),
    }
    text = (
        f"external_id__v,subject__v\r\n{own},by key\r\n{own}-2,twice there\r\n,none\r\n"
    )
    headers = {"Content-Type": "text/csv"}
    answer = await user.put(
        f"{BATCH}?idParam=external_id__v", data=text, headers=headers
    )
    assert outcomes(answer) == ["SUCCESS", "INVALID_DATA", "INVALID_DATA"]
    assert (await document(user, first))["subject__v"] == "by key"
    assert (
        await user.put(f"{BATCH}?idParam=size__v", json=[{"size__v": 1}])
    ).error == "INVALID_DATA"


async def test_results_have_the_external_ids_of_documents(admin: Api) -> None:
    own = key()
    made = await admin.post(
        BATCH, json=[row(external_id__v=own), row(), row(name__v="")]
    )
    first, second = (each["id"] for each in made.data[:2])
    both: list[dict[str, object]] = [
        {"responseStatus": "SUCCESS", "id": first, "external_id__v": own},
        {"responseStatus": "SUCCESS", "id": second, "external_id__v": None},
    ]
    assert made.data[:2] == both
    assert "external_id__v" not in made.data[2]
    named: list[dict[str, object]] = [{"id": first}, {"id": second}]
    kept = await admin.put(BATCH, json=[{**each, "title__v": "New"} for each in named])
    assert kept.data == both
    changed = await admin.put(
        BATCH,
        json=[
            {"id": first, "external_id__v": ""},
            {"id": second, "external_id__v": own},
        ],
    )
    swapped = [
        {**both[0], "external_id__v": None},
        {**both[1], "external_id__v": own},
    ]
    assert changed.data == swapped
    assert (await admin.delete(BATCH, json=named)).data == swapped


async def test_documents_are_deleted_by_who_may(admin: Api, user: Api) -> None:
    own = key()
    first, second = await created(user, row(), row(external_id__v=own))
    assert (
        await user.delete(BATCH, json=[{"id": first}])
    ).error == "INSUFFICIENT_ACCESS"
    assert outcomes(await admin.delete(BATCH, json=[{"id": first}, {"id": first}])) == [
        "SUCCESS",
        "INVALID_DATA",
    ]
    answer = await admin.delete(
        f"{BATCH}?idParam=external_id__v", json=[{"external_id__v": own}]
    )
    assert outcomes(answer) == ["SUCCESS"] and answer.data[0]["id"] == second
    assert (
        await user.query(
            f"SELECT id FROM documents WHERE id CONTAINS ({first}, {second})"
        )
    ).data == []


async def test_five_hundred_rows_and_no_more(user: Api) -> None:
    ids = await created(user, *(row() for _ in range(500)))
    assert len(set(ids)) == 500
    changes = [
        [{"id": each, "subject__v": word} for each in ordered]
        for word, ordered in (("up", ids), ("down", ids[::-1]))
    ]
    answers = await asyncio.gather(*(user.put(BATCH, json=rows) for rows in changes))
    assert all(set(outcomes(answer)) == {"SUCCESS"} for answer in answers), (
        "neither waits for the other in a circle"
    )
    assert (
        await user.post(BATCH, json=[row() for _ in range(501)])
    ).error == "INVALID_DATA"


@pytest.mark.parametrize("accept", ["text/csv"])
async def test_results_as_csv(user: Api, accept: str) -> None:
    answer = await user.post(
        BATCH, json=[row(), row(type__v="x")], headers={"Accept": accept}
    )
    lines = answer.text.splitlines()
    assert lines[0].startswith("responseStatus,id")
    assert [line.partition(",")[0] for line in lines[1:]] == ["SUCCESS", "FAILURE"]


async def test_a_document_of_a_key_is_created_once_however_many_ask(user: Api) -> None:
    link, other = key(), key()
    path = f"{BATCH}?idParam=link__sys"
    answers = await asyncio.gather(
        *(user.post(path, json=[row(link__sys=link)]) for _ in range(6))
    )
    assert sorted(outcomes(answer)[0] for answer in answers) == [
        "ITEM_NAME_EXISTS"
    ] * 5 + ["SUCCESS"]
    mixed = [
        row(link__sys=other, type__v="nothing__v"),
        row(link__sys=other),
        row(link__sys=other),
        row(link__sys=link),
        row(),
    ]
    assert outcomes(await user.post(path, json=mixed)) == [
        "INVALID_DATA",
        "SUCCESS",
        "ITEM_NAME_EXISTS",
        "ITEM_NAME_EXISTS",
        "PARAMETER_REQUIRED",
    ]
    assert (
        await user.post(f"{BATCH}?idParam=product__v", json=[row()])
    ).error == "INVALID_DATA"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"type__v": "Unclassified", "lifecycle__v": "Inbox"}, "Unclassified"),
        ({"type__v": "undefined__v"}, "Unclassified"),
        ({"source_vault_id__v": "1", "source_document_id__v": "2"}, "CrossLink"),
    ],
)
async def test_documents_of_unsupported_kinds_are_refused_with_the_reason(
    admin: Api, fields: dict[str, str], reason: str
) -> None:
    sent = row(**fields)
    single = await admin.post("/objects/documents", data=sent)
    many = await admin.post(BATCH, json=[sent])
    for (error,) in (single.body["errors"], many.data[0]["errors"]):
        assert error["type"] == "OPERATION_NOT_ALLOWED"
        assert reason in error["message"]
