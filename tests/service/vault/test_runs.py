"""Runs of integrations in the Vault: requested, counted, ended; their time advances only without failures."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from local.polling import answers_within
from shared.spark.envelope import format_moment
from shared.vault.assembly.vault import Vault
from tests.service.vault.served import Answer, Api

INTEGRATION = "medical_inquiry_details__v"
RUNS = f"/services/integrations/{INTEGRATION}/runs"
RECORDS = "/vobjects/integration__sys?idParam=integration_api_name__sys"
QUEUE = "/services/queues/medical_crm_inbound_queue__v"
LONG_AGO = "2020-01-31T12:00:00.000Z"
COUNTS = {
    "read": 10,
    "mapped": 8,
    "skipped": 2,
    "written": 8,
    "failed": 0,
    "unchanged": 3,
}


class Runs:
    """An active integration, its administrator, and the connection's user who does the work of a connector."""

    def __init__(self, admin: Api, connector: Api) -> None:
        self.admin, self.connector = admin, connector

    async def set(self, **fields: Any) -> Answer:
        return await self.admin.put(
            RECORDS, json=[{"integration_api_name__sys": INTEGRATION, **fields}]
        )

    async def time(self) -> str:
        text = "SELECT last_successful_run_time__sys FROM integration__sys"
        (row,) = (
            await self.admin.query(
                f"{text} WHERE integration_api_name__sys = '{INTEGRATION}'"
            )
        ).data
        return str(row["last_successful_run_time__sys"])

    async def run(self, job_id: int) -> dict[str, Any]:
        data: dict[str, Any] = (await self.connector.get(f"{RUNS}/{job_id}")).data
        return data

    async def becomes(self, job_id: int, status: str) -> dict[str, Any]:
        async def reason() -> str | None:
            run = await self.run(job_id)
            begun = status != "RUNNING" or run["changed_since"]
            return (
                None
                if run["status"] == status and begun
                else f"the run is {run['status']}"
            )

        assert await answers_within(60, reason) is None
        return await self.run(job_id)

    async def listed(self, *statuses: str) -> list[dict[str, Any]]:
        return [
            run
            for run in (await self.admin.get(RUNS)).data
            if run["status"] in statuses
        ]

    async def requested(self) -> int:
        job_id: int = (await self.admin.post(RUNS)).body["job_id"]
        await self.becomes(job_id, "RUNNING")
        return job_id

    async def progress(self, job_id: int, **members: Any) -> dict[str, Any]:
        data: dict[str, Any] = (
            await self.connector.put(f"{RUNS}/{job_id}", json=members)
        ).data
        return data

    async def report(self, job_id: int, batch: int, **counts: int) -> Answer:
        body = {"integration_point": "account_inbound__v", **COUNTS, **counts}
        return await self.connector.put(f"{RUNS}/{job_id}/batches/{batch}", json=body)

    async def read(self, job_id: int, batches: int, **clock: str) -> str:
        """Read the source as a connector does, all batches published; the source's clock before that."""
        clock = clock or (await self.connector.get("/services/clock")).data
        await self.progress(
            job_id,
            source_time=clock["date_time"],
            complete_until=clock.get("complete_until"),
        )
        for batch in range(1, batches + 1):
            await self.progress(job_id, stage=0, batches=batch, position=str(batch))
        await self.progress(job_id, stage=0, batches=batches, ended=True)
        return clock["date_time"]

    async def finish(self, job_id: int, **clock: str) -> dict[str, Any]:
        """End a run without records."""
        await self.read(job_id, 0, **clock)
        return await self.becomes(job_id, "SUCCESS")


@pytest.fixture
async def runs(admin: Api, integration: Api) -> AsyncIterator[Runs]:
    made = Runs(admin, integration)
    await made.set(status__v="inactive__v")
    await made.set(status__v="active__v")
    yield made
    await made.set(run_interval__sys=None)
    for run in await made.listed("QUEUED", "RUNNING"):
        await made.becomes(run["job_id"], "RUNNING")
        await made.finish(run["job_id"])
    await made.set(status__v="inactive__v")


