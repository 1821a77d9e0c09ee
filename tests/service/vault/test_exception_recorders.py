"""Only callers who record failures may create user exceptions and change their recorded data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from shared.vault.assembly.vault import Vault
from tests.service.vault.objects import key
from tests.service.vault.people import as_user, new_user
from tests.service.vault.profiles import with_profile
from tests.service.vault.served import Api
from tests.service.vault.test_api_delegation import GRANTS, login
from tests.service.vault.test_loader_api import load, stage

MESSAGE, ITEM = "exception_message__sys", "exception_item__sys"
STATUS = "error_status__sys"
RETRY = f"Objectaction.{MESSAGE}.retry_transfer__sys"
IGNORE = f"Objectaction.{MESSAGE}.ignore__sys"
OPEN, IGNORED = "open__sys", "ignored__sys"
DENIED = "INSUFFICIENT_ACCESS"
# Who refers to an integration or its point may read them.
READ = {"integration__sys": "r", "integration_point__sys": "r"}
WORKING = {MESSAGE: "rce", ITEM: "rce", **READ}
MIGRATION = {"X-VaultAPI-MigrationMode": "true", "X-VaultAPI-NoTriggers": "true"}
FORGED = json.dumps({"message": {"attributes": {}, "items": ["V4T000000000ZZZ"]}})


@dataclass(frozen=True)
class Person:
    """A profile's grants besides work on exceptions, the headers of its calls, and whether it records failures."""

    records: bool
    grants: frozenset[str] = frozenset()
    headers: Mapping[str, str] = field(default_factory=dict)


PEOPLE = {
    "reports deliveries": Person(records=True, grants=frozenset({"report_deliveries"})),
    "copies records": Person(records=True, grants=frozenset({"copy_records"})),
    "works on exceptions": Person(records=False),
    "migrates records": Person(
        records=False, grants=frozenset({"record_migration"}), headers=MIGRATION
    ),
    "manages integrations": Person(
        records=False,
        grants=frozenset({"manage_integrations", "manage_queues", "execute_mdl"}),
    ),
}
VALUES: dict[str, Any] = {"LongText": FORGED, "Number": 7}


def new_message() -> dict[str, Any]:
    return {
        "message_id__sys": key(),
        "error_type__sys": "message_processing_error__sys",
        STATUS: OPEN,
        "queue__sys": "in__c",
        "message_body_json__sys": "{}",
        "message_items_failed__sys": 2,
    }


def new_item(message: str) -> dict[str, Any]:
    return {
        "item_key__sys": key(),
        MESSAGE: message,
        "item__sys": "V4T000000000001",
        "error_type__sys": "save_error__sys",
        STATUS: OPEN,
    }


async def made(api: Api, object_name: str, row: Mapping[str, Any]) -> str:
    answer = await api.post(f"/vobjects/{object_name}", json=[row])
    assert answer.ids, answer.text
    return answer.ids[0]


async def recorded(admin: Api) -> dict[str, str]:
    """A message and its item, by object."""
    message = await made(admin, MESSAGE, new_message())
    return {MESSAGE: message, ITEM: await made(admin, ITEM, new_item(message))}


async def stored(admin: Api, object_name: str, record_id: str) -> Any:
    return (await admin.get(f"/vobjects/{object_name}/{record_id}")).data


async def forgeries(admin: Api, vault: Vault, object_name: str) -> dict[str, Any]:
    """Another value of each field of the Vault's that an update may set, but the status."""
    point = "SELECT id, integration__sys FROM integration_point__sys MAXROWS 1"
    (found,) = (await admin.query(point)).data
    values = {
        "integration__sys": found["integration__sys"],
        "integration_point__sys": found["id"],
        MESSAGE: await made(admin, MESSAGE, new_message()),
    }
    target = vault.components.registry.objects[object_name]
    for each in target.fields.values():
        if not each.name.endswith("__sys") or each.system or not each.editable:
            continue
        if each.picklist is not None:
            entries = vault.components.registry.picklists[each.picklist].entries
            values[each.name] = list(entries)[-1]
        values.setdefault(each.name, VALUES.get(each.type.value, key()))
    values = {name: v for name, v in values.items() if name in target.fields}
    del values[STATUS]
    return values


async def delegate_of_an_administrator(admin: Api, api: Api, vault: Vault) -> Api:
    delegator, name = await new_user(admin, security_profile__v="system_admin__v")
    delegate, delegate_name = await new_user(admin)
    granting = await as_user(api, name)
    await granting.post(GRANTS, data={"delegate_userid": str(delegate)})
    return await login(await as_user(api, delegate_name), vault, delegator)


