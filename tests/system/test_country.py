"""Country: each country of each Connection Settings record gets a Connection Country, and loses it again."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from shared.client.results import Row
from tests.system.conditions import Connected, eventually, new_run
from tests.system.connector_calls import ConnectorCaller
from tests.system.messages import envelope, put_on_queue
from tests.system.overtaking import overtaken
from tests.system.reconciling import assert_clean
from tests.system.test_crashes import assert_queues_empty
from tests.system.test_dry_run import data_of
from tests.system.test_rules import RETRY, item_of
from tests.system.test_runs import ended
from tests.system.test_transfer import create, one

COUNTRY = "country__v"
POINT = "country_inbound__v"
SETTINGS = "connection_settings__v"
TYPE = "object_type__v.api_name__v"


@pytest.fixture
async def routing(connected: Connected) -> Connected:
    """The integration active."""
    row = {"integration_api_name__sys": COUNTRY, "status__v": "active__v"}
    (result,) = await connected.medical.update(
        "integration__sys", [row], "integration_api_name__sys"
    )
    assert result.ok
    return connected


async def settings(connected: Connected, *countries: str, **fields: object) -> str:
    given = {
        TYPE: "clm_integration_settings__v",
        "country_filter__v": ",".join(countries),
        **fields,
    }
    return await create(connected.crm, SETTINGS, {"name__v": new_run(), **given})


async def change(connected: Connected, record: str, **fields: object) -> None:
    (result,) = await connected.crm.update(SETTINGS, [{"id": record, **fields}])
    assert result.ok, result.errors


async def synced(connected: Connected, status: str = "SUCCESS") -> Mapping[str, int]:
    return await ended(
        connected.medical, await connected.medical.request_run(COUNTRY), status, COUNTRY
    )


async def countries(
    connected: Connected, record: str, condition: str = "status__v = 'active__v'"
) -> set[object]:
    """Codes of the countries of settings."""
    text = f"SELECT country__vr.country_code__v FROM connection_country__v WHERE crm_id__v = '{record}' AND {condition}"
    rows = (await connected.medical.query(text)).rows
    codes = {row["country__vr.country_code__v"] for row in rows}
    assert len(codes) == len(rows), "each country once"
    return codes


async def of_country(connected: Connected, record: str, code: str) -> Row:
    fields = "id, name__v, link__sys, feature__v, status__v, source_status__v, deleted_in_source__v"
    return await one(
        connected.medical,
        f"SELECT {fields}, crm_org__vr.vault_id__v FROM connection_country__v "
        f"WHERE crm_id__v = '{record}' AND country__vr.country_code__v = '{code}'",
    )


async def test_countries_come_and_go_with_their_settings(routing: Connected) -> None:
    record = await settings(routing, "de__v", "fr__v")
    assert (await synced(routing))["failed"] == 0
    german = await of_country(routing, record, "DE")
    assert german == {
        "id": german["id"],
        "name__v": (await routing.crm.record(SETTINGS, record))["name__v"],
        "link__sys": f"{routing.crm.vault_id}_{record}_de__v_clm__v",
        "feature__v": ["clm__v"],
        "status__v": ["active__v"],
        "source_status__v": ["active__v"],
        "deleted_in_source__v": False,
        "crm_org__vr.vault_id__v": str(routing.crm.vault_id),
    }
    await change(routing, record, country_filter__v="fr__v,us__v")
    await synced(routing)
    assert await countries(routing, record) == {"FR", "US"}
    taken_out = {
        "status__v": ["inactive__v"],
        "source_status__v": ["inactive__v"],
        "deleted_in_source__v": False,
    }
    assert await of_country(routing, record, "DE") == {**german, **taken_out}
    await change(routing, record, country_filter__v="de__v")
    await synced(routing)
    assert await countries(routing, record) == {"DE"}
    assert await of_country(routing, record, "DE") == german, "the same record again"
    await change(routing, record, country_filter__v="")
    await synced(routing)
    assert await countries(routing, record) == set()
    await assert_clean(routing.medical, {record})


async def test_inactive_or_deleted_settings_lead_nowhere(routing: Connected) -> None:
    email = "approved_email_integration_settings__v"
    switched, deleted = (
        await settings(routing, "de__v", **{TYPE: email}),
        await settings(routing, "de__v", "jp__v"),
    )
    await synced(routing)
    assert (await of_country(routing, switched, "DE"))["feature__v"] == [
        "approved_email__v"
    ]
    await change(routing, switched, status__v="inactive__v")
    await routing.crm.delete(SETTINGS, [deleted])
    await synced(routing)
    assert (
        await countries(routing, switched) == await countries(routing, deleted) == set()
    )
    assert await countries(routing, deleted, "deleted_in_source__v = true") == {
        "DE",
        "JP",
    }
    assert (await of_country(routing, switched, "DE"))["deleted_in_source__v"] is False
    await change(routing, switched, status__v="active__v")
    await synced(routing)
    assert await countries(routing, switched) == {"DE"}
    await assert_clean(routing.medical, {switched, deleted})


async def test_an_unknown_country_holds_its_settings_back_until_it_is_known(
    routing: Connected, asker: ConnectorCaller
) -> None:
    run, since = new_run(), (await routing.crm.clock()).date_time
    code = f"x{run}"
    await routing.crm.execute_mdl(
        f"ALTER Picklist country_cda__v ( ADD Picklistentry {code}__c ( label('{code}'), order(90) ) );"
    )
    record, other = (
        await settings(routing, "us__v", f"{code}__c"),
        await settings(routing, "us__v"),
    )
    missing = await data_of(
        asker,
        "missing-lookups/medical/medical_crm__v",
        integration=COUNTRY,
        since=since,
    )
    assert [
        (row["reference_lookup_name__sys"], row["source_key__sys"])
        for row in missing["missing_lookups"]
    ] == [("crm_country__v", f"{code}__c")]
    await put_on_queue(
        routing, envelope([record, other], point=POINT, object_name=SETTINGS).encode()
    )
    item = await item_of(routing, record)
    assert item["error_type__sys"] == ["reference_lookup_error__sys"]
    assert f"{code}__c" in str(item["error_message__sys"])
    assert await countries(routing, record) == set(), "all of its countries or none"
    assert await countries(routing, other) == {"US"}
    lookup = {
        "connection__sysr.api_name__sys": "medical_crm__v",
        "reference_lookup_name__sys": "crm_country__v",
        "reference_lookup_type__sys": "object__sys",
        "target_object__sys": COUNTRY,
        "target_key_field__sys": "country_code__v",
        "source_key__sys": f"{code}__c",
        "target_key__sys": code[:10],
    }
    await create(routing.medical, "reference_lookup__sys", lookup)
    await retried(routing, item)
    item = await item_of(routing, record)
    assert (item["error_type__sys"], item["error_status__sys"]) == (
        ["reference_error__sys"],
        ["open__sys"],
    )
    assert "add it" in str(item["error_message__sys"])
    await create(
        routing.medical, COUNTRY, {"name__v": code, "country_code__v": code[:10]}
    )
    await retried(routing, item)
    assert await countries(routing, record) == {"US", code[:10]}
    assert (await item_of(routing, record))["error_status__sys"] == ["resolved__sys"]


async def retried(connected: Connected, item: Row) -> None:
    """Run Retry Transfer on the message of an item, and wait for its result."""
    message, item_id = str(item["exception_message__sys"]), str(item["id"])
    stored = await connected.medical.record("exception_item__sys", item_id)
    before = stored["modified_date__v"]
    await connected.medical.run_action("exception_message__sys", message, RETRY)

    async def over() -> bool:
        row = await connected.medical.record("exception_item__sys", item_id)
        return (
            row["error_status__sys"] in (["open__sys"], ["resolved__sys"])
            and row["modified_date__v"] != before
        )

    await eventually("the end of the retry", over)


async def test_a_preview_shows_each_country(
    routing: Connected, asker: ConnectorCaller
) -> None:
    record = await settings(routing, "fr__v", "gb__v")
    await synced(routing)
    await change(routing, record, country_filter__v="gb__v,es__v")
    answer = await asker.ask(
        "POST", "previews/medical", json={"ids": [record], "integration_point": POINT}
    )
    (shown,) = answer["data"]
    assert (shown["result"], shown["error"]) == ("created", None)
    assert sorted(write["event"] for write in shown["writes"]) == [
        "created",
        "unchanged",
        "updated",
    ]
    sources = [
        field["source_value"] for part in shown["rules"] for field in part["fields"]
    ]
    assert [value for value in sources if value in (["gb__v"], ["es__v"])] == [
        ["gb__v"],
        ["es__v"],
    ]
    assert await countries(routing, record) == {"FR", "GB"}, "nothing is written"


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        (("de__v", "fr__v"), ("fr__v",)),
        (("de__v",), ("de__v", "us__v")),
        (("de__v",), ("us__v",)),  # no record of the one state tells of the other
        (("de__v",), ()),
        (("de__v",), None),  # deleted
    ],
)
async def test_an_older_state_never_comes_after_a_newer_one(
    routing: Connected, older: tuple[str, ...], newer: tuple[str, ...] | None
) -> None:
    record = await settings(routing, *older)

    async def newer_state() -> None:
        if newer is None:
            await routing.crm.delete(SETTINGS, [record])
        else:
            await change(routing, record, country_filter__v=",".join(newer))

    await overtaken(routing, POINT, SETTINGS, record, newer_state)
    assert await countries(routing, record) == {
        country[:2].upper() for country in newer or ()
    }


async def test_settings_are_sent_at_once(routing: Connected) -> None:
    record = await settings(routing, "gb__v", "jp__v")
    await routing.crm.run_action(
        SETTINGS, record, f"Objectaction.{SETTINGS}.send_to_medical__v"
    )

    async def there() -> bool:
        return await countries(routing, record) == {"GB", "JP"}

    await eventually("the countries", there)


async def test_a_message_that_comes_again_changes_nothing(routing: Connected) -> None:
    record, other = await settings(routing, "de__v"), await settings(routing, "de__v")
    message = envelope([record], point=POINT, object_name=SETTINGS).encode()
    await put_on_queue(routing, message)
    await change(routing, record, country_filter__v="fr__v")
    await synced(routing)
    await put_on_queue(routing, message)
    await put_on_queue(
        routing, envelope([other, record], point=POINT, object_name=SETTINGS).encode()
    )
    await assert_queues_empty(routing)

    async def done() -> bool:
        return await countries(routing, other) == {"DE"}

    await eventually("the last message", done)
    assert await countries(routing, record) == {"FR"}
