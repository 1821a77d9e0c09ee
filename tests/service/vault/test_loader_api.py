"""The loader through the API: files in, records out, and a log line for every row."""

from __future__ import annotations

import csv
import io
from typing import Any
from uuid import uuid4

import pytest

from local.polling import answers_within
from shared.vault.assembly.vault import Vault
from shared.vault.loader import load_writing as writing
from tests.service.vault.served import Answer, Api
from tests.service.vault.test_staging_api import create

SUCCESS_COLUMNS = [
    "responseStatus",
    "id",
    "name__v",
    "external_id__v",
    "errors",
    "rowId",
    "event",
    "id_param_value",
]


def task(action: str, file: str, **more: Any) -> dict[str, Any]:
    return {
        "object_type": "vobjects__v",
        "object": "thing__c",
        "action": action,
        "file": file,
        **more,
    }


async def stage(client: Api, path: str, text: str) -> None:
    assert (
        await create(client, path, text.encode(), overwrite="true")
    ).status == "SUCCESS"


async def ended(client: Api, answer: Answer) -> str:
    assert answer.status == "SUCCESS", answer.text
    path = f"/services/jobs/{answer.body['job_id']}"

    async def reason() -> str | None:
        status = (await client.get(path)).data["status"]
        return status if status in ("QUEUED", "RUNNING") else None

    assert await answers_within(60, reason) is None
    return str((await client.get(path)).data["status"])


async def rows(
    client: Api, job_id: int, task_id: str, log: str
) -> list[dict[str, str]]:
    answer = await client.get(f"/services/loader/{job_id}/tasks/{task_id}/{log}")
    assert answer.headers["Content-Type"].startswith("text/csv"), answer.text
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


async def load(client: Api, *tasks: dict[str, Any]) -> tuple[int, str]:
    answer = await client.post("/services/loader/load", json=list(tasks))
    status = await ended(client, answer)
    return answer.body["job_id"], status


async def counts(client: Api, job_id: int) -> list[tuple[str, dict[str, int]]]:
    answer = await client.get(f"/services/jobs/{job_id}/tasks")
    return [(each["state"], each["counts"]) for each in answer.body["tasks"]]


async def test_a_load_and_its_logs(admin: Api) -> None:
    text = "name__v,key__c,colour__c,amount__c\n" + "".join(
        f'"=Thing, {n}",load-{n},{"green__c" if n in (3, 700) else "red__c"},{n}\n'
        for n in range(1, 1202)
    )
    await stage(admin, "/things.csv", text)
    answer = await admin.post(
        "/services/loader/load?sendNotification=false",
        json=[task("create", "/things.csv", order=1)],
    )
    job_id = answer.body["job_id"]
    assert answer.body == {
        "responseStatus": "SUCCESS",
        "url": f"/api/v25.1/services/jobs/{job_id}",
        "job_id": job_id,
        "tasks": [{"task_id": "1", **task("create", "/things.csv")}],
    }
    assert await ended(admin, answer) == "ERRORS_ENCOUNTERED"
    assert await counts(admin, job_id) == [
        ("ERRORS_ENCOUNTERED", {"total": 1201, "success": 1199, "failure": 2})
    ]

    succeeded = await rows(admin, job_id, "1", "successlog")
    assert list(succeeded[0]) == SUCCESS_COLUMNS
    assert [int(row["rowId"]) for row in succeeded] == [
        n for n in range(1, 1202) if n not in (3, 700)
    ]
    assert {row["responseStatus"] for row in succeeded} == {"SUCCESS"}
    assert {row["event"] for row in succeeded} == {"created__sys"}
    assert succeeded[0]["name__v"] == "=Thing, 1"
    assert len({row["id"] for row in succeeded}) == 1199

    failed = await rows(admin, job_id, "1", "failurelog")
    assert list(failed[0]) == [
        "responseStatus",
        "errors",
        "name__v",
        "key__c",
        "colour__c",
        "amount__c",
    ]
    assert [row["key__c"] for row in failed] == ["load-3", "load-700"]
    assert failed[0]["responseStatus"] == "FAILURE" and failed[0]["errors"].startswith(
        "INVALID_DATA|"
    )

    # The failure log, corrected, is loaded as it is.
    log = (await admin.get(f"/services/loader/{job_id}/tasks/1/failurelog")).text
    await stage(admin, "/corrected.csv", log.replace("green__c", "blue__c"))
    again, status = await load(admin, task("create", "corrected.csv"))
    assert status == "SUCCESS"
    assert await counts(admin, again) == [
        ("SUCCESS", {"total": 2, "success": 2, "failure": 0})
    ]
    found = await admin.query("SELECT id FROM thing__c WHERE key__c LIKE 'load-%'")
    assert found.body["responseDetails"]["total"] == 1201
    loaded = await admin.query("SELECT name__v FROM thing__c WHERE key__c = 'load-3'")
    assert [row["name__v"] for row in loaded.body["data"]] == ["=Thing, 3"]


