"""Migration mode, no triggers, and the handling of unchanged fields."""

from __future__ import annotations

import pytest

from tests.service.vault.objects import ITEMS, items, key, outcomes, record
from tests.service.vault.served import Api
from tests.service.vault.test_loader_api import load, rows, stage

MIGRATION = {"X-VaultAPI-MigrationMode": "true"}
IGNORE, NEVER = (
    {"X-VaultAPI-UnchangedFieldBehavior": b} for b in ("AlwaysIgnore", "NeverIgnore")
)
LONG_AGO = "2015-07-30T20:55:16.000Z"


async def test_migration_mode_sets_what_the_vault_sets_otherwise(admin: Api) -> None:
    row = {
        "name__v": "migrated",
        "state__v": "second__c",
        "status__v": "inactive__v",
        "created_by__v": 2,
        "created_date__v": LONG_AGO,
        "modified_date__v": LONG_AGO,
        "fixed__c": key(),
    }
    assert outcomes(await admin.post(ITEMS, json=[row])) == ["INVALID_DATA"]
    answer = await admin.post(ITEMS, json=[row], headers=MIGRATION)
    stored = await record(admin, "item__c", answer.ids[0])
    assert stored["state__v"] == ["second__c"] and stored["status__v"] == [
        "inactive__v"
    ]
    assert stored["created_by__v"] == 2 and stored["modified_by__v"] != 0
    assert stored["created_date__v"] == stored["modified_date__v"] == LONG_AGO
    changed = {
        "id": answer.ids[0],
        "state_label": "base:object_lifecycle:initial",
        "modified_by__v": 3,
    }
    assert outcomes(await admin.put(ITEMS, json=[changed], headers=MIGRATION)) == [
        "SUCCESS"
    ]
    stored = await record(admin, "item__c", answer.ids[0])
    assert stored["state__v"] == ["first__c"] and stored["modified_by__v"] == 3


@pytest.mark.parametrize(
    "bad",
    [
        {"state__v": "nowhere__c"},
        {"state_label": "initial"},
        {"state_label": "base:object_lifecycle:complete"},
        {"state_label": "base:object_lifecycle:initial", "state__v": "second__c"},
        {"created_date__v": "yesterday"},
        {"created_by__v": "me"},
        {"created_by__v": 999_999},
        {"modified_by__v": -1},
        {"created_by__v": 10**17},
        {"id": "ZIT000000000000"},
        {"global_id__sys": "1_2"},
    ],
)
async def test_migration_mode_still_checks_values(
    admin: Api, bad: dict[str, str]
) -> None:
    answer = await admin.post(
        ITEMS, json=[{"name__v": "bad", **bad}], headers=MIGRATION
    )
    assert outcomes(answer) == ["INVALID_DATA"]


async def test_migration_mode_refuses_only_rows_of_users_that_do_not_exist(
    admin: Api,
) -> None:
    created = [
        {"name__v": "known", "created_by__v": 2, "modified_by__v": 2},
        {"name__v": "unknown", "created_by__v": 999_999},
        {"name__v": "nobody"},
    ]
    answer = await admin.post(ITEMS, json=created, headers=MIGRATION)
    assert outcomes(answer) == ["SUCCESS", "INVALID_DATA", "SUCCESS"]
    assert "[created_by__v]" in answer.data[1]["errors"][0]["message"]
    changed = [
        {"id": answer.data[0]["data"]["id"], "modified_by__v": 999_999},
        {"id": answer.data[2]["data"]["id"], "modified_by__v": 3},
    ]
    answer = await admin.put(ITEMS, json=changed, headers=MIGRATION)
    assert outcomes(answer) == ["INVALID_DATA", "SUCCESS"]


async def test_migration_mode_skips_required_fields_but_the_name(admin: Api) -> None:
    assert outcomes(await admin.post("/vobjects/part__c", json=[{"name__v": "p"}])) == [
        "PARAMETER_REQUIRED"
    ]
    answer = await admin.post(
        "/vobjects/part__c",
        json=[{"name__v": "p", "owner__c": ""}, {}],
        headers=MIGRATION,
    )
    assert outcomes(answer) == ["SUCCESS", "PARAMETER_REQUIRED"]


async def test_migration_mode_needs_the_permission(user: Api, integration: Api) -> None:
    for client in (user, integration):
        answer = await client.post(ITEMS, json=[{"name__v": "x"}], headers=MIGRATION)
        assert (answer.status, answer.error) == ("FAILURE", "INSUFFICIENT_ACCESS")