async def test_a_run_without_errors_moves_the_time_to_the_sources_clock(
    runs: Runs,
) -> None:
    before = (await runs.admin.get(QUEUE)).data[0]["messages_in_queue"]
    since, job_id = await runs.time(), await runs.requested()

    async def sent() -> str | None:
        found = (await runs.admin.get(QUEUE)).data[0]["messages_in_queue"]
        return None if found == before + 1 else f"{found} messages"

    assert await answers_within(60, sent) is None
    assert (await runs.run(job_id))["changed_since"] == since
    now = await runs.read(job_id, 2)
    await runs.report(job_id, 1)
    assert (await runs.run(job_id))["status"] == "RUNNING"
    await runs.report(job_id, 2)
    run = await runs.becomes(job_id, "SUCCESS")
    assert run["counts"] == {name: 2 * count for name, count in COUNTS.items()}
    assert run["integration_points"] == {"account_inbound__v": run["counts"]}
    assert await runs.time() == now > since
    tasks = (await runs.admin.get(f"/services/jobs/{job_id}/tasks")).body["tasks"]
    assert tasks == [
        {"id": "account_inbound__v", "state": "SUCCESS", "counts": run["counts"]}
    ]


FAR_AHEAD = datetime(2999, 1, 31, 12, 30, tzinfo=UTC)
_years = count()


def source_time() -> datetime:
    """A time of the source's clock later than those of other tests' runs."""
    return FAR_AHEAD.replace(year=FAR_AHEAD.year + next(_years))


@pytest.mark.parametrize(
    ("behind", "continued", "notice"),
    [
        (timedelta(0), True, None),
        (timedelta(minutes=5), True, None),
        (timedelta(minutes=30), True, "30 minutes"),
        (timedelta(days=366 * 1500), False, "has been open"),
        (None, False, "cannot tell"),
    ],
    ids=["complete", "five minutes", "half an hour", "before the last run", "unknown"],
)
async def test_the_time_moves_to_where_the_sources_changes_are_complete(
    runs: Runs,
    behind: timedelta | None,
    continued: bool,
    notice: str | None,
) -> None:
    since, now = await runs.time(), source_time()
    clock = {"date_time": format_moment(now)}
    if behind is not None:
        clock["complete_until"] = format_moment(now - behind)
    run = await runs.finish(await runs.requested(), **clock)
    assert run["source_time"] == clock["date_time"]
    assert run["complete_until"] == clock.get("complete_until")
    reached = clock.get("complete_until", clock["date_time"])
    assert await runs.time() == max(reached, since), "it is never moved back"
    assert (notice or "") in run.get("notice", "")
    assert ("notice" in run) == (notice is not None)
    following = await runs.requested()
    assert (await runs.run(following))["continues"] is continued
    await runs.finish(following, **clock)


async def test_a_time_that_was_set_continues_no_run(runs: Runs) -> None:
    job_id = await runs.requested()
    assert (await runs.run(job_id))["continues"] is False, "as it was activated"
    await runs.finish(job_id)
    reached = await runs.time()
    await runs.set(last_successful_run_time__sys=format_moment(source_time()))
    job_id = await runs.requested()
    assert (await runs.run(job_id))["continues"] is False
    await runs.finish(job_id)
    await runs.set(last_successful_run_time__sys=reached)
    (run,) = await runs.listed("QUEUED", "RUNNING")
    await runs.becomes(run["job_id"], "RUNNING")
    assert (await runs.run(run["job_id"]))["continues"] is True, "all before was read"


@pytest.mark.parametrize(
    "complete_until",
    [
        format_moment(FAR_AHEAD + timedelta(milliseconds=1)),
        "yesterday",
        "9999-12-31T23:59:59.999-14:00",
    ],
)
async def test_a_moment_after_the_clock_is_refused(
    runs: Runs, complete_until: str
) -> None:
    job_id = await runs.requested()
    body = {"source_time": format_moment(FAR_AHEAD), "complete_until": complete_until}
    answer = await runs.connector.put(f"{RUNS}/{job_id}", json=body)
    assert answer.error == "INVALID_DATA"
    assert "complete_until" in answer.message


async def test_a_blank_time_reads_everything(runs: Runs) -> None:
    await runs.set(last_successful_run_time__sys=None)
    assert await runs.listed("QUEUED", "RUNNING", "SCHEDULED") == []
    job_id = await runs.requested()
    since = (await runs.run(job_id))["changed_since"]
    assert since == "0001-01-01T00:00:00.000Z"
    everything = "SELECT id FROM integration__sys WHERE modified_date__v >="
    found = (await runs.admin.query(f"{everything} '{since}'")).data
    assert found == (await runs.admin.query("SELECT id FROM integration__sys")).data
    until = await runs.read(job_id, 0)
    await runs.becomes(job_id, "SUCCESS")
    assert await runs.time() == until


