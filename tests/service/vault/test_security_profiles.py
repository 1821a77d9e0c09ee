"""Custom security profiles: created, assigned to users; nobody can assign rights that they do not have."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from local.servers import PostgresServer, RabbitServer
from services.medical_vault.definition import MEDICAL_VAULT
from shared.vault.assembly.vault import Vault
from shared.vault.components.mdl import parse
from shared.vault.components.permission_types import Grant
from shared.vault.process.application import create_app
from tests.servers import fresh_vhost
from tests.service.vault.package_calls import deployed, imported
from tests.service.vault.people import as_user, new_user, person
from tests.service.vault.profiles import (
    execute,
    name,
    permission_set,
    security_profile,
    with_profile,
)
from tests.service.vault.served import MDL, PASSWORD, Api, served, settings, started
from tests.service.vault.test_loader_api import load, stage
from tests.service.vault.vault_databases import vault_database
from tests.unit.packages.building import component_files, vpk

DENIED, NOT_ALLOWED, INVALID = (
    "INSUFFICIENT_ACCESS",
    "OPERATION_NOT_ALLOWED",
    "INVALID_DATA",
)
USERS = "/objects/users"


@pytest.fixture(scope="module")
async def api(
    postgres_server: PostgresServer,
    rabbitmq_server: RabbitServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Api]:
    """A Vault only for this module, whose System Admins may be removed."""
    async with (
        vault_database(postgres_server, MEDICAL_VAULT) as dsn,
        fresh_vhost(rabbitmq_server) as vhost,
    ):
        vault = Vault(
            MEDICAL_VAULT,
            settings(dsn, vhost.amqp_url, tmp_path_factory.mktemp("files")),
        )
        async with served(create_app(vault)) as client:
            await started(vault)
            yield client


@pytest.fixture(scope="module")
async def admin(api: Api) -> Api:
    """The only System Admin, who has an object to work with."""
    administrator = await api.signed_in("admin")
    assert (await administrator.post("/api/mdl/execute", data=MDL)).status == "SUCCESS"
    return administrator


async def test_components_round_trip_and_are_audited(admin: Api) -> None:
    own = name()
    text = permission_set(
        own, {"use_loader"}, {"thing__c": "re", "business_objects__sys": "r"}
    )
    assert (
        await execute(admin, text + security_profile(own, own, "business_user__v"))
    ).status == "SUCCESS"
    for kind in ("Permissionset", "Securityprofile"):
        mdl = (await admin.get(f"/api/mdl/components/{kind}.{own}")).text
        assert (await execute(admin, mdl)).status == "SUCCESS"
        assert parse(
            (await admin.get(f"/api/mdl/components/{kind}.{own}")).text
        ) == parse(mdl)
    listed = (await admin.get(f"/configuration/Permissionset.{own}")).data
    assert listed["permissions"] == ["use_loader"]
    assert listed["used_in"] == [f"Securityprofile.{own}"]
    types = (await admin.get("/metadata/components/Permissionset")).data
    (permissions,) = (a for a in types["attributes"] if a["name"] == "permissions")
    assert [each["name"] for each in permissions["enums"]] == [
        grant.value for grant in Grant
    ]
    assert (
        await execute(admin, f"ALTER Securityprofile {own} (label('Another'));")
    ).status == "SUCCESS"
    entries = (await admin.get("/audittrail/system_audit_trail?limit=1000")).data
    assert any(
        entry["item"] == f"Securityprofile.{own}" and entry["action"] == "ALTER"
        for entry in entries
    )


async def test_a_package_brings_them(admin: Api) -> None:
    own = name()
    held = permission_set(own, {"use_loader"}, {"thing__c": "r"})
    steps = component_files(1, f"Securityprofile.{own}", security_profile(own, own))
    steps |= component_files(2, f"Permissionset.{own}", held)
    status, results = await deployed(admin, await imported(admin, vpk(steps)))
    assert status == "SUCCESS", results
    _, username = await new_user(admin, security_profile__v=own)
    assert (
        await (await as_user(admin, username)).get("/vobjects/thing__c")
    ).status == "SUCCESS"


async def test_a_package_does_not_bring_what_its_deployer_may_not_change(
    admin: Api,
) -> None:
    own, rule_name = name(), name()
    deployer = await with_profile(
        admin, {"manage_packages", "execute_mdl"}, {"all_objects__sys": "rced"}
    )
    mighty = permission_set(own, {"read_audit"}, {})
    text = f"RECREATE Integrationrule {rule_name} (label('Own'), connection('medical_crm__v'));"
    for kind, component, mdl in (
        ("Permissionset", own, mighty),
        ("Integrationrule", rule_name, text),
    ):
        package = await imported(
            deployer, vpk(component_files(1, f"{kind}.{component}", mdl))
        )
        status, _ = await deployed(deployer, package)
        assert status == "ERRORS_ENCOUNTERED"
        assert (await admin.get(f"/configuration/{kind}.{component}")).error == INVALID


async def test_users_have_any_active_profile_however_they_are_given_it(
    admin: Api,
) -> None:
    own = name()
    await execute(
        admin,
        permission_set(own, set(), {"thing__c": "r"}) + security_profile(own, own),
    )
    user_id, username = await new_user(admin, security_profile__v=own)
    user = await as_user(admin, username)
    assert (await user.get("/vobjects/thing__c")).status == "SUCCESS"
    assert (await user.get(f"{USERS}/me")).body["users"][0]["user"][
        "security_profile__v"
    ] == own
    assert (await user.query("SELECT id FROM account__v")).status == "FAILURE"
    one = {"filter": "name__v::object.thing__c.object_actions"}
    for by, whose in ((user, "me"), (admin, user_id)):
        (entry,) = (await by.get(f"{USERS}/{whose}/permissions", params=one)).data
        assert entry["permissions"] == {
            "read": True,
            "create": False,
            "edit": False,
            "delete": False,
        }

    async def profile() -> str:
        return str(
            (await admin.get(f"/vobjects/user__sys/{user_id}")).data[
                "security_profile__sys"
            ][0]
        )

    path = f"{USERS}/{user_id}/vault_membership/10101"
    assert (
        await admin.put(path, data={"security_profile__v": "business_user__v"})
    ).status == "SUCCESS"
    assert await profile() == "business_user__v"
    row = {"id": str(user_id), "security_profile__sys": own}
    assert (await admin.put("/vobjects/user__sys", json=[row])).data[0][
        "responseStatus"
    ] == "SUCCESS"
    assert await profile() == own
    await admin.put(
        f"{USERS}/{user_id}", data={"security_profile__v": "business_user__v"}
    )
    await stage(admin, f"{own}.csv", f"id,security_profile__sys\n{user_id},{own}\n")
    task = {
        "object_type": "vobjects__v",
        "object": "user__sys",
        "action": "update",
        "file": f"{own}.csv",
    }
    assert (await load(admin, task))[1] == "SUCCESS"
    assert await profile() == own
    assert (
        await admin.put(
            f"{USERS}/{user_id}", data={"security_profile__v": "unheard_of__c"}
        )
    ).error == INVALID
    assert await profile() == own
    properties = (await admin.get("/metadata/objects/users")).body["properties"]
    (field,) = (p for p in properties if p["name"] == "security_profile__v")
    assert {"value": own, "label": own} in field["values"]


async def test_a_profile_that_users_have_stays(admin: Api) -> None:
    own, renamed = name(), name()
    await execute(
        admin,
        permission_set(own, set(), {"thing__c": "r"}) + security_profile(own, own),
    )
    user_id, username = await new_user(admin, security_profile__v=own)
    user = await as_user(admin, username)
    for text in (
        f"DROP Securityprofile {own};",
        f"ALTER Securityprofile {own} (active(false));",
    ):
        assert "users who have it" in (await execute(admin, text)).message
    assert "in use" in (await execute(admin, f"DROP Permissionset {own};")).message
    group = await admin.post(
        "/objects/groups", data={"label__v": own, "security_profiles__v": own}
    )
    assert group.status == "SUCCESS"
    assert (
        await execute(admin, f"RENAME Securityprofile {own} TO {renamed};")
    ).status == "SUCCESS"
    shown = (await user.get(f"{USERS}/me")).body["users"][0]["user"]
    assert shown["security_profile__v"] == renamed
    assert {group.body["id"], 1} <= set(shown["group_id__v"])
    assert (await user.get("/vobjects/thing__c")).status == "SUCCESS"
    await admin.put(
        f"{USERS}/{user_id}", data={"security_profile__v": "business_user__v"}
    )
    assert (
        await execute(admin, f"ALTER Securityprofile {renamed} (active(false));")
    ).status == "SUCCESS"
    assert (
        await admin.put(f"{USERS}/{user_id}", data={"security_profile__v": renamed})
    ).status == "FAILURE"
    assert (
        await execute(admin, f"DROP Securityprofile {renamed};")
    ).status == "SUCCESS"
    (found,) = (await admin.get(f"/objects/groups/{group.body['id']}")).body["groups"]
    assert found["group"]["security_profiles__v"] == []


async def test_a_change_holds_for_sessions_that_are_open(admin: Api) -> None:
    own = name()
    await execute(
        admin,
        permission_set(own, set(), {"thing__c": "r"}) + security_profile(own, own),
    )
    user = await as_user(admin, (await new_user(admin, security_profile__v=own))[1])
    text = "SELECT id FROM thing__c"
    assert (await user.query(text)).status == "SUCCESS"
    await execute(
        admin,
        f"ALTER Permissionset {own} (MODIFY Objectpermission thing__c (read(false)));",
    )
    assert (await user.query(text)).status == "FAILURE"
    await execute(
        admin,
        f"ALTER Permissionset {own} (MODIFY Objectpermission thing__c (read(true)));",
    )
    assert (await user.query(text)).status == "SUCCESS"
    await execute(admin, f"ALTER Permissionset {own} (active(false));")
    assert (await user.query(text)).status == "FAILURE"


async def test_those_of_every_vault_cannot_be_changed(admin: Api) -> None:
    for kind in ("Securityprofile", "Permissionset"):
        original = (await admin.get(f"/api/mdl/components/{kind}.system_admin__v")).text
        for text in (
            original,
            f"ALTER {kind} business_user__v (label('X'));",
            f"DROP {kind} integration_user__v;",
        ):
            assert "belongs to the Vault" in (await execute(admin, text)).message


@pytest.fixture(scope="module")
async def manager(admin: Api) -> Api:
    """A user who manages users and configuration, and nothing else."""
    return await with_profile(
        admin,
        {"execute_mdl", "use_loader", "look_up_accounts"},
        {"all_objects__sys": "rced"},
    )


async def test_nobody_gives_permissions_that_they_do_not_hold(
    admin: Api, manager: Api
) -> None:
    own = name()
    assert (
        await execute(
            manager, permission_set(own, {"use_loader"}, {"thing__c": "rced"})
        )
    ).status == "SUCCESS"
    assert (
        await execute(manager, security_profile(own, own, "business_user__v"))
    ).status == "SUCCESS"
    for text in (
        permission_set(name(), {"read_audit"}, {}),
        f"ALTER Permissionset {own} (permissions('use_loader', 'manage_queues'));",
        security_profile(name(), "system_admin__v"),
        f"ALTER Securityprofile {own} (permission_sets ADD ('Permissionset.integration_user__v'));",
    ):
        refused = (await execute(manager, text)).body
        assert refused["statement_execution"][0]["errors"][0]["code"] == DENIED, text
    assert (
        await manager.post(USERS, data=person(security_profile__v=own))
    ).status == "SUCCESS"
    assert (
        await manager.post(USERS, data=person(security_profile__v="system_admin__v"))
    ).error == DENIED
    me = (await manager.get(f"{USERS}/me")).body["users"][0]["user"]["id"]
    for fields in (
        {"security_profile__v": "system_admin__v"},
        {"security_profile__v": "integration_user__v"},
    ):
        assert (await manager.put(f"{USERS}/{me}", data=fields)).error == DENIED
    row = {"id": str(me), "security_profile__sys": "system_admin__v"}
    answer = await manager.put(
        "/vobjects/user__sys",
        json=[row],
        headers={"X-VaultAPI-MigrationMode": "true", "X-VaultAPI-NoTriggers": "true"},
    )
    assert answer.error == DENIED
    (refused,) = (await manager.put("/vobjects/user__sys", json=[row])).data
    assert refused["errors"][0]["type"] == DENIED


async def test_nobody_becomes_a_user_who_may_do_more(admin: Api, manager: Api) -> None:
    mighty, username = await new_user(admin, security_profile__v="system_admin__v")
    me = (await manager.get(f"{USERS}/me")).body["users"][0]["user"]["id"]
    refused = [
        await manager.put(
            f"{USERS}/{mighty}", data={"password__v": "nineteen lemon ladders"}
        ),
        await manager.put(
            f"{USERS}/{mighty}", data={"user_email__v": "mine@vault.example"}
        ),
        await manager.put(
            f"{USERS}/{mighty}", data={"user_needs_to_change_password__v": "true"}
        ),
        await manager.delete(f"{USERS}/{mighty}"),
        await manager.post(
            f"{USERS}/{mighty}/api_access_token__sys", data={"name__v": "mine"}
        ),
        await manager.post(
            "/services/delegations",
            data={"delegate_userid": str(me), "delegator_userid": str(mighty)},
        ),
    ]
    assert [answer.body["responseStatus"] for answer in refused] == ["FAILURE"] * len(
        refused
    )
    assert {answer.error for answer in refused} == {DENIED}, [
        answer.text for answer in refused
    ]
    row = person(user_name__v=username, password__v="nineteen lemon ladders")
    (upserted,) = (
        await manager.post(f"{USERS}?operation=upsert&idParam=user_name__v", json=[row])
    ).data
    assert upserted["errors"][0]["type"] == DENIED
    assert (await as_user(admin, username, PASSWORD)).session_id
    less, _ = await new_user(admin)
    assert (
        await manager.put(
            f"{USERS}/{less}", data={"password__v": "nineteen lemon ladders"}
        )
    ).status == "SUCCESS"


async def test_what_is_inactive_counts_for_those_who_would_give_it(
    admin: Api, manager: Api
) -> None:
    own = name()
    await execute(
        admin, permission_set(own, {"read_audit"}, {}) + security_profile(own, own)
    )
    user_id, username = await new_user(admin, security_profile__v=own)
    assert (
        await execute(admin, f"ALTER Permissionset {own} (active(false));")
    ).status == "SUCCESS"
    user = await as_user(admin, username)  # who may still do what is theirs
    assert (
        await user.post(f"{USERS}/me/api_access_token__sys", data={"name__v": "own"})
    ).status == "SUCCESS"
    for fields in (
        {"password__v": "nineteen lemon ladders"},
        {"user_email__v": "mine@vault.example"},
    ):
        assert (await manager.put(f"{USERS}/{user_id}", data=fields)).error == DENIED
    assert (
        await manager.post(USERS, data=person(security_profile__v=own))
    ).error == DENIED


async def test_nobody_lets_a_remote_vault_act_as_a_user_who_may_do_more(
    admin: Api,
) -> None:
    own = await with_profile(admin, {"manage_connections"}, {"thing__c": "r"})
    api_name = name()
    made = await own.post(
        "/vobjects/connection__sys",
        json=[{"name__v": api_name, "api_name__sys": api_name}],
    )
    for user, kind in (
        (2, DENIED),
        (3, DENIED),
        ((await own.get(f"{USERS}/me")).body["users"][0]["user"]["id"], ""),
    ):
        named = {"authorized_connection_user__sys": str(user)}
        changed = await own.put(
            "/vobjects/connection__sys", json=[{"id": made.ids[0], **named}]
        )
        assert (changed.error if kind else changed.status) == (kind or "SUCCESS")
        api_name = name()
        row = {"name__v": api_name, "api_name__sys": api_name, **named}
        created = (await own.post("/vobjects/connection__sys", json=[row])).data[0]
        assert created.get("errors", [{"type": ""}])[0]["type"] == kind


async def test_the_last_system_admin_stays(api: Api, admin: Api) -> None:
    others = await admin.query(
        "SELECT id FROM user__sys WHERE security_profile__sys = 'system_admin__v' AND status__v = 'active__v'"
    )
    for row in others.data:
        if int(row["id"]) > 2:
            assert (await admin.delete(f"{USERS}/{row['id']}")).status == "SUCCESS"
    demoted = await admin.put(
        f"{USERS}/2", data={"security_profile__v": "business_user__v"}
    )
    assert (demoted.error, "no active System Admin" in demoted.message) == (
        NOT_ALLOWED,
        True,
    )
    second, username = await new_user(admin, security_profile__v="system_admin__v")
    assert (
        await admin.put(f"{USERS}/2", data={"security_profile__v": "business_user__v"})
    ).status == "SUCCESS"
    assert (
        await execute(admin, f"RECREATE Picklist {name()} (label('No'));")
    ).error == DENIED
    other = await as_user(api, username)
    assert (
        await other.put(
            f"{USERS}/{second}", data={"security_profile__v": "business_user__v"}
        )
    ).error == NOT_ALLOWED
    assert (
        await other.put(f"{USERS}/2", data={"security_profile__v": "system_admin__v"})
    ).status == "SUCCESS"


async def test_a_refused_deletion_names_no_object_that_may_not_be_read(
    admin: Api,
) -> None:
    own, other = name(), name()
    objects = """
        CREATE Object folder__c ( label('Folder') );
        CREATE Object sheet__c ( label('Sheet'),
            Field folder__c ( type('Object'), label('Folder'), object('Object.folder__c') ) );"""
    reads_none = permission_set(own, set(), {"folder__c": "rd"})
    reads_both = permission_set(other, set(), {"folder__c": "rd", "sheet__c": "r"})
    profiles = security_profile(own, own) + security_profile(other, other)
    made = await execute(admin, objects + reads_none + reads_both + profiles)
    assert made.status == "SUCCESS"
    (folder,) = (await admin.post("/vobjects/folder__c", json=[{"name__v": own}])).ids
    row = {"name__v": own, "folder__c": folder}
    assert (await admin.post("/vobjects/sheet__c", json=[row])).ids
    answers = []
    for profile in (own, other):
        _, username = await new_user(admin, security_profile__v=profile)
        caller = await as_user(admin, username)
        refused = await caller.delete(f"/vobjects/folder__c/{folder}")
        answers.append((refused.error, refused.message))
    refusal = "The record is referred to by"
    assert answers == [
        (NOT_ALLOWED, f"{refusal} a record that you may not read"),
        (NOT_ALLOWED, f"{refusal} [sheet__c.folder__c]"),
    ]
