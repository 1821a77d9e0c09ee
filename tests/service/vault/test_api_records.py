"""Records through the public API: every body format, every row answered in its place."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import aiohttp
import pytest

from tests.service.vault.served import Answer, Api

THINGS = "/vobjects/thing__c"
UPSERT = f"{THINGS}?idParam=key__c"
CSV = {"Content-Type": "text/csv"}

numbers = count(1)


def key() -> str:
    return f"K-{next(numbers)}"


async def created(api: Api, **values: Any) -> str:
    answer = await api.post(
        THINGS, json=[{"name__v": "thing", "key__c": key(), **values}]
    )
    return answer.ids[0]


async def record(api: Api, record_id: str) -> dict[str, Any]:
    data: dict[str, Any] = (await api.get(f"{THINGS}/{record_id}")).data
    return data


def statuses(answer: Answer) -> list[str]:
    return [row["responseStatus"] for row in answer.data]


async def test_a_deletion_by_key_names_the_record_with_that_id(admin: Api) -> None:
    rows = [{"name__v": key, "key__c": key} for key in ("gone-1", "gone-2")]
    one, two = (await admin.post(THINGS, json=rows)).ids
    path = f"{THINGS}?idParam=key__c"
    (result,) = (await admin.delete(path, json=[{"key__c": "gone-1", "id": two}])).data
    assert result["errors"][0]["type"] == "INVALID_DATA"
    assert "another [id]" in result["errors"][0]["message"]
    sent = [{"key__c": "gone-1", "id": one}, {"key__c": "gone-2", "name__v": "x"}]
    assert (await admin.delete(path, json=sent)).ids == [one, two]


@pytest.mark.parametrize("name", ["idParam", "id_param"])
@pytest.mark.parametrize("method", ["post", "put", "delete"])
async def test_an_empty_key_is_no_key(admin: Api, method: str, name: str) -> None:
    call = getattr(admin, method)
    answer = await call(f"{THINGS}?{name}=", json=[{"id": "x", "name__v": "nobody"}])
    assert (answer.status, answer.error) == ("FAILURE", "INVALID_DATA")
    assert f"[{name}]" in answer.message


async def test_half_of_a_character_fails_its_row(admin: Api) -> None:
    body = rb"""[{"name__v":"half \ud83d"},{"name__v":"\udc00"},{"name__v":"whole \ud83d\ude00"},
    {"name__v":"\\ud83d"}]"""
    headers = {"Content-Type": "application/json"}
    answer = await admin.post(THINGS, data=body, headers=headers)
    assert statuses(answer) == ["FAILURE", "FAILURE", "SUCCESS", "SUCCESS"]
    for row in answer.data[:2]:
        assert row["errors"][0]["type"] == "INVALID_DATA"
        assert "[name__v]" in row["errors"][0]["message"]
    last = await admin.get(f"{THINGS}/{answer.data[3]['data']['id']}")
    assert last.data["name__v"] == r"\ud83d"


async def test_numbers_that_no_float_has_fail_their_row(admin: Api) -> None:
    body = b',{"name__v":"x","amount__c":'.join(
        (b'[{"name__v":"1e400"}', b"1e400}", b"1e-400}", b"0.25e1}]")
    )
    headers = {"Content-Type": "application/json"}
    answer = await admin.post(THINGS, data=body, headers=headers)
    assert statuses(answer) == ["SUCCESS", "FAILURE", "FAILURE", "SUCCESS"]
    for row in answer.data[1:3]:
        assert row["errors"][0]["type"] == "INVALID_DATA"
        assert "[amount__c]" in row["errors"][0]["message"]


async def test_create_answers_row_by_row(user: Api) -> None:
    rows = [
        {"name__v": "one", "key__c": key(), "colour__c": ["red__c"], "amount__c": 1.25},
        {"name__v": "two", "key__c": key(), "colour__c": "green__c"},
        {"name__v": "three", "key__c": key()},
    ]
    answer = await user.post(THINGS, json=rows)
    assert (answer.http_status, answer.status) == (200, "SUCCESS")
    assert statuses(answer) == ["SUCCESS", "FAILURE", "SUCCESS"]
    first = answer.data[0]["data"]
    assert first["event"] == "created__sys"
    assert first["url"] == f"/api/v25.1{THINGS}/{first['id']}"
    assert answer.data[1]["errors"][0]["type"] == "INVALID_DATA"
    stored = await record(user, first["id"])
    assert (stored["name__v"], stored["colour__c"], stored["amount__c"]) == (
        "one",
        ["red__c"],
        1.25,
    )
    assert stored["status__v"] == ["active__v"]
    assert stored["state__v"] == ["new_state__c"]
    assert isinstance(stored["created_by__v"], int)


async def test_upsert_distinguishes_created_from_updated(user: Api) -> None:
    old, new = key(), key()
    await user.post(UPSERT, json=[{"key__c": old, "name__v": "before"}])
    answer = await user.post(
        UPSERT,
        json=[{"key__c": old, "name__v": "after"}, {"key__c": new, "name__v": "new"}],
    )
    assert [row["data"]["event"] for row in answer.data] == [
        "updated__sys",
        "created__sys",
    ]
    assert [row["data"]["id_param_value"] for row in answer.data] == [old, new]


async def test_brief_results_have_ids_and_events_only(user: Api) -> None:
    brief = {"Accept": "application/json; results=brief"}
    old, new = key(), key()
    first = await user.post(UPSERT, json=[{"key__c": old, "name__v": "before"}])
    rows = [{"key__c": old, "name__v": "before"}, {"key__c": new, "name__v": "new"}]
    answer = await user.post(UPSERT, json=rows, headers=brief)
    assert answer.status == "SUCCESS"
    # What is stored already is not written again.
    assert answer.body["events"] == ["unchanged__sys", "created__sys"]
    ids = answer.body["ids"]
    assert ids[0] == first.ids[0]
    assert (await record(user, ids[1]))["key__c"] == new
    # A warning is said of the call.
    same = [{"id": ids[0], "name__v": "before"}]
    answer = await user.put(THINGS, json=same, headers=brief)
    assert answer.status == "WARNING"
    assert answer.body["warnings"][0]["warning_type"] == "NO_DATA_CHANGES"
    assert answer.body["ids"] == [ids[0]]
    # With an error to tell, each row has its entry.
    rows = [{"id": ids[0], "colour__c": "green__c"}, {"id": ids[1], "name__v": "x"}]
    answer = await user.put(THINGS, json=rows, headers=brief)
    assert statuses(answer) == ["FAILURE", "SUCCESS"]
    single = await user.put(f"{THINGS}/{ids[0]}", json={"name__v": "y"}, headers=brief)
    assert single.data["id"] == ids[0]


@pytest.mark.parametrize(
    ("accept", "is_brief"),
    [
        ('Application/JSON; Results="brief"', True),
        ("text/plain, application/json;results=brief;q=0.9", True),
        ("application/json; results=briefly", False),
        ("application/json; xresults=brief", False),
        ("*/*; results=brief", False),
    ],
)
async def test_brief_results_are_a_parameter_of_json(
    user: Api, accept: str, is_brief: bool
) -> None:
    rows = [{"key__c": key(), "name__v": "one"}]
    answer = await user.post(UPSERT, json=rows, headers={"Accept": accept})
    assert ("ids" in answer.body) is is_brief


async def test_id_param_is_an_alias(user: Api) -> None:
    name = key()
    first = await user.post(
        f"{THINGS}?id_param=key__c", json=[{"key__c": name, "name__v": "a"}]
    )
    second = await user.post(
        f"{THINGS}?id_param=key__c", json=[{"key__c": name, "name__v": "b"}]
    )
    assert first.ids == second.ids


async def test_a_key_twice_fails_the_whole_upsert(user: Api) -> None:
    name = key()
    answer = await user.post(
        UPSERT,
        json=[{"key__c": name, "name__v": "a"}, {"key__c": name, "name__v": "b"}],
    )
    assert (answer.status, answer.error) == ("FAILURE", "INVALID_DATA")
    assert "data" not in answer.body


@pytest.mark.parametrize("key_field", ["colour__c", "nothing__c"])
async def test_upsert_needs_a_unique_field(user: Api, key_field: str) -> None:
    answer = await user.post(
        f"{THINGS}?idParam={key_field}", json=[{key_field: "x", "name__v": "a"}]
    )
    assert (answer.status, answer.error) == ("FAILURE", "INVALID_DATA")


async def test_update_by_id_and_by_key(user: Api) -> None:
    name = key()
    record_id = await created(user, key__c=name)
    answer = await user.put(THINGS, json=[{"id": record_id, "note__c": "one"}])
    assert answer.data[0]["data"] == {
        "id": record_id,
        "url": f"/api/v25.1{THINGS}/{record_id}",
        "event": "updated__sys",
    }
    answer = await user.put(
        f"{THINGS}?idParam=key__c", json=[{"key__c": name, "note__c": "two"}]
    )
    assert answer.data[0]["data"]["id_param_value"] == name
    assert (await record(user, record_id))["note__c"] == "two"


async def test_an_unchanged_row_is_a_warning(user: Api) -> None:
    same, other = await created(user, note__c="x"), await created(user)
    answer = await user.put(
        THINGS, json=[{"id": same, "note__c": "x"}, {"id": other, "note__c": "x"}]
    )
    assert (answer.status, statuses(answer)) == ("WARNING", ["WARNING", "SUCCESS"])
    assert answer.body["warnings"][0]["warning_type"] == "NO_DATA_CHANGES"


async def test_rows_without_a_record_fail_alone(user: Api) -> None:
    good = await created(user)
    answer = await user.put(
        THINGS, json=[{"id": "ZTH999", "note__c": "x"}, {"id": good, "note__c": "x"}]
    )
    assert statuses(answer) == ["FAILURE", "SUCCESS"]
    assert answer.data[0]["data"] == {"id": "ZTH999"}


async def test_csv_in_and_out(user: Api) -> None:
    names = [key(), key()]
    body = f'name__v,key__c,note__c\r\n"a, ""b""",{names[0]},=1+1\r\n,{names[1]},x\r\n'.encode()
    answer = await user.post(
        UPSERT, data=b"\xef\xbb\xbf" + body, headers={**CSV, "Accept": "text/csv"}
    )
    assert answer.headers["Content-Type"] == "text/csv;charset=UTF-8"
    good, bad = csv.DictReader(io.StringIO(answer.text))
    assert (good["responseStatus"], good["event"], good["id_param_value"]) == (
        "SUCCESS",
        "created__sys",
        names[0],
    )
    assert bad["responseStatus"] == "FAILURE"
    assert bad["errors"].startswith("PARAMETER_REQUIRED|")
    stored = await record(user, good["id"])
    assert (stored["name__v"], stored["note__c"]) == ('a, "b"', "=1+1")


