"""Notifications configured by MDL: shown in the Vault, sent by e-mail, and checked beforehand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import pytest
from pydantic import SecretStr

from local.polling import answers_within
from local.servers import PostgresServer, RabbitServer
from local.tls import LocalTls
from services.medical_vault.definition import MEDICAL_VAULT
from shared.vault.assembly.vault import Vault
from shared.vault.process.application import create_app
from tests.servers import fresh_vhost
from tests.service.vault.browsing import Page, browser
from tests.service.vault.people import as_user, new_user
from tests.service.vault.post import SECRET, USERNAME, Post, post_office
from tests.service.vault.profiles import (
    execute,
    name,
    permission_set,
    security_profile,
)
from tests.service.vault.served import MDL, Api, served, settings, started
from tests.service.vault.vault_databases import vault_database

# What an administrator deploys to be notified of User Exception Messages.
LIFECYCLE = """
RECREATE Objectlifecycle exceptions__c (
    label('Exceptions'), starting_state('open_state__c'),
    Objectlifecyclestate open_state__c (
        label('Open'),
        Objectlifecyclestateentryaction tell__c (
            action('notify'), order(1), users('{username}'), groups('{group}'),
            subject('${{name__v}}: ${{error_type__sys}}'),
            body('${{name__v}} of ${{queue__sys}} failed: ${{error_message__sys}}')
        ),
        Objectlifecyclestateuseraction look_into__c (
            label('Look into'), action('change_state'), next_state('looked_into_state__c')
        )
    ),
    Objectlifecyclestate looked_into_state__c (label('Looked into'))
);
ALTER Object exception_message__sys (lifecycle('Objectlifecycle.exceptions__c'));
"""
TALE = """
RECREATE Objectlifecycle tale_lifecycle__c (
    label('Tale'), starting_state('told_state__c'),
    Objectlifecyclestate told_state__c (label('Told'), {entry}),
    Objectlifecyclestate ended_state__c (label('Ended'), {ended})
);
"""
TALE_OBJECT = """
RECREATE Object tale__c (
    label('Tale'), prefix('ZTA'), lifecycle('Objectlifecycle.tale_lifecycle__c'),
    Field teller__c (label('Teller'), type('Object'), object('Object.user__sys')),
    Field thing__c (label('Thing'), type('Object'), object('Object.thing__c')),
    Field told__c (label('Told'), type('Boolean')),
    Field key__c (label('Key'), type('String'), unique(true), max_length(40)),
    Objectaction tell__c (
        label('Tell'), action('notify'), fields('created_by__v'), subject('Told'), body('Again: ${name__v}')
    ),
    Objectaction silent__c (
        label('Silent'), action('notify'), active(false), fields('created_by__v'), subject('x'), body('x')
    )
);
"""
QUIET = "Objectlifecyclestateentryaction q__c (action('set_field'), field('told__c'), value('true'))"

numbers = count(1)


def entry(**parameters: str) -> str:
    """An entry action in MDL; values as MDL writes them."""
    listed = ", ".join(f"{name}({value})" for name, value in parameters.items())
    return f"Objectlifecyclestateentryaction e__c (order(1), {listed})"


async def deploy(admin: Api, entry_action: str, ended: str = QUIET) -> Any:
    """The lifecycle of the tests' object with this entry action of its starting state."""
    return await admin.post(
        "/api/mdl/execute", data=TALE.format(entry=entry_action, ended=ended)
    )


@pytest.fixture(scope="module")
async def post(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Post]:
    tls = LocalTls(tmp_path_factory.mktemp("post") / "tls")
    tls.ensure()
    async with post_office(tls) as office:
        yield office


@pytest.fixture(scope="module")
async def vault(
    postgres_server: PostgresServer,
    rabbitmq_server: RabbitServer,
    tmp_path_factory: pytest.TempPathFactory,
    post: Post,
) -> AsyncIterator[Vault]:
    mail = {
        "smtp_host": "localhost",
        "smtp_port": post.port,
        "smtp_username": USERNAME,
        "smtp_password": SecretStr(SECRET),
        "smtp_ca_file": post.ca_file,
        "smtp_sender": "vault@medical.example",
    }
    async with (
        vault_database(postgres_server, MEDICAL_VAULT) as dsn,
        fresh_vhost(rabbitmq_server) as vhost,
    ):
        own = settings(dsn, vhost.amqp_url, tmp_path_factory.mktemp("files"))
        yield Vault(MEDICAL_VAULT, own.model_copy(update=mail))


