"""CLM: approved documents of the Medical Vault are published to Vault CRM, by country; usage is returned."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import pytest

from shared.client.results import Row
from shared.client.transport import Request
from tests.system.conditions import Connected, eventually, new_run
from tests.system.overtaking import overtaken
from tests.system.reconciling import assert_clean
from tests.system.test_country import TYPE, settings, synced
from tests.system.test_lineage import lineage
from tests.system.test_rules import RETRY
from tests.system.test_runs import ended
from tests.system.test_transfer import OUTBOUND, becomes_empty, create, one

INTEGRATION = "clm__v"
DOCUMENTS = "/api/v25.1/objects/documents"
EMAIL = {TYPE: "approved_email_integration_settings__v"}


@pytest.fixture
async def publishing(connected: Connected) -> AsyncIterator[Connected]:
    """The Country and CLM Integrations active in both Vaults; CLM is used in Germany, emails in France."""
    row = {"integration_api_name__sys": INTEGRATION, "status__v": "active__v"}
    country = {**row, "integration_api_name__sys": "country__v"}
    for vault, rows in ((connected.medical, [row, country]), (connected.crm, [row])):
        results = await vault.update(
            "integration__sys", rows, "integration_api_name__sys"
        )
        assert all(result.ok for result in results)
    used = [
        await settings(connected, "de__v"),
        await settings(connected, "fr__v", **EMAIL),
    ]
    await synced(connected)
    yield connected
    await connected.crm.delete("connection_settings__v", used)
    await synced(connected)
    for vault in (connected.medical, connected.crm):
        await vault.update(
            "integration__sys",
            [{**row, "status__v": "inactive__v"}],
            "integration_api_name__sys",
        )


async def document(
    connected: Connected,
    country: str | None = "DE",
    kind: str = "presentation__v",
    **fields: str,
) -> str:
    """The id of a new draft."""
    form = {"name__v": f"Document {new_run()}", "type__v": kind, **fields}
    if country is not None:
        form["country__v"] = await id_of(
            connected, "country__v", "country_code__v", country
        )
    if "product__v" not in fields:
        form["product__v"] = await id_of(
            connected, "product__v", "external_id__v", "P-1001"
        )
    answer = await connected.medical.call(
        Request("document", "POST", DOCUMENTS, form=form)
    )
    return str(answer["id"])


async def id_of(connected: Connected, object_name: str, key: str, value: str) -> str:
    return str(
        (
            await one(
                connected.medical,
                f"SELECT id FROM {object_name} WHERE {key} = '{value}'",
            )
        )["id"]
    )


async def act(
    connected: Connected, record: str, action: str, version: str = "0/1"
) -> None:
    path = f"{DOCUMENTS}/{record}/versions/{version}/lifecycle_actions/{action}"
    await connected.medical.call(Request("action", "PUT", path))


def found(
    connected: Connected, record: str, object_name: str = "clm_presentation__v"
) -> str:
    fields = (
        "id, name__v, status__v, document_status__v, major_version__v, "
        "minor_version__v, country__vr.country_code__v"
    )
    return f"SELECT {fields} FROM {object_name} WHERE link__sys = '{connected.medical.vault_id}_{record}'"


async def published(
    connected: Connected,
    record: str,
    status: str = "approved__v",
    object_name: str = "clm_presentation__v",
) -> Row:
    """The record in Vault CRM once it has the document's state."""

    async def there() -> bool:
        rows = (await connected.crm.query(found(connected, record, object_name))).rows
        return [row["document_status__v"] for row in rows] == [status]

    await eventually(f"document status {status}", there)
    return await one(connected.crm, found(connected, record, object_name))


async def test_an_approved_presentation_is_published_at_once_and_withdrawn(
    publishing: Connected,
) -> None:
    record = await document(publishing)
    await act(publishing, record, "approve__v")
    shown = await published(publishing, record)
    assert shown == shown | {
        "status__v": ["active__v"],
        "major_version__v": 1,
        "minor_version__v": 0,
        "country__vr.country_code__v": "DE",
    }
    fields = await lineage(publishing.crm, "clm_presentation__v", str(shown["id"]))
    assert (
        fields["name__v"]["source_object"],
        fields["name__v"]["source_record_id"],
    ) == ("documents", record)
    assert fields["name__v"]["integration_rule"] == "clm_presentation__v"
    await act(publishing, record, "withdraw__v", "1/0")
    assert await published(publishing, record, "obsolete__v") == {
        **shown,
        "status__v": ["inactive__v"],
        "document_status__v": "obsolete__v",
    }


