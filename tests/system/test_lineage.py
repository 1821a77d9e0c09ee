"""Lineage on the whole system: for each field of a record, which message, run, rule and source record have set it."""

from __future__ import annotations

from typing import Any

from shared.client import VaultClient
from shared.client.results import Row, rows_of
from shared.client.transport import Request
from tests.system import module_system
from tests.system.conditions import Connected, eventually, new_run
from tests.system.messages import POINT, envelope, put_on_queue
from tests.system.test_case_requests import ANSWER, agent_does, followed
from tests.system.test_country import settings as settings_of
from tests.system.test_custom_points import LIFECYCLE, SOURCE, Custom, deploy_mdl, send
from tests.system.test_rules import RETRY, item_of
from tests.system.test_runs import INTEGRATION, ended
from tests.system.test_transfer import account, create, inquiry, one, transferred

running, connected = module_system.running, module_system.connected
LINEAGE = "/api/v25.1/services/lineage"
SOURCE_DATA = "case_contact_source_data__v"


async def lineage(vault: VaultClient, object_name: str, record: str) -> dict[str, Row]:
    """The lineage of a record, by field."""
    answer: Any = await vault.call(
        Request("lineage", "GET", f"{LINEAGE}/vobjects/{object_name}/{record}")
    )
    return {str(field["field_name"]): field for field in answer["data"]["fields"]}


async def written_by(vault: VaultClient, message: object) -> list[Row]:
    answer = await vault.call(
        Request("lineage", "GET", f"{LINEAGE}/messages/{message}")
    )
    return rows_of(answer.get("data"), "data")


def sources(fields: dict[str, Row]) -> set[tuple[object, object]]:
    """Object and id of the records that fields come from."""
    return {
        (field["source_object"], field["source_record_id"]) for field in fields.values()
    }


async def test_an_inquiry_and_its_answer_tell_where_each_field_is_from(
    connected: Connected,
) -> None:
    account_id = await account(connected, new_run())
    item = await inquiry(connected, account_id)
    request = await transferred(connected, item)
    fields = await lineage(connected.medical, "case_request__v", str(request["id"]))
    question = fields["question__v"]
    (message,) = {field["message_id"] for field in fields.values()}
    assert question == question | {
        "integration_rule": "medical_inquiries__v",
        "integration": INTEGRATION,
        "integration_point": POINT,
        "source_vault_id": connected.crm.vault_id,
        "source_object": "medical_inquiry__v",
        "source_record_id": item,
        "job_id": None,
        "changed_since": None,
    }
    assert str(question["connector_time"]) <= str(question["date"])
    assert fields["case__v"]["integration_rule"] is None, (
        "the integration point ties the request to its case"
    )
    person = await lineage(
        connected.medical, "person__sys", str(request["case__vr.case_contact__v"])
    )
    assert sources(person) == {("account__v", account_id)}
    assert person["last_name__sys"]["integration_rule"] != question["integration_rule"]
    written = await written_by(connected.medical, message)
    assert {row["object_name"] for row in written} == {
        "case__v",
        "case_request__v",
        "person__sys",
        SOURCE_DATA,
    }

    status = (await lineage(connected.crm, "medical_inquiry__v", item))[
        "transfer_status__v"
    ]
    assert (status["message_id"], status["source_vault_id"]) == (
        message,
        connected.medical.vault_id,
    )
    await agent_does(connected, str(request["id"]), "new_state__v.start_work__v")
    await agent_does(
        connected, str(request["id"]), "in_progress_state__v.close__v", ANSWER
    )
    await followed(connected, item, "closed__v")
    back = await lineage(connected.crm, "medical_inquiry__v", item)
    assert back["response__v"]["source_record_id"] == request["id"]
    assert back["response__v"]["message_id"] not in (message, None)
    assert back["transfer_status__v"] == status, "an answer changes nothing of it"
    assert "inquiry_text__v" not in back, "the rep has written that"


