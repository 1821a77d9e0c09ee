"""Runs on the whole system: accounts under their countries' agreements, the way back, crashes, and the time."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from local.system import System
from shared.client import VaultClient
from shared.client.results import Row
from shared.client.transport import API, Request
from tests.system import module_system
from tests.system.conditions import Connected, eventually, new_run
from tests.system.test_account_merges import contacts, merge
from tests.system.test_crashes import quoted
from tests.system.test_transfer import account, create, inquiry, one, transferred

running, connected = module_system.running, module_system.connected
INTEGRATION = "medical_inquiry_details__v"
MANY = 1700


async def over(vault: VaultClient, job: int, integration: str = INTEGRATION) -> Row:
    """Wait for a run's end, whatever its status; return the run."""
    run: Row = {}

    async def has_ended() -> bool:
        nonlocal run
        run = await vault.run(integration, job)
        return run["status"] not in ("QUEUED", "RUNNING")

    await eventually("the end of the run", has_ended)
    return run


async def ended(
    vault: VaultClient,
    job: int,
    status: str = "SUCCESS",
    integration: str = INTEGRATION,
) -> Mapping[str, int]:
    """Wait for a run's end; return its counts, checked to add up."""
    run = await over(vault, job, integration)
    assert run["status"] == status, run
    counts: dict[str, int] = run["counts"]  # type: ignore[assignment]
    assert counts["read"] == counts["skipped"] + counts["written"] + counts["failed"]
    assert counts["written"] <= counts["mapped"] <= counts["written"] + counts["failed"]
    return counts


async def last_run(vault: VaultClient) -> str:
    text = "SELECT last_successful_run_time__sys FROM integration__sys"
    row = await one(vault, f"{text} WHERE integration_api_name__sys = '{INTEGRATION}'")
    return str(row["last_successful_run_time__sys"])


async def names(connected: Connected, accounts: list[str]) -> dict[str, object]:
    """Last names in Source Data, by account id."""
    links = {
        f"{connected.crm.vault_id}_{identifier}": identifier for identifier in accounts
    }
    text = "SELECT link__sys, last_name__v FROM case_contact_source_data__v"
    rows = await connected.medical.query(
        f"{text} WHERE link__sys CONTAINS ({quoted(list(links))})"
    )
    return {links[str(row["link__sys"])]: row["last_name__v"] for row in rows.rows}


async def rename(connected: Connected, accounts: list[str], name: str) -> None:
    rows = [{"id": identifier, "last_name_cda__v": name} for identifier in accounts]
    assert all(result.ok for result in await connected.crm.update("account__v", rows))


async def test_accounts_follow_the_agreement_of_their_country(
    connected: Connected,
) -> None:
    run = new_run()
    known = await account(connected, f"{run}k", "DE")
    await transferred(connected, await inquiry(connected, known, "DE"))
    pulled, unknown, forbidden, unsaid = [
        await account(connected, f"{run}{n}", country)
        for n, country in enumerate(("FR", "DE", "CH", "JP"))
    ]
    await rename(connected, [known], "Married")
    before = await last_run(connected.medical)
    await ended(connected.medical, await connected.medical.request_run(INTEGRATION))
    assert await names(connected, [pulled, known, unknown, forbidden, unsaid]) == {
        pulled: f"Example {run}0",
        known: "Married",
    }
    assert await last_run(connected.medical) > before
    external = quoted([f"T-{run}0", f"T-{run}k"])
    text = f"SELECT id, last_name__sys FROM person__sys WHERE external_id__v CONTAINS ({external})"
    persons = await connected.medical.query(text)
    assert sorted(str(row["last_name__sys"]) for row in persons.rows) == [
        f"Example {run}0",
        "Married",
    ]


async def test_a_changed_address_is_a_changed_account(connected: Connected) -> None:
    account_id = await account(connected, new_run(), "FR")
    row = {
        "name__v": "1 rue de l'Exemple",
        "account__v": account_id,
        "primary_cda__v": True,
        "city_cda__v": "Lyon",
    }
    address = await create(connected.crm, "address__v", row)
    await ended(connected.medical, await connected.medical.request_run(INTEGRATION))
    for change in ({"city_cda__v": "Nice"}, {"city_cda__v": "Lille"}):
        await connected.crm.update("address__v", [{"id": address, **change}])
        await ended(connected.medical, await connected.medical.request_run(INTEGRATION))
        link = f"{connected.crm.vault_id}_{account_id}"
        text = f"SELECT city__v FROM case_contact_source_data__v WHERE link__sys = '{link}'"
        assert (await one(connected.medical, text))["city__v"] == change["city_cda__v"]
    other = await account(connected, new_run(), "FR")
    for leave in ("moved", "deleted"):
        if leave == "moved":
            row = {"id": address, "account__v": other}
            await connected.crm.update("address__v", [row])
        else:
            await connected.crm.delete("address__v", [address])
        await ended(connected.medical, await connected.medical.request_run(INTEGRATION))
        cities = [
            await one(
                connected.medical,
                "SELECT city__v FROM case_contact_source_data__v "
                f"WHERE link__sys = '{connected.crm.vault_id}_{each}'",
            )
            for each in (account_id, other)
        ]
        has_it = "Lille" if leave == "moved" else None
        assert [row["city__v"] for row in cities] == [None, has_it]


