"""The connector's exception records in a Vault: resolved ones are found without reading unrelated ones."""

from __future__ import annotations

from services.connector.processing.exception_records import ExceptionRecords
from shared.client import VaultClient
from shared.client.results import QueryResult, Row
from tests.service.vault.objects import key
from tests.service.vault.served import PASSWORD, USERNAMES, Api

POINT = "account_inbound__v"
MESSAGES = "/vobjects/exception_message__sys"
ITEMS = "/vobjects/exception_item__sys"
OPEN = "open__sys"


class Watched(VaultClient):
    """A client that counts the rows it is answered."""

    rows = 0

    async def query(self, vql: str, *, describe: bool = False) -> QueryResult:
        result = await super().query(vql, describe=describe)
        self.rows += len(result.rows)
        return result


async def failed(admin: Api, point: str, messages: int) -> list[Row]:
    """Open exceptions of an integration point: their message ids and record ids, each with one item."""
    kind = {
        "error_type__sys": "message_processing_error__sys",
        "error_status__sys": OPEN,
    }
    rows = [
        {"message_id__sys": key(), "integration_point__sys": point, **kind}
        for _ in range(messages)
    ]
    made = await admin.post(MESSAGES, json=rows)
    found = [
        {"id": record, "message": row["message_id__sys"]}
        for record, row in zip(made.ids, rows, strict=True)
    ]
    items = [
        {
            "item_key__sys": f"{each['message']}:R",
            "exception_message__sys": each["id"],
            "item__sys": f"R-{each['message']}",
            "error_type__sys": "save_error__sys",
            "error_status__sys": OPEN,
        }
        for each in found
    ]
    answer = await admin.post(ITEMS, json=items)
    assert {row["responseStatus"] for row in answer.data} == {"SUCCESS"}
    return [dict(each) for each in found]


async def statuses(admin: Api, records: list[Row]) -> list[object]:
    ids = ",".join(f"'{each['id']}'" for each in records)
    text = f"SELECT id, error_status__sys FROM exception_message__sys WHERE id CONTAINS ({ids})"
    found = {
        row["id"]: row["error_status__sys"][0] for row in (await admin.query(text)).data
    }
    return [found[each["id"]] for each in records]


async def test_what_is_resolved_is_found_among_many_that_are_not_concerned(
    api: Api, admin: Api
) -> None:
    text = f"SELECT id FROM integration_point__sys WHERE integration_point_api_name__sys = '{POINT}'"
    point = str((await admin.query(text)).data[0]["id"])
    others = await failed(admin, point, 100)
    by_item, by_message = await failed(admin, point, 2)
    async with Watched(api.url, USERNAMES["integration"], PASSWORD) as client:
        await ExceptionRecords(client).resolve((), point, [f"R-{by_item['message']}"])
        assert client.rows < 10
        message = str(by_message["message"])
        many = [
            f"{number:0200}" for number in range(400)
        ]  # more than one statement holds
        await ExceptionRecords(client).resolve([message, *many], None, ())
        assert client.rows < 20
    assert await statuses(admin, [by_item, by_message, others[0]]) == [
        "resolved__sys",
        OPEN,
        OPEN,
    ]
    await admin.post(
        f"{MESSAGES}/actions/Objectaction.exception_message__sys.ignore__sys",
        data={"ids": ",".join(str(each["id"]) for each in [*others, by_message])},
    )