async def test_one_record_as_a_form(user: Api) -> None:
    answer = await user.post(THINGS, data={"name__v": "form", "key__c": key()})
    assert answer.status == "SUCCESS"
    record_id = answer.data["id"]
    form = aiohttp.FormData(default_to_multipart=True)
    form.add_field("note__c", "multipart")
    assert (await user.put(f"{THINGS}/{record_id}", data=form)).data["id"] == record_id
    assert (await record(user, record_id))["note__c"] == "multipart"
    refused = await user.post(THINGS, data={"name__v": "form", "nothing__c": "1"})
    assert (refused.status, refused.error) == ("FAILURE", "ATTRIBUTE_NOT_SUPPORTED")


async def test_a_chunked_body(user: Api) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for piece in (b'[{"name__v":"chu', b'nked","key__c":"', key().encode(), b'"}]'):
            yield piece
            await asyncio.sleep(0)

    answer = await user.post(
        THINGS, data=chunks(), headers={"Content-Type": "application/json"}
    )
    assert statuses(answer) == ["SUCCESS"]


async def test_delete_with_a_body(admin: Api) -> None:
    first, second, third = [await created(admin) for _ in range(3)]
    answer = await admin.delete(THINGS, json=[{"id": first}, {"id": "ZTH999"}])
    assert answer.data[0] == {"responseStatus": "SUCCESS", "data": {"id": first}}
    assert statuses(answer) == ["SUCCESS", "FAILURE"]
    assert (await admin.delete(THINGS, data=f"id\n{second}\n", headers=CSV)).ids == [
        second
    ]
    assert (await admin.delete(f"{THINGS}/{third}")).status == "SUCCESS"
    for record_id in (first, second, third):
        assert (await admin.get(f"{THINGS}/{record_id}")).error == "INVALID_DATA"