async def test_a_failure_leaves_the_time_where_it_is(runs: Runs) -> None:
    since, job_id = await runs.time(), await runs.requested()
    await runs.read(job_id, 2)
    await runs.report(job_id, 1, written=7, failed=1)
    await runs.report(job_id, 2)
    run = await runs.becomes(job_id, "ERRORS_ENCOUNTERED")
    assert run["counts"] == {
        "read": 20,
        "mapped": 16,
        "skipped": 4,
        "written": 15,
        "failed": 1,
        "unchanged": 6,
    }
    assert await runs.time() == since


async def test_a_batch_counts_once_as_the_worst_of_its_deliveries(runs: Runs) -> None:
    job_id = await runs.requested()
    for failed in (0, 0, 3, 1):
        await runs.report(job_id, 1, written=8 - failed, failed=failed)
    assert (await runs.run(job_id))["counts"] == {**COUNTS, "written": 5, "failed": 3}
    await runs.read(job_id, 1)
    await runs.becomes(job_id, "ERRORS_ENCOUNTERED")
    refused = await runs.report(job_id, 1, written=0, failed=8, unchanged=0)
    assert refused.data["counts"]["failed"] == 3, (
        "nothing is noted of a run that has ended"
    )


@pytest.mark.parametrize(
    "counts",
    [
        {"read": 11},
        {"mapped": 9},
        {"mapped": 7},
        {"written": 7},
        {"failed": -1},
        {"unchanged": 9},
        {"unchanged": -1},
    ],
    ids=str,
)
async def test_counts_that_do_not_add_up_are_refused(
    runs: Runs, counts: dict[str, int]
) -> None:
    job_id = await runs.requested()
    assert (await runs.report(job_id, 1, **counts)).error == "INVALID_DATA"


async def test_a_report_on_the_run_of_another_integration_counts_nothing(
    runs: Runs,
) -> None:
    job_id = await runs.requested()
    found = await runs.admin.query(
        "SELECT integration_api_name__sys FROM integration__sys "
        f"WHERE integration_api_name__sys != '{INTEGRATION}'"
    )
    other = RUNS.replace(INTEGRATION, found.data[0]["integration_api_name__sys"])
    body = {"integration_point": "account_inbound__v", **COUNTS}
    answer = await runs.connector.put(f"{other}/{job_id}/batches/1", json=body)

    assert answer.error == "INVALID_DATA"
    assert (await runs.run(job_id))["counts"]["read"] == 0


async def test_who_reads_a_second_time_goes_on_where_the_first_one_was(
    runs: Runs,
) -> None:
    job_id = await runs.requested()
    first = (await runs.progress(job_id, source_time="2026-01-31T12:00:00.000Z"))[
        "source_time"
    ]
    assert (await runs.progress(job_id, source_time="2026-01-31T13:00:00.000Z"))[
        "source_time"
    ] == first
    await runs.progress(job_id, stage=0, batches=1, position="1")
    await runs.progress(job_id, stage=0, batches=2, position="2")
    known = await runs.progress(job_id, stage=0, batches=1, position="another")
    assert (known["batches"], known["position"]) == (2, "2")
    two = await runs.progress(job_id, stage=0, batches=4, position="4")
    assert (two["batches"], two["position"]) == (4, "4"), "a page may be two batches"
    behind = await runs.progress(job_id, stage=0, batches=3, position="3")
    assert (behind["batches"], behind["position"]) == (4, "4")
    early = await runs.progress(job_id, stage=0, batches=1, ended=True)
    assert not early["paged"], "who knows of fewer batches has not read to the end"
    await runs.progress(job_id, error="The end of this test")
    await runs.becomes(job_id, "ERRORS_ENCOUNTERED")


async def test_the_next_stage_begins_when_the_one_before_is_in(runs: Runs) -> None:
    job_id = await runs.requested()
    await runs.progress(job_id, stage=0, batches=1, position="1")
    await runs.progress(job_id, stage=0, batches=1, ended=True, more_stages=True)
    assert (await runs.run(job_id))["stage"] == 0
    await runs.report(job_id, 1)

    async def next_stage() -> str | None:
        run = await runs.run(job_id)
        return (
            None
            if (run["stage"], run["paged"]) == (1, False)
            else f"stage {run['stage']}"
        )

    assert await answers_within(60, next_stage) is None
    await runs.progress(job_id, stage=1, batches=1, ended=True)
    await runs.becomes(job_id, "SUCCESS")