async def test_a_new_draft_hides_nothing_and_its_approval_is_the_next_version(
    publishing: Connected,
) -> None:
    record = await document(
        publishing, "FR", "email_template__v", subject__v="Your question"
    )
    await act(publishing, record, "approve__v")
    first = await published(publishing, record, object_name="approved_document__v")
    answer = await publishing.medical.call(
        Request(
            "draft",
            "POST",
            f"{DOCUMENTS}/{record}",
            form={"createDraft": "latestContent"},
        )
    )
    assert (answer["major_version_number__v"], answer["minor_version_number__v"]) == (
        1,
        1,
    )
    await publishing.medical.call(
        Request(
            "change", "PUT", f"{DOCUMENTS}/{record}", form={"subject__v": "Your answer"}
        )
    )
    await ended(
        publishing.crm,
        await publishing.crm.request_run(INTEGRATION),
        integration=INTEGRATION,
    )
    assert (
        await one(publishing.crm, found(publishing, record, "approved_document__v"))
        == first
    )
    await act(publishing, record, "approve__v", "1/1")

    async def second() -> bool:
        row = await one(
            publishing.crm, found(publishing, record, "approved_document__v")
        )
        return row == {**first, "major_version__v": 2}

    await eventually("version 2.0", second)
    text = f"SELECT subject__v, document_type__v FROM approved_document__v WHERE id = '{first['id']}'"
    assert await one(publishing.crm, text) == {
        "subject__v": "Your answer",
        "document_type__v": ["email_template__v"],
    }


async def test_a_document_goes_where_its_country_uses_it(publishing: Connected) -> None:
    """A document without a country is published wherever the feature is used; a change of country withdraws it."""
    code = new_run().upper()
    for vault in (publishing.medical, publishing.crm):
        await create(
            vault, "country__v", {"name__v": f"Nowhere {code}", "country_code__v": code}
        )
    german, elsewhere, everywhere = [
        await document(publishing, country) for country in ("DE", code, None)
    ]
    for record in (elsewhere, everywhere, german):
        await act(publishing, record, "approve__v")
    shown = await published(publishing, german)
    assert (await published(publishing, everywhere))[
        "country__vr.country_code__v"
    ] is None
    assert (await publishing.crm.query(found(publishing, elsewhere))).rows == []
    nowhere = await id_of(publishing, "country__v", "country_code__v", code)
    moved = Request(
        "change", "PUT", f"{DOCUMENTS}/{german}", form={"country__v": nowhere}
    )
    await publishing.medical.call(moved)
    counts = await ended(
        publishing.crm,
        await publishing.crm.request_run(INTEGRATION),
        integration=INTEGRATION,
    )
    assert (counts["failed"], counts["written"] >= 1, counts["skipped"] >= 1) == (
        0,
        True,
        True,
    )
    assert await one(publishing.crm, found(publishing, german)) == {
        **shown,
        "status__v": ["inactive__v"],
        "country__vr.country_code__v": code,
    }


async def test_a_product_that_crm_does_not_have_is_an_exception_until_it_is_mended(
    publishing: Connected,
) -> None:
    run = new_run()
    product = await create(
        publishing.medical, "product__v", {"name__v": run, "external_id__v": run}
    )
    record = await document(publishing, product__v=product)
    await act(publishing, record, "approve__v")
    item = await item_of_crm(publishing, record)
    assert item["error_type__sys"] == ["reference_error__sys"]
    await create(publishing.crm, "product__v", {"name__v": run, "external_id__v": run})
    await publishing.crm.run_action(
        "exception_message__sys", str(item["exception_message__sys"]), RETRY
    )
    assert (await published(publishing, record))["status__v"] == ["active__v"]