async def test_update_upsert_and_delete_in_their_order(admin: Api) -> None:
    await stage(admin, "/o/new.csv", "name__v,key__c\nFirst,order-1\nSecond,order-2\n")
    await stage(
        admin, "/o/upsert.csv", "key__c,name__v\norder-2,Second again\norder-3,Third\n"
    )
    await stage(
        admin, "/o/update.csv", "key__c,note__c\norder-1,noted\norder-9,nobody\n"
    )
    await stage(admin, "/o/delete.csv", "key__c\norder-3\n")
    job_id, status = await load(
        admin,
        task("delete", "/o/delete.csv", idparam="key__c", order=4),
        task("update", "/o/update.csv", idparam="key__c", order=3),
        task("upsert", "/o/upsert.csv", idparam="key__c", order=2),
        task("create", "/o/new.csv", order=1),
    )
    assert status == "ERRORS_ENCOUNTERED"
    assert [state for state, _ in await counts(admin, job_id)] == [
        *("SUCCESS", "ERRORS_ENCOUNTERED", "SUCCESS", "SUCCESS"),
    ]
    upserted = await rows(admin, job_id, "3", "successlog")
    assert [(row["event"], row["id_param_value"]) for row in upserted] == [
        ("updated__sys", "order-2"),
        ("created__sys", "order-3"),
    ]
    assert [row["key__c"] for row in await rows(admin, job_id, "2", "failurelog")] == [
        "order-9"
    ]
    answer = await admin.query(
        "SELECT name__v, note__c FROM thing__c WHERE key__c LIKE 'order-%' ORDER BY key__c ASC"
    )
    assert [(row["name__v"], row["note__c"]) for row in answer.data] == [
        ("First", "noted"),
        ("Second again", None),
    ]

    ids = "\n".join(row["id"] for row in await rows(admin, job_id, "4", "successlog"))
    await stage(admin, "/o/by_id.csv", f"id\n{ids}\n")
    job_id, status = await load(admin, task("delete", "/o/by_id.csv"))
    assert status == "SUCCESS"
    deleted = await rows(admin, job_id, "1", "successlog")
    assert [row["id"] for row in deleted] == ids.split("\n")
    assert {row["id_param_value"] for row in deleted} == {""}


@pytest.mark.parametrize("between", [0, 600])
async def test_rows_of_an_upsert_are_carried_out_in_their_order(
    admin: Api, between: int
) -> None:
    key = f"again-{between}"
    others = [f"{key}-{number},Other" for number in range(between)]
    named = ["key__c,name__v", f"{key},One", *others, f"{key},Two", f"{key},"]
    await stage(admin, "/again.csv", "\n".join([*named, f"{key},Three\n"]))
    job_id, status = await load(admin, task("upsert", "/again.csv", idparam="key__c"))
    assert status == "ERRORS_ENCOUNTERED"
    succeeded = await rows(admin, job_id, "1", "successlog")
    written = [row for row in succeeded if row["id_param_value"] == key]
    assert [row["name__v"] for row in written] == ["One", "Two", "Three"]
    events = ["created__sys", "updated__sys", "updated__sys"]
    assert [row["event"] for row in written] == events
    assert len({row["id"] for row in written}) == 1
    assert len(succeeded) == between + 3
    (failed,) = await rows(admin, job_id, "1", "failurelog")
    assert (failed["key__c"], "name__v" in failed["errors"]) == (key, True)
    found = await admin.query(f"SELECT name__v FROM thing__c WHERE key__c = '{key}'")
    assert [row["name__v"] for row in found.body["data"]] == ["Three"]


async def test_a_row_without_change(
    admin: Api,
) -> None:
    await stage(admin, "/once.csv", "key__c,name__v\nonce,One\n")
    await load(admin, task("create", "/once.csv"))
    job_id, status = await load(admin, task("update", "/once.csv", idparam="key__c"))
    assert status == "SUCCESS"
    assert [
        row["responseStatus"] for row in await rows(admin, job_id, "1", "successlog")
    ] == ["WARNING"]