@pytest.fixture(scope="module")
async def api(vault: Vault) -> AsyncIterator[Api]:
    async with served(create_app(vault)) as client:
        await started(vault)
        own = await client.signed_in("admin")
        assert (await deploy(own, QUIET)).status == "SUCCESS"
        answer = await own.post("/api/mdl/execute", data=MDL + TALE_OBJECT)
        assert answer.status == "SUCCESS", answer.text
        yield client


@pytest.fixture(scope="module")
async def admin(api: Api) -> Api:
    return await api.signed_in("admin")


@pytest.fixture(scope="module")
async def integration(api: Api) -> Api:
    return await api.signed_in("integration")


@pytest.fixture(scope="module")
async def user(api: Api) -> Api:
    return await api.signed_in("user")


async def notified(api: Api, record_id: str) -> list[dict[str, Any]]:
    """The notifications of this user about a record."""
    answer = await api.get("/services/notifications")
    return [each for each in answer.data if each["record_id"] == record_id]


async def tale(api: Api, **values: Any) -> str:
    row = {"name__v": "A tale", "key__c": f"T-{next(numbers)}", **values}
    return str((await api.post("/vobjects/tale__c", json=[row])).ids[0])


async def arrive(post: Post, address: str, number: int = 1) -> None:
    async def reason() -> str | None:
        return (
            None
            if len(post.to(address)) == number
            else f"{len(post.to(address))} of {number} mails"
        )

    assert await answers_within(60, reason) is None


async def test_an_administrator_is_notified_of_user_exceptions(
    api: Api, admin: Api, integration: Api, user: Api, post: Post
) -> None:
    """The story of docs/administration.md: a lifecycle on User Exception Message that notifies a user and a group."""
    administrator = {"security_profile__v": "system_admin__v"}
    _, username = await new_user(admin, **administrator)
    member_id, member = await new_user(admin, **administrator)
    group = await admin.post(
        "/objects/groups", data={"label__v": "Support", "members__v": str(member_id)}
    )
    named = (await admin.get(f"/objects/groups/{group.body['id']}")).body["groups"][0][
        "group"
    ]["name__v"]
    before = {
        "message_id__sys": "before",
        "error_type__sys": "message_processing_error__sys",
    }
    values = {
        "queue__sys": "medical_crm_inbound_queue__v",
        "error_status__sys": "open__sys",
    }
    earlier = (
        await integration.post(
            "/vobjects/exception_message__sys", json=[values | before]
        )
    ).ids[0]

    deployed = await admin.post(
        "/api/mdl/execute", data=LIFECYCLE.format(username=username, group=named)
    )
    assert deployed.status == "SUCCESS", deployed.text

    row = (
        values
        | before
        | {
            "message_id__sys": "after",
            "error_message__sys": "[status__v] of [case__v] is refused",
        }
    )
    answer = await integration.post(
        "/vobjects/exception_message__sys?idParam=message_id__sys", json=[row]
    )
    (record_id,) = answer.ids
    stored = (await admin.get(f"/vobjects/exception_message__sys/{record_id}")).data
    assert stored["state__v"] == ["open_state__c"]

    subject = f"{stored['name__v']}: message_processing_error__sys"
    body = f"{stored['name__v']} of medical_crm_inbound_queue__v failed: [status__v] of [case__v] is refused"
    for recipient in (username, member):
        (seen,) = await notified(await as_user(api, recipient), record_id)
        assert (seen["subject"], seen["body"], seen["read"]) == (subject, body, False)
        assert seen["url"] == f"/api/v25.1/vobjects/exception_message__sys/{record_id}"
        await arrive(post, recipient)
        (mail,) = post.to(recipient)
        assert (mail["From"], mail["Subject"], mail.get_content().strip()) == (
            "vault@medical.example",
            subject,
            body,
        )
    assert await notified(user, record_id) == []
    assert await notified(await as_user(api, username), earlier) == []

    # A later outcome of the same message is an update, and notifies nobody again; Retry Transfer is still offered.
    again = await integration.post(
        "/vobjects/exception_message__sys?idParam=message_id__sys", json=[row]
    )
    assert again.data[0]["data"]["event"] == "updated__sys"
    assert len(await notified(await as_user(api, username), record_id)) == 1
    offered = (
        await admin.get(f"/vobjects/exception_message__sys/{record_id}/actions")
    ).data
    assert [action["name"].rpartition(".")[2] for action in offered] == [
        "retry_transfer__sys",
        "ignore__sys",
        "look_into__c",
    ]