async def item_of_crm(connected: Connected, record: str) -> Row:
    text = (
        "SELECT id, error_type__sys, error_status__sys, exception_message__sys FROM exception_item__sys "
        f"WHERE item__sys = '{record}'"
    )

    async def there() -> bool:
        return len((await connected.crm.query(text)).rows) == 1

    await eventually("the user exception", there)
    return await one(connected.crm, text)


async def test_metrics_come_back_by_run_and_at_once(publishing: Connected) -> None:
    record = await document(publishing)
    await act(publishing, record, "approve__v")
    presentation = await published(publishing, record)
    metric = await create(
        publishing.crm,
        "content_metric__v",
        {
            "name__v": "Day one",
            "clm_presentation__v": presentation["id"],
            "country__vr.country_code__v": "DE",
            "metric_date__v": "2026-01-31",
            "views__v": 7,
        },
    )
    counts = await ended(
        publishing.medical,
        await publishing.medical.request_run(INTEGRATION),
        integration=INTEGRATION,
    )
    assert (counts["failed"], counts["written"]) == (0, counts["read"])
    text = (
        "SELECT id, presentation__v, email_document__v, country__vr.country_code__v, metric_date__v, views__v, sent__v "
        f"FROM crm_content_metric__v WHERE link__sys = '{publishing.crm.vault_id}_{metric}'"
    )
    first = await one(publishing.medical, text)
    assert first == first | {
        "presentation__v": f"{publishing.medical.vault_id}_{record}",
        "email_document__v": None,
        "country__vr.country_code__v": "DE",
        "metric_date__v": "2026-01-31",
        "views__v": 7,
        "sent__v": None,
    }
    await publishing.crm.update("content_metric__v", [{"id": metric, "views__v": 9}])
    await publishing.crm.run_action(
        "content_metric__v", metric, "Objectaction.content_metric__v.send_to_medical__v"
    )

    async def updated() -> bool:
        return await one(publishing.medical, text) == {**first, "views__v": 9}

    await eventually("nine views", updated)


async def test_nothing_is_sent_while_the_integration_is_inactive_and_a_run_catches_up(
    publishing: Connected,
) -> None:
    row = {"integration_api_name__sys": INTEGRATION, "status__v": "inactive__v"}
    await publishing.medical.update(
        "integration__sys", [row], "integration_api_name__sys"
    )
    record = await document(publishing)
    await becomes_empty(publishing.medical, OUTBOUND)
    await act(publishing, record, "approve__v")
    queue = await publishing.medical.queue(OUTBOUND)
    assert queue["messages_in_queue"] == 0
    assert (await publishing.crm.query(found(publishing, record))).rows == []
    await publishing.medical.update(
        "integration__sys",
        [{**row, "status__v": "active__v"}],
        "integration_api_name__sys",
    )
    await ended(
        publishing.crm,
        await publishing.crm.request_run(INTEGRATION),
        integration=INTEGRATION,
    )
    assert (await published(publishing, record))["status__v"] == ["active__v"]


async def test_a_deleted_document_is_inactive_content_and_no_record_is_deleted(
    publishing: Connected,
) -> None:
    record = await document(publishing)
    await act(publishing, record, "approve__v")
    shown = await published(publishing, record)
    await publishing.medical.call(Request("delete", "DELETE", f"{DOCUMENTS}/{record}"))
    counts = await ended(
        publishing.crm,
        await publishing.crm.request_run(INTEGRATION),
        integration=INTEGRATION,
    )
    assert counts["failed"] == 0
    assert await one(publishing.crm, found(publishing, record)) == {
        **shown,
        "status__v": ["inactive__v"],
    }
    await assert_clean(publishing.crm, {record})


async def test_content_of_which_the_approved_version_is_deleted_is_inactive(
    publishing: Connected,
) -> None:
    """Of one document a draft remains, of the other the superseded version."""
    drafted, superseded = [await document(publishing) for _ in range(2)]
    await new_draft(publishing, drafted)
    await act(publishing, drafted, "approve__v", "0/2")
    await act(publishing, superseded, "approve__v")
    await new_draft(publishing, superseded)
    await act(publishing, superseded, "approve__v", "1/1")
    for record, version in ((drafted, 1), (superseded, 2)):
        await eventually(
            "the version", partial(shows, publishing, record, version, "active__v")
        )
        path = f"{DOCUMENTS}/{record}/versions/{version}/0"
        await publishing.medical.call(Request("delete", "DELETE", path))
    counts = await ended(
        publishing.crm,
        await publishing.crm.request_run(INTEGRATION),
        integration=INTEGRATION,
    )
    assert counts["failed"] == 0
    for record in (drafted, superseded):
        assert await shows(publishing, record, 1, "inactive__v")