def file_with(number: int, line: bytes, rows: int = 7) -> bytes:
    """A file in which one row is replaced by another line."""
    body = [b"{key}-%d,One" % each for each in range(1, rows + 1)]
    body[number - 1] = line
    return b"key__c,name__v\n" + b"\n".join(body)


@pytest.mark.parametrize(
    ("content", "total", "failed", "reason"),
    [
        (file_with(3, b"{key}-3,Three,3", 700), 700, 1, "row 3 has 3 cells"),
        (file_with(3, b"{key}-3"), 7, 1, "row 3 has 1 cells; the header has 2"),
        (file_with(3, b'{key}-3,"One'), 7, 5, "a quote is opened and not closed"),
        (file_with(3, b'{key}-3,"One"x'), 7, 1, "row 3 cannot be read"),
        (file_with(3, b"{key}-3,O\x00ne"), 7, 1, "row 3 has the NUL character"),
        (file_with(3, b"{key}-3,\xd6ne"), 7, 1, "row 3 is not UTF-8 text; save it as"),
        (file_with(3, b"{key}-3," + b"x" * (4 * 2**20 + 9)), 7, 1, "more than 4194304"),
        (file_with(3, b"{key}-3," + b"x" * 99_999), 7, 1, "name__v"),
        (file_with(3, b",,,,"), 6, 0, ""),
        (b"key__c,name__v,,\n{key}-1,One,,\n{key}-2,Two,,\n,,,\n", 2, 0, ""),
        (b"key__c,,name__v\n{key}-1,x,One\n{key}-2,,Two", 2, 1, "in column 2"),
        (b"key__c;name__v\n{key}-1;One\n", 1, 1, "semicolons; save it as CSV UTF-8"),
        ("key__c,name__v\n{key}-1,One\n".encode("utf-16"), 1, 1, "save it as CSV"),
        (b"key__c,key__c\n1,2\n3,4\n", 2, 2, "a column name that is repeated"),
        (b"nothing__c,name__v\n1,2\n3,4,5\n", 2, 2, "nothing__c"),
    ],
)
async def test_every_row_of_a_file_is_in_one_log(
    admin: Api, content: bytes, total: int, failed: int, reason: str
) -> None:
    key = f"k{uuid4().hex[:8]}"
    file = f"/{key}.csv"
    content = content.replace(b"{key}", key.encode())
    assert (await create(admin, file, content)).status == "SUCCESS"
    job_id, status = await load(admin, task("create", file))
    assert status == ("ERRORS_ENCOUNTERED" if failed else "SUCCESS")
    assert await counts(admin, job_id) == [
        (status, {"total": total, "success": total - failed, "failure": failed})
    ]
    succeeded = await rows(admin, job_id, "1", "successlog")
    refused = await rows(admin, job_id, "1", "failurelog")
    assert (len(succeeded), len(refused)) == (total - failed, failed)
    if failed:
        assert reason in refused[0]["errors"]
    statement = f"SELECT id FROM thing__c WHERE key__c LIKE '{key}-%'"
    found = await admin.query(statement)
    assert found.body["responseDetails"]["total"] == total - failed


async def test_a_file_without_rows_says_why_it_has_none(admin: Api) -> None:
    await stage(admin, "/headless.csv", "")
    job_id, status = await load(admin, task("create", "/headless.csv"))
    assert status == "ERRORS_ENCOUNTERED"
    assert "column" in (await rows(admin, job_id, "1", "failurelog"))[0]["errors"]


