"""Notifications by e-mail: to whom, of what, and again when the mail server refuses them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from local.polling import answers_within
from local.servers import PostgresServer, RabbitServer
from local.tls import LocalTls
from services.medical_vault.definition import MEDICAL_VAULT
from shared.vault.assembly.vault import Vault
from shared.vault.process.application import create_app
from tests.servers import fresh_vhost
from tests.service.vault import module_vault
from tests.service.vault.notifying import (
    QUIET,
    TALE_OBJECT,
    deploy,
    entry,
    notified,
    tale,
)
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


admin = module_vault.admin
integration = module_vault.integration
user = module_vault.user


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