async def test_each_recipient_is_notified_of_what_they_may_read(
    api: Api, admin: Api, post: Post
) -> None:
    """Of the record itself, and of the one that it refers to; in the Vault and by e-mail."""
    told = {}
    for entries in ({}, {"tale__c": "r"}, {"tale__c": "r", "thing__c": "r"}):
        own = name()
        script = permission_set(own, {"execute_mdl"}, entries)
        made = await execute(admin, script + security_profile(own, own))
        assert made.status == "SUCCESS", made.text
        _, username = await new_user(admin, security_profile__v=own)
        told[username] = entries
    written = entry(
        action="'notify'",
        users=", ".join(f"'{username}'" for username in told),
        subject="'${thing__cr.name__v}'",
        body="'${ name__v } of ${thing__cr.name__v}, ${thing__cr.note__c}'",
    )
    assert (await deploy(admin, written)).status == "SUCCESS"
    row = {"name__v": "The thing", "note__c": "noted"}
    (thing,) = (await admin.post("/vobjects/thing__c", json=[row])).ids
    record_id = await tale(admin, name__v="Once", thing__c=thing)
    expected = iter(
        [
            ("—", "— of —, —"),
            ("—", "Once of —, —"),
            ("The thing", "Once of The thing, noted"),
        ]
    )
    for username in told:
        (seen,) = await notified(await as_user(api, username), record_id)
        await arrive(post, username)
        (mail,) = post.to(username)
        texts = (mail["Subject"], mail.get_content().strip())
        assert (seen["subject"], seen["body"]) == texts == next(expected)


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


async def test_values_are_text_and_no_template(
    api: Api, admin: Api, user: Api, post: Post
) -> None:
    _, person = await new_user(admin)
    written = entry(
        action="'notify'",
        users=f"'{person}'",
        subject="'Re: ${name__v}'",
        body="'${name__v}'",
    )
    assert (await deploy(admin, written)).status == "SUCCESS"
    name = "${key__c}\r\nBcc: other@vault.example ümlaut"
    record_id = await tale(user, name__v=name)
    (seen,) = await notified(await as_user(api, person), record_id)
    assert seen["body"] == name
    await arrive(post, person)
    (mail,) = post.to(person)
    assert mail["Subject"] == "Re: ${key__c} Bcc: other@vault.example ümlaut"
    assert mail["Bcc"] is None and mail.get_content().split() == name.split()


async def test_a_server_that_takes_nothing_now_is_asked_again(
    api: Api, admin: Api, user: Api, post: Post
) -> None:
    _, patient = await new_user(admin)
    _, refused = await new_user(admin)
    post.answers[patient] = ["451 later", "451 later"]
    post.answers[refused] = ["554 never"]
    written = entry(
        action="'notify'", users=f"'{patient}', '{refused}'", subject="'x'", body="'x'"
    )
    assert (await deploy(admin, written)).status == "SUCCESS"
    await tale(user)
    for attempt in (2, 3):
        job_id = await scheduled(admin, f"E-mail, attempt {attempt}")
        assert (
            await admin.post(f"/services/jobs/start_now/{job_id}")
        ).status == "SUCCESS"
    await arrive(post, patient)

    async def asked() -> str | None:
        return "its turn has not come" if post.answers[refused] else None

    assert await answers_within(60, asked) is None
    assert post.to(refused) == []


async def test_no_email_is_sent_to_two_addresses(
    api: Api, admin: Api, user: Api, post: Post, vault: Vault
) -> None:
    _, asked = await new_user(admin)
    user_id, doubled = await new_user(admin)
    # As it was stored before e-mails were checked.
    async with vault.database.connection() as connection:
        await connection.execute(
            "UPDATE records.user__sys SET email__sys = $2 WHERE id = $1",
            str(user_id),
            f"{doubled}, also.{doubled}",
        )
    written = entry(
        action="'notify'", users=f"'{doubled}', '{asked}'", subject="'x'", body="'x'"
    )
    assert (await deploy(admin, written)).status == "SUCCESS"
    await tale(user)
    await arrive(post, asked)

    async def reason() -> str | None:
        async with vault.database.connection() as connection:
            state = await connection.fetchval(
                "SELECT email FROM platform.notification_recipient WHERE user_id = $1",
                user_id,
            )
        return None if state == "failed" else str(state)

    assert await answers_within(60, reason) is None
    assert not [mail for mail in post.received if doubled in str(mail["To"])]