async def test_a_run_tells_its_job_and_a_later_change_only_what_it_changed(
    connected: Connected,
) -> None:
    account_id = await account(connected, new_run())
    link = f"{connected.crm.vault_id}_{account_id}"
    job = await connected.medical.request_run(INTEGRATION)
    await ended(connected.medical, job)
    data = await one(
        connected.medical, f"SELECT id FROM {SOURCE_DATA} WHERE link__sys = '{link}'"
    )
    first = await lineage(connected.medical, SOURCE_DATA, str(data["id"]))
    assert {field["job_id"] for field in first.values()} == {job}
    assert sources(first) == {("account__v", account_id)}

    await connected.crm.update(
        "account__v", [{"id": account_id, "last_name_cda__v": "Renamed"}]
    )
    later = await connected.medical.request_run(INTEGRATION)
    await ended(connected.medical, later)
    second = await lineage(connected.medical, SOURCE_DATA, str(data["id"]))
    changed = {name for name, field in second.items() if field["job_id"] == later}
    assert "last_name__v" in changed
    assert {name: second[name] for name in first.keys() - changed} == {
        n: first[n] for n in first.keys() - changed
    }
    assert changed < first.keys()

    third = await connected.medical.request_run(INTEGRATION)
    await ended(connected.medical, third)
    assert await lineage(connected.medical, SOURCE_DATA, str(data["id"])) == second, (
        "nothing was changed"
    )


async def test_copies_of_metadata_tell_the_rule_and_what_the_point_has_set(
    connected: Connected,
) -> None:
    name, point = "crm_metadata_sync_product_content__v", "crm_content_group_inbound__v"
    row = {"integration_api_name__sys": name, "status__v": "active__v"}
    await connected.medical.update(
        "integration__sys", [row], "integration_api_name__sys"
    )
    group = await create(connected.crm, "content_group__v", {"name__v": new_run()})
    job = await connected.medical.request_run(name)
    await ended(connected.medical, job, integration=name)
    text = (
        f"SELECT id, crm_org__v FROM crm_content_group__v WHERE crm_id__v = '{group}'"
    )
    copy = await one(connected.medical, text)
    made = await lineage(connected.medical, "crm_content_group__v", str(copy["id"]))
    assert sources(made) == {("content_group__v", group)}
    assert {
        (field["integration_point"], field["job_id"]) for field in made.values()
    } == {(point, job)}
    assert made["name__v"]["integration_rule"] is not None
    assert (
        made["crm_id__v"]["integration_rule"]
        is made["crm_org__v"]["integration_rule"]
        is None
    )
    org = await lineage(connected.medical, "crm_org__v", str(copy["crm_org__v"]))
    assert {field["source_vault_id"] for field in org.values()} == {
        connected.crm.vault_id
    }, "made for the first copy"

    await connected.crm.delete("content_group__v", [group])
    later = await connected.medical.request_run(name)
    await ended(connected.medical, later, integration=name)
    flagged = await lineage(connected.medical, "crm_content_group__v", str(copy["id"]))
    changed = {
        name: field["integration_rule"]
        for name, field in flagged.items()
        if field["job_id"] == later
    }
    assert changed == {"deleted_in_source__v": None, "source_status__v": None}


async def test_countries_tell_the_settings_that_they_are_made_of(
    connected: Connected,
) -> None:
    row = {"integration_api_name__sys": "country__v", "status__v": "active__v"}
    await connected.medical.update(
        "integration__sys", [row], "integration_api_name__sys"
    )
    settings = await settings_of(connected, "fr__v")
    await ended(
        connected.medical,
        await connected.medical.request_run("country__v"),
        integration="country__v",
    )
    text = f"SELECT id FROM connection_country__v WHERE crm_id__v = '{settings}'"
    made = await lineage(
        connected.medical,
        "connection_country__v",
        str((await one(connected.medical, text))["id"]),
    )
    assert sources(made) == {("connection_settings__v", settings)}
    assert made["country__v"]["integration_rule"] is not None
    assert made["link__sys"]["integration_rule"] is None, (
        "the point has put country and feature behind it"
    )