async def check(
    admin: Api, vault: Vault, caller: Api, person: Person, object_name: str
) -> None:
    """Let a caller create, write each field of a record by id, and work on it."""
    headers = dict(person.headers)
    path = f"/vobjects/{object_name}"
    records = await recorded(admin)
    record_id = records[object_name]
    row = new_message() if object_name == MESSAGE else new_item(records[MESSAGE])
    created = await caller.post(path, json=[row], headers=headers)
    assert (created.data[0]["responseStatus"] == "SUCCESS") is person.records
    values = await forgeries(admin, vault, object_name)
    assert len(values) > 7
    outcomes = {}
    for name, value in values.items():
        before = (await stored(admin, object_name, record_id))[name]
        rows = [{"id": record_id, name: value}]
        (outcome,) = (await caller.put(path, json=rows, headers=headers)).data
        after = (await stored(admin, object_name, record_id))[name]
        outcomes[name] = outcome["responseStatus"] == "SUCCESS", before != after
        if not person.records:
            assert outcome["errors"][0]["type"] == DENIED
            assert "report_deliveries" in outcome["errors"][0]["message"]
    assert outcomes == dict.fromkeys(values, (person.records, person.records))
    same = await stored(admin, object_name, record_id)
    kept = {"id": record_id, "error_message__sys": same["error_message__sys"]}
    rows = [{**kept, STATUS: IGNORED}]
    (outcome,) = (await caller.put(path, json=rows, headers=headers)).data
    assert outcome["responseStatus"] == "SUCCESS", outcome
    assert (await stored(admin, object_name, record_id))[STATUS] == [IGNORED]


@pytest.mark.parametrize("object_name", [MESSAGE, ITEM])
@pytest.mark.parametrize("who", PEOPLE)
async def test_what_was_recorded_is_written_by_those_who_record(
    admin: Api, vault: Vault, who: str, object_name: str
) -> None:
    person = PEOPLE[who]
    caller = await with_profile(admin, set(person.grants), WORKING)
    await check(admin, vault, caller, person, object_name)


@pytest.mark.parametrize("object_name", [MESSAGE, ITEM])
async def test_the_supplied_profiles_and_their_delegates(
    admin: Api, integration: Api, api: Api, vault: Vault, object_name: str
) -> None:
    delegate = await delegate_of_an_administrator(admin, api, vault)
    for caller, records in ((admin, True), (integration, True), (delegate, False)):
        await check(admin, vault, caller, Person(records=records), object_name)


async def test_a_load_or_an_upsert_records_no_failure(admin: Api) -> None:
    caller = await with_profile(admin, {"use_loader", "use_staging"}, WORKING)
    row = new_message()
    path = f"/vobjects/{MESSAGE}?idParam=message_id__sys"
    upserted = await caller.post(path, json=[row])
    assert upserted.data[0]["errors"][0]["type"] == DENIED
    await stage(
        caller, "/forged.csv", f"{','.join(row)}\n{','.join(map(str, row.values()))}\n"
    )
    task = {
        "object_type": "vobjects__v",
        "object": MESSAGE,
        "action": "create",
        "file": "/forged.csv",
    }
    await load(caller, task)
    text = (
        f"SELECT id FROM {MESSAGE} WHERE message_id__sys = '{row['message_id__sys']}'"
    )
    assert (await admin.query(text)).data == []


async def test_who_works_on_exceptions_still_ignores_and_retries(
    admin: Api, api: Api, vault: Vault
) -> None:
    for caller in (
        await with_profile(admin, set(), WORKING),
        await delegate_of_an_administrator(admin, api, vault),
    ):
        # Without items: nothing but the action itself counts them down.
        record_id = await made(admin, MESSAGE, new_message())
        path = f"/vobjects/{MESSAGE}/{record_id}/actions"
        retried = await caller.post(f"{path}/{RETRY}")
        assert retried.error == "OPERATION_NOT_ALLOWED"  # its body is no message
        assert (await caller.post(f"{path}/{IGNORE}")).status == "SUCCESS"
        left = await stored(admin, MESSAGE, record_id)
        assert (left[STATUS], left["message_items_failed__sys"]) == ([IGNORED], 0)


async def test_a_delegate_deletes_no_exception(
    admin: Api, api: Api, vault: Vault
) -> None:
    delegate = await delegate_of_an_administrator(admin, api, vault)
    for object_name, record_id in (await recorded(admin)).items():
        answer = await delegate.delete(f"/vobjects/{object_name}/{record_id}")
        assert answer.error == DENIED
        assert "in a delegated session" in answer.message
        assert await stored(admin, object_name, record_id)