async def scheduled(admin: Api, title: str) -> int:
    """The job that waits under this title."""
    found: list[int] = []

    async def reason() -> str | None:
        jobs = (await admin.get("/services/jobs/monitors")).body["jobs"]
        found.extend(job["job_id"] for job in jobs if job["title"] == title)
        return None if found else "no such job"

    assert await answers_within(60, reason) is None
    return found[0]


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


async def test_a_bell_on_every_page_counts_what_is_unread(api: Api, admin: Api) -> None:
    assert (await deploy(admin, QUIET)).status == "SUCCESS"
    _, reader = await new_user(admin)
    as_reader = await as_user(api, reader)
    first, second, third = [await tale(as_reader) for _ in range(3)]
    path = "/vobjects/tale__c/actions/Objectaction.tale__c.tell__c"
    sent = {"ids": f"{first},{second},{third}"}
    assert (await as_reader.post(path, data=sent)).status == "SUCCESS"

    def bell(page: Page) -> str:
        (link,) = [given for _, given in page.tags if given.get("class") == "bell"]
        assert link["href"] == "/ui/notifications"
        return link["aria-label"]

    async with browser(api.url) as visitor:
        await visitor.sign_in(reader)
        for address in ("/ui/", "/ui/jobs", "/ui/objects"):
            page = await visitor.open(address)
            assert bell(page) == "Notifications, 3 unread"
        page = await visitor.open("/ui/notifications")
        assert page.links["Told"].startswith("/ui/objects/tale__c/")
        (newest, *_) = [
            each["id"] for each in (await as_reader.get("/services/notifications")).data
        ]
        one = next(form for form in page.forms if "notification" in form.fields)
        assert one.fields["notification"] == str(newest)
        data = {"token": one.fields["token"], "notification": str(newest)}
        page = await visitor.request("POST", one.action, data=data)
        assert "Marked 1 notification as read" in page.text
        assert bell(page) == "Notifications, 2 unread"
        page = await visitor.request("POST", one.action, data=data)
        assert "Marked 0 notifications as read" in page.text
        page = await visitor.open("/ui/notifications?unread=true")
        assert page.text.count("Mark as read") == 2
        page = await visitor.press(page, "Mark all as read")
        assert bell(page) == "Notifications"
        empty = await visitor.open("/ui/notifications?unread=true")
        assert "No unread notifications" in empty.text
        wrong = {**data, "notification": "x"}
        page = await visitor.request("POST", one.action, data=wrong)
        assert "INVALID_DATA" in page.text and page.status < 500


async def test_reading_ones_notifications(api: Api, admin: Api, user: Api) -> None:
    assert (await deploy(admin, QUIET)).status == "SUCCESS"
    _, reader = await new_user(admin)
    as_reader = await as_user(api, reader)
    ids = [await tale(as_reader) for _ in range(3)]
    path = "/vobjects/tale__c/actions/Objectaction.tale__c.tell__c"
    assert (await as_reader.post(path, data={"ids": ",".join(ids)})).status == "SUCCESS"
    first = await as_reader.get("/services/notifications?limit=2")
    assert first.body["responseDetails"] == {
        "total": 3,
        "unread": 3,
        "limit": 2,
        "offset": 0,
        "size": 2,
    }
    second = await as_reader.get("/services/notifications?limit=2&offset=2")
    newest = [each["id"] for each in first.data + second.data]
    assert newest == sorted(newest, reverse=True) and {
        e["body"] for e in first.data
    } == {"Again: A tale"}

    assert (
        await as_reader.put("/services/notifications", data={"ids": str(newest[0])})
    ).data == {"changed": 1}
    unread = await as_reader.get("/services/notifications?unread=true")
    assert [each["id"] for each in unread.data] == newest[1:]
    assert (
        await user.put("/services/notifications", data={"ids": str(newest[1])})
    ).data == {"changed": 0}
    assert (
        await as_reader.put("/services/notifications", data={"ids": "all"})
    ).data == {"changed": 2}
    assert (
        await as_reader.put(
            "/services/notifications", data={"ids": "all", "read": "false"}
        )
    ).data == {"changed": 3}
    for fields, error in [
        ({}, "PARAMETER_REQUIRED"),
        ({"ids": "x"}, "INVALID_DATA"),
        ({"ids": "1", "read": "perhaps"}, "INVALID_DATA"),
        ({"ids": "1", "colour": "red"}, "ATTRIBUTE_NOT_SUPPORTED"),
    ]:
        assert (
            await as_reader.put("/services/notifications", data=fields)
        ).error == error


