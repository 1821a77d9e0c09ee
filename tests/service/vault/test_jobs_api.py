"""Jobs through the API: status, tasks, lists with filters and pages, start, who sees what, how often."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.polling import answers_within
from shared.vault.access.caller import SYSTEM
from shared.vault.assembly.vault import Vault
from shared.vault.errors import VaultFault
from shared.vault.jobs.job_logs import JobLog, result_key
from shared.vault.jobs.job_service import JobService
from tests.service.vault.jobbing import finished
from tests.service.vault.people import as_user, new_user
from tests.service.vault.served import Api

LATER = timedelta(hours=1)
TITLE = "Remove expired jobs and uploads"


async def scheduled(vault: Vault, client: Api, **options: Any) -> int:
    """A job of the client's user that would run in an hour."""
    caller = await vault.security.sessions.caller(client.session_id)
    options.setdefault("run_at", datetime.now(UTC) + LATER)
    return await vault.jobs.submit(
        caller, "housekeeping", "A test's job", {}, **options
    )


async def test_status_of_a_job(vault: Vault, user: Api) -> None:
    job_id = await scheduled(vault, user)
    answer = await user.get(f"/services/jobs/{job_id}")
    assert answer.status == "SUCCESS" and answer.body["responseMessage"] == "OK"
    data = answer.data
    assert (data["id"], data["status"], data["method"]) == (job_id, "SCHEDULED", "POST")
    url = f"/api/v25.1/services/jobs/{job_id}"
    assert data["links"] == [
        {"rel": "self", "href": url, "method": "GET", "accept": "application/json"}
    ]
    assert isinstance(data["created_by"], int)
    assert datetime.fromisoformat(data["run_start_date"]) > datetime.fromisoformat(
        data["created_date"]
    )
    assert "run_end_date" not in data


async def test_start_now_and_end(vault: Vault, user: Api) -> None:
    job_id = await scheduled(vault, user)
    answer = await user.post(f"/services/jobs/start_now/{job_id}")
    assert answer.body == {
        "responseStatus": "SUCCESS",
        "url": f"/api/v25.1/services/jobs/{job_id}",
        "job_id": job_id,
    }
    data = await finished(user, job_id)
    assert data["status"] == "SUCCESS"
    assert data["created_date"] <= data["run_start_date"] <= data["run_end_date"]
    assert (
        await user.post(f"/services/jobs/start_now/{job_id}")
    ).error == "OPERATION_NOT_ALLOWED"


async def test_tasks(vault: Vault, user: Api) -> None:
    job_id = await scheduled(vault, user)
    async with vault.database.connection() as connection:
        for number in range(1, 4):
            await connection.execute(
                "INSERT INTO platform.job_task (job_id, task_id, state, counts) VALUES ($1, $2, 'SUCCESS', $3)",
                job_id,
                f"Task{number}",
                '{"success": 2}' if number == 1 else "{}",
            )
    answer = await user.get(f"/services/jobs/{job_id}/tasks")
    assert answer.body == {
        "responseStatus": "SUCCESS",
        "url": f"/api/v25.1/services/jobs/{job_id}/tasks?limit=50&offset=0",
        "responseDetails": {"total": 3, "limit": 50, "offset": 0},
        "job_id": job_id,
        "tasks": [
            {"id": "Task1", "state": "SUCCESS", "counts": {"success": 2}},
            {"id": "Task2", "state": "SUCCESS"},
            {"id": "Task3", "state": "SUCCESS"},
        ],
    }
    assert (await user.get(f"/services/jobs/{job_id}")).data["tasks"] == {
        "size": 3,
        "success": 3,
    }
    page = await user.get(f"/services/jobs/{job_id}/tasks?limit=1&offset=1")
    assert [task["id"] for task in page.body["tasks"]] == ["Task2"]


async def test_monitors_and_histories(api: Api, admin: Api, vault: Vault) -> None:
    _, username = await new_user(admin)
    user = await as_user(api, username)
    waiting = [
        await scheduled(vault, user, run_at=datetime.now(UTC) + n * LATER)
        for n in (3, 1, 2)
    ]
    listed = await user.get("/services/jobs/monitors?status=scheduled&limit=200")
    found = listed.body["jobs"]
    assert [job["job_id"] for job in found] == [waiting[1], waiting[2], waiting[0]]
    assert set(found[0]) == {
        *("job_id", "title", "status", "created_by", "created_date"),
        *("modified_by", "modified_date", "run_start_date"),
    }
    assert found[0]["title"] == "A test's job" and found[0]["status"] == "SCHEDULED"
    assert (
        listed.body["url"]
        == "/api/v25.1/services/jobs/monitors?status=scheduled&limit=200&offset=0"
    )
    assert listed.body["responseMessage"] == "OK"

    for job_id in waiting:
        await user.post(f"/services/jobs/start_now/{job_id}")
        await finished(user, job_id)
    listed = await user.get(
        "/services/jobs/histories?status=success,errors_encountered"
    )
    assert [job["job_id"] for job in listed.body["jobs"]] == waiting[::-1]
    assert all(
        job["run_start_date"] <= job["run_end_date"] for job in listed.body["jobs"]
    )
    assert (await user.get("/services/jobs/monitors")).body["jobs"] == []
    assert (await user.get("/services/jobs/histories?status=timeout")).body[
        "jobs"
    ] == []


