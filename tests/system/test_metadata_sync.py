"""CRM Metadata Sync: groups before members, matched by Link or identifiers, flagged when inactive or gone."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from shared.client.results import Row
from tests.system.conditions import Connected, new_run
from tests.system.overtaking import overtaken
from tests.system.reconciling import assert_clean
from tests.system.test_runs import ended
from tests.system.test_transfer import create, one

PRODUCT_CONTENT = "crm_metadata_sync_product_content__v"
EVENTS = "crm_metadata_sync_event_management__v"


@pytest.fixture
async def syncing(connected: Connected) -> Connected:
    """Both integrations active; existing records are not read, since their time begins now."""
    rows = [
        {"integration_api_name__sys": name, "status__v": "active__v"}
        for name in (PRODUCT_CONTENT, EVENTS)
    ]
    results = await connected.medical.update(
        "integration__sys", rows, "integration_api_name__sys"
    )
    assert all(result.ok for result in results)
    return connected


async def synced(
    connected: Connected, integration: str = PRODUCT_CONTENT, status: str = "SUCCESS"
) -> Mapping[str, int]:
    return await ended(
        connected.medical,
        await connected.medical.request_run(integration),
        status,
        integration,
    )


async def copy_of(
    connected: Connected, object_name: str, record: str, fields: str = "id, name__v"
) -> Row:
    link = f"{connected.crm.vault_id}_{record}"
    return await one(
        connected.medical,
        f"SELECT {fields} FROM {object_name} WHERE link__sys = '{link}'",
    )


async def test_groups_come_before_their_members(syncing: Connected) -> None:
    run = new_run()
    groups = {
        name: await create(
            syncing.crm,
            name,
            {"name__v": f"{name} {run}", "external_id__v": f"{name} {run}"},
        )
        for name in ("content_group__v", "detail_group__v", "product_group__v")
    }
    product = await create(
        syncing.crm, "product__v", {"name__v": run, "external_id__v": run, **groups}
    )
    counts = await synced(syncing)
    assert (counts["failed"], counts["written"] >= 4) == (0, True)
    fields = (
        "crm_id__v, external_id__v, source_status__v, deleted_in_source__v, crm_org__vr.vault_id__v, "
        "content_group__vr.name__v, detail_group__vr.crm_id__v, product_group__vr.external_id__v"
    )
    assert await copy_of(syncing, "crm_product__v", product, fields) == {
        "crm_id__v": product,
        "external_id__v": run,
        "source_status__v": ["active__v"],
        "deleted_in_source__v": False,
        "crm_org__vr.vault_id__v": str(syncing.crm.vault_id),
        "content_group__vr.name__v": f"content_group__v {run}",
        "detail_group__vr.crm_id__v": groups["detail_group__v"],
        "product_group__vr.external_id__v": f"product_group__v {run}",
    }


async def test_a_repeated_run_rewrites_nothing_and_says_so(
    syncing: Connected,
) -> None:
    run = new_run()
    values = {"name__v": run, "external_id__v": run}
    group = await create(syncing.crm, "content_group__v", values)
    await synced(syncing)
    copied = await copy_of(
        syncing, "crm_content_group__v", group, "id, modified_date__v"
    )
    since = "2020-01-01T00:00:00.000Z"
    # What others have changed is written by the first of these runs.
    await run_from(syncing, since)
    job, counts = await run_from(syncing, since)
    assert counts["unchanged"] == counts["written"] >= 1
    again = await copy_of(
        syncing, "crm_content_group__v", group, "id, modified_date__v"
    )
    assert again == copied
    # The time is not that of an earlier run, so that the run reads from before it.
    found = await syncing.medical.run(PRODUCT_CONTENT, job)
    assert found["changed_since"] == since
    assert str(found["read_since"]) < since


async def run_from(connected: Connected, since: str) -> tuple[int, Mapping[str, int]]:
    """Set the time back, which requests a run; return its job and its counts."""
    await read_again(connected, since)
    (requested,) = await connected.medical.runs(PRODUCT_CONTENT, 1)
    job = int(str(requested["job_id"]))
    return job, await ended(connected.medical, job, "SUCCESS", PRODUCT_CONTENT)


async def read_again(connected: Connected, since: str) -> None:
    """Let the next run read what has changed since a time."""
    row = {
        "integration_api_name__sys": PRODUCT_CONTENT,
        "last_successful_run_time__sys": since,
    }
    (result,) = await connected.medical.update(
        "integration__sys", [row], "integration_api_name__sys"
    )
    assert result.ok, result


async def test_what_is_inactive_or_gone_is_flagged_and_stays(
    syncing: Connected,
) -> None:
    run = new_run()
    kept, gone = [
        await create(
            syncing.crm,
            "content_group__v",
            {"name__v": f"{run} {n}", "external_id__v": f"{run} {n}"},
        )
        for n in range(2)
    ]
    await synced(syncing)
    await syncing.crm.update(
        "content_group__v",
        [{"id": kept, "name__v": f"{run} renamed", "status__v": "inactive__v"}],
    )
    await syncing.crm.delete("content_group__v", [gone])
    counts = await synced(syncing)
    assert counts["failed"] == 0
    fields = "name__v, source_status__v, deleted_in_source__v"
    inactive = await copy_of(syncing, "crm_content_group__v", kept, fields)
    assert inactive == {
        "name__v": f"{run} renamed",
        "source_status__v": ["inactive__v"],
        "deleted_in_source__v": False,
    }
    deleted = await copy_of(syncing, "crm_content_group__v", gone, fields)
    assert deleted == {
        "name__v": f"{run} 1",
        "source_status__v": ["inactive__v"],
        "deleted_in_source__v": True,
    }
    await assert_clean(syncing.medical, {kept, gone})


async def test_link_decides_then_external_id_and_never_a_name(
    syncing: Connected,
) -> None:
    run = new_run()
    loaded = await create(
        syncing.medical,
        "crm_detail_group__v",
        {"name__v": f"By hand {run}", "external_id__v": f"E {run}"},
    )
    namesake = await create(
        syncing.medical,
        "crm_detail_group__v",
        {"name__v": run, "external_id__v": f"X {run}"},
    )
    group = await create(
        syncing.crm, "detail_group__v", {"name__v": run, "external_id__v": f"E {run}"}
    )
    await synced(syncing)
    assert await copy_of(syncing, "crm_detail_group__v", group) == {
        "id": loaded,
        "name__v": run,
    }
    other = await create(
        syncing.crm, "detail_group__v", {"name__v": run, "external_id__v": f"O {run}"}
    )
    await syncing.crm.update(
        "detail_group__v", [{"id": group, "external_id__v": f"X {run}"}]
    )
    await synced(syncing)
    made = await copy_of(syncing, "crm_detail_group__v", other)
    assert made["id"] not in (loaded, namesake)
    found = await copy_of(syncing, "crm_detail_group__v", group, "id, external_id__v")
    assert found == {"id": loaded, "external_id__v": f"X {run}"}


async def test_two_records_that_mean_one_are_an_exception_and_neither_is_lost(
    syncing: Connected,
) -> None:
    run = new_run()
    first = await create(syncing.crm, "product_group__v", {"name__v": f"{run} first"})
    await synced(syncing)
    copy = await copy_of(syncing, "crm_product_group__v", first, "id, crm_org__v")
    second = await create(
        syncing.crm,
        "product_group__v",
        {"name__v": f"{run} second", "external_id__v": f"E {run}"},
    )
    await syncing.medical.update(
        "crm_product_group__v",
        [{"id": copy["id"], "link__sys": None, "external_id__v": f"E {run}"}],
    )
    await syncing.crm.update(
        "product_group__v", [{"id": first, "name__v": f"{run} renamed"}]
    )
    assert (await synced(syncing, status="ERRORS_ENCOUNTERED"))["failed"] == 2
    text = f"SELECT id, name__v FROM crm_product_group__v WHERE name__v LIKE '{run}%'"
    assert (await one(syncing.medical, text)) == {
        "id": copy["id"],
        "name__v": f"{run} first",
    }
    link = f"{syncing.crm.vault_id}_{first}"
    await syncing.medical.update(
        "crm_product_group__v", [{"id": copy["id"], "link__sys": link}]
    )
    assert (await synced(syncing))["failed"] == 0
    assert await copy_of(syncing, "crm_product_group__v", first) == {
        "id": copy["id"],
        "name__v": f"{run} renamed",
    }
    assert (await copy_of(syncing, "crm_product_group__v", second))[
        "name__v"
    ] == f"{run} second"


async def test_identifiers_of_two_records_are_an_exception_until_mended(
    syncing: Connected,
) -> None:
    run = new_run()
    twins = [
        await create(
            syncing.medical,
            "crm_event_configuration__v",
            {"name__v": run, "external_id__v": f"E {run}"},
        )
        for _ in range(2)
    ]
    event = await create(
        syncing.crm,
        "event_configuration__v",
        {"name__v": run, "external_id__v": f"E {run}"},
    )
    topic = await create(
        syncing.crm, "event_topic__v", {"name__v": run, "event_configuration__v": event}
    )
    counts = await synced(syncing, EVENTS, "ERRORS_ENCOUNTERED")
    assert counts["failed"] == 2, "the configuration, and the topic that refers to it"
    text = f"SELECT error_type__sys, error_status__sys FROM exception_item__sys WHERE item__sys = '{event}'"
    assert (await one(syncing.medical, text))["error_type__sys"] == ["match_error__sys"]
    await syncing.medical.delete("crm_event_configuration__v", [twins[0]])
    counts = await synced(syncing, EVENTS)
    assert counts["failed"] == 0
    assert (await one(syncing.medical, text))["error_status__sys"] == ["resolved__sys"]
    row = await copy_of(syncing, "crm_event_topic__v", topic, "event_configuration__v")
    assert row["event_configuration__v"] == twins[1]


@pytest.mark.parametrize("before", ["", "changed"])
async def test_what_is_gone_is_not_brought_back_by_an_older_state(
    syncing: Connected, before: str
) -> None:
    run = new_run()
    group = await create(
        syncing.crm, "content_group__v", {"name__v": run, "external_id__v": run}
    )
    await synced(syncing)
    if before:
        await syncing.crm.update(
            "content_group__v", [{"id": group, "name__v": f"{run} {before}"}]
        )

    async def delete_group() -> None:
        await syncing.crm.delete("content_group__v", [group])

    await overtaken(
        syncing, "crm_content_group_inbound__v", "content_group__v", group, delete_group
    )
    copy = await copy_of(
        syncing, "crm_content_group__v", group, "source_status__v, deleted_in_source__v"
    )
    assert copy == {"source_status__v": ["inactive__v"], "deleted_in_source__v": True}
