"""Entries of the audit trails: complete, in the transaction of the change, append-only."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import asyncpg
import pytest

from shared.vault.access.caller import SYSTEM
from shared.vault.assembly.vault import Vault
from shared.vault.audit.audit_entries import CUT, MAX_VALUE
from shared.vault.storage.database import OneTransaction
from tests.service.vault import auditing
from tests.service.vault.auditing import RECORDS, latest, made, trail_of
from tests.service.vault.people import as_user, new_user
from tests.service.vault.served import USERNAMES, Api

audited = auditing.audited
COUNT_OF = "SELECT count(*) FROM platform.audit_entry WHERE record_id = $1"
WHOSE = ("user_name", "full_name", "on_behalf_of")


async def test_the_life_of_a_record(admin: Api, integration: Api) -> None:
    record = await made(integration, text__c="before", day__c="2026-01-02")
    await admin.put(RECORDS, json=[{"id": record, "text__c": "after", "day__c": ""}])
    await admin.put(RECORDS, json=[{"id": record, "text__c": "after"}])
    await admin.delete(RECORDS, json=[{"id": record}])
    deleted, *edits, created = await trail_of(admin, record)
    assert (created["action"], created["user_name"]) == (
        "Create",
        USERNAMES["integration"],
    )
    assert {
        (e["action"], e["field_name"], e["old_value"], e["new_value"]) for e in edits
    } == {
        ("Edit", "text__c", "before", "after"),
        ("Edit", "day__c", "2026-01-02", None),
    }
    assert {e["user_name"] for e in edits} == {USERNAMES["admin"]}
    assert deleted["action"] == "Delete"
    assert '"text__c": "after"' in deleted["old_value"]
    assert {row["record_id"] for row in (deleted, *edits, created)} == {record}
    assert created["timestamp"] <= edits[0]["timestamp"] <= deleted["timestamp"]


async def test_an_upsert_and_a_bulk_call(admin: Api) -> None:
    key = uuid4().hex
    rows = [{"name__v": "a", "key__c": f"{key}{n}", "note__c": "x"} for n in range(3)]
    ids = (await admin.post("/vobjects/thing__c?idParam=key__c", json=rows)).ids
    rows = [{**row, "note__c": "y"} for row in rows]
    await admin.post("/vobjects/thing__c?idParam=key__c", json=rows)
    for record in ids:
        edit, created = await trail_of(admin, record, "thing__c")
        assert (edit["field_name"], edit["old_value"], edit["new_value"]) == (
            "note__c",
            "x",
            "y",
        )
        assert created["action"] == "Create"


async def test_a_refused_row_leaves_no_entry(admin: Api) -> None:
    key = uuid4().hex
    row = {"name__v": "a", "key__c": key}
    answer = await admin.post("/vobjects/thing__c", json=[row])
    (record,) = answer.ids
    before = await latest(admin, "object_audit_trail", objects="thing__c")
    again = await admin.post("/vobjects/thing__c", json=[row])
    assert again.data[0]["responseStatus"] == "FAILURE"
    after = await latest(admin, "object_audit_trail", objects="thing__c")
    assert after == before
    assert len(await trail_of(admin, record, "thing__c")) == 1


async def test_a_user_action_is_on_the_trail(admin: Api, user: Api) -> None:
    (record,) = (
        await user.post(
            "/vobjects/thing__c", json=[{"name__v": "a", "key__c": uuid4().hex}]
        )
    ).ids
    action = "Objectlifecyclestateuseraction.thing__c.new_state__c.start__c"
    assert (
        await user.post(f"/vobjects/thing__c/{record}/actions/{action}")
    ).status == "SUCCESS"
    edit = (await trail_of(admin, record, "thing__c"))[0]
    assert (
        edit["field_name"],
        edit["old_value"],
        edit["new_value"],
        edit["user_name"],
    ) == (
        "state__v",
        "new_state__c",
        "started_state__c",
        USERNAMES["user"],
    )


async def test_long_values_are_cut(admin: Api) -> None:
    record = await made(admin)
    await admin.put(RECORDS, json=[{"id": record, "long__c": "x" * 5000}])
    edit = (await trail_of(admin, record))[0]
    assert edit["new_value"] == "x" * (MAX_VALUE - 1) + CUT


async def test_what_goes_with_a_deleted_record(admin: Api) -> None:
    parent = await made(admin)
    child = await made(admin, parent__c=parent)
    friend = await made(admin, friend__c=child)
    assert (await admin.delete(RECORDS, json=[{"id": parent}])).data[0][
        "responseStatus"
    ] == "SUCCESS"
    assert (await trail_of(admin, child))[0]["action"] == "Delete"
    emptied = (await trail_of(admin, friend))[0]
    assert (emptied["field_name"], emptied["old_value"], emptied["new_value"]) == (
        "friend__c",
        child,
        None,
    )


async def test_an_object_may_be_left_out(admin: Api) -> None:
    (record,) = (await admin.post("/vobjects/silent__c", json=[{"name__v": "a"}])).ids
    await admin.put("/vobjects/silent__c", json=[{"id": record, "text__c": "b"}])
    await admin.delete("/vobjects/silent__c", json=[{"id": record}])
    assert await trail_of(admin, record, "silent__c") == []


async def test_a_delegate_is_named(admin: Api, api: Api, vault: Vault) -> None:
    (first, first_name), (second, second_name) = (
        await new_user(admin),
        await new_user(admin),
    )
    granting, session = await as_user(api, first_name), await as_user(api, second_name)
    await granting.post("/services/delegations", data={"delegate_userid": str(second)})
    fields = {"vault_id": str(vault.vault_id), "delegator_userid": str(first)}
    opened = await session.post("/delegation/login", data=fields)
    sign_in = await latest(admin, "login_audit_trail")
    assert (sign_in["type"], sign_in["user_name"], sign_in["on_behalf_of"]) == (
        "Delegated Login",
        second_name,
        first_name,
    )
    created = (
        await trail_of(
            admin,
            await made(replace(session, session_id=opened.body["delegated_sessionid"])),
        )
    )[0]
    assert (created["user_name"], created["user_id"], created["on_behalf_of"]) == (
        second_name,
        str(second),
        first_name,
    )


async def test_configuration(admin: Api) -> None:
    name = f"p{uuid4().hex[:8]}__c"
    for text in (
        f"RECREATE Picklist {name} ( label('Before') );",
        f"ALTER Picklist {name} ( label('After') );",
        f"DROP Picklist {name};",
    ):
        assert (await admin.post("/api/mdl/execute", data=text)).status == "SUCCESS"
    answer = await admin.get(
        "/audittrail/system_audit_trail", params={"objects": f"Picklist.{name}"}
    )
    dropped, altered, created = answer.data
    assert [row["action"] for row in (created, altered, dropped)] == [
        "RECREATE",
        "ALTER",
        "DROP",
    ]
    assert created["old_value"] is None
    assert "'Before'" in created["new_value"]
    assert altered["old_value"] == created["new_value"]
    assert "'After'" in altered["new_value"]
    assert (dropped["old_value"], dropped["new_value"]) == (altered["new_value"], None)
    assert created["user_name"] == USERNAMES["admin"]


async def test_sign_ins(admin: Api, api: Api) -> None:
    await api.signed_in("user")
    entry = await latest(admin, "login_audit_trail")
    assert (entry["type"], entry["status"], entry["user_name"]) == (
        "User Login",
        "Success",
        USERNAMES["user"],
    )
    await api.post(
        "/auth", data={"username": USERNAMES["user"], "password": "a wrong one"}
    )
    entry = await latest(admin, "login_audit_trail")
    assert (entry["status"], entry["user_name"]) == (
        "USERNAME_OR_PASSWORD_INCORRECT",
        USERNAMES["user"],
    )
    await api.signed_in("user")
    await api.post(
        "/auth", data={"username": "what may be a password", "password": "a wrong one"}
    )
    answer = await admin.get("/audittrail/login_audit_trail", params={"limit": 1})
    assert (answer.data[0]["status"], answer.data[0]["user_name"]) == (
        "USERNAME_OR_PASSWORD_INCORRECT",
        None,
    )
    everything = await admin.get(
        "/audittrail/login_audit_trail", params={"limit": 1000}
    )
    assert "a wrong one" not in everything.text
    assert "what may be" not in everything.text


async def test_a_changed_password_is_on_the_trail(admin: Api) -> None:
    user_id, _ = await new_user(admin)
    entry = await latest(admin, "domain_audit_trail")
    assert (entry["action"], entry["item"], entry["user_name"]) == (
        "Change Password",
        f"User.{user_id}",
        USERNAMES["admin"],
    )


async def test_groups_tokens_and_delegations(admin: Api, api: Api) -> None:
    user_id, username = await new_user(admin)
    created = await admin.post(
        "/objects/groups", data={"label__v": f"G {uuid4().hex[:8]}"}
    )
    group = created.body["id"]
    await admin.put(f"/objects/groups/{group}", data={"members__v": str(user_id)})
    await admin.delete(f"/objects/groups/{group}")
    named = {"objects": f"Group.{group}"}
    deleted, edited, made_ = (
        await admin.get("/audittrail/domain_audit_trail", params=named)
    ).data
    assert [row["action"] for row in (made_, edited, deleted)] == [
        "Create",
        "Edit",
        "Delete",
    ]
    assert (made_["old_value"], deleted["new_value"]) == (None, None)
    assert f'"members": [{user_id}]' in edited["new_value"]
    assert edited["new_value"] == deleted["old_value"]

    session = await as_user(api, username)
    tokens = f"/objects/users/{user_id}/api_access_token__sys"
    token = await session.post(tokens, data={"name__v": "one"})
    assert token.status == "SUCCESS", token.text
    entry = await latest(admin, "domain_audit_trail")
    assert (entry["action"], entry["user_name"]) == ("Create", username)
    assert entry["item"].startswith("Token.")
    other, _ = await new_user(admin)
    granted = await session.post(
        "/services/delegations", data={"delegate_userid": str(other)}
    )
    entry = await latest(admin, "domain_audit_trail")
    assert (entry["item"], entry["new_value"]) == (
        f"Delegation.{granted.data['id']}",
        f"{user_id} to {other}",
    )


async def test_the_delivery_of_a_queue(admin: Api) -> None:
    for action in ("disable_delivery", "enable_delivery", "reset"):
        assert (
            await admin.put(f"/services/queues/out__c/actions/{action}")
        ).status == "SUCCESS"
    answer = await admin.get(
        "/audittrail/system_audit_trail", params={"objects": "Queue.out__c", "limit": 3}
    )
    assert [row["action"] for row in answer.data] == [
        "Reset",
        "Enable Delivery",
        "Disable Delivery",
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE platform.audit_entry SET user_name = 'nobody'",
        "UPDATE platform.audit_entry SET user_name = 'nobody' WHERE false",
        "DELETE FROM platform.audit_entry WHERE id = 1",
        "TRUNCATE platform.audit_entry",
        "SET session_replication_role = replica; DELETE FROM platform.audit_entry",
    ],
)
async def test_an_entry_stays_as_it_was_written(vault: Vault, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with vault.database.transaction() as connection:
            await connection.execute(statement)


async def test_the_vaults_own_role_has_no_permission_to_change_entries(
    vault: Vault,
) -> None:
    sql = """
    SELECT count(*) FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = 'platform.audit_entry'::regclass
    AND a.privilege_type IN ('UPDATE', 'DELETE', 'TRUNCATE')
    """
    async with vault.database.connection() as connection:
        assert await connection.fetchval(sql) == 0
        assert await connection.fetchval(
            "SELECT relacl IS NOT NULL FROM pg_class WHERE relname = 'audit_entry'"
        )


async def test_a_change_that_is_undone_leaves_no_entry(
    admin: Api, vault: Vault
) -> None:
    await made(admin)
    before = await latest(admin, "object_audit_trail", objects="audited__c")
    async with vault.database.connection() as connection:
        transaction = connection.transaction()
        await transaction.start()
        own = vault.records.within(OneTransaction(connection), vault.components)
        (result,) = await own.create(SYSTEM, "audited__c", [{"name__v": "never"}])
        assert result.ok
        assert await connection.fetchval(COUNT_OF, result.id) == 1
        await transaction.rollback()
        assert await connection.fetchval(COUNT_OF, result.id) == 0
    after = await latest(admin, "object_audit_trail", objects="audited__c")
    assert after == before