async def test_a_custom_point_of_any_name_tells_its_rule_and_message(
    connected: Connected,
) -> None:
    custom = Custom("told", "global_id__sys", "link__sys", point="samples, as told")
    await connected.crm.execute_mdl(custom.written(LIFECYCLE) + custom.written(SOURCE))
    await deploy_mdl(connected, custom)
    run, target = new_run(), custom.names["target"]
    record = await create(
        connected.crm, f"{custom.names['source']}__c", {"name__v": run}
    )
    await send(connected, custom, record, run)
    made = await lineage(
        connected.medical,
        target,
        str((await one(connected.medical, f"SELECT id FROM {target}"))["id"]),
    )
    assert sources(made) == {(f"{custom.names['source']}__c", record)}
    assert {field["integration_rule"] for field in made.values()} == {target}
    assert {
        (field["integration"], field["integration_point"]) for field in made.values()
    } == {(custom.names["integration"], "samples, as told")}
    (message,) = {field["message_id"] for field in made.values()}
    (written,) = await written_by(connected.medical, message)
    assert set(written["fields_by_rule"]) == made.keys()  # type: ignore[call-overload]


async def test_a_retry_has_the_id_of_the_message_that_it_repeats(
    connected: Connected,
) -> None:
    run = new_run()
    contacts = []
    for ids in ({"veeva_id__v": f"V{run}"}, {"external_id__v": f"T-{run}"}):
        row = {
            "name__v": "Someone",
            "object_type__v.api_name__v": "case_contact__v",
            **ids,
        }
        contacts.append(await create(connected.medical, "person__sys", row))
    item = await inquiry(connected, await account(connected, run, veevaid__v=f"V{run}"))
    await transferred(connected, item, "failed__v")
    failed = (await lineage(connected.crm, "medical_inquiry__v", item))[
        "transfer_status__v"
    ]
    assert await written_by(connected.medical, failed["message_id"]) == []
    message = str((await item_of(connected, item))["exception_message__sys"])

    await connected.medical.update(
        "person__sys", [{"id": contacts[1], "external_id__v": None}]
    )
    await connected.medical.run_action("exception_message__sys", message, RETRY)

    async def done() -> bool:
        return (await connected.crm.record("medical_inquiry__v", item))[
            "transfer_status__v"
        ] == ["success__v"]

    await eventually("the retried transfer", done)
    status = (await lineage(connected.crm, "medical_inquiry__v", item))[
        "transfer_status__v"
    ]
    assert (status["message_id"], str(status["date"]) > str(failed["date"])) == (
        failed["message_id"],
        True,
    )
    assert {
        row["object_name"]
        for row in await written_by(connected.medical, status["message_id"])
    } >= {"case__v"}


async def test_a_message_that_names_an_inquiry_again_claims_what_it_changes(
    connected: Connected,
) -> None:
    account_id = await account(connected, new_run())
    item = await inquiry(connected, account_id)
    request = await transferred(connected, item)
    before = await lineage(connected.medical, "case_request__v", str(request["id"]))
    other = await inquiry(connected, account_id)
    message = envelope([item, other])
    await put_on_queue(connected, message.encode(), message.message_id)

    async def done() -> bool:
        return (await connected.crm.record("medical_inquiry__v", other))[
            "transfer_status__v"
        ] == ["success__v"]

    await eventually("the transfer of the other inquiry", done)
    assert (
        await lineage(connected.medical, "case_request__v", str(request["id"]))
        == before
    )
    written = await written_by(connected.medical, message.message_id)
    assert {(row["object_name"], row["source_record_id"]) for row in written} == {
        ("case__v", other),
        ("case_request__v", other),
    }
