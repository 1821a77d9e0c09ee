"""Delegated access: granted, used and ended."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.vault.assembly.vault import Vault
from shared.vault.errors import VaultFault
from tests.service.vault.people import as_user, new_user
from tests.service.vault.served import Api
from tests.service.vault.test_loader_api import load, stage, task

GRANTS = "/services/delegations"


async def pair(admin: Api, api: Api) -> tuple[int, Api, int, Api]:
    """Two users, the first of whom is to be the delegator."""
    (first, first_name), (second, second_name) = (
        await new_user(admin),
        await new_user(admin),
    )
    return (
        first,
        await as_user(api, first_name),
        second,
        await as_user(api, second_name),
    )


async def login(delegate: Api, vault: Vault, delegator: int) -> Api:
    fields = {"vault_id": str(vault.vault_id), "delegator_userid": str(delegator)}
    answer = await delegate.post("/delegation/login", data=fields)
    assert answer.status == "SUCCESS", answer.text
    return replace(delegate, session_id=answer.body["delegated_sessionid"])


async def test_a_delegate_acts_for_a_user(admin: Api, api: Api, vault: Vault) -> None:
    delegator, granting, delegate, session = await pair(admin, api)
    assert (await session.get("/delegation/vaults")).body["delegated_vaults"] == []
    granted = await granting.post(GRANTS, data={"delegate_userid": str(delegate)})
    assert granted.status == "SUCCESS"
    (shown,) = (await session.get("/delegation/vaults")).body["delegated_vaults"]
    assert shown == {
        "id": vault.vault_id,
        "name": "Medical Vault",
        "dns": api.url.partition("://")[2],
        "delegator_userid": str(delegator),
    }
    acting = await login(session, vault, delegator)
    me = (await acting.get("/objects/users/me")).body["users"][0]["user"]
    assert (me["id"], me["delegate_user_id"]) == (delegator, delegate)
    row = {"name__v": "made for another", "key__c": f"D-{delegator}"}
    (record,) = (await acting.post("/vobjects/thing__c", json=[row])).ids
    assert (await acting.get(f"/vobjects/thing__c/{record}")).data[
        "created_by__v"
    ] == delegator

    assert (await granting.delete(f"{GRANTS}/{granted.data['id']}")).status == "SUCCESS"
    assert (await acting.post("/keep-alive")).error == "INVALID_SESSION_ID"
    assert (await session.post("/keep-alive")).status == "SUCCESS"


async def test_what_a_delegate_may_not_do(admin: Api, api: Api, vault: Vault) -> None:
    delegator, granting, delegate, session = await pair(admin, api)
    await granting.post(GRANTS, json={"delegate_userid": delegate})
    acting = await login(session, vault, delegator)
    passwords = {"password__v": "x", "new_password__v": "another of a test"}
    again = {"vault_id": str(vault.vault_id), "delegator_userid": str(delegator)}
    for answer in (
        await acting.post("/objects/users/me/password", data=passwords),
        await acting.post(
            "/objects/users/me/api_access_token__sys", data={"name__v": "x"}
        ),
        await acting.post(GRANTS, data={"delegate_userid": "2"}),
        await acting.post("/delegation/login", data=again),
        await acting.put(
            "/objects/users/me", data={"user_email__v": "x@vault.example"}
        ),
    ):
        assert answer.error == "INSUFFICIENT_ACCESS"


async def test_what_a_delegate_of_an_administrator_may_not_leave_behind(
    admin: Api, api: Api, vault: Vault
) -> None:
    delegator, name = await new_user(admin, security_profile__v="system_admin__v")
    granting = await as_user(api, name)
    delegate, delegate_name = await new_user(admin)
    session = await as_user(api, delegate_name)
    await granting.post(GRANTS, data={"delegate_userid": str(delegate)})
    acting = await login(session, vault, delegator)

    taken = {"password__v": "nineteen lemon ladders"}
    raised = {"security_profile__v": "system_admin__v"}
    record = {"id": str(delegate), "security_profile__sys": "system_admin__v"}
    await stage(acting, "users.csv", f"id,security_profile__sys\n{delegate},x\n")
    for answer in (
        await acting.put("/objects/users/me", data=taken),
        await acting.put(f"/objects/users/{delegator}", json=taken),
        await acting.put(f"/objects/users/{delegate}", data=raised),
        await acting.put("/objects/users", json=[{"id": delegate, **raised}]),
        await acting.put("/vobjects/user__sys", json=[record]),
        await acting.post(
            "/services/loader/load",
            json=[task("update", "users.csv", object="user__sys")],
        ),
    ):
        assert answer.error == "INSUFFICIENT_ACCESS", answer.text
        assert "in a delegated session" in answer.message
    # Both are as they were: the one signs in with the password, the other is no administrator.
    assert (await as_user(api, name)).session_id
    (me,) = (await session.get("/objects/users/me")).body["users"]
    assert me["user"]["security_profile__v"] == "business_user__v"


async def test_a_load_of_a_delegate_is_the_delegates_work(
    admin: Api, api: Api, vault: Vault
) -> None:
    delegator, name = await new_user(admin, security_profile__v="system_admin__v")
    granting = await as_user(api, name)
    delegate, delegate_name = await new_user(admin)
    await granting.post(GRANTS, data={"delegate_userid": str(delegate)})
    acting = await login(await as_user(api, delegate_name), vault, delegator)
    await stage(acting, "things.csv", f"name__v,key__c\nLoaded,DL-{delegator}\n")
    _, status = await load(acting, task("create", "things.csv"))
    assert status == "SUCCESS"
    found = await admin.query(
        f"SELECT id FROM thing__c WHERE key__c = 'DL-{delegator}'"
    )
    path = f"/vobjects/thing__c/{found.data[0]['id']}/audittrail"
    (entry,) = (await admin.get(path)).data
    assert (entry["user_id"], entry["on_behalf_of"]) == (str(delegate), name)


@pytest.mark.parametrize("ends", ["revoked", "delegator", "delegate"])
async def test_no_job_goes_on_when_the_delegation_has_ended(
    admin: Api, api: Api, vault: Vault, ends: str
) -> None:
    delegator, granting, delegate, _ = await pair(admin, api)
    granted = await granting.post(GRANTS, data={"delegate_userid": str(delegate)})
    caller = await vault.security.caller_of(delegator, delegate)
    assert (caller.user_id, caller.delegate_user_id) == (delegator, delegate)
    if ends == "revoked":
        await granting.delete(f"{GRANTS}/{granted.data['id']}")
    else:
        inactive = delegator if ends == "delegator" else delegate
        await admin.delete(f"/objects/users/{inactive}")
    with pytest.raises(VaultFault):
        await vault.security.caller_of(delegator, delegate)
    async with vault.database.connection() as connection:
        with pytest.raises(VaultFault):
            await vault.security.caller_of(delegator, delegate, connection)


@pytest.mark.parametrize(
    "ends", ["end_date = now()", "start_date = now() + interval '1 hour'"]
)
async def test_a_delegation_is_bounded_in_time(
    admin: Api, api: Api, vault: Vault, ends: str
) -> None:
    delegator, granting, delegate, session = await pair(admin, api)
    fields = {"delegate_userid": str(delegate), "end_date": "2099-01-01T00:00:00Z"}
    granted = await granting.post(GRANTS, data=fields)
    acting = await login(session, vault, delegator)
    async with vault.database.connection() as connection:
        sql = f"UPDATE platform.delegated_access SET {ends} WHERE id = $1"
        await connection.execute(sql, granted.data["id"])
    assert (await acting.post("/keep-alive")).error == "INVALID_SESSION_ID"
    again = {"vault_id": str(vault.vault_id), "delegator_userid": str(delegator)}
    assert (
        await session.post("/delegation/login", data=again)
    ).error == "INSUFFICIENT_ACCESS"


async def test_a_delegation_that_has_ended_is_followed_by_a_new_one(
    admin: Api, api: Api, vault: Vault
) -> None:
    delegator, granting, delegate, session = await pair(admin, api)
    fields = {"delegate_userid": str(delegate), "end_date": "2099-01-01T00:00:00Z"}
    granted = await granting.post(GRANTS, data=fields)
    acting = await login(session, vault, delegator)
    assert (await granting.post(GRANTS, data=fields)).error == "OPERATION_NOT_ALLOWED"
    async with vault.database.connection() as connection:
        sql = "UPDATE platform.delegated_access SET end_date = now() WHERE id = $1"
        await connection.execute(sql, granted.data["id"])
    again = await granting.post(GRANTS, data=fields)
    assert again.status == "SUCCESS", again.text
    (listed,) = (await granting.get(GRANTS)).data
    assert listed["id"] == again.data["id"]
    # The session of the first one is over for good.
    assert (await acting.post("/keep-alive")).error == "INVALID_SESSION_ID"
    assert (await login(session, vault, delegator)).session_id


@pytest.mark.parametrize("who", ["delegator", "delegate"])
async def test_it_ends_when_either_user_becomes_inactive(
    admin: Api, api: Api, vault: Vault, who: str
) -> None:
    delegator, granting, delegate, session = await pair(admin, api)
    await granting.post(GRANTS, data={"delegate_userid": str(delegate)})
    acting = await login(session, vault, delegator)
    await admin.delete(
        f"/objects/users/{delegator if who == 'delegator' else delegate}"
    )
    assert (await acting.post("/keep-alive")).error == "INVALID_SESSION_ID"


async def test_grants_that_cannot_be(admin: Api, api: Api) -> None:
    delegator, granting, delegate, session = await pair(admin, api)
    good = {"delegate_userid": str(delegate)}
    for fields, error in (
        ({}, "PARAMETER_REQUIRED"),
        ({"delegate_userid": "x"}, "INVALID_DATA"),
        ({"delegate_userid": "9" * 40}, "INVALID_DATA"),
        ({"delegate_userid": str(delegator)}, "INVALID_DATA"),
        ({"delegate_userid": "987654"}, "USER_NOT_FOUND"),
        ({**good, "end_date": "2020-01-01T00:00:00Z"}, "INVALID_DATA"),
        ({**good, "start_date": "then"}, "INVALID_DATA"),
        ({**good, "delegator_userid": "2"}, "INSUFFICIENT_ACCESS"),
    ):
        assert (await granting.post(GRANTS, data=fields)).error == error
    assert (await granting.post(GRANTS, data=good)).status == "SUCCESS"
    assert (await granting.post(GRANTS, data=good)).error == "OPERATION_NOT_ALLOWED"
    (listed,) = (await session.get(GRANTS)).data
    assert (listed["delegator_userid"], listed["delegate_userid"]) == (
        str(delegator),
        str(delegate),
    )
    assert (
        await session.delete(f"{GRANTS}/{listed['id']}")
    ).error == "INSUFFICIENT_ACCESS"
    assert (await session.delete(f"{GRANTS}/987654")).error == "INSUFFICIENT_ACCESS"
    assert (await admin.delete(f"{GRANTS}/987654")).error == "INVALID_DATA"
    assert listed in (await admin.get(GRANTS)).data


async def test_members_of_a_group_that_delegates_among_themselves(
    admin: Api, api: Api
) -> None:
    delegator, granting, delegate, _ = await pair(admin, api)
    fields = {"label__v": f"Closed {delegator}", "members__v": str(delegator)}
    group = await admin.post(
        "/objects/groups", data={**fields, "allow_delegation_among_members__v": "true"}
    )
    grant = {"delegate_userid": str(delegate)}
    assert (await granting.post(GRANTS, data=grant)).error == "OPERATION_NOT_ALLOWED"
    await admin.put(
        f"/objects/groups/{group.body['id']}", data={"members__v": f"add ({delegate})"}
    )
    assert (await granting.post(GRANTS, data=grant)).status == "SUCCESS"


async def test_logins_that_cannot_be(admin: Api, api: Api, vault: Vault) -> None:
    _, _, _, session = await pair(admin, api)
    here = str(vault.vault_id)
    for fields, error in (
        ({"delegator_userid": "2"}, "PARAMETER_REQUIRED"),
        ({"vault_id": here}, "PARAMETER_REQUIRED"),
        ({"vault_id": "1", "delegator_userid": "2"}, "INVALID_DATA"),
        ({"vault_id": here, "delegator_userid": "2"}, "INSUFFICIENT_ACCESS"),
    ):
        assert (await session.post("/delegation/login", data=fields)).error == error
