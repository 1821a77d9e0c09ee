"""Jobs on a real database: run once, taken over, released, cancelled, one at a time by key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from local.polling import holds_within
from shared.protocol.error_types import ErrorType
from shared.vault.access.caller import (
    BUSINESS_USER,
    SYSTEM,
    Caller,
    SecurityProfile,
)
from shared.vault.errors import VaultFault
from shared.vault.jobs.job_model import (
    JobContext,
    JobResult,
    JobStatus,
    JobTask,
    JobType,
    LeaseLost,
    TaskState,
)
from shared.vault.jobs.job_table import JobTable
from shared.vault.storage.database import Database, also_in_unit_of_work
from shared.vault.storage.migrate import migrate
from tests.service.vault.jobbing import FAST, Gate, Jobs, watchful

DEAD = timedelta(0)  # the lease of a process that ends with its first breath
LATER = timedelta(hours=1)


@pytest.fixture
async def jobs(postgres_dsn: str) -> AsyncIterator[Jobs]:
    database = Database(postgres_dsn)
    await database.open()
    await migrate(database)
    yield Jobs(database)
    await database.close()


async def test_a_job_of_a_delegate_runs_as_that_of_a_delegate(jobs: Jobs) -> None:
    seen: list[int | None] = []

    async def handle(context: JobContext) -> JobResult:
        seen.append(context.caller.delegate_user_id)
        return JobResult()

    submitting = replace(SYSTEM, delegate_user_id=7)
    job_id = await jobs.service.submit(submitting, "test", "A delegate's", {})
    async with jobs.working(jobs.worker({"test": handle})):
        await jobs.becomes(job_id, "SUCCESS")
    assert seen == [7]


class Rights:
    """What a user may do, until it is taken from them."""

    def __init__(self) -> None:
        self.caller = replace(SYSTEM, delegate_user_id=7)
        self.fault: VaultFault | None = None

    async def caller_of(self, *_: object) -> Caller:
        if self.fault is not None:
            raise self.fault
        return self.caller


@pytest.mark.parametrize("reporting", ["save", "progress"])
async def test_a_job_whose_user_may_do_no_more_ends_with_its_next_part(
    jobs: Jobs, reporting: str
) -> None:
    rights, parts = Rights(), 0

    async def handle(context: JobContext) -> JobResult:
        nonlocal parts
        for part in range(3):
            if part == 1:
                text = "The delegation has ended"
                rights.fault = VaultFault(ErrorType.INSUFFICIENT_ACCESS, text)
            if reporting == "save":
                await context.save({"part": part})
            else:
                await context.progress("1", {"part": part})
            parts += 1
        return JobResult()

    job_id = await jobs.submit()
    worker = jobs.worker({"test": handle}, caller_of=rights.caller_of)
    async with jobs.working(worker):
        ended = await jobs.becomes(job_id, "SUCCESS", "ERRORS_ENCOUNTERED")
    assert ended.status is JobStatus.ERRORS_ENCOUNTERED
    assert "The delegation has ended" in str(ended.results)
    assert parts == 1


async def test_a_part_is_undone_that_its_user_may_not_write_any_more(
    jobs: Jobs,
) -> None:
    rights, callers = Rights(), []
    async with jobs.database.connection() as connection:
        await connection.execute("CREATE TABLE written (profile text)")

    async def handle(context: JobContext) -> JobResult:
        callers.append(context.caller.profile.name)
        async with jobs.database.transaction() as connection:
            name = context.caller.profile.name
            await connection.execute("INSERT INTO written VALUES ($1)", name)
            rights.caller = replace(rights.caller, profile=BUSINESS_USER)
            await context.save({}, connection=connection)
        return JobResult()

    job_id = await jobs.submit()
    worker = jobs.worker({"test": handle}, caller_of=rights.caller_of)
    async with jobs.working(worker):
        await jobs.becomes(job_id, "SUCCESS")
    async with jobs.database.connection() as connection:
        rows = await connection.fetch("SELECT profile FROM written")
    # It was begun again with what the user may do now.
    assert callers == [SYSTEM.profile.name, BUSINESS_USER.name]
    assert [row["profile"] for row in rows] == [BUSINESS_USER.name]


async def test_components_that_say_the_same_of_a_profile_end_no_run(jobs: Jobs) -> None:
    rights, runs = Rights(), 0

    async def handle(context: JobContext) -> JobResult:
        nonlocal runs
        runs += 1
        # Each version of the components makes a profile of its own.
        same = SecurityProfile(SYSTEM.profile.name, SYSTEM.profile.sets)
        rights.caller = replace(rights.caller, profile=same)
        await context.save({})
        return JobResult()

    job_id = await jobs.submit()
    worker = jobs.worker({"test": handle}, caller_of=rights.caller_of)
    async with jobs.working(worker):
        await jobs.becomes(job_id, "SUCCESS")
    assert runs == 1


async def tasks_of(jobs: Jobs, job_id: int) -> list[JobTask]:
    return list((await jobs.service.tasks(SYSTEM, job_id, limit=50, offset=0))[0])


async def test_a_job_runs_with_its_parameters_and_tells_of_its_tasks(
    jobs: Jobs,
) -> None:
    async def handle(context: JobContext) -> JobResult:
        assert context.caller == SYSTEM
        await context.progress("Task1", {"success": 2})
        await context.progress("Task2", {}, state=TaskState.QUEUED)
        await context.progress("Task1", {"success": 3}, state=TaskState.SUCCESS)
        return JobResult(results={"seen": context.parameters["value"]})

    job_id = await jobs.submit(parameters={"value": [1, "two"]})
    assert 1000 < job_id < 2**31
    assert (await jobs.job(job_id)).status is JobStatus.QUEUED
    async with jobs.working(jobs.worker({"test": handle})):
        job = await jobs.becomes(job_id, "SUCCESS")
    assert job.results == {"seen": [1, "two"]}
    assert job.run_start_date is not None and job.run_end_date is not None
    assert await tasks_of(jobs, job_id) == [
        JobTask("Task1", TaskState.SUCCESS, {"success": 3}),
        JobTask("Task2", TaskState.ERRORS_ENCOUNTERED, {}),  # was begun and never ended
    ]


async def test_a_job_is_part_of_the_transaction_that_submits_it(jobs: Jobs) -> None:
    undone = 0

    async def submit_and_fail() -> None:
        nonlocal undone
        async with jobs.database.transaction() as connection:
            undone = await jobs.submit(connection=connection)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await submit_and_fail()
    async with jobs.database.transaction() as connection:
        kept = await jobs.submit(connection=connection)
    gate = Gate()
    gate.open.set()
    async with jobs.working(jobs.worker({"test": gate.handle})):
        await jobs.becomes(kept, "SUCCESS")
    assert gate.runs == [kept]
    with pytest.raises(VaultFault):
        await jobs.job(undone)


async def test_faults_end_a_job_and_tell_no_more_than_they_should(jobs: Jobs) -> None:
    async def refused(context: JobContext) -> JobResult:
        raise VaultFault(ErrorType.INVALID_DATA, "not so")

    async def broken(context: JobContext) -> JobResult:
        message = "a patient's name"
        raise ValueError(message)

    first, second = await jobs.submit("refused"), await jobs.submit("broken")
    async with jobs.working(jobs.worker({"refused": refused, "broken": broken})):
        refusal = await jobs.becomes(first, "ERRORS_ENCOUNTERED")
        defect = await jobs.becomes(second, "ERRORS_ENCOUNTERED")
    assert refusal.results == {"error": {"type": "INVALID_DATA", "message": "not so"}}
    assert defect.results == {
        "error": {"type": "UNEXPECTED_ERROR", "message": "An unexpected error occurred"}
    }


async def test_a_killed_process_loses_its_job_to_another_that_goes_on_where_it_was(
    jobs: Jobs,
) -> None:
    async def handle(context: JobContext) -> JobResult:
        return JobResult(results={"went on from": context.checkpoint})

    job_id = await jobs.submit()
    claimed = await jobs.table.claim(["test"], LATER)
    assert claimed is not None and claimed.checkpoint == {}
    await jobs.table.save_checkpoint(claimed.lease, job_id, {"rows": 500}, None)
    assert await jobs.table.claim(["test"], LATER) is None
    await jobs.table.renew([claimed.lease], DEAD)
    async with jobs.working(jobs.worker({"test": handle})):
        assert (await jobs.becomes(job_id, "SUCCESS")).results == {
            "went on from": {"rows": 500}
        }


async def test_what_the_slower_of_two_still_writes_is_refused(jobs: Jobs) -> None:
    job_id = await jobs.submit()
    first = await jobs.table.claim(["test"], DEAD)
    second = await jobs.table.claim(["test"], LATER)
    assert first is not None and second is not None and first.lease != second.lease
    with pytest.raises(LeaseLost):
        await jobs.table.save_checkpoint(first.lease, job_id, {"rows": 1}, None)
    with pytest.raises(LeaseLost):
        await jobs.table.save_task(
            first.lease, job_id, JobTask("1", TaskState.SUCCESS, {}), None
        )
    assert not await jobs.table.finish(first, JobResult())
    assert await jobs.table.renew([first.lease, second.lease], LATER) == {
        second.lease: False
    }
    assert await jobs.table.finish(second, JobResult())


async def test_a_run_whose_lease_is_lost_ends(jobs: Jobs) -> None:
    gate = Gate()
    job_id = await jobs.submit()
    worker = jobs.worker({"test": gate.handle})
    async with jobs.working(worker):
        await asyncio.wait_for(gate.entered.wait(), 60)
        async with jobs.database.connection() as connection:
            other = None
            while other is None:
                # Again: the worker may have renewed its lease, or claimed the job anew.
                await connection.execute(
                    "UPDATE platform.job SET leased_until = now() - interval '1 second'"
                )
                other = await jobs.table.claim(["test"], LATER)
        worker.wake()
        assert await holds_within(60, lambda: not worker._runs)
        assert await jobs.table.finish(other, JobResult(results={"by": "the other"}))
    assert (await jobs.job(job_id)).results == {"by": "the other"}


class Unreachable(JobTable):
    """A database for a process that loses its connection once it has its job."""

    async def renew(
        self, leases: Collection[str], lease_time: timedelta
    ) -> Mapping[str, bool]:
        del leases, lease_time
        raise ConnectionResetError


async def test_a_process_cut_off_from_the_database_ends_its_runs(jobs: Jobs) -> None:
    gate = Gate()
    await jobs.submit()
    jobs.table = Unreachable(jobs.database)
    worker = jobs.worker({"test": gate.handle}, replace(FAST, lease=0.3))
    async with jobs.working(worker):
        await asyncio.wait_for(gate.entered.wait(), 60)
        assert await holds_within(60, lambda: not worker._runs)


async def test_a_job_that_ends_its_processes_is_given_up(jobs: Jobs) -> None:
    job_id = await jobs.submit()
    for _ in range(FAST.max_attempts):
        assert await jobs.table.claim(["test"], DEAD) is not None
    gate = Gate()
    async with jobs.working(jobs.worker({"test": gate.handle})):
        job = await jobs.becomes(job_id, "ERRORS_ENCOUNTERED")
    assert gate.runs == []
    assert "ended 3 times" in str(job.results)


async def test_shutdown_hands_a_job_back_and_another_process_runs_it(
    jobs: Jobs,
) -> None:
    job_id = await jobs.submit()
    async with jobs.working(jobs.worker({"test": watchful})):
        await jobs.becomes(job_id, "RUNNING")
    assert (await jobs.job(job_id)).status is JobStatus.QUEUED
    gate = Gate()
    gate.open.set()
    async with jobs.working(jobs.worker({"test": gate.handle})):
        await jobs.becomes(job_id, "SUCCESS")


async def test_shutdown_waits_for_no_one_long(jobs: Jobs) -> None:
    gate = Gate()
    job_id = await jobs.submit()
    for _ in range(FAST.max_attempts + 1):  # handing a job back is no failed attempt
        gate.entered.clear()
        async with jobs.working(
            jobs.worker({"test": gate.handle}, replace(FAST, grace=0.01))
        ):
            await asyncio.wait_for(gate.entered.wait(), 60)
        assert (await jobs.job(job_id)).status is JobStatus.QUEUED


async def test_cancelling(jobs: Jobs) -> None:
    running, waiting = await jobs.submit(), await jobs.submit("unknown")
    async with jobs.working(jobs.worker({"test": watchful})):
        await jobs.becomes(running, "RUNNING")
        await jobs.service.cancel(SYSTEM, running)
        await jobs.service.cancel(SYSTEM, waiting)
        assert (await jobs.job(waiting)).status is JobStatus.CANCELLED
        await jobs.becomes(running, "CANCELLED")
    assert [task.state for task in await tasks_of(jobs, running)] == [
        TaskState.CANCELLED
    ]
    with pytest.raises(VaultFault, match="has ended"):
        await jobs.service.cancel(SYSTEM, running)


async def test_a_run_takes_no_longer_than_its_type_allows(jobs: Jobs) -> None:
    job_id = await jobs.submit()
    async with jobs.working(
        jobs.worker({"test": JobType(Gate().handle, timeout=0.05)})
    ):
        await jobs.becomes(job_id, "TIMEOUT")


async def test_a_fault_that_will_pass_is_tried_again_later_and_not_for_ever(
    jobs: Jobs,
) -> None:
    async def unlucky(context: JobContext) -> JobResult:
        raise ConnectionRefusedError

    job_id = await jobs.submit()
    begun = datetime.now(UTC)
    async with jobs.working(jobs.worker({"test": unlucky})):
        for attempt in range(1, FAST.max_attempts):
            job = await jobs.becomes(job_id, "QUEUED")
            while job.run_at < begun + timedelta(seconds=2**attempt):
                job = await jobs.becomes(job_id, "QUEUED", "RUNNING")
            await jobs.service.start_now(SYSTEM, job_id)
        job = await jobs.becomes(job_id, "ERRORS_ENCOUNTERED")
    assert "could not be reached" in str(job.results)


async def test_scheduled_jobs_wait_and_may_be_started(jobs: Jobs) -> None:
    gate = Gate()
    gate.open.set()
    later = await jobs.submit(run_at=datetime.now(UTC) + LATER)
    due = await jobs.submit(run_at=datetime.now(UTC) - LATER)
    async with jobs.working(jobs.worker({"test": gate.handle})):
        await jobs.becomes(due, "SUCCESS")
        assert (await jobs.job(later)).status is JobStatus.SCHEDULED
        await jobs.service.start_now(SYSTEM, later)
        await jobs.becomes(later, "SUCCESS")
    assert gate.runs == [due, later]
    with pytest.raises(VaultFault, match="not waiting"):
        await jobs.service.start_now(SYSTEM, later)


async def test_of_a_key_one_waits_and_one_runs(jobs: Jobs) -> None:
    gate = Gate()
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    first = await jobs.submit(singleton_key="k", run_at=tomorrow)
    assert await jobs.submit(singleton_key="k", run_at=tomorrow + LATER) == first
    assert (await jobs.job(first)).status is JobStatus.SCHEDULED
    assert await jobs.submit(singleton_key="k") == first
    other = await jobs.submit(singleton_key="other")
    async with jobs.working(
        jobs.worker({"test": gate.handle}), jobs.worker({"test": gate.handle})
    ):
        await jobs.becomes(first, "RUNNING")
        second = await jobs.submit(singleton_key="k")
        assert second not in (first, other)
        assert await jobs.submit(singleton_key="k") == second
        await jobs.becomes(other, "RUNNING")
        assert (await jobs.job(second)).status is JobStatus.QUEUED
        gate.open.set()
        await jobs.becomes(second, "SUCCESS")
    assert sorted(gate.runs) == sorted([first, other, second])


async def test_processes_share_the_work_and_do_nothing_twice(
    jobs: Jobs, postgres_dsn: str
) -> None:
    gate = Gate()
    gate.open.set()
    elsewhere = Database(postgres_dsn)
    await elsewhere.open()
    submitted = [
        await jobs.submit(singleton_key=f"k{number % 7}" if number % 2 else None)
        for number in range(60)
    ]
    workers = [
        place.worker({"test": gate.handle}) for place in (jobs, Jobs(elsewhere), jobs)
    ]
    async with jobs.working(*workers):
        for job_id in set(submitted):
            await jobs.becomes(job_id, "SUCCESS")
    await elsewhere.close()
    assert sorted(gate.runs) == sorted(set(submitted))


async def test_no_more_at_once_than_the_options_say(jobs: Jobs) -> None:
    gate = Gate()
    submitted = [await jobs.submit() for _ in range(5)]
    async with jobs.working(
        jobs.worker({"test": gate.handle}, replace(FAST, concurrency=2))
    ):
        await asyncio.wait_for(gate.entered.wait(), 60)
        gate.open.set()
        for job_id in submitted:
            await jobs.becomes(job_id, "SUCCESS")
    assert gate.most_at_once <= 2


async def test_a_checkpoint_stands_or_falls_with_the_change_it_tells_of(
    jobs: Jobs,
) -> None:
    async def change(connection: object) -> str:
        return "changed"

    job_id = await jobs.submit()
    claimed = await jobs.table.claim(["test"], LATER)
    assert claimed is not None
    seen: list[object] = []

    async def note(connection: object, result: object) -> None:
        seen.append(result)
        await jobs.table.save_checkpoint(claimed.lease, job_id, {"rows": 1}, connection)  # type: ignore[arg-type]
        if len(seen) == 1:
            raise ZeroDivisionError

    with also_in_unit_of_work(note):
        with pytest.raises(ZeroDivisionError):
            await jobs.database.unit_of_work(change)
        async with jobs.database.connection() as connection:
            assert (
                await connection.fetchval("SELECT checkpoint::text FROM platform.job")
                == "{}"
            )
        assert await jobs.database.unit_of_work(change) == "changed"
    await jobs.database.unit_of_work(change)
    async with jobs.database.connection() as connection:
        assert (
            await connection.fetchval("SELECT checkpoint::text FROM platform.job")
            == '{"rows": 1}'
        )
    assert seen == ["changed", "changed"]


async def test_jobs_that_ended_long_ago_are_forgotten(jobs: Jobs) -> None:
    gate = Gate()
    gate.open.set()
    old, waiting = await jobs.submit(), await jobs.submit("unknown")
    async with jobs.working(jobs.worker({"test": gate.handle})):
        await jobs.becomes(old, "SUCCESS")
    assert await jobs.table.expired(timedelta(days=1)) == []
    assert await jobs.table.expired(DEAD) == [old]
    await jobs.table.remove([old])
    with pytest.raises(VaultFault):
        await jobs.job(old)
    await jobs.job(waiting)