async def test_a_load_that_was_cut_off_goes_on_where_it_was(
    vault: Vault, admin: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process ends right after a batch was committed: nothing is done again, nothing is left out."""
    calls = 0

    async def ends(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        results = await writing.write(*arguments)
        if calls == 2:
            raise ConnectionResetError
        return results

    monkeypatch.setattr("shared.vault.loader.load.write", ends)
    text = "name__v,key__c\n" + "".join(f"Cut {n},cut-{n}\n" for n in range(1, 1402))
    await stage(admin, "/cut.csv", text)
    answer = await admin.post(
        "/services/loader/load", json=[task("create", "/cut.csv")]
    )
    assert await ended(admin, answer) == "SUCCESS"
    assert calls == 3
    job_id = answer.body["job_id"]
    assert [
        int(row["rowId"]) for row in await rows(admin, job_id, "1", "successlog")
    ] == list(range(1, 1402))
    found = await admin.query("SELECT id FROM thing__c WHERE key__c LIKE 'cut-%'")
    assert found.body["responseDetails"]["total"] == 1401
    async with vault.database.connection() as connection:
        assert (
            await connection.fetchval(
                "SELECT count(*) FROM platform.job_log WHERE job_id = $1", job_id
            )
            == 0
        )


async def test_a_long_text_and_its_function_have_a_column_each(admin: Api) -> None:
    mdl = """RECREATE Object page__c ( label('Page'), prefix('ZPG'),
      Field text__c ( type('LongText'), label('Text'), max_length(1000) ),
      Field rich__c ( type('RichText'), label('Rich'), max_length(1000) ),
      Field key__c ( type('String'), label('Key'), max_length(10) ) );"""
    assert (await admin.post("/api/mdl/execute", data=mdl)).status == "SUCCESS"
    values = {"text__c": "long", "rich__c": "<b>rich</b>", "key__c": "K"}
    made = await admin.post("/vobjects/page__c", json=[{"name__v": "P", **values}])
    assert made.status == "SUCCESS"
    fields = (
        "LONGTEXT(text__c),text__c,rich__c,LONGTEXT(rich__c),RICHTEXT(rich__c),key__c"
    )
    request = {"object_type": "vobjects__v", "object": "page__c"}
    answer = await admin.post(
        "/services/loader/extract", json=[{**request, "fields": fields.split(",")}]
    )
    assert await ended(admin, answer) == "SUCCESS"
    (row,) = await rows(admin, answer.body["job_id"], "1", "results")
    texts = ["long", "long", "<b>rich</b>", "rich", "<b>rich</b>", "K"]
    assert list(row.items()) == list(zip(fields.split(","), texts, strict=True))


async def test_an_extract(admin: Api) -> None:
    text = "name__v,key__c,colour__c,amount__c,note__c\n" + "".join(
        f'Extracted {n},extract-{n:04},red__c,{n}.5,"=cmd, {n}"\n'
        for n in range(1, 1151)
    )
    await stage(admin, "/extracted.csv", text)
    assert (await load(admin, task("create", "/extracted.csv")))[1] == "SUCCESS"
    requests = [
        {
            "object_type": "vobjects__v",
            "object": "thing__c",
            "fields": [
                "key__c",
                "colour__c",
                "amount__c",
                "note__c",
                "status__v",
                "state__v",
            ],
            "vql_criteria__v": "key__c LIKE 'extract-%'",
        },
        {
            "object_type": "vobjects__v",
            "object": "thing__c",
            "fields": ["id", "name__v"],
            "vql_criteria__v": "key__c = 'nobody'",
        },
        {
            "object_type": "vobjects__v",
            "object": "thing__c",
            "fields": ["id"],
            "vql_criteria__v": "MAXROWS 7",
        },
    ]
    answer = await admin.post("/services/loader/extract", json=requests)
    assert [each["task_id"] for each in answer.body["tasks"]] == ["1", "2", "3"]
    assert await ended(admin, answer) == "SUCCESS"
    job_id = answer.body["job_id"]
    found = await rows(admin, job_id, "1", "results")
    assert {row["key__c"]: row for row in found}["extract-0007"] == {
        "key__c": "extract-0007",
        "colour__c": "red__c",
        "amount__c": "7.50",
        "note__c": "=cmd, 7",
        "status__v": "active__v",
        "state__v": "new_state__c",
    }
    assert len(found) == len({row["key__c"] for row in found}) == 1150
    empty = await admin.get(f"/services/loader/{job_id}/tasks/2/results")
    assert empty.text == "id,name__v\r\n"
    assert len(await rows(admin, job_id, "3", "results")) == 7
    assert [each["total"] for _, each in await counts(admin, job_id)] == [1150, 0, 7]


async def test_an_extract_whose_query_is_refused(admin: Api) -> None:
    bad = {
        "object_type": "vobjects__v",
        "object": "thing__c",
        "fields": ["id"],
        "vql_criteria__v": "nothing__c = 1",
    }
    good = {
        "object_type": "vobjects__v",
        "object": "thing__c",
        "fields": ["id"],
        "vql_criteria__v": "MAXROWS 1",
    }
    assert (
        await admin.post("/vobjects/thing__c", json=[{"name__v": "Extracted"}])
    ).status == "SUCCESS"
    answer = await admin.post("/services/loader/extract", json=[bad, good])
    assert await ended(admin, answer) == "ERRORS_ENCOUNTERED"
    job_id = answer.body["job_id"]
    assert [state for state, _ in await counts(admin, job_id)] == [
        "ERRORS_ENCOUNTERED",
        "SUCCESS",
    ]
    assert "nothing__c" in (await admin.get(f"/services/jobs/{job_id}")).text
    assert (
        await admin.get(f"/services/loader/{job_id}/tasks/1/results")
    ).error == "INVALID_DATA"
    assert len(await rows(admin, job_id, "2", "results")) == 1


@pytest.mark.parametrize(
    ("path", "body", "error"),
    [
        ("load", [task("create", "/nothing.csv")], "INVALID_DATA"),
        ("load", [task("create", "/../x.csv")], "INVALID_DATA"),
        (
            "load",
            [{**task("create", "/once.csv"), "object": "nothing__c"}],
            "INVALID_DATA",
        ),
        ("load", [task("upsert", "/once.csv", idparam="nothing__c")], "INVALID_DATA"),
        ("load", [task("upsert", "/once.csv")], "PARAMETER_REQUIRED"),
        ("load", [], "PARAMETER_REQUIRED"),
        ("load", [1], "INVALID_DATA"),
        (
            "load",
            [{"object_type": "groups__v", "action": "create", "file": "x"}],
            "OPERATION_NOT_ALLOWED",
        ),
        (
            "load",
            [
                {
                    "object_type": "documents__v",
                    "action": "update",
                    "file": "/x.csv",
                    "documentmigrationmode": True,
                }
            ],
            "OPERATION_NOT_ALLOWED",
        ),
        ("load", [task("create_attachments", "/once.csv")], "OPERATION_NOT_ALLOWED"),
        (
            "load",
            [{"object_type": "documents__v", "action": "upsert", "file": "x"}],
            "INVALID_DATA",
        ),
        (
            "extract",
            [
                {
                    "object_type": "documents__v",
                    "fields": ["id"],
                    "extract_options": "include_all__v",
                }
            ],
            "INVALID_DATA",
        ),
        (
            "extract",
            [{"object_type": "documents__v", "fields": ["nothing__c"]}],
            "INVALID_DATA",
        ),
        (
            "extract",
            [{"object_type": "vobjects__v", "object": "nothing__c", "fields": ["id"]}],
            "INVALID_DATA",
        ),
        (
            "extract",
            [{"object_type": "vobjects__v", "object": "thing__c"}],
            "PARAMETER_REQUIRED",
        ),
    ],
)
async def test_refused_calls(admin: Api, path: str, body: Any, error: str) -> None:
    assert (await admin.post(f"/services/loader/{path}", json=body)).error == error


async def test_a_load_has_the_callers_rights_and_no_more(
    integration: Api, user: Api
) -> None:
    await stage(integration, "/mine.csv", "name__v\nMine\n")
    refused = await integration.post(
        "/services/loader/load", json=[task("delete", "/mine.csv", idparam="key__c")]
    )
    assert refused.error == "INSUFFICIENT_ACCESS"
    foreign = {
        "object_type": "vobjects__v",
        "object": "exception_message__sys",
        "fields": ["id"],
    }
    assert (
        await user.post("/services/loader/extract", json=[foreign])
    ).error == "INSUFFICIENT_ACCESS"
    job_id, status = await load(integration, task("create", "/mine.csv"))
    assert status == "SUCCESS"
    assert (
        await user.get(f"/services/loader/{job_id}/tasks/1/successlog")
    ).error == "INSUFFICIENT_ACCESS"


async def test_results_that_are_not_there(admin: Api) -> None:
    await stage(admin, "/once.csv", "key__c,name__v\nonce-more,One\n")
    job_id, _ = await load(admin, task("create", "/once.csv"))
    for path in (
        f"{job_id}/tasks/2/successlog",
        f"{job_id}/tasks/1/results",
        f"{job_id}/tasks/..%2F1/successlog",
    ):
        assert (await admin.get(f"/services/loader/{path}")).error in (
            "INVALID_DATA",
            "MALFORMED_URL",
        )
    assert (
        await admin.get("/services/loader/999999999/tasks/1/successlog")
    ).error == "INVALID_DATA"