async def test_actions_of_an_object_are_its_components(admin: Api, user: Api) -> None:
    assert (await deploy(admin, QUIET)).status == "SUCCESS"
    record_id = await tale(user)
    offered = (await user.get(f"/vobjects/tale__c/{record_id}/actions")).data
    assert [(a["name"], a["type"]) for a in offered] == [
        ("Objectaction.tale__c.tell__c", "object_action")
    ]
    answer = await user.post(
        f"/vobjects/tale__c/{record_id}/actions/Objectaction.tale__c.silent__c"
    )
    assert answer.error == "INSUFFICIENT_ACCESS"


async def test_an_entry_action_runs_another_action(admin: Api, user: Api) -> None:
    onward = (
        "Objectlifecyclestateuseraction end__c (label('End'), action('change_state'), next_state('ended_state__c')), "
        + entry(action="'run_action'", user_action="'end__c'")
    )
    ended = (
        QUIET
        + ", "
        + entry(action="'run_action'", user_action="'Objectaction.tale__c.tell__c'")
    )
    assert (await deploy(admin, onward, ended)).status == "SUCCESS"
    record_id = await tale(user)
    record = (await user.get(f"/vobjects/tale__c/{record_id}")).data
    assert (record["state__v"], record["told__c"]) == (["ended_state__c"], True)
    assert [each["subject"] for each in await notified(user, record_id)] == ["Told"]


async def test_actions_that_run_each_other_without_end_are_refused(
    admin: Api, user: Api
) -> None:
    def to(state: str) -> str:
        return (
            f"Objectlifecyclestateuseraction on__c (label('On'), action('change_state'), next_state('{state}')), "
            + entry(action="'run_action'", user_action="'on__c'")
        )

    assert (
        await deploy(admin, to("ended_state__c"), to("told_state__c"))
    ).status == "SUCCESS"
    answer = await user.post(
        "/vobjects/tale__c", json=[{"name__v": "x", "key__c": "endless"}]
    )
    assert (answer.http_status, answer.error) == (200, "OPERATION_NOT_ALLOWED")
    assert (
        await user.query("SELECT id FROM tale__c WHERE key__c = 'endless'")
    ).data == []


@pytest.mark.parametrize(
    "named",
    [
        "nothing__c",
        "Objectaction.tale__c.silent__c",
        "Objectaction.thing__c.tell__c",
        "tale__c.tell__c",
        ".",
    ],
)
async def test_an_action_that_is_not_there_is_refused_when_it_is_configured(
    admin: Api, named: str
) -> None:
    answer = await deploy(admin, entry(action="'run_action'", user_action=f"'{named}'"))
    assert answer.status == "FAILURE" and "there is no action" in answer.text


async def test_the_status_of_e_mail_is_listed(
    admin: Api, integration: Api, user: Api
) -> None:
    assert (await deploy(admin, QUIET)).status == "SUCCESS"
    record_id = await tale(admin)
    path = f"/vobjects/tale__c/{record_id}/actions/Objectaction.tale__c.tell__c"
    assert (await admin.post(path)).status == "SUCCESS"
    answer = await admin.get("/notifications/histories")
    assert answer.status == "SUCCESS", answer.text
    (mine,) = [each for each in answer.data if each["object_record_id"] == record_id]
    own = (await admin.get("/objects/users/me")).body["users"][0]["user"]
    assert mine["recipient_id"] == own["id"]
    assert mine["recipient_email"] == own["user_email__v"]
    assert mine["status"] in ("queued__sys", "delivered__sys")
    assert mine["workflow_id"] is None
    details = answer.body["responseDetails"]
    assert details["size"] == details["total"] == len(answer.data)
    first = await admin.get("/notifications/histories", params={"limit": "1"})
    # Not all of it: the e-mail may have been delivered between the two calls.
    latest = answer.data[0]["notification_id"]
    assert [each["notification_id"] for each in first.data] == [latest]
    for wrong in (
        {"start_date": "2026-01-01"},
        {"end_date": "2026-01-01"},
        {"start_date": "2026-01-01", "end_date": "2026-03-01"},
        {"start_date": "2026-01-02", "end_date": "2026-01-01"},
        {"start_date": "soon", "end_date": "2026-01-01"},
    ):
        refused = await admin.get("/notifications/histories", params=wrong)
        assert refused.error == "INVALID_DATA"
    export = await admin.get("/notifications/histories", params={"all_dates": "true"})
    assert export.error == "OPERATION_NOT_ALLOWED"
    for client in (integration, user):
        assert (
            await client.get("/notifications/histories")
        ).error == "INSUFFICIENT_ACCESS"