async def test_pages_and_dates(vault: Vault, api: Api, admin: Api) -> None:
    _, username = await new_user(admin)
    user = await as_user(api, username)
    jobs = [await scheduled(vault, user) for _ in range(3)]
    first = await user.get("/services/jobs/monitors?limit=2")
    details = first.body["responseDetails"]
    assert (details["limit"], details["offset"], details["total"]) == (2, 0, 3)
    assert "previous_page" not in details
    seen, following = (
        [job["job_id"] for job in first.body["jobs"]],
        details.get("next_page"),
    )
    while following:
        page = await user.get(following)
        assert "previous_page" in page.body["responseDetails"]
        seen += [job["job_id"] for job in page.body["jobs"]]
        following = page.body["responseDetails"].get("next_page")
    assert sorted(seen) == sorted(jobs)

    now = datetime.now(UTC)
    for start, end, expected in (
        (now - LATER, now + LATER, set(jobs)),
        (now + LATER, now + 2 * LATER, set()),
        (now - 2 * LATER, now - LATER, set()),
    ):
        params = {
            "start_date": start.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "end_date": end.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        listed = await user.get(
            "/services/jobs/monitors", params={**params, "limit": "200"}
        )
        assert {job["job_id"] for job in listed.body["jobs"]} == expected


@pytest.mark.parametrize(
    "query",
    [
        "histories?status=running",
        "monitors?status=success",
        "monitors?status=nothing",
        "monitors?limit=201",
        "monitors?limit=0",
        "monitors?offset=-1",
        "histories?start_date=yesterday",
        "histories?end_date=2025-13-01",
    ],
)
async def test_parameters_that_are_not_valid(user: Api, query: str) -> None:
    assert (await user.get(f"/services/jobs/{query}")).error == "INVALID_DATA"


async def test_everyone_sees_their_own_and_an_administrator_sees_all(
    vault: Vault, api: Api, user: Api, integration: Api, admin: Api
) -> None:
    job_id = await scheduled(vault, user)
    for path in (f"/{job_id}", f"/{job_id}/tasks"):
        assert (
            await integration.get(f"/services/jobs{path}")
        ).error == "INSUFFICIENT_ACCESS"
        assert (await admin.get(f"/services/jobs{path}")).status == "SUCCESS"
    assert (
        await integration.post(f"/services/jobs/start_now/{job_id}")
    ).error == "INSUFFICIENT_ACCESS"
    for client, visible in ((user, True), (integration, False), (admin, True)):
        listed = await client.get("/services/jobs/monitors?limit=200")
        assert (job_id in {job["job_id"] for job in listed.body["jobs"]}) is visible
    titles = [
        job["title"]
        for job in (await admin.get("/services/jobs/monitors?limit=200")).body["jobs"]
    ]
    assert TITLE in titles


@pytest.mark.parametrize("job_id", ["999999999", "99999999999999999999", "0", "-1"])
async def test_a_job_that_does_not_exist(user: Api, job_id: str) -> None:
    assert (await user.get(f"/services/jobs/{job_id}")).error == "INVALID_DATA"
    assert (await user.get(f"/services/jobs/{job_id}/tasks")).error == "INVALID_DATA"


async def test_the_status_may_be_asked_for_once_in_a_while(
    vault: Vault, user: Api
) -> None:
    job_id = await scheduled(vault, user)
    other = await scheduled(vault, user)
    patient = JobService(vault.database, poll_seconds=3600)
    assert (await patient.poll(SYSTEM, job_id)).job_id == job_id
    with pytest.raises(VaultFault, match="once in 3600 seconds") as raised:
        await patient.poll(SYSTEM, job_id)
    assert raised.value.error.type == "API_LIMIT_EXCEEDED"
    await patient.poll(SYSTEM, other)
    async with vault.database.connection() as connection:
        await connection.execute(
            "UPDATE platform.job SET polled_date = now() - interval '3600 seconds' WHERE job_id = $1",
            job_id,
        )
    await patient.poll(SYSTEM, job_id)


async def test_a_user_who_is_inactive_by_then_is_not_acted_for(vault: Vault) -> None:
    caller = SYSTEM.__class__(987_654, "gone", SYSTEM.profile)
    job_id = await vault.jobs.submit(caller, "housekeeping", "A test's job", {})

    async def reason() -> str | None:
        return (
            None if (await vault.jobs.job(SYSTEM, job_id)).run_end_date else "it runs"
        )

    assert await answers_within(60, reason) is None
    job = await vault.jobs.job(SYSTEM, job_id)
    assert job.status == "ERRORS_ENCOUNTERED" and "INACTIVE_USER" in str(job.results)


async def test_housekeeping_removes_what_has_expired(vault: Vault, admin: Api) -> None:
    old, recent = [
        await vault.jobs.submit(SYSTEM, "housekeeping", "A test's job", {})
        for _ in range(2)
    ]
    for job_id in (old, recent):
        await finished(admin, job_id)
        log = JobLog(vault.database, job_id, "1", "log")
        async with vault.database.transaction() as connection:
            await log.append(connection, "a line\r\n")
        assert (await log.publish(vault.files)).size == 8
    async with vault.database.connection() as connection:
        await connection.execute(
            "UPDATE platform.job SET run_end_date = now() - interval '31 days' WHERE job_id = $1",
            old,
        )
    await finished(
        admin, await vault.jobs.submit(SYSTEM, "housekeeping", "A test's job", {})
    )
    assert (await admin.get(f"/services/jobs/{old}")).error == "INVALID_DATA"
    assert await vault.files.find(result_key(old, "1", "log")) is None
    assert (await admin.get(f"/services/jobs/{recent}")).status == "SUCCESS"
    assert await vault.files.find(result_key(recent, "1", "log")) is not None