async def test_set_back_it_loads_history_and_failures_are_read_again(
    connected: Connected,
) -> None:
    run = new_run()
    good, bad = (
        await account(connected, f"{run}g", "FR"),
        await account(connected, f"{run}b", "FR"),
    )
    for contact in ({"veeva_id__v": f"V{run}"}, {"external_id__v": f"T-{run}b"}):
        row = {
            "name__v": "Someone",
            "object_type__v.api_name__v": "case_contact__v",
            **contact,
        }
        await create(connected.medical, "person__sys", row)
    await connected.crm.update("account__v", [{"id": bad, "veevaid__v": f"V{run}"}])
    job = await connected.medical.request_run(INTEGRATION)
    before = await last_run(connected.medical)
    counts = await ended(connected.medical, job, "ERRORS_ENCOUNTERED")
    assert counts["failed"] == 1
    assert await last_run(connected.medical) == before
    assert set(await names(connected, [good, bad])) == {good}
    await connected.crm.update("account__v", [{"id": bad, "veevaid__v": None}])
    row = {
        "integration_api_name__sys": INTEGRATION,
        "last_successful_run_time__sys": "2020-01-31T12:00:00.000Z",
    }
    await connected.medical.update(
        "integration__sys", [row], "integration_api_name__sys"
    )

    async def moved_on() -> bool:
        return await last_run(connected.medical) > before

    await eventually(
        "the run over all of history, begun by setting the time back", moved_on
    )
    assert set(await names(connected, [good, bad])) == {good, bad}
    text = (
        f"SELECT error_status__sys FROM exception_item__sys WHERE item__sys = '{bad}'"
    )
    assert (await one(connected.medical, text))["error_status__sys"] == [
        "resolved__sys"
    ]


NOTIFYING = """
RECREATE Objectlifecycle work_list__c (
    label('Work list'), starting_state('open_state__c'),
    Objectlifecyclestate open_state__c (
        label('Open'),
        Objectlifecyclestateentryaction notify__c (
            action('notify'), order(1), users('admin@medical.example'), email(false),
            subject('${name__v}'), body('${error_message__sys}')
        )
    )
);
ALTER Object exception_message__sys (lifecycle('Objectlifecycle.work_list__c'));
"""
IGNORE = "Objectaction.exception_message__sys.ignore__sys"
RETRY = "Objectaction.exception_message__sys.retry_transfer__sys"


async def exceptions_of(
    vault: VaultClient, inquiries: list[str]
) -> dict[str, list[object]]:
    """Error Statuses of the items of these inquiries, by the record of their message."""
    text = "SELECT exception_message__sys, error_status__sys FROM exception_item__sys"
    rows = await vault.query(f"{text} WHERE item__sys CONTAINS ({quoted(inquiries)})")
    found: dict[str, list[object]] = {}
    for row in rows.rows:
        statuses = found.setdefault(str(row["exception_message__sys"]), [])
        statuses += row["error_status__sys"]  # type: ignore[arg-type]
    return found


async def notified(vault: VaultClient) -> int:
    """The number of the administrator's notifications."""
    path = f"{API}/services/notifications"
    answer = await vault.call(Request("notifications", "GET", path))
    total: int = answer["responseDetails"]["total"]  # type: ignore[index]
    return total


async def ask_about(connected: Connected, key: str, number: int) -> list[str]:
    """Inquiries about a product that only a run finds, since no message names them."""
    run = new_run()
    known = await account(connected, run)
    product = {"name__v": key, "external_id__v": key}
    (made,) = await connected.crm.upsert("product__v", [product], "external_id__v")
    assert made.ok
    row = {"product__vr.external_id__v": key}
    ids = [await inquiry(connected, known, **row) for _ in range(number)]
    pending = [{"id": each, "transfer_status__v": "pending__v"} for each in ids]
    assert all(
        row.ok
        for row in await connected.connector.update("medical_inquiry__v", pending)
    )
    return ids