async def test_set_back_by_hand_it_runs_at_once(runs: Runs) -> None:
    await runs.set(last_successful_run_time__sys=LONG_AGO)
    (run,) = await runs.listed("QUEUED", "RUNNING")
    await runs.becomes(run["job_id"], "RUNNING")
    assert (await runs.run(run["job_id"]))["changed_since"] == LONG_AGO
    await runs.finish(run["job_id"])
    assert await runs.time() > LONG_AGO


async def test_what_is_set_by_hand_meanwhile_wins_and_another_run_is_due(
    runs: Runs,
) -> None:
    job_id = await runs.requested()
    for second in ("00", "01"):
        await runs.set(
            last_successful_run_time__sys=LONG_AGO.replace("00.000", f"{second}.000")
        )
    assert len(await runs.listed("RUNNING")) == 1
    assert len(await runs.listed("QUEUED")) == 1
    await runs.finish(job_id)
    (after,) = await runs.listed("QUEUED", "RUNNING")
    run = await runs.becomes(after["job_id"], "RUNNING")
    assert (
        run["changed_since"]
        == await runs.time()
        == LONG_AGO.replace("00.000", "01.000")
    )


@pytest.mark.parametrize(
    "time", ["2999-01-31T12:00:00.000Z", None], ids=["later", "none"]
)
async def test_set_otherwise_it_does_not_run(runs: Runs, time: str | None) -> None:
    await runs.set(last_successful_run_time__sys=time)
    assert await runs.listed("QUEUED", "RUNNING", "SCHEDULED") == []


async def test_an_interval_schedules_the_next_run(runs: Runs) -> None:
    await runs.set(run_interval__sys=60)
    await runs.set(run_interval__sys=30)
    (scheduled,) = await runs.listed("SCHEDULED")
    monitors = (
        await runs.admin.get("/services/jobs/monitors", params={"status": "scheduled"})
    ).body["jobs"]
    assert scheduled["job_id"] in [job["job_id"] for job in monitors]
    await runs.admin.post(f"/services/jobs/start_now/{scheduled['job_id']}")
    await runs.becomes(scheduled["job_id"], "RUNNING")
    await runs.finish(scheduled["job_id"])
    (following,) = await runs.listed("SCHEDULED")
    assert following["job_id"] != scheduled["job_id"]
    await runs.set(run_interval__sys=None)
    assert await runs.listed("SCHEDULED") == []


async def test_a_run_that_nobody_carries_out_ends_with_errors(
    runs: Runs, vault: Vault
) -> None:
    job_id = await runs.requested()
    async with vault.database.connection() as connection:
        sql = "UPDATE platform.integration_run SET progress_date = now() - interval '1 day' WHERE job_id = $1"
        await connection.execute(sql, job_id)
    await runs.becomes(job_id, "ERRORS_ENCOUNTERED")


async def test_an_inactive_integration_does_not_run(runs: Runs) -> None:
    await runs.set(status__v="inactive__v")
    assert (await runs.admin.post(RUNS)).error == "OPERATION_NOT_ALLOWED"
    await runs.set(last_successful_run_time__sys=LONG_AGO)
    assert await runs.listed("QUEUED", "RUNNING", "SCHEDULED") == []


async def test_the_clock_never_goes_back(runs: Runs, vault: Vault) -> None:
    ahead = "2999-01-31 12:00:00+00"
    async with vault.database.connection() as connection:
        # As text: before the first change it is -infinity, which Python has no date for.
        before = await connection.fetchval("SELECT given::text FROM platform.clock")
        await connection.execute(
            "UPDATE platform.clock SET given = $1::text::timestamptz", ahead
        )
    try:
        clock = (await runs.connector.get("/services/clock")).data
        assert clock == dict.fromkeys(
            ("date_time", "complete_until"), "2999-01-31T12:00:00.000Z"
        )
        created = await runs.admin.post(
            "/vobjects/thing__c", json=[{"name__v": "thing"}]
        )
        record = (await runs.admin.get(f"/vobjects/thing__c/{created.ids[0]}")).data
        assert record["modified_date__v"] == "2999-01-31T12:00:00.000Z", (
            "nothing is dated before a moment that was returned"
        )
    finally:
        async with vault.database.connection() as connection:
            await connection.execute(
                "UPDATE platform.clock SET given = $1::text::timestamptz", before
            )
    deleted = await runs.admin.delete(f"/vobjects/thing__c/{created.ids[0]}")
    assert deleted.status == "SUCCESS", "nothing else is the latest for ever"
