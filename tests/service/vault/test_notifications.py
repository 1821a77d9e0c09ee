"""Recipients and texts of notifications that MDL configures, checked when they are configured."""

from __future__ import annotations

import pytest

from tests.service.vault import notifying
from tests.service.vault.notifying import deploy, entry, notified, tale
from tests.service.vault.people import as_user, new_user
from tests.service.vault.served import Api

tales = notifying.tales


def _lines(text: str) -> list[str]:
    return [line.strip().rstrip(",") for line in text.splitlines()]


async def test_the_lifecycle_reads_back_as_it_was_written(admin: Api) -> None:
    written = entry(
        action="'notify'",
        users="'a@vault.example', 'b@vault.example'",
        subject="'${name__v}'",
        body="'x'",
        email="false",
    )
    assert (await deploy(admin, written)).status == "SUCCESS"
    text = (
        await admin.get("/api/mdl/components/Objectlifecycle.tale_lifecycle__c")
    ).text
    assert (
        "users('a@vault.example', 'b@vault.example')" in text and "email(false)" in text
    )
    assert (await admin.post("/api/mdl/execute", data=text)).status == "SUCCESS"
    again = (
        await admin.get("/api/mdl/components/Objectlifecycle.tale_lifecycle__c")
    ).text
    assert sorted(_lines(again)) == sorted(
        _lines(text)
    )  # parameters have no order of their own


@pytest.mark.parametrize(
    ("parameters", "refusal"),
    [
        ({"users": "'a'", "subject": "'${nmae__v}'", "body": "'x'"}, "nmae__v"),
        (
            {"users": "'a'", "subject": "'x'", "body": "'${teller__cr.nobody__v}'"},
            "nobody__v",
        ),
        ({"users": "'a'", "subject": "'x'", "body": "'${name__v'"}, "token"),
        ({"users": "'a'", "subject": "'x'", "body": "'${}'"}, "token"),
        ({"users": "'a'", "subject": "'x'"}, "needs the parameter body"),
        ({"subject": "'x'", "body": "'x'"}, "needs recipients"),
        ({"fields": "'name__v'", "subject": "'x'", "body": "'x'"}, "neither a field"),
        ({"fields": "'thing__c'", "subject": "'x'", "body": "'x'"}, "neither a field"),
        (
            {"users": "'a'", "subject": "'x'", "body": "'x'", "colour": "'red'"},
            "no parameter colour",
        ),
        (
            {"users": "'a'", "subject": "'x'", "body": "'x'", "email": "'yes'"},
            "true or false",
        ),
        ({"users": "'a'", "subject": f"'{'x' * 256}'", "body": "'x'"}, "255"),
    ],
)
async def test_what_a_notification_says_is_checked_when_it_is_configured(
    admin: Api, parameters: dict[str, str], refusal: str
) -> None:
    answer = await deploy(admin, entry(action="'notify'", **parameters))
    assert answer.status == "FAILURE"
    assert refusal in answer.text


async def test_users_in_the_fields_of_a_record(api: Api, admin: Api, user: Api) -> None:
    teller_id, teller = await new_user(admin, security_profile__v="system_admin__v")
    written = entry(
        action="'notify'",
        fields="'created_by__v', 'teller__c'",
        subject="'By ${created_by__vr.username__sys}'",
        body="'${teller__cr.email__sys}, ${told__c}.'",
        email="false",
    )
    assert (await deploy(admin, written)).status == "SUCCESS"
    with_user, without = (
        await tale(user, teller__c=str(teller_id), told__c=True),
        await tale(user),
    )
    as_named = await as_user(api, teller)
    (own,), (theirs,) = (
        await notified(user, with_user),
        await notified(as_named, with_user),
    )
    assert (theirs["subject"], theirs["body"]) == (
        "By user@vault.example",
        f"{teller}, true.",
    )
    # Business users may not read users.
    assert (own["subject"], own["body"]) == ("By —", "—, true.")
    assert [each["body"] for each in await notified(user, without)] == ["—, ."]
    assert await notified(as_named, without) == []


async def test_only_active_users_are_notified_and_each_once(
    api: Api, admin: Api, user: Api
) -> None:
    gone_id, gone = await new_user(admin)
    group = await admin.post(
        "/objects/groups",
        data={"label__v": "Reps", "security_profiles__v": "business_user__v"},
    )
    named = (await admin.get(f"/objects/groups/{group.body['id']}")).body["groups"][0][
        "group"
    ]["name__v"]
    await admin.delete(f"/objects/users/{gone_id}")
    written = entry(
        action="'notify'", users=f"'{gone}', 'user@vault.example', 'nobody'", groups=f"'{named}', 'none__c'",
        fields="'created_by__v'", subject="'x'", body="'x'", email="false",
    )  # fmt: skip
    assert (await deploy(admin, written)).status == "SUCCESS"
    record_id = await tale(user)
    assert len(await notified(user, record_id)) == 1
    assert await notified(admin, record_id) == []


async def test_the_record_and_its_notification_are_stored_together(
    admin: Api, user: Api
) -> None:
    """A row that an action refuses leaves neither; its neighbours have both."""
    ended = entry(action="'set_field'", field="'key__c'", value="'the same for all'")
    start = entry(
        action="'notify'",
        fields="'created_by__v'",
        subject="'x'",
        body="'${name__v}'",
        email="false",
    )
    second = ended.replace("e__c", "f__c").replace("order(1)", "order(2)")
    assert (await deploy(admin, f"{start}, {second}")).status == "SUCCESS"
    before = (await user.get("/services/notifications")).body["responseDetails"][
        "total"
    ]
    rows = [
        {"name__v": f"row {number}", "key__c": f"R-{number}"} for number in range(3)
    ]
    answer = await user.post("/vobjects/tale__c", json=rows)
    assert [row["responseStatus"] for row in answer.data] == [
        "SUCCESS",
        "FAILURE",
        "FAILURE",
    ]
    listed = await user.get("/services/notifications")
    assert listed.body["responseDetails"]["total"] == before + 1
    assert listed.data[0]["record_id"] == answer.data[0]["data"]["id"]
    stored = await user.query("SELECT id FROM tale__c WHERE name__v LIKE 'row %'")
    assert len(stored.data) == 1


async def test_migration_mode_tells_nobody(admin: Api) -> None:
    written = entry(
        action="'notify'",
        fields="'created_by__v'",
        subject="'x'",
        body="'x'",
        email="false",
    )
    assert (await deploy(admin, written)).status == "SUCCESS"
    rows = [{"name__v": "migrated", "key__c": "M-1"}]
    answer = await admin.post(
        "/vobjects/tale__c", json=rows, headers={"X-VaultAPI-MigrationMode": "true"}
    )
    assert answer.status == "SUCCESS"
    assert await notified(admin, answer.ids[0]) == []
