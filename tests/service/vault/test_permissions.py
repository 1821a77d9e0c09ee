"""Permissions one by one: what each allows by itself, and what is refused if only it is missing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from shared.vault.components.permission_types import Grant
from tests.service.vault.people import as_user, new_user
from tests.service.vault.profiles import execute, name, with_profile
from tests.service.vault.served import Answer, Api

DENIED, INVALID = "INSUFFICIENT_ACCESS", "INVALID_DATA"


async def rows(api: Api, object_name: str, **row: Any) -> Answer:
    return await api.post(f"/vobjects/{object_name}", json=[row])


async def connection_record(api: Api) -> Answer:
    own = name()
    return await rows(api, "connection__sys", name__v=own, api_name__sys=own)


async def connection_file(api: Api) -> Answer:
    return await api.get("/services/connections/unheard_of__c/file")


async def rule(api: Api) -> Answer:
    return await execute(
        api,
        f"RECREATE Integrationrule {name()} (label('Own'), connection('medical_crm__v'));",
    )


async def integration(api: Api) -> Answer:
    own = name()
    found = await api.query("SELECT id FROM connection__sys")
    connection = found.data[0]["id"] if found.status == "SUCCESS" else ""
    row = {
        "name__v": own,
        "integration_api_name__sys": own,
        "connection__sys": connection,
    }
    return await rows(api, "integration__sys", **row)


async def picklist(api: Api) -> Answer:
    return await execute(api, f"RECREATE Picklist {name()} (label('Own'));")


async def queue(api: Api) -> Answer:
    return await execute(
        api, f"RECREATE Queue {name()} (label('Own'), type('outbound'));"
    )


async def trace(api: Api) -> Answer:
    return await api.put("/services/queues/out__c/actions/trace_delivery")


async def retry(api: Api) -> Answer:
    return await api.post(
        "/services/exceptions/actions/retry", data={"connection": "unheard_of__c"}
    )


def got(path: str) -> Callable[[Api], Awaitable[Answer]]:
    return lambda api: api.get(path)


@dataclass(frozen=True)
class Permission:
    """A grant, or entries on objects, and the calls that need it."""

    calls: tuple[Callable[[Api], Awaitable[Answer]], ...]
    grant: str | None = None
    brings: tuple[str, ...] = ()  # names of permissions that come with it
    entries: Mapping[str, str] | None = None


PERMISSIONS = {
    "Manage Connections": Permission(
        (connection_record, connection_file), "manage_connections"
    ),
    "Manage Integrations": Permission(
        (rule, integration), "manage_integrations", ("Configuration",)
    ),
    "Execute MDL": Permission((picklist,), "execute_mdl", ("Configuration",)),
    "Configuration": Permission(
        (got("/configuration/Integrationrule"),), "read_configuration"
    ),
    "Spark Queues: Manage": Permission(
        (queue, trace), "manage_queues", ("Spark Queues: Read", "Configuration")
    ),
    "Spark Queues: Read": Permission((got("/services/queues"),), "read_queues"),
    "Queue Log": Permission((got("/services/queue_logs"),), "read_queue_log"),
    "Audit": Permission((got("/audittrail/login_audit_trail"),), "read_audit"),
    "User Exception Message: Read": Permission(
        (got("/vobjects/exception_message__sys"),),
        entries={"exception_message__sys": "r"},
    ),
    "User Exception Item: Read": Permission(
        (got("/vobjects/exception_item__sys"),), entries={"exception_item__sys": "r"}
    ),
}


async def let_in(api: Api) -> dict[str, set[bool]]:
    """By permission, whether its calls are admitted; an admitted call may still find nothing to do."""
    return {
        label: {
            (await call(api)).body.get("errors", [{}])[0].get("type") != DENIED
            for call in permission.calls
        }
        for label, permission in PERMISSIONS.items()
    }


@pytest.mark.parametrize("label", PERMISSIONS)
async def test_who_has_only_one_permission_is_let_in_by_it_alone(
    admin: Api, label: str
) -> None:
    permission = PERMISSIONS[label]
    own = await with_profile(
        admin,
        {permission.grant} if permission.grant else set(),
        permission.entries or {},
    )
    expected = {
        other: {other == label or other in permission.brings} for other in PERMISSIONS
    }
    assert await let_in(own) == expected
    for call in permission.calls:
        answer = await call(own)
        assert answer.status == "SUCCESS" or (
            call is connection_file and answer.error == INVALID
        ), answer.text
        if call in (connection_record, integration):
            assert answer.ids, answer.text


@pytest.mark.parametrize("label", PERMISSIONS)
async def test_who_has_all_permissions_but_one_is_refused_without_it(
    admin: Api, label: str
) -> None:
    permission = PERMISSIONS[label]
    gone = {
        p.grant
        for other, p in PERMISSIONS.items()
        if other == label or label in p.brings
    }
    entries = {
        "all_objects__sys": "rced",
        **dict.fromkeys(permission.entries or {}, ""),
    }
    own = await with_profile(admin, {grant.value for grant in Grant} - gone, entries)
    expected = {
        other: {other != label and p.grant not in gone - {None}}
        for other, p in PERMISSIONS.items()
    }
    assert await let_in(own) == expected


async def test_a_retry_takes_sight_of_messages_and_items(admin: Api) -> None:
    message, item = "exception_message__sys", "exception_item__sys"
    assert (
        await retry(await with_profile(admin, set(), {message: "e", item: "r"}))
    ).status == "SUCCESS"
    for entries in ({message: "e"}, {item: "rced"}, {message: "r", item: "r"}):
        assert (
            await retry(await with_profile(admin, set(), entries))
        ).error == DENIED, entries


async def test_a_script_is_refused_whole_where_one_statement_takes_what_the_caller_lacks(
    admin: Api,
) -> None:
    own, text = (
        await with_profile(admin, {"manage_integrations"}, {}),
        "(label('Own'), connection('medical_crm__v'))",
    )
    rule_name = name()
    script = f"RECREATE Integrationrule {rule_name} {text}; RECREATE Picklist {name()} (label('No'));"
    assert (await execute(own, script)).error == DENIED
    assert (
        await own.get(f"/configuration/Integrationrule.{rule_name}")
    ).error == INVALID
    assert (await own.post("/api/mdl/execute_async", data=script)).error == DENIED


async def test_a_copy_of_the_system_admins_profile_is_let_in_everywhere(
    admin: Api,
) -> None:
    own = name()
    for kind in ("Permissionset", "Securityprofile"):
        original = (await admin.get(f"/api/mdl/components/{kind}.system_admin__v")).text
        copy = original.replace(f"{kind} system_admin__v", f"{kind} {own}").replace(
            "Permissionset.system_admin__v", own
        )
        assert (await execute(admin, copy)).status == "SUCCESS"
    copied = await as_user(admin, (await new_user(admin, security_profile__v=own))[1])
    assert await let_in(copied) == {label: {True} for label in PERMISSIONS}