async def new_draft(connected: Connected, record: str) -> None:
    form = {"createDraft": "latestContent"}
    await connected.medical.call(
        Request("draft", "POST", f"{DOCUMENTS}/{record}", form=form)
    )


async def shows(connected: Connected, record: str, version: int, status: str) -> bool:
    """Whether the presentation in Vault CRM is of this version and status."""
    rows = (await connected.crm.query(found(connected, record))).rows
    return [(row["major_version__v"], row["status__v"]) for row in rows] == [
        (version, [status])
    ]


@pytest.mark.parametrize(
    "kind", ["email_template__v", "email_fragment__v", "template_fragment__v"]
)
async def test_each_kind_of_email_document_is_published_expires_and_is_reinstated(
    publishing: Connected, kind: str
) -> None:
    record = await document(publishing, "FR", kind)
    statuses: list[object] = []
    for action, version, state in (
        ("approve__v", "0/1", "approved__v"),
        ("expire__v", "1/0", "expired__v"),
        ("reinstate__v", "1/0", "approved__v"),
    ):
        await act(publishing, record, action, version)
        statuses.append(
            (await published(publishing, record, state, "approved_document__v"))[
                "status__v"
            ]
        )
    assert statuses == [["active__v"], ["inactive__v"], ["active__v"]]
    text = f"SELECT document_type__v FROM approved_document__v WHERE document_id__v = '{record}'"
    assert await one(publishing.crm, text) == {"document_type__v": [kind]}


@pytest.mark.parametrize(
    ("before", "newer", "version", "status"),
    [
        (True, "withdraw__v", 1, "inactive__v"),
        (True, "approve__v", 2, "active__v"),
        (True, "delete", 1, "inactive__v"),
        (True, "delete version", 1, "inactive__v"),
        (False, "withdraw__v", 1, "inactive__v"),
        (False, "delete", 1, "inactive__v"),
        (False, "delete version", 1, "inactive__v"),
        (False, "country", 1, "inactive__v"),
    ],
)
async def test_an_older_state_never_comes_after_a_newer_one(
    publishing: Connected, before: bool, newer: str, version: int, status: str
) -> None:
    """Whether the document is in Vault CRM ``before``, or arrives there by the overtaken state."""
    row = {"integration_api_name__sys": INTEGRATION, "status__v": "inactive__v"}
    await publishing.medical.update(
        "integration__sys", [row], "integration_api_name__sys"
    )  # no messages between
    setting = await settings(publishing, "ch__v")
    await synced(publishing)
    record = await document(publishing, "CH")
    await act(publishing, record, "approve__v")
    if before:
        await ended(
            publishing.crm,
            await publishing.crm.request_run(INTEGRATION),
            integration=INTEGRATION,
        )
        await publishing.medical.call(
            Request(
                "change", "PUT", f"{DOCUMENTS}/{record}", form={"title__v": "Older"}
            )
        )

    async def newer_state() -> None:
        if newer == "country":
            await publishing.crm.delete("connection_settings__v", [setting])
            await synced(publishing)
        elif newer == "delete":
            await publishing.medical.call(
                Request("delete", "DELETE", f"{DOCUMENTS}/{record}")
            )
        elif newer == "delete version":
            await new_draft(publishing, record)
            await publishing.medical.call(
                Request("delete", "DELETE", f"{DOCUMENTS}/{record}/versions/1/0")
            )
        elif newer == "approve__v":
            await new_draft(publishing, record)
            await act(publishing, record, newer, "1/1")
        else:
            await act(publishing, record, newer, "1/0")

    await overtaken(
        publishing, "clm_inbound__v", "documents", record, newer_state, to_crm=True
    )
    shown = await one(publishing.crm, found(publishing, record))
    assert (shown["status__v"], shown["major_version__v"]) == ([status], version)
    await publishing.crm.delete("connection_settings__v", [setting])
    await synced(publishing)