@pytest.mark.parametrize(
    ("body", "content_type", "error"),
    [
        (b"", "application/json", "PARAMETER_REQUIRED"),
        (b"[]", "application/json", "PARAMETER_REQUIRED"),
        (b"[{", "application/json", "INVALID_DATA"),
        (b'{"a":{"b":1}}', "application/json", "INVALID_DATA"),
        (b"[1,2]", "application/json", "INVALID_DATA"),
        (b"<a/>", "application/xml", "INVALID_DATA"),
        (b"a,a\n1,2\n", "text/csv", "INVALID_DATA"),
        (b"\xff\xfe", "text/csv", "INVALID_DATA"),
        (b"a=1&a=2", "application/x-www-form-urlencoded", "INVALID_DATA"),
        (b"nonsense", "multipart/form-data; boundary=b", "INVALID_DATA"),
    ],
)
async def test_bodies_that_cannot_be_read(
    user: Api, body: bytes, content_type: str, error: str
) -> None:
    answer = await user.post(THINGS, data=body, headers={"Content-Type": content_type})
    assert (answer.http_status, answer.status, answer.error) == (200, "FAILURE", error)


async def test_five_hundred_rows_and_no_more(user: Api) -> None:
    rows = [{"name__v": "many", "key__c": key()} for _ in range(501)]
    assert (await user.post(THINGS, json=rows)).error == "INVALID_DATA"
    answer = await user.post(THINGS, json=rows[:500])
    assert statuses(answer) == ["SUCCESS"] * 500
    assert len(set(answer.ids)) == 500