async def test_no_triggers_leaves_the_rules_of_users_in_force(admin: Api) -> None:
    headers = {**MIGRATION, "X-VaultAPI-NoTriggers": "true"}
    answer = await admin.delete(
        "/vobjects/user__sys", json=[{"id": "2"}], headers=headers
    )
    assert outcomes(answer) == ["OPERATION_NOT_ALLOWED"]


async def test_no_triggers_counts_in_migration_mode_only(admin: Api) -> None:
    async def activated(**headers: str) -> object:
        name = key()
        connection = {"name__v": name, "api_name__sys": name.lower().replace("-", "_")}
        parent = (await admin.post("/vobjects/connection__sys", json=[connection])).ids[
            0
        ]
        row = {
            "name__v": name,
            "integration_api_name__sys": name,
            "connection__sys": parent,
        }
        made = await admin.post(
            "/vobjects/integration__sys", json=[{**row, "status__v": "inactive__v"}]
        )
        change = [{"id": made.ids[0], "status__v": "active__v"}]
        assert outcomes(
            await admin.put("/vobjects/integration__sys", json=change, headers=headers)
        ) == ["SUCCESS"]
        return (await record(admin, "integration__sys", made.ids[0]))[
            "last_successful_run_time__sys"
        ]

    no_triggers = {"X-VaultAPI-NoTriggers": "true"}
    assert await activated(**MIGRATION) is not None
    assert await activated(**no_triggers) is not None
    assert await activated(**MIGRATION, **no_triggers) is None


async def test_unchanged_fields(admin: Api) -> None:
    (one,) = await items(admin, 1, text__c="same")
    stored = await record(admin, "item__c", one)
    read_back = [
        {
            "id": one,
            "text__c": "new",
            "global_id__sys": stored["global_id__sys"],
            "fixed__c": None,
        }
    ]
    assert outcomes(await admin.put(ITEMS, json=read_back)) == ["INVALID_DATA"]
    assert outcomes(await admin.put(ITEMS, json=read_back, headers=IGNORE)) == [
        "SUCCESS"
    ]
    changed = [{"id": one, "fixed__c": "other"}]
    assert outcomes(await admin.put(ITEMS, json=changed, headers=IGNORE)) == [
        "INVALID_DATA"
    ]
    assert outcomes(
        await admin.post(
            ITEMS, json=[{"name__v": "n", "fixed__c": "x"}], headers=IGNORE
        )
    ) == ["INVALID_DATA"]
    same = [{"id": one, "text__c": "new"}]
    assert outcomes(await admin.put(ITEMS, json=same)) == ["WARNING"]
    assert outcomes(await admin.put(ITEMS, json=same, headers=NEVER)) == ["SUCCESS"]
    wrong = {"X-VaultAPI-UnchangedFieldBehavior": "Sometimes"}
    assert (await admin.put(ITEMS, json=same, headers=wrong)).error == "INVALID_DATA"


async def test_a_load_in_migration_mode(admin: Api, integration: Api) -> None:
    name = key()
    await stage(
        admin,
        "/migrated.csv",
        f"name__v,key__c,state__v,created_date__v\nold,{name},second__c,{LONG_AGO}\n",
    )
    task = {
        "object_type": "vobjects__v",
        "object": "item__c",
        "action": "create",
        "file": "/migrated.csv",
    }
    job_id, status = await load(
        admin, {**task, "recordmigrationmode": True, "notriggers": True}
    )
    assert status == "SUCCESS"
    (line,) = await rows(admin, job_id, "1", "successlog")
    stored = await record(admin, "item__c", line["id"])
    assert (stored["state__v"], stored["created_date__v"]) == (["second__c"], LONG_AGO)
    refused = await integration.post(
        "/services/loader/load", json=[{**task, "recordmigrationmode": True}]
    )
    assert refused.error == "INSUFFICIENT_ACCESS"


async def test_a_row_goes_on_where_an_earlier_one_of_its_record_was_refused(
    admin: Api,
) -> None:
    for headers in ({}, IGNORE):
        (one,) = await items(admin, 1)
        rows = [
            {"id": one, "fixed__c": "other"},
            {"id": one, "text__c": "second"},
            {"id": one, "text__c": "third"},
        ]
        answer = await admin.put(ITEMS, json=rows, headers=headers)
        # As for a row that is refused before its record is read, whichever rule refuses it.
        assert outcomes(answer) == ["INVALID_DATA", "SUCCESS", "INVALID_DATA"]
        assert (await record(admin, "item__c", one))["text__c"] == "second"