async def test_one_cause_is_one_exception_until_it_is_mended_and_retried(
    connected: Connected,
) -> None:
    medical = connected.medical
    await medical.execute_mdl(NOTIFYING)
    key = f"P-{new_run()}"
    inquiries = await ask_about(connected, key, 30)
    before, record = await notified(medical), ""
    for _ in range(2):
        job = await medical.request_run(INTEGRATION)
        counts = await ended(medical, job, "ERRORS_ENCOUNTERED")
        assert counts["failed"] == 30
        ((record, statuses),) = (await exceptions_of(medical, inquiries)).items()
        assert statuses == ["open__sys"] * 30
        assert await notified(medical) == before + 1
    product = {"name__v": key, "external_id__v": key}
    await create(medical, "product__v", product)
    await medical.run_action("exception_message__sys", record, RETRY)

    async def resolved() -> bool:
        row = await medical.record("exception_message__sys", record)
        return row["error_status__sys"] == ["resolved__sys"]

    await eventually("the exception is resolved", resolved)
    found = await exceptions_of(medical, inquiries)
    assert found == {record: ["resolved__sys"] * 30}
    await ended(medical, await medical.request_run(INTEGRATION))


async def test_what_is_ignored_does_not_come_back_with_the_next_run(
    connected: Connected,
) -> None:
    medical = connected.medical
    await medical.execute_mdl(NOTIFYING)
    inquiries = await ask_about(connected, f"P-{new_run()}", 2)
    job = await medical.request_run(INTEGRATION)
    await ended(medical, job, "ERRORS_ENCOUNTERED")
    (record,) = await exceptions_of(medical, inquiries)
    await medical.run_action("exception_message__sys", record, IGNORE)
    before, last = await notified(medical), await last_run(medical)
    for _ in range(2):
        await ended(medical, await medical.request_run(INTEGRATION))
        found = await exceptions_of(medical, inquiries)
        assert found == {record: ["ignored__sys"] * 2}
        moved = await last_run(medical)
        assert moved > last
        last = moved
    assert await notified(medical) == before


async def test_the_way_back_by_run(connected: Connected) -> None:
    """The Case Request's status reaches the inquiry although no message was sent."""
    inquiry_id = await inquiry(connected, await account(connected, new_run()))
    request = await transferred(connected, inquiry_id)
    row = {"id": request["id"], "response_notes__v": "Please see the enclosed article"}
    await connected.agent.update("case_request__v", [row])
    counts = await ended(connected.crm, await connected.crm.request_run(INTEGRATION))
    assert counts["written"] >= 1
    record = await connected.crm.record("medical_inquiry__v", inquiry_id)
    assert record["response__v"] == "Please see the enclosed article"


@pytest.mark.parametrize("victim", ["connector", "medical_vault", "crm_vault"])
async def test_a_crash_doubles_no_count(
    running: System, connected: Connected, victim: str
) -> None:
    run = new_run()
    accounts = await many_accounts(connected, run)
    job = await connected.medical.request_run(INTEGRATION)

    async def begun() -> bool:
        return (await connected.medical.run(INTEGRATION, job))["batches"] != 0

    await eventually("the first batch", begun)
    await running.kill(victim)
    await running.restart(victim)
    counts = await ended(connected.medical, job)
    assert MANY <= counts["read"] <= await most_read(connected)
    found = await names(connected, accounts[:100])
    assert set(found) == set(accounts[:100])
    again = await ended(
        connected.medical, await connected.medical.request_run(INTEGRATION)
    )
    assert again["read"] == again["skipped"] + again["written"]


async def most_read(connected: Connected) -> int:
    """The greatest number of records that a run can read once: accounts also by their addresses."""
    objects = ("account__v", "address__v", "medical_inquiry__v")
    return sum(
        [
            len((await connected.crm.query(f"SELECT id FROM {name}")).rows)
            for name in objects
        ]
    )


async def many_accounts(connected: Connected, run: str) -> list[str]:
    country = (
        await one(
            connected.crm, "SELECT id FROM country__v WHERE country_code__v = 'FR'"
        )
    )["id"]
    rows = [
        {
            "name__v": f"Dr {n}",
            "last_name_cda__v": f"N{n}",
            "external_id__v": f"M-{run}-{n}",
            "primary_country__v": country,
        }
        for n in range(MANY)
    ]
    return [str(result.id) for result in await connected.crm.create("account__v", rows)]


async def test_a_merge_whose_message_was_lost_is_sent_by_the_next_run(
    connected: Connected,
) -> None:
    accounts = [await account(connected, new_run()) for _ in range(2)]
    duplicate, main = accounts
    for of in accounts:
        await transferred(connected, await inquiry(connected, of))
    queue = f"{API}/services/queues/crm_to_medical_outbound_queue__v/actions"
    for step in ("disable_delivery", "reset", "enable_delivery"):
        if step == "reset":
            await merge(connected, duplicate, main)
        await connected.crm.call(Request("queue", "PUT", f"{queue}/{step}"))
    first, second = await contacts(connected, duplicate, main)
    assert first != second
    await ended(connected.medical, await connected.medical.request_run(INTEGRATION))
    assert await contacts(connected, duplicate, main) == [second] * 2