async def test_a_body_above_fifty_megabytes(user: Api) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(51):
            yield b" " * 2**20

    try:
        answer = await user.post(
            THINGS, data=endless(), headers={"Content-Type": "application/json"}
        )
    except aiohttp.ClientConnectionError:
        return  # the server may close the connection before it has taken the rest
    assert answer.error == "EXCEEDS_FILE_MAX_SIZE"


@pytest.mark.parametrize(
    "field", ["id", "global_id__sys", "created_by__v", "modified_date__v", "state__v"]
)
async def test_system_fields_cannot_be_set(user: Api, field: str) -> None:
    answer = await user.post(
        THINGS, json=[{"name__v": "x", "key__c": key(), field: "1"}]
    )
    assert statuses(answer) == ["FAILURE"]


async def test_unknown_objects_and_records(admin: Api) -> None:
    assert (
        await admin.post("/vobjects/nothing__c", json=[{"name__v": "x"}])
    ).error == "INVALID_DATA"
    assert (await admin.get("/vobjects/nothing__c/ZTH1")).error == "INVALID_DATA"
    assert (await admin.get(f"{THINGS}/' OR 1=1 --")).error == "INVALID_DATA"


async def test_a_record_of_another_version(user: Api) -> None:
    record_id = await created(user)
    answer = await user.get(f"/api/v24.3{THINGS}/{record_id}")
    assert answer.body["responseDetails"]["url"] == f"/api/v24.3{THINGS}/{record_id}"
    assert answer.body["responseDetails"]["object"]["prefix"] == "ZTH"


async def test_collection(user: Api) -> None:
    for _ in range(3):
        await created(user)
    first = await user.get(f"{THINGS}?fields=id,key__c&limit=2")
    assert len(first.data) == 2
    details = first.body["responseDetails"]
    assert details["total"] >= 3
    assert details["object"]["name"] == "thing__c"
    second = await user.get(details["next_page"])
    assert not {row["id"] for row in first.data} & {row["id"] for row in second.data}
    assert set(second.data[0]) == {"id", "key__c"}
    assert second.body["responseDetails"]["previous_page"].endswith("offset=0")


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=x", "offset=-1", "fields=id;drop", "limit=100000"]
)
async def test_collection_parameters(user: Api, query: str) -> None:
    answer = await user.get(f"{THINGS}?{query}")
    assert (answer.http_status, answer.error) == (200, "INVALID_DATA")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nope__c", "There is no object [nope__c]"),
        ("nope__c/V1", "There is no object [nope__c]"),
        ("user__sys?fields=nope__c", "unknown field [nope__c] of object [user__sys]"),
        ("user__sys?sort=nope__c", "unknown field [nope__c] of object [user__sys]"),
    ],
)
async def test_errors_of_a_list_speak_of_the_call(
    admin: Api, path: str, message: str
) -> None:
    answer = await admin.get(f"/vobjects/{path}")
    assert answer.error == "INVALID_DATA"
    assert answer.body["errors"][0]["message"] == message
